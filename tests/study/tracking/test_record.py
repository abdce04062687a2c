"""What leaves the out folder, and above all what does not."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from lossassay.errors import OutFolderError
from lossassay.study.tracking.record import StoredStudy


def test_a_run_is_its_history_and_its_yardsticks(finished: Path) -> None:
    stored = StoredStudy(finished)
    keys = stored.keys()
    assert [(key.arm, key.replicate) for key in keys][:4] == [
        ("categorical_crossentropy", 0),
        ("sparse_categorical_crossentropy", 0),
        ("mean_squared_error", 0),
        ("categorical_crossentropy", 1),
    ]
    table = pl.read_parquet(finished / "tables" / "runs.parquet")
    for key in keys:
        run = stored.run(key.id)
        history = pl.read_parquet(finished / "runs" / key.id / "history.parquet")
        row = table.row(by_predicate=pl.col("run") == key.id, named=True)
        assert [value for _, value in run.curves["train/loss"]] == history["train_loss"].to_list()
        assert [epoch for epoch, _ in run.curves["train/loss"]] == [1, 2]
        assert run.curves["validation/balanced_accuracy"][1][1] == history["validation_yardstick"][1]
        assert run.yardsticks["balanced_accuracy"] == row["balanced_accuracy"]
        assert run.yardsticks["own_loss"] == row["own_loss"]
        assert run.params["loss"] == key.arm
        assert run.params["training/epochs"] == "2"
        assert run.epoch_ends()[-1] == pytest.approx(run.written_seconds, abs=1e-3)
        assert run.epoch_ends() == sorted(run.epoch_ends())


def test_the_study_says_what_was_decided_and_what_came_out(finished: Path) -> None:
    study = StoredStudy(finished).study(with_report=True)
    assert study.name == "small"
    assert (study.params["margin"], study.params["replicates"], study.params["data/images"]) == ("0.05", "2", "60")
    assert study.params["metric"] == "balanced_accuracy"
    primary = pl.read_parquet(finished / "tables" / "comparisons.parquet").filter(pl.col("primary"))
    assert [(one.arm_a, one.arm_b) for one in study.verdicts] == list(primary.select("arm_a", "arm_b").rows())
    for one, verdict in zip(study.verdicts, primary["verdict"], strict=True):
        assert f"{one.arm_a} minus {one.arm_b}: {verdict}; balanced_accuracy " in one.text
    assert "report.html" in study.artefacts
    assert "report.html" not in StoredStudy(finished).study(with_report=False).artefacts


def test_only_known_tables_and_the_report_are_artefacts(finished: Path) -> None:
    names = set(StoredStudy(finished).study(with_report=True).artefacts)
    assert {"study.toml", "audit.json", "rows.parquet", "plan.json", "gallery.npz"} & names == set()
    assert all(name == "report.html" or (name.startswith("tables/") and name.endswith(".csv")) for name in names)
    assert "tables/runs.csv" in names


def test_no_path_of_this_machine_is_in_a_record(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "out")
    stored = StoredStudy(tmp_path / "out")
    key = stored.keys()[0]
    path = tmp_path / "out" / "runs" / key.id / "run.json"
    facts = json.loads(path.read_text())
    facts["training"]["weights"] = "/home/somebody/KIM-4711.safetensors"
    path.write_text(json.dumps(facts))
    run = stored.run(key.id)
    assert run.params["training/weights"] == "true"
    assert "KIM" not in str(run)
    assert "/home" not in str(run)
    assert "/" not in "".join(stored.study(with_report=True).params.values())


def test_a_run_has_the_settings_that_it_was_trained_with(finished: Path, tmp_path: Path) -> None:
    """Tuning chooses settings that the plan does not know."""
    shutil.copytree(finished, tmp_path / "out")
    stored = StoredStudy(tmp_path / "out")
    key = stored.keys()[0]
    path = tmp_path / "out" / "runs" / key.id / "run.json"
    facts = json.loads(path.read_text())
    facts["training"]["learning_rate"], facts["tuned"] = 0.0314, {"job": "x"}
    path.write_text(json.dumps(facts))
    assert stored.run(key.id).params["training/learning_rate"] == "0.0314"
    assert stored.run(key.id).params["tuned"] == "true"
    assert "tuned" not in stored.run(stored.keys()[1].id).params


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match=r"holds no study .* name its folder"):
        StoredStudy(tmp_path)
