"""`lossassay audit` and `run --accept` as commands: exit codes, JSON, the page, names."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossassay.config import study_as_toml
from tests.study.helpers import small_study, write_images
from tests.test_cli import lossassay


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Class folders of noise with patients in the names: nothing is wrong with them, and nothing tells the class."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "noise"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(60):
            pixels = generator.integers(0, 255, (32, 32)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"patient-{name}{number}.png")
    return folder


@pytest.fixture
def conflicting(tmp_path: Path) -> Path:
    folder = write_images(tmp_path / "images")
    shutil.copy(folder / "left" / "000.png", folder / "right" / "patient-77.png")
    return folder


def test_clean_data_leave_with_zero_and_a_page(noise: Path, tmp_path: Path) -> None:
    found = lossassay("audit", str(noise), cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "120 readable images, 2 classes" in found.stdout
    page = tmp_path / "audit.html"
    assert f"Page: {page}" in found.stdout
    assert "in 120 images of 2 classes" in page.read_text(encoding="utf-8")


def test_issues_leave_with_one_and_the_terminal_names_files(conflicting: Path, tmp_path: Path) -> None:
    found = lossassay("audit", str(conflicting), "--out", "here.html", cwd=tmp_path)
    assert found.returncode == 1, found.stderr
    assert "[issue] duplicate-across-classes" in found.stdout
    assert "right/patient-77.png" in found.stdout
    assert "patient-77" not in (tmp_path / "here.html").read_text(encoding="utf-8")
    assert not (tmp_path / "audit.html").exists()
    lossassay("audit", str(conflicting), "--out", "here.html", "--names", cwd=tmp_path)
    assert "patient-77" in (tmp_path / "here.html").read_text(encoding="utf-8")


def test_what_cannot_be_read_leaves_with_two(conflicting: Path, tmp_path: Path) -> None:
    found = lossassay("audit", str(tmp_path / "nothing"), cwd=tmp_path)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    (tmp_path / "file").touch()
    found = lossassay("audit", str(conflicting), "--out", "file/page.html", cwd=tmp_path)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "auditing" not in found.stderr, "refused before the work"


def test_the_folder_of_the_page_is_made(conflicting: Path, tmp_path: Path) -> None:
    assert lossassay("audit", str(conflicting), "--out", "new/page.html", cwd=tmp_path).returncode == 1
    assert (tmp_path / "new" / "page.html").exists()


def test_json_holds_findings_probes_and_facts_without_names(conflicting: Path, tmp_path: Path) -> None:
    found = lossassay("audit", str(conflicting), "--json", cwd=tmp_path)
    assert found.returncode == 1
    data = json.loads(found.stdout)
    assert set(data) == {"findings", "probes", "facts"}
    first = data["findings"][0]
    assert set(first) == {"code", "severity", "message", "advice", "rows"}
    assert (first["code"], first["severity"], len(first["rows"])) == ("duplicate-across-classes", "issue", 2)
    assert data["facts"]["images"] == 61
    assert "patient-77" not in found.stdout
    assert ".png" not in found.stdout
    assert str(tmp_path) not in found.stdout
    assert not (tmp_path / "audit.html").exists()
    named = json.loads(lossassay("audit", str(conflicting), "--json", "--names", cwd=tmp_path).stdout)
    assert named["findings"][0]["paths"] == ["left/000.png", "right/patient-77.png"]


def test_a_study_file_gives_its_own_data_section(noise: Path, tmp_path: Path) -> None:
    study = small_study(noise, data={"image_size": 48, "split": {"validation": 0.1, "test": 0.05}})
    (tmp_path / "study.toml").write_text(study_as_toml(study), encoding="utf-8")
    found = lossassay("audit", "study.toml", "--json", cwd=tmp_path)
    assert found.returncode == 1
    data = json.loads(found.stdout)
    assert data["facts"]["image_shape"] == [48, 48, 1]
    assert "tiny-class" in [one["code"] for one in data["findings"]]


def test_run_stops_with_two_and_goes_on_with_accept(conflicting: Path, tmp_path: Path) -> None:
    study = small_study(conflicting, epochs=1, replicates=1, arms=[{"loss": "cce"}])
    (tmp_path / "study.toml").write_text(study_as_toml(study), encoding="utf-8")
    command = ("run", "study.toml", "--out", "out", "--workers", "1")
    stopped = lossassay(*command, cwd=tmp_path)
    assert stopped.returncode == 2
    assert "makes the results of 'small' invalid, so nothing was trained" in stopped.stderr
    refused = lossassay(*command, "--accept", "duplicate-accross-classes", cwd=tmp_path)
    assert refused.returncode == 2
    assert "Did you mean 'duplicate-across-classes'?" in refused.stderr
    done = lossassay(*command, "--accept", "duplicate-across-classes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()
