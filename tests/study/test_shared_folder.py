"""Several `lossassay run` on one out folder: every run once, the tables of one process, whoever dies."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay import api
from lossassay.config import study_as_toml
from lossassay.errors import OutFolderError, UnfinishedError
from lossassay.study.folder.leases import Leases
from lossassay.study.folder.store import Store
from lossassay.study.folder.whole_files import write_json
from lossassay.study.progress import Progress
from tests.study.helpers import assert_same_tables, small_study
from tests.study.here import run_here
from tests.test_cli import lossassay

DONE = re.compile(r"run \d+ of \d+ \((.*), replicate (\d+)\): finished")


def start(study: Any, file: Path, out: Path, *flags: str) -> "subprocess.Popen[str]":
    file.write_text(study_as_toml(study))
    command = [sys.executable, "-m", "lossassay", "run", str(file), "--out", str(out), "--workers", "1", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    try:
        out, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return out, errors


def test_two_processes_train_every_run_once_and_get_the_tables_of_one(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    study, out = small_study(images), tmp_path / "out"
    processes = [start(study, tmp_path / "study.toml", out) for _ in range(2)]
    logs = [ended(process)[1] for process in processes]
    trained = [DONE.findall(log) for log in logs]
    assert sorted(trained[0] + trained[1]) == sorted(
        (run["arm"], str(run["replicate"])) for run in json.loads((out / "plan.json").read_text())["runs"]
    )
    assert_same_tables(finished, out)
    assert (out / "report.html").is_file()
    left = {path.name.split(".")[0] for path in (out / "leases").iterdir()}
    assert left == {"start", "analysis"}  # given back, for the next to go on from
    assert all("host" not in path.read_text() for path in (out / "leases").iterdir())


@pytest.mark.slow
def test_one_of_two_is_killed_and_the_other_finishes_its_run(images: Path, tmp_path: Path) -> None:
    study, out = small_study(images, epochs=6, arms=[{"loss": "cce"}, {"loss": "mse"}]), tmp_path / "out"
    run_here(study, tmp_path / "straight")
    first = start(study, tmp_path / "study.toml", out)
    second = start(study, tmp_path / "study.toml", out)
    deadline = time.monotonic() + 120
    ours = str(first.pid) + "-"
    while time.monotonic() < deadline:
        held = [path for path in out.glob("leases/[0-9a-f]*.json") if f'"process": "{ours}' in path.read_text()]
        if held and list(out.glob("checkpoints/*.safetensors")):
            break
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert held, "the first process held a run"
    ended(second)
    assert_same_tables(tmp_path / "straight", out)
    assert not list(out.glob("checkpoints/*"))


def test_a_run_that_another_process_holds_is_waited_for(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    run_id = sorted(Store(out).finished())[0]
    shutil.move(out / "runs" / run_id, tmp_path / run_id)
    told: list[tuple[int, int]] = []
    messages: list[dict[str, Any]] = []

    with Leases(out) as other:
        assert other.take(run_id)

        def finish() -> None:
            shutil.move(tmp_path / run_id, out / "runs" / run_id)
            other.give_back(run_id, done=True)

        timer = threading.Timer(2.5, finish)
        timer.start()
        watch = Progress(on_others=lambda done, at_work: told.append((done, at_work)), on_message=messages.append)
        run_here(small_study(images), out, progress=watch)
        timer.join()
    assert messages == []
    assert (told[0], told[-1]) == ((0, 1), (1, 0))
    assert_same_tables(finished, out)


def test_without_waiting_it_leaves_what_others_train(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    run_id = sorted(Store(out).finished())[0]
    shutil.rmtree(out / "runs" / run_id)
    with Leases(out) as other:
        other.take(run_id)
        with pytest.raises(UnfinishedError, match="1 run is left, and other processes train them"):
            run_here(small_study(images), out, wait=False)
        (tmp_path / "study.toml").write_text(study_as_toml(small_study(images)))
        found = lossassay("run", str(tmp_path / "study.toml"), "--out", str(out), "--no-wait")
        assert found.returncode == 0
        assert "Done here. 1 run is left" in found.stderr
        assert not Store(out).is_there(run_id)
    results = run_here(small_study(images), out, wait=False)
    assert len(results.runs) == 6


def test_a_changed_study_is_refused_while_others_work_at_the_first(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = (out / "plan.json").read_bytes()
    changed = small_study(images, training={"learning_rate": 2e-3})
    with Leases(out) as other:
        other.announce()
        with pytest.raises(OutFolderError, match=r"Another process is training in .* not the same as this one"):
            run_here(changed, out)
        assert (out / "plan.json").read_bytes() == before
        run_here(small_study(images), out)  # the same study is welcome


def test_another_name_of_the_study_file_is_no_other_study(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (tmp_path / "renamed.toml").write_text(study_as_toml(small_study(images)))
    with Leases(out) as other:
        other.announce()
        run_here(tmp_path / "renamed.toml", out)
    assert "renamed.toml" in json.loads((out / "plan.json").read_text())["command"]


@pytest.mark.slow
def test_two_studies_that_start_at_once_in_an_empty_folder_one_is_told(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    processes = [
        start(small_study(images, name=name, replicates=1, epochs=1), tmp_path / f"{name}.toml", out)
        for name in ("first", "other")
    ]
    ends = [(process.communicate(timeout=240)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ends) == [0, 2], ends
    told = next(errors for errors, code in ends if code == 2)
    assert re.search(r"belongs to the study '(first|other)', this one is called '(first|other)'", told)
    assert len(Store(out).finished()) == 3


def test_a_machine_that_cannot_compute_the_runs_alike_is_refused(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    plan = json.loads((out / "plan.json").read_text())
    write_json(out / "plan.json", plan | {"engine": plan["engine"] | {"device": "mps", "kernels": "plain"}})
    with pytest.raises(OutFolderError, match=r"it has no Apple GPU that torch can use\. Start on a"):
        run_here(small_study(images), out)


def test_leftovers_of_living_processes_and_of_other_machines_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.runs.mkdir()
    store.checkpoints.mkdir()
    from lossassay.study.folder.owners import own_name, place

    gone, far = f"{2**22 + 5}-100-{place()}", "17-100-0123456789"
    for owner in (own_name(), gone, far):
        (store.runs / f".abc.{owner}").mkdir()
        (store.checkpoints / f"abc.{owner}.partial").touch()
        (tmp_path / f".plan.json.{owner}").touch()
        (tmp_path / "figures").mkdir(exist_ok=True)
        (tmp_path / "figures" / f".forest.svg.{owner}").touch()
    (tmp_path / ".notes.2024").touch()
    store.drop_leftovers()
    names = {path.name for path in [*store.runs.iterdir(), *store.checkpoints.iterdir(), *tmp_path.glob(".*")]}
    expected = {f".abc.{name}" for name in (own_name(), far)} | {f"abc.{name}.partial" for name in (own_name(), far)}
    assert names == expected | {f".plan.json.{name}" for name in (own_name(), far)} | {".notes.2024"}
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {f".forest.svg.{name}" for name in (own_name(), far)}


def test_what_is_the_same_is_not_written_again(finished: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    names = ("study.toml", "plan.json", "rows.parquet", "splits.npy", "audit.json", "registered.json")
    environment = json.loads((out / "plan.json").read_text())
    write_json(out / "plan.json", environment | {"environment": environment["environment"] | {"cores": 999}})
    for name in names:
        os.utime(out / name, (0, 1_000))
    run_here(small_study(images), out, progress=Progress())
    assert {name: (out / name).stat().st_mtime for name in names} == dict.fromkeys(names, 1_000)


def test_groups_hashed_with_the_key_of_another_machine_are_the_same_rows(tmp_path: Path) -> None:
    from lossassay.study.planning.bench import _holds_rows

    rows = pl.DataFrame({"row": [0, 1, 2, 3], "label": [0, 1, 0, 1], "group": ["a", "b", "a", None]})
    rows.write_parquet(tmp_path / "rows.parquet")
    assert _holds_rows(tmp_path / "rows.parquet", rows.with_columns(group=pl.Series(["x", "y", "x", None])))
    assert not _holds_rows(tmp_path / "rows.parquet", rows.with_columns(group=pl.Series(["x", "y", "y", None])))


def test_a_run_that_was_finished_after_the_folder_was_listed_is_no_reason_to_leave(
    finished: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, listed = Store.finished, 0

    def late(store: Store) -> set[str]:
        nonlocal listed
        listed += 1
        found = real(store)
        return found - {sorted(found)[0]} if listed < 4 else found

    out = tmp_path / "out"
    shutil.copytree(finished, out)
    monkeypatch.setattr(Store, "finished", late)
    results = api.run(small_study(images), out, workers=1, wait=False)
    assert listed >= 4
    assert len(results.runs) == 6
