"""What a node sends back, and that the first machine writes it whole, once."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossassay.config import study_as_toml
from lossassay.errors import OutFolderError
from lossassay.executors.choice import Executor
from lossassay.study.folder.store import RUN_FILES, Store
from lossassay.study.planning.bench import tuning_parts
from lossassay.study.training import executor
from lossassay.study.training.ray_worker import RemoteStore, open_remote, open_shared
from lossassay.study.tuning.store import TuningStore
from lossassay.study.tuning.trials import run_job
from tests.study.helpers import small_study
from tests.study.tuning.helpers import bench_of, planned, tuned_study


def remote_setup(finished: Path, seconds: float) -> dict[str, Any]:
    from lossassay.config import load_study
    from lossassay.data.cache import open_cache

    cache = open_cache(load_study(finished / "study.toml").data)
    return {
        "plan": json.loads((finished / "plan.json").read_text()),
        "rows": (finished / "rows.parquet").read_bytes(),
        "splits": np.load(finished / "splits.npy"),
        "tuning_split": tuning_parts(finished),
        "images": np.asarray(cache.images),
        "checkpoint_seconds": seconds,
    }


def same_run(first: Path, second: Path) -> None:
    for name in ("predictions.parquet", "weights.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_run_without_shared_folders_sends_its_state_and_its_files(finished: Path, tmp_path: Path) -> None:
    run_id = sorted(Store(finished).finished())[0]
    said: list[dict[str, Any]] = []
    open_remote(remote_setup(finished, 0.0), tmp_path)({"id": run_id, "checkpoint": None, "tuning": {}}, said.append)
    assert [one["event"] for one in said] == ["epoch", "checkpoint", "epoch", "files", "done"]
    assert set(said[-2]["files"]) == set(RUN_FILES)
    assert list(tmp_path.iterdir()) == []

    out = Store(tmp_path / "out")
    out.put_checkpoint(run_id, said[1]["content"])
    assert out.checkpoint_bytes(run_id) == said[1]["content"]
    out.put_run(run_id, said[-2]["files"])
    same_run(finished / "runs" / run_id, out.runs / run_id)
    assert out.checkpoint_bytes(run_id) is None

    before = (out.runs / run_id / "run.json").read_bytes()
    out.put_run(run_id, said[-2]["files"] | {"run.json": b"{}"})  # computed twice: the first one stays
    assert (out.runs / run_id / "run.json").read_bytes() == before
    assert [path.name for path in out.runs.iterdir()] == [run_id]


def test_a_run_goes_on_from_the_state_that_came_with_it(finished: Path, tmp_path: Path) -> None:
    run_id = sorted(Store(finished).finished())[0]
    said: list[dict[str, Any]] = []
    work = open_remote(remote_setup(finished, 0.0), tmp_path)
    work({"id": run_id, "checkpoint": None, "tuning": {}}, said.append)
    again: list[dict[str, Any]] = []
    work({"id": run_id, "checkpoint": said[1]["content"], "tuning": {}}, again.append)
    assert [one["epoch"] for one in again if one["event"] == "epoch"] == [2]
    assert again[-2]["files"]["predictions.parquet"] == said[-2]["files"]["predictions.parquet"]


@pytest.mark.parametrize("scope", ["nested", "once"])
def test_a_tuned_run_without_shared_folders_takes_what_a_tuning_job_chose_there(
    images: Path, tmp_path: Path, scope: str
) -> None:
    study = tuned_study(images, epochs=2, tuning={"scope": scope, "trials": 2})
    here = tmp_path / "here"
    bench = bench_of(study, here)
    (here / "study.toml").write_text(study_as_toml(study))
    entry = next(run for run in bench.plan["runs"] if "tuned_by" in run)
    job = next(job for job in bench.plan["tuning"] if job["id"] == entry["tuned_by"])
    (tmp_path / "node").mkdir()
    (tmp_path / "other").mkdir()

    said: list[dict[str, Any]] = []
    tuning = {"id": job["id"], "kind": "tuning", "checkpoint": None, "tuning": {}}
    open_remote(remote_setup(here, 0.0), tmp_path / "node")(tuning, said.append)
    assert [one["event"] for one in said[-2:]] == ["trials", "done"]

    arrived = TuningStore(tmp_path / "arrived")
    arrived.put_job(job["id"], said[-2]["files"])
    run_job(job, bench)  # the same job where everything is at hand
    assert arrived.facts(job["id"])["chosen"] == TuningStore(here).facts(job["id"])["chosen"]

    run = {"id": entry["id"], "checkpoint": None, "tuning": {job["id"]: arrived.files(job["id"])}}
    told: list[dict[str, Any]] = []
    open_remote(remote_setup(here, 0.0), tmp_path / "other")(run, told.append)
    assert told[-1]["event"] == "done"
    written = json.loads(told[-2]["files"]["run.json"])
    assert written["tuned"]["parameters"] == arrived.facts(job["id"])["chosen"]["parameters"]


def test_states_are_sent_no_more_often_than_asked(tmp_path: Path) -> None:
    from lossassay.engine.spec import Checkpoint

    moments = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    said: list[dict[str, Any]] = []
    store = RemoteStore(tmp_path, None, said.append, seconds=10.0, clock=lambda: next(moments))
    for epoch in (1, 2, 3):
        store.save_checkpoint("run", Checkpoint(tensors={}, history=(), best_epoch=epoch))
    assert len(said) == 1
    assert store.load_checkpoint("run") is None


def test_a_node_that_sees_the_folder_writes_there(finished: Path, tmp_path: Path) -> None:
    from lossassay.config import load_study
    from lossassay.data.cache import open_cache

    run_id = sorted(Store(finished).finished())[0]
    for name in ("plan.json", "rows.parquet", "splits.npy"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    images = str(open_cache(load_study(finished / "study.toml").data).images.filename)
    said: list[dict[str, Any]] = []
    open_shared({"folder": str(tmp_path), "images": images}, tmp_path)({"id": run_id}, said.append)
    assert said[-1] == {"event": "done", "id": run_id, "status": "finished"}
    same_run(finished / "runs" / run_id, tmp_path / "runs" / run_id)


@pytest.mark.parametrize("name", ["../evil", "other.txt"])
def test_other_files_than_those_of_a_run_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutFolderError, match="A node sent the file"):
        Store(tmp_path).put_run("run", {name: b""})
    assert not (tmp_path / "runs").exists()


def test_whether_a_job_has_ended_is_asked_without_a_list_of_all(
    finished: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished, tmp_path / "out")
    run_id = sorted(Store(tmp_path / "out").finished())[0]
    (tmp_path / "out" / "tuning" / "tuned").mkdir(parents=True)
    plan = planned(small_study(images))
    work = executor._cluster_work(Executor(kind="ray"), tmp_path / "out", plan, images, pytest.fail)
    for store in (Store, TuningStore):
        monkeypatch.setattr(store, "finished", lambda _store: pytest.fail("the folder was listed"))
    assert work.ended({"id": run_id}) == {"event": "done", "id": run_id, "status": "finished"}
    assert work.ended({"id": "tuned"}) == {"event": "done", "id": "tuned", "status": "finished"}
    assert work.ended({"id": "another"}) is None
