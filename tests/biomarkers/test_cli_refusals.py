"""Bad input of extract and predict, from the command line: one message in three parts, exit code 2, nothing written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossassay.biomarkers.run_choice import finished_runs
from tests.test_cli_losses import called


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> "Refused":
    return Refused(tmp_path / "written", capsys, monkeypatch)


class Refused:
    """Calls extract and predict, and returns what both say."""

    def __init__(self, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.out, self._capsys, self._monkeypatch = out, capsys, monkeypatch

    def __call__(self, *arguments: str | Path, commands: tuple[str, ...] = ("extract", "predict")) -> str:
        said = set()
        for command in commands:
            words = [str(one) for one in arguments]
            words += ["-o", str(self.out / "f.csv")]
            code, printed, message = called(self._capsys, self._monkeypatch, command, *words)
            assert (code, printed) == (2, ""), message
            assert message.startswith("Error: ")
            assert not self.out.exists()
            said.add(message)
        assert len(said) == 1
        return said.pop()


def copy_of(study: Path, folder: Path) -> Path:
    return Path(shutil.copytree(study, folder / "copy"))


def test_a_run_that_diverged(image_study: Path, tmp_path: Path, refused: Refused) -> None:
    copy = copy_of(image_study, tmp_path)
    for run_id, facts in finished_runs(copy):
        (copy / "runs" / run_id / "run.json").write_text(json.dumps(facts | {"status": "diverged"}))
    message = refused(copy / "runs" / run_id, image_study.parent / "images")
    assert f"The run {run_id} of arm 'categorical_crossentropy' diverged" in message
    assert "Choose another run; `tables/runs.csv` lists them" in message
    message = refused(copy, image_study.parent / "images")
    assert "Every finished run in" in message
    assert "Expected a run that finished. Choose another arm" in message


def test_a_folder_that_is_no_run(image_study: Path, tmp_path: Path, refused: Refused) -> None:
    message = refused(tmp_path, image_study.parent / "images")
    assert "is no run and no out folder (there is neither run.json nor plan.json in it)" in message
    assert "Expected OUT/runs/ID, or the folder that was given as --out." in message
    assert "is no run and no out folder" in refused(tmp_path / "absent", image_study.parent / "images")


def test_arms_and_replicates_that_are_not_there(image_study: Path, refused: Refused) -> None:
    images = image_study.parent / "images"
    message = refused(image_study, images, "--arm", "categorical_crossentrop")
    assert "has no arm 'categorical_crossentrop'. Its arms: categorical_crossentropy" in message
    assert "Did you mean 'categorical_crossentropy'?" in message
    message = refused(image_study, images, "--replicate", "7")
    assert "has no replicate 7 that finished without diverging. Expected one of 0, 1, as in tables/runs.csv" in message
    assert "Expected median, best, or a number" in refused(image_study, images, "--replicate", "middle")


def test_a_layer_that_does_not_exist(image_study: Path, refused: Refused) -> None:
    message = refused(image_study, image_study.parent / "images", "--layer", "feature", commands=("extract",))
    assert "The network has no layer 'feature'. Its layers: features, features.0" in message
    assert "Did you mean 'features'?" in message


def test_images_that_are_not_there_or_of_another_kind(image_study: Path, tmp_path: Path, refused: Refused) -> None:
    message = refused(image_study, tmp_path / "absent")
    assert "There is no" in message
    assert "Expected a folder of images, one image, a table of paths" in message
    (tmp_path / "notes.txt").write_text("x")
    assert "notes.txt is a .txt file. Expected a folder of images" in refused(image_study, tmp_path / "notes.txt")
    volumes = {f"{part}_images": np.zeros((2, 32, 32, 32), np.uint8) for part in ("train", "val", "test")}
    np.savez(tmp_path / "v.npz", **volumes, **{f"{part}_labels": np.zeros((2, 1)) for part in ("train", "val", "test")})
    message = refused(image_study, tmp_path / "v.npz")
    assert "holds volumes, and the run" in message
    assert "Expected flat images. Give it images of the kind that it was trained on." in message


def test_another_ending_of_the_table(
    image_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("extract", "predict"):
        words = (command, str(image_study), str(tmp_path), "-o", str(tmp_path / "f.xlsx"))
        code, _, message = called(capsys, monkeypatch, *words)
        assert code == 2
        assert "f.xlsx ends with '.xlsx'. Expected one of .parquet, .csv, .npz. Change the name." in message


def test_images_of_another_size_and_mode_are_used_and_it_is_said(
    image_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (300, 200), (9, 99, 200)).save(folder / "large.png")
    for command in ("extract", "predict"):
        code, printed, message = called(
            capsys, monkeypatch, command, str(image_study), str(folder), "-o", str(tmp_path / "f.csv")
        )
        assert code == 0
        assert "other-mode: 1 " in message
        assert "bits, as in the study. Check that they come from the same kind of device." in message
        assert "other-size: The longer sides of the images are 300 to 300 px" in message
        assert "replicate" in message.splitlines()[0]
        assert "f.csv" in printed
