"""Commands that use a run: what they print, where it goes, and how they end."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from lossassay import cli
from lossassay.biomarkers.loaded_run import load_run
from lossassay.errors import ModelError
from tests.biomarkers.conftest import image_study
from tests.study.here import jobs_in_this_process

__all__ = ["image_study"]


def call(*arguments: str | Path) -> tuple[int, str, str]:
    found = CliRunner().invoke(cli.app, [str(one) for one in arguments], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def images_of(study: Path) -> Path:
    return study.parent / "images"


def test_extract_writes_a_table_and_a_card(image_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    code, said, _ = call("extract", image_study, images_of(image_study), "-o", out, "--per-patient", "--augment", 2)
    assert code == 0
    assert f"{out}: 90 images, 8 features" in said
    assert f"{tmp_path / 'f-patients.parquet'}: 3 patients" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        "f.parquet",
        "f-patients.parquet",
        "f-model-card.md",
        "f-model-card.html",
    }


def test_extract_as_json(image_study: Path, tmp_path: Path) -> None:
    code, said, _ = call("extract", image_study, images_of(image_study), "-o", tmp_path / "f.csv", "--json")
    found = json.loads(said)
    assert code == 0
    assert (found["images"], found["columns"], found["left_out"], found["patients"]) == (90, 8, 0, None)


def test_unreadable_images_end_with_one_and_are_named_on_standard_error(image_study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (32, 32)).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"\x89PNG nonsense")
    code, said, messages = call("extract", image_study, folder, "-o", tmp_path / "f.csv")
    assert code == 1
    assert "1 images" in said
    assert "unreadable-image: 1 of 2 image files are truncated or damaged" in messages
    assert "  broken.png\n" in messages
    assert len(pl.read_csv(tmp_path / "f.csv")) == 1


def test_predict_prints_csv_or_writes_it(image_study: Path, tmp_path: Path) -> None:
    one = images_of(image_study) / "left" / "000.png"
    code, said, _ = call("predict", image_study, one)
    assert code == 0
    assert said.startswith("id,group,images,label,probability_left,")
    assert len(said.splitlines()) == 2
    code, said, _ = call("predict", image_study, images_of(image_study), "-o", tmp_path / "p.csv")
    assert code == 0
    assert "p.csv: 90 predictions" in said
    assert "Operating points: chosen on the validation part" in said
    assert (tmp_path / "p-operating-points.csv").exists()


def test_predict_as_json(image_study: Path) -> None:
    code, said, _ = call("predict", image_study, images_of(image_study) / "left" / "000.png", "--json")
    found = json.loads(said)
    assert code == 0
    assert len(found["predictions"]) == 1
    assert len(found["operating_points"]) == 9


def test_fit_prints_the_folder_of_its_run(image_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "fit"
    arguments = ("--arm", "categorical_crossentropy", "--out", out, "--study-out", image_study, "--json")
    with jobs_in_this_process():
        code, said, _ = call("fit", image_study / "study.toml", *arguments)
    found = json.loads(said)
    assert code == 0
    assert load_run(found["run"]).plan["command"].startswith("lossassay fit study.toml --arm categorical_crossentropy")
    assert Path(found["model_card"]).exists()


def test_a_device_that_is_not_there(image_study: Path) -> None:
    with pytest.raises(ModelError, match=r"Torch finds no device 'tpu' on this machine\. Expected one of cpu"):
        load_run(image_study, device="tpu")
