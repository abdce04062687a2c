"""The command and the section of a study file, from the outside."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossassay.cli import app
from lossassay.cli_biomarkers import _left_out
from lossassay.config.load import parse_study
from tests.study.here import run_here

RUNNER = CliRunner()


@pytest.fixture
def out(finished_study: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    shutil.copytree(finished_study, folder)
    return folder


def test_the_command_prints_json_for_programs(out: Path) -> None:
    found = RUNNER.invoke(app, ["biomarkers", str(out), "--criterion", "separation", "--json"])
    assert found.exit_code == 0, found.output
    plain = json.loads(found.stdout)
    assert plain["facts"]["criterion"] == "separation"
    assert [row["verdict"] for row in plain["comparisons"] if row["primary"]] == ["undecided"]
    assert Path(plain["report"]).is_file()


def test_the_command_prints_a_table_for_people(out: Path) -> None:
    found = RUNNER.invoke(app, ["biomarkers", str(out)])
    assert found.exit_code == 0, found.output
    assert "Undecided; the highest mean has:" in found.stdout
    assert "classical baseline" in found.stdout
    assert "features: 8 of 8" in found.stderr  # two arms and the baseline, two replicates, a pair of each arm
    assert "report.html" in found.stdout


def test_what_is_left_out_is_said_in_the_terminal() -> None:
    facts = {"runs_diverged": 3, "diverged_by_arm": {"a": 1, "b": 2}, "baseline": "no_scikit_image"}
    first, second = _left_out(facts)
    assert first == "3 diverged runs have no features and are left out (by arm: a 1, b 2)."
    assert "needs scikit-image" in second
    (volumes,) = _left_out({"runs_diverged": 0, "baseline": "first_order"})
    assert "volumes has first-order features alone" in volumes
    assert list(_left_out({"runs_diverged": 0, "baseline": "first_order_and_texture"})) == []


def test_a_study_with_a_section_is_assessed_at_its_end(tmp_path: Path) -> None:
    study = parse_study(
        {
            "name": "small",
            "data": {"path": "digits", "image_size": 32},
            "arms": [{"loss": "categorical_crossentropy"}],
            "training": {
                "model_options": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
                "epochs": 1,
                "precision": "fp32",
                "kernels": "plain",
            },
            "evidence": {"replicates": 1},
            "biomarkers": {"baseline": False, "images": 100},
        }
    )
    results = run_here(study, tmp_path / "out")
    assert results.stored.biomarkers is not None
    assert results.stored.biomarkers["images_high"] == 100
    assert results.stored.later("biomarkers").filter(criterion="repeatability")["estimate"].null_count() == 0
    assert len(results.stored.later("biomarker_comparisons")) == 0
