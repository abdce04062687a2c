"""Hands the runs of a study to the executor that the user chose."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossassay.executors import local, ray_cluster
from lossassay.executors.choice import Executor, check_reachable
from lossassay.executors.code_parcel import is_installed
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.planning.bench import tuning_parts
from lossassay.study.planning.machine import worker_environment
from lossassay.study.planning.plan import Plan
from lossassay.study.tuning.store import TuningStore

Message = dict[str, Any]
_SERVE = {
    True: "lossassay.study.training.ray_worker:open_shared",
    False: "lossassay.study.training.ray_worker:open_remote",
}


def check_executor(executor: Executor) -> None:
    """Fail before any work where the executor cannot work.

    Raises:
        ClusterError: If Ray is not installed, or nothing answers at the address.
    """
    if executor.kind == "ray":
        ray_cluster.import_ray()
        check_reachable(executor.address or "local")


def run_jobs(
    jobs: Sequence[Message],
    *,
    executor: Executor,
    folder: Path,
    plan: Plan,
    images: Path,
    workers: int | None,
    on_message: Callable[[Message], None],
    more: Callable[[], Sequence[Message]],
    take: Callable[[Message], bool],
    on_note: Callable[[str], None],
) -> None:
    """Run jobs of a study, each once, in the given order.

    Args:
        jobs: ``{"id": ...}`` of planned runs.
        executor: Where.
        folder: The out folder, with what `bench.write_bench` writes.
        plan: The plan.
        images: The memory-mapped image array.
        workers: Runs at once; None only with a cluster: as many as it has room for.
        on_message: Called with each ``"epoch"``, ``"done"`` and ``"failed"``.
        more: Called when all jobs so far have ended; gives further jobs.
        take: Asked just before a job is handed out; see `executors.local.run_jobs`.
        on_note: Called with sentences for people.

    Raises:
        ClusterError: If the cluster cannot compute these runs.
        OutFolderError: If the folder cannot be written.
    """
    if executor.kind == "local":
        local.run_jobs(
            jobs,
            command=[sys.executable, "-m", "lossassay.study.training.worker"],
            setup={"folder": str(folder.resolve()), "images": str(images)},
            workers=workers or 1,
            on_message=on_message,
            more=more,
            take=take,
            environment=worker_environment(plan.engine.threads),
        )
        return
    ray_cluster.run_jobs(
        jobs,
        work=_cluster_work(executor, folder, plan, images, on_note),
        executor=executor,
        workers=workers,
        on_message=_storing(folder, on_message),
        more=more,
        take=take,
    )


def _cluster_work(
    executor: Executor, folder: Path, plan: Plan, images: Path, on_note: Callable[[str], None]
) -> ray_cluster.ClusterWork:
    store, tuning = Store(folder), TuningStore(folder)
    tuned_by = {run["id"]: run["tuned_by"] for run in read_plan(folder)["runs"] if "tuned_by" in run}

    def setup(shared: bool) -> Message:
        if shared:
            return {"folder": str(folder.resolve()), "images": str(images.resolve())}
        return {
            "plan": read_plan(folder),
            "rows": (folder / "rows.parquet").read_bytes(),
            "splits": np.load(folder / "splits.npy"),
            "tuning_split": tuning_parts(folder),
            "images": np.asarray(np.load(images, mmap_mode="r")),
            "checkpoint_seconds": executor.checkpoint_seconds,
        }

    def prepare(job: Message) -> Message:
        chosen = [tuned_by[job["id"]]] if job["id"] in tuned_by else []
        return job | {
            "checkpoint": store.checkpoint_bytes(job["id"]),
            "tuning": {job_id: tuning.files(job_id) for job_id in chosen},
        }

    def ended(job: Message) -> Message | None:
        if tuning.is_there(job["id"]):
            return {"event": "done", "id": job["id"], "status": "finished"}
        if not store.is_there(job["id"]):
            return None
        return {"event": "done", "id": job["id"], "status": store.facts(job["id"])["status"]}

    return ray_cluster.ClusterWork(
        serve=lambda shared: _SERVE[shared],
        setup=setup,
        shared=folder,
        read=(images,),
        prepare=prepare,
        ended=ended,
        cpus=plan.engine.threads,
        gpus=executor.gpu_share if plan.engine.device == "cuda" else 0.0,
        environment=worker_environment(plan.engine.threads),
        own_modules=_own_modules(plan),
        on_note=on_note,
    )


def _storing(folder: Path, on_message: Callable[[Message], None]) -> Callable[[Message], None]:
    """Write what nodes send, and pass on the rest."""
    store, tuning = Store(folder), TuningStore(folder)

    def receive(message: Message) -> None:
        if message["event"] == "checkpoint":
            store.put_checkpoint(message["id"], message["content"])
        elif message["event"] == "files":
            store.put_run(message["id"], message["files"])
        elif message["event"] == "trials":
            tuning.put_job(message["id"], message["files"])
        else:
            on_message(message)

    return receive


def _own_modules(plan: Plan) -> tuple[str, ...]:
    """Return the modules of the user's own losses and models that are not installed as packages."""
    names = {arm.loss for arm in plan.study.arms} | {run.spec.training.model for run in plan.runs}
    modules = {name.partition(":")[0] for name in names if ":" in name}
    return tuple(sorted(module for module in modules if not is_installed(module)))
