"""A study from images to tables: pairing, resuming, killing, changing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from lossassay import api
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import study_as_toml
from lossassay.errors import OutFolderError
from lossassay.study.folder.columns import TABLES
from lossassay.study.folder.store import Store
from lossassay.study.progress import Progress
from tests.study.helpers import assert_same_tables, small_study, tables_without_clocks, write_images
from tests.study.here import jobs_in_this_process, run_here
from tests.test_cli import lossassay


def test_the_paper_pair_is_the_same_function_with_a_difference_of_exactly_zero(finished: Path) -> None:
    comparisons = pl.read_parquet(finished / "tables" / "comparisons.parquet")
    pair = comparisons.filter(
        pl.col("primary")
        & (pl.col("arm_a") == "categorical_crossentropy")
        & (pl.col("arm_b") == "sparse_categorical_crossentropy")
    ).row(0, named=True)
    assert pair["verdict"] == "same function"
    assert (pair["difference"], pair["low"], pair["high"]) == (0.0, 0.0, 0.0)
    facts = json.loads((finished / "facts.json").read_text())["same_function_pairs"][0]
    assert facts["largest_score_difference"] == 0.0
    assert facts["init_equal"] == facts["order_equal"] == facts["replicates"] == 2
    others = comparisons.filter(pl.col("primary") & (pl.col("arm_b") == "mean_squared_error"))
    assert "same function" not in others["verdict"].to_list()


def test_every_promised_file_is_there(finished: Path) -> None:
    names = ("study.toml", "plan.json", "audit.json", "facts.json", "report.html", "gallery.npz")
    for name in (*names, "rows.parquet", "pixels.parquet", "splits.npy"):
        assert (finished / name).is_file(), name
    store = Store(finished)
    assert len(store.finished()) == 6
    for run_id in store.finished():
        names = {path.name for path in (finished / "runs" / run_id).iterdir()}
        assert names == {"run.json", "history.parquet", "predictions.parquet", "weights.safetensors"}
    assert not list((finished / "checkpoints").glob("*"))


def test_tables_have_the_promised_columns(finished: Path) -> None:
    for name, columns in TABLES.items():
        frame = pl.read_parquet(finished / "tables" / f"{name}.parquet")
        assert set(columns) <= set(frame.columns), name
        assert (finished / "tables" / f"{name}.csv").is_file()


def test_intervals_of_arms_end_where_the_yardstick_does(finished: Path) -> None:
    arms = pl.read_parquet(finished / "tables" / "arms.parquet").filter(pl.col("metric") != "own_loss")
    ends = {name: (spec.low, float("inf") if spec.high is None else spec.high) for name, spec in YARDSTICKS.items()}
    limits = [(row["metric"], row[name]) for row in arms.iter_rows(named=True) for name in ("low", "high")]
    assert all(ends[metric][0] <= limit <= ends[metric][1] for metric, limit in limits if limit is not None)
    assert any(limit in ends[metric] for metric, limit in limits)  # two replicates: wide intervals
    classes = pl.read_parquet(finished / "tables" / "per_class.parquet")
    assert classes.filter((pl.col("low") < 0) | (pl.col("high") > 1)).is_empty()


def test_predictions_are_the_hand_over(finished: Path) -> None:
    store = Store(finished)
    test = store.predictions(sorted(store.finished())[0], "test")
    assert test.columns == ["row", "part", "group", "label", "scores", "probabilities"]
    np.testing.assert_allclose(test["probabilities"].to_numpy().sum(axis=1), 1, rtol=1e-5)
    assert len(test) == 12


def test_a_second_call_trains_nothing_and_changes_nothing(finished: Path, images: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(finished, again)
    messages: list[dict[str, object]] = []
    run_here(small_study(images), again, progress=Progress(on_message=messages.append))
    assert messages == []
    assert_same_tables(finished, again)


def test_runs_in_this_process_have_the_bits_of_those_in_workers(finished: Path, images: Path, tmp_path: Path) -> None:
    """What most tests of studies rely on."""
    run_here(small_study(images), tmp_path / "here")
    assert_same_tables(finished, tmp_path / "here")
    assert not (tmp_path / "here" / "report.html").exists()


def test_the_number_of_workers_changes_no_result(finished: Path, images: Path, tmp_path: Path) -> None:
    api.run(small_study(images), tmp_path / "two", workers=2)
    assert_same_tables(finished, tmp_path / "two")


def test_killed_at_any_moment_and_resumed_gives_the_same_tables(images: Path, tmp_path: Path) -> None:
    study = small_study(images, epochs=6, arms=[{"loss": "cce"}, {"loss": "mse"}])
    run_here(study, tmp_path / "straight")
    file, out = tmp_path / "study.toml", tmp_path / "killed"
    file.write_text(study_as_toml(study))
    command = [sys.executable, "-m", "lossassay", "run", str(file), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not list(out.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(out.glob("checkpoints/*.safetensors"))
    assert not (out / "facts.json").exists()
    finished_command = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished_command.returncode == 0, finished_command.stderr
    assert_same_tables(tmp_path / "straight", out)


def test_a_longer_study_keeps_its_runs_and_a_changed_one_says_which(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "grown"
    shutil.copytree(finished, out)
    seen: list[tuple[int, int]] = []
    watch = Progress(on_plan=lambda plan, there, unused, workers: seen.append((there, unused)))
    run_here(small_study(images, replicates=3), out, progress=watch)
    run_here(small_study(images, training={"learning_rate": 2e-3}), out, progress=watch)
    assert seen == [(6, 0), (0, 9)]


def test_margin_and_names_of_arms_are_no_part_of_a_run(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "renamed"
    shutil.copytree(finished, out)
    seen: list[int] = []
    study = small_study(
        images,
        evidence={"margin": 0.2, "alpha": 0.1},
        arms=[
            {"loss": "cce", "name": "a"},
            {"loss": "scce", "name": "b"},
            {"loss": "mse", "name": "c"},
        ],
    )
    run_here(study, out, progress=Progress(on_plan=lambda plan, there, unused, workers: seen.append(there)))
    assert seen == [6]


def test_a_folder_of_another_study_is_refused(finished: Path, images: Path) -> None:
    with pytest.raises(OutFolderError, match="belongs to the study 'small', this one is called 'other'"):
        run_here(small_study(images, name="other"), finished)


def test_a_folder_with_other_things_in_it_is_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutFolderError, match=r"not empty and holds no study \(there is 'letter.txt' in it\)"):
        run_here(small_study(images), tmp_path)


def test_a_file_for_a_folder_is_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutFolderError, match="is a file; --out needs a folder"):
        run_here(small_study(images), tmp_path / "out")


def test_a_diverged_run_is_reported_and_the_study_goes_on(images: Path, tmp_path: Path) -> None:
    study = small_study(
        images,
        replicates=2,
        arms=[
            {"loss": "cce"},
            {"loss": "mse", "training": {"optimizer": "sgd", "learning_rate": 1e38}},
        ],
    )
    results = run_here(study, tmp_path / "out", report=True)
    status = dict(results.runs.group_by("arm").agg(pl.col("status").unique()).rows())
    assert sorted(value for values in status.values() for value in values) == ["diverged", "finished"]
    assert results.stored.facts["runs_diverged"] == 2
    assert "diverged" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a Unix file system")
def test_a_full_disk_keeps_what_was_finished(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills while runs are written: /dev/full answers as a full disk does."""
    from lossassay.study.folder import store

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_json", full)
    with pytest.raises(OutFolderError, match=r"is full\. Everything that was finished is kept"):
        with store.explained(tmp_path):
            store.write_json(tmp_path / "x.json", {})


def test_a_corrupt_image_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images")
    bad = folder / "left" / "000.png"
    bad.write_bytes(bad.read_bytes()[:200])
    results = run_here(small_study(folder, epochs=1, replicates=1), tmp_path / "out", report=True)
    findings = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    unreadable = [finding for finding in findings if finding["paths"] == ["left/000.png"]]
    assert unreadable
    assert results.stored.plan["data"]["rows"] == 59
    assert "000.png" not in (tmp_path / "out" / "report.html").read_text()


def test_report_draws_again_without_the_images(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "moved"
    shutil.copytree(finished, out)
    (out / "report.html").unlink()
    api.report(out)
    assert (out / "report.html").is_file()
    assert_same_tables(finished, out)


def test_tables_are_not_trivially_equal(finished: Path) -> None:
    """The comparison used above can fail."""
    runs = tables_without_clocks(finished)["runs"]
    assert runs["init_digest"].n_unique() == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_stopped_ends_cleanly_and_says_how_to_go_on(
    images: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    file, out = tmp_path / "study.toml", tmp_path / "out"
    file.write_text(study_as_toml(small_study(images, epochs=200)))
    command = [sys.executable, "-m", "lossassay", "run", str(file), "--out", str(out), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    held = [path for path in out.glob("leases/*.json") if "process" in path.read_text()]
    assert held == []
    assert "Every finished run and every finished epoch is kept: give the same command again to go on" in errors
    assert "Traceback" not in errors
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_a_damaged_plan_says_what_to_do_and_loses_nothing(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "damaged"
    shutil.copytree(finished, out)
    (out / "plan.json").write_text('{"name": "small"')
    with pytest.raises(OutFolderError, match=r"is damaged or of another version \(missing: valid JSON\)"):
        run_here(small_study(images), out)
    (out / "plan.json").unlink()
    seen: list[int] = []
    watch = Progress(on_plan=lambda plan, there, unused, workers: seen.append(there))
    run_here(small_study(images), out, progress=watch)
    assert seen == [6]


def test_report_on_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match="holds no study"):
        api.report(tmp_path)


def test_report_analyses_what_an_interrupted_study_has(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    shutil.copytree(finished, out)
    (out / "facts.json").unlink()
    shutil.rmtree(out / "tables")
    shutil.rmtree(next((out / "runs").iterdir()))
    results = api.report(out)
    assert len(results.runs) == 5


def test_a_study_of_one_arm_says_how_good_it_is(images: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "study.toml", tmp_path / "out"
    file.write_text(study_as_toml(small_study(images, epochs=1, arms=[{"loss": "cce"}])))
    with jobs_in_this_process():
        found = lossassay("run", str(file), "--out", str(out))
    assert found.returncode == 0, found.stderr
    assert "categorical_crossentropy" in found.stdout
    comparisons = pl.read_parquet(out / "tables" / "comparisons.parquet")
    assert comparisons.is_empty()
    assert comparisons["primary"].dtype == pl.Boolean
