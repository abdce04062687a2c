"""The paper's study, the demo, and the first hour of a user."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossassay import api
from lossassay.config import load_study
from lossassay.errors import DataError
from lossassay.study.presets import PAPER, demo_study, paper_study


def test_the_papers_sizes_are_the_default() -> None:
    symbols, cxr = paper_study("symbols", {"path": "digits"}), paper_study("cxr", {"path": "digits"})
    assert (symbols.data.image_size, cxr.data.image_size) == (400, 300)
    assert (symbols.training.batch_size, cxr.training.batch_size) == (100, 100)
    assert cxr.training.epochs == 100
    assert {arm.loss for arm in cxr.arms} == {"categorical_crossentropy", "sparse_categorical_crossentropy"}
    assert cxr.evidence.replicates == 1
    assert cxr.training.selection == "last"
    with pytest.raises(DataError, match="two sets, symbols and cxr; got 'mri'"):
        paper_study("mri", {"path": "digits"})  # type: ignore[arg-type]


def test_the_papers_gap_is_078_points() -> None:
    cxr = PAPER["cxr"]
    gap = cxr["sparse_categorical_crossentropy"]["accuracy"] - cxr["categorical_crossentropy"]["accuracy"]
    assert gap == pytest.approx(0.0078)


def test_the_papers_table_stands_beside_ours(images: Path, tmp_path: Path) -> None:
    options = {"image_size": 32, "epochs": 1, "replicates": 2}
    results = api.paper("cxr", images, out=tmp_path / "out", **options)  # type: ignore[arg-type]
    paper = results.stored.facts["paper"]
    rows = {row[0]: row[1:] for row in paper["rows"]}
    assert rows["training time, s"][2:] == ["5,964.00", "5,939.00"]
    assert rows["test accuracy"][2:] == ["89.78%", "89.00%"]
    assert rows["test loss"][2:] == ["0.2931", "0.3183"]
    assert rows["test accuracy"][0] == rows["test accuracy"][1]
    assert rows["images"] == ["60", "60", "18,685", "18,685"]
    assert "TensorFlow 2.4" in rows["software"]
    assert "RTX 3060" in rows["hardware"][2]
    assert any("The paper's gap of 0.78 points is reached or passed by" in note for note in paper["notes"])
    assert "5,964.00" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert api.report(tmp_path / "out").stored.facts["paper"]["rows"] == paper["rows"]


def test_one_replicate_says_that_the_gap_needs_more(images: Path, tmp_path: Path) -> None:
    results = api.paper("cxr", images, out=tmp_path / "out", image_size=32, epochs=1)
    assert any(
        "needs the noise floor: give --replicates 2 or more" in n for n in results.stored.facts["paper"]["notes"]
    )


def test_the_demo_has_four_losses_and_eight_replicates() -> None:
    study = demo_study()
    assert (len(study.arms), study.evidence.replicates, study.data.image_size) == (4, 8, 32)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "task", "group"),
    [
        ("symbols", "single_label", None),
        ("symbols16", "single_label", None),
        ("cxr", "single_label", "patient_id"),
        ("nih1000", "multi_label", "patient_id"),
        ("adrenal3d", "single_label", None),
    ],
)
def test_new_and_plan_work_on_every_real_folder(
    shared_data: Path, tmp_path: Path, folder: str, task: str, group: str | None
) -> None:
    written = api.new(shared_data / folder, tmp_path / "study.toml")
    study = load_study(written)
    assert study.data.group == group
    found = api.plan(study)
    planned, cost = found.plan, found.cost
    assert planned.manifest.task == task
    assert len(planned.runs) == len(study.arms) * 10
    assert cost.wall_seconds > 0
    assert cost.disk_bytes > 0


@pytest.mark.slow
def test_the_demo_runs_from_its_script(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    script = (
        [str(root / "scripts" / "demo")] if (root / ".venv").exists() else [sys.executable, "-m", "lossassay", "demo"]
    )
    found = subprocess.run([*script, "--out", str(tmp_path / "demo")], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "same function" in found.stdout
    assert (tmp_path / "demo" / "report.html").stat().st_size < 3 * 2**20
