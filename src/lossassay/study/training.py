"""Trains the runs of a study that are missing, look by look."""

from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError
from lossassay.executors.choice import LOCAL, Executor
from lossassay.study.executor import run_jobs
from lossassay.study.plan import Plan
from lossassay.study.progress import Progress
from lossassay.study.results import read_plan
from lossassay.study.runs import RunReader
from lossassay.study.stopping import Stages
from lossassay.study.tuning.look import TuningLook


def train_missing(
    folder: Path,
    plan: Plan,
    images: Path,
    *,
    workers: int | None,
    progress: Progress,
    executor: Executor = LOCAL,
) -> dict[str, str]:
    """Train every run, and before it every tuning job, that the next look needs, until no look needs any.

    Args:
        folder: The out folder, with what `bench.write_bench` writes.
        plan: The plan.
        images: The memory-mapped image array.
        workers: Processes at once; None only with a cluster: as many as it has room for.
        progress: What to call on the way.
        executor: Where runs are computed.

    Returns:
        Messages of runs and tuning jobs that failed, by id.

    Raises:
        OutFolderError: If the folder cannot be written.
        ClusterError: If there is no cluster, or its nodes cannot compute the study.
    """
    failures: dict[str, str] = {}
    facts = read_plan(folder)
    reader = RunReader(folder, facts)
    stages = Stages(plan.study, facts, reader)
    tuning = TuningLook(folder, facts, progress.on_stage)

    def on_message(message: dict[str, Any]) -> None:
        if message["event"] == "failed" and not tuning.goes_on(message):
            failures[message["id"]] = message["message"]
            if message.get("fatal"):
                raise OutFolderError(message["message"])
        tuning.on_message(message)
        progress.on_message(message)

    def needed() -> list[dict[str, Any]]:
        there = reader.store.finished()
        jobs = stages.jobs(there, tuning.finished(), failures)
        progress.on_look(len(there), [job["id"] for job in jobs])
        return jobs

    run_jobs(
        needed(),
        executor=executor,
        folder=folder,
        plan=plan,
        images=images,
        workers=workers,
        on_message=on_message,
        more=needed,
        on_note=progress.on_stage,
    )
    return failures
