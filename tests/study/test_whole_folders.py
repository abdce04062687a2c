"""What is in the out folder is whole, and what is damaged all the same is named."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from lossassay import api
from lossassay.errors import OutFolderError
from lossassay.study.folder import registered
from lossassay.study.folder.results import load_results
from lossassay.study.folder.store import Store
from lossassay.study.folder.whole_files import explained, replaced, write_json
from lossassay.study.tuning.store import TuningStore
from tests.study.helpers import assert_same_tables, small_study


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("kind", [Store, TuningStore])
def test_an_interrupted_write_leaves_nothing_and_blocks_no_later_one(
    tmp_path: Path, kind: Any, stop: type[BaseException]
) -> None:
    store = kind(tmp_path)
    with pytest.raises(stop), store._whole("run"):
        raise stop
    assert not [path for path in tmp_path.rglob("*") if "run" in path.name and path.name != "runs"]
    with store._whole("run") as partial:
        write_json(partial / "facts.json", {})
    assert store.finished() == {"run"}


def test_an_interrupted_checkpoint_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).put_checkpoint("run", b"state")
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_who_was_first_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store._whole("run") as late:
        (late / "run.json").write_text('{"by": "second"}')
        (store.runs / "run").mkdir()
        (store.runs / "run" / "run.json").write_text('{"by": "first"}')
    assert store.facts("run") == {"by": "first"}
    assert [path.name for path in store.runs.iterdir()] == ["run"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, synced = os.fsync, []

    def noted(file: int) -> None:
        synced.append((os.fstat(file).st_ino, (tmp_path / "runs" / "run").exists()))
        real(file)

    monkeypatch.setattr(os, "fsync", noted)
    with Store(tmp_path)._whole("run") as partial:
        (partial / "run.json").write_text("{}")
    before = {number for number, named in synced if not named}
    run = tmp_path / "runs" / "run"
    assert {(run / "run.json").stat().st_ino, run.stat().st_ino} <= before
    assert ((tmp_path / "runs").stat().st_ino, True) in synced
    with replaced(tmp_path / "facts.json") as partial:
        partial.write_text("{}")
    assert (tmp_path / "facts.json").stat().st_ino in {number for number, _ in synced}


@pytest.mark.parametrize("words", ["No space left on device (os error 28)", "There is not enough space (os error 112)"])
def test_a_full_disk_is_recognised_in_the_words_of_others(tmp_path: Path, words: str) -> None:
    with pytest.raises(OutFolderError, match=r"is full\. Everything"), explained(tmp_path):
        raise SafetensorError(f"Error while serializing: I/O error: {words}")


@pytest.mark.parametrize("name", ["run.json", "predictions.parquet", "history.parquet"])
@pytest.mark.parametrize("damage", [b"", b"\0" * 400, None])
def test_a_damaged_run_is_named_and_trained_again(
    finished: Path, images: Path, tmp_path: Path, name: str, damage: bytes | None
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    run = out / "runs" / sorted(Store(out).finished())[1]
    (run / name).unlink()
    if damage is not None:
        (run / name).write_bytes(damage)
    words = rf"{run.name}/{name} is missing, empty or damaged.* Delete the folder {run} and give"
    with pytest.raises(OutFolderError, match=words):
        api.report(out)
    with pytest.raises(OutFolderError, match=words):
        api.run(small_study(images), out, workers=1)
    if (name, damage) == ("run.json", b""):
        shutil.rmtree(run)
        api.run(small_study(images), out, workers=1)
        assert_same_tables(finished, out)


@pytest.mark.parametrize(
    ("name", "command", "mends"),
    [
        ("facts.json", "lossassay report", "report"),
        ("tables/comparisons.parquet", "lossassay report", "report"),
        ("audit.json", "lossassay run", "run"),
        ("gallery.npz", "lossassay run", "run"),
        ("biomarkers.json", "lossassay biomarkers", None),
        ("tables/biomarkers.parquet", "lossassay biomarkers", None),
    ],
)
@pytest.mark.parametrize("damage", [b"", b"\0" * 400])
def test_a_damaged_file_of_the_analysis_is_named_with_the_command_that_writes_it(
    finished: Path, images: Path, tmp_path: Path, name: str, command: str, mends: str | None, damage: bytes
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / name).write_bytes(damage)
    with pytest.raises(OutFolderError, match=rf"{name} is missing, empty or damaged.* Give `{command}` again"):
        load_results(out)
    if mends == "report":
        api.report(out)
    if mends == "run":
        api.run(small_study(images), out, workers=1)
    if mends:
        known, again = ({one["code"] for one in load_results(folder).findings} for folder in (finished, out))
        assert known <= again  # other tests put tables beside these images


@pytest.mark.parametrize(("name", "read"), [("job.json", "facts"), ("trials.parquet", "trials")])
def test_a_damaged_tuning_job_is_named(tmp_path: Path, name: str, read: str) -> None:
    store = TuningStore(tmp_path)
    store.put_job("job", {"job.json": b"", "trials.parquet": b""})
    with pytest.raises(OutFolderError, match=rf"job/{name} is missing, empty or damaged"):
        getattr(store, read)("job")


@pytest.mark.parametrize("damage", ["", "[]", '{"first": {}}'])
def test_a_damaged_statement_of_the_rule_says_what_is_lost(finished: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "registered.json").write_text(damage)
    with pytest.raises(OutFolderError, match=r"registered\.json is empty or damaged, so the rule .* is lost"):
        api.report(out)


def test_a_change_that_is_registered_while_a_report_is_drawn_is_kept(tmp_path: Path) -> None:
    first, changed = small_study("x"), small_study("x", evidence={"margin": 0.2})
    known = registered.register(tmp_path, first, "auroc")
    registered.register(tmp_path, changed, "auroc")
    registered.mark_finished(tmp_path, known)
    found = registered.read_registered(tmp_path)
    assert len(found.changes) == 1
    assert not found.finished  # not as it stands now
    registered.mark_finished(tmp_path, found)
    assert registered.read_registered(tmp_path).finished
    assert not registered.register(tmp_path, first, "auroc").finished


def test_folders_of_earlier_versions_stay_finished(tmp_path: Path) -> None:
    registered.register(tmp_path, small_study("x"), "auroc")
    stored = json.loads((tmp_path / "registered.json").read_text())
    write_json(tmp_path / "registered.json", stored | {"finished": True})
    assert registered.read_registered(tmp_path).finished
    (tmp_path / "finished.json").write_text("")  # as after a loss of power
    assert registered.read_registered(tmp_path).finished
