"""`lossassay export`."""

import json
from pathlib import Path

import pytest

from tests.test_cli_losses import called


def test_what_is_written_and_how_well_it_agrees_is_printed(
    finished_study: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, out, err = called(
        capsys, monkeypatch, "export", str(finished_study), "-o", str(tmp_path / "out"), "--format", "safetensors"
    )
    assert (code, err) == (0, "")
    assert "Largest differences over 256 images of the test part" in " ".join(out.split())
    assert "safetensors" in out
    assert "load_example.py" in out
    assert (tmp_path / "out" / "weights.safetensors").is_file()


def test_as_json(
    finished_study: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("--format", "torch", "--arm", "label_smoothing", "--json")
    code, out, _ = called(capsys, monkeypatch, "export", str(finished_study), "-o", str(tmp_path / "out"), *arguments)
    assert code == 0
    found = json.loads(out)
    assert "model.pt2" in found["files"]
    assert found["parity"][0]["probabilities"] < 1e-4
    assert json.loads((tmp_path / "out" / "preprocessing.json").read_text())["run"]["arm"] == "label_smoothing"


def test_a_folder_that_is_no_run_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = called(capsys, monkeypatch, "export", str(tmp_path), "-o", str(tmp_path / "out"))
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert "is no run and no out folder" in err
    assert not (tmp_path / "out").exists()
