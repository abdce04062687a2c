"""The command `explain`, as people call it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossassay.cli import app
from lossassay.config.load import parse_study
from lossassay.errors import UnknownNameError
from tests.study.here import run_here


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain") / "out"
    study = parse_study(
        {
            "name": "small",
            "data": {"path": "digits", "image_size": 32},
            "arms": [{"loss": "categorical_crossentropy"}],
            "training": {"model_options": {"widths": [2, 2, 2, 2, 2], "dense": [4, 4]}, "epochs": 1},
            "evidence": {"replicates": 1},
        }
    )
    run_here(study, folder)
    return folder


def test_explain_writes_a_page_and_prints_its_path(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "maps"
    done = CliRunner().invoke(app, ["explain", str(out), "-o", str(target), "--row", "3", "--row", "5"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(target / "explain.html")
    assert (target / "explain.html").is_file()
    assert len(list((target / "pictures").iterdir())) == 2


def test_explain_answers_programs(out: Path, tmp_path: Path) -> None:
    arguments = [
        "explain",
        str(out),
        "-o",
        str(tmp_path),
        "--per-kind",
        "1",
        "--worth",
        "--worth-images",
        "2",
        "--json",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["images"][0]["kind"] in ("right", "wrong")
    assert {one["what"] for one in data["worth"]} == {"insertion", "deletion", "randomised"}
    assert "1 run of the arm is there" in data["notes"][0]  # no agreement with one replicate


def test_explain_refuses_what_is_not_there(out: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["explain", str(out), "-o", str(tmp_path), "--method", "gradcam"])
    assert isinstance(done.exception, UnknownNameError)
    assert "Did you mean 'grad_cam'?" in str(done.exception)
