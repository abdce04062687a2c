"""Jobs of an assessment, in this process or in several; the same bits in the same order."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lossassay import errors
from lossassay.biomarkers.quality.jobs import Job, Setup, Value, Workplace
from lossassay.biomarkers.quality.run_features import VIEWS, FeatureStore
from lossassay.errors import LossassayError
from lossassay.executors.local import run_jobs
from lossassay.study.planning.machine import core_count, runs_that_fit, worker_environment

OnDone = Callable[[Job, int, int], None]
_SMALLEST_WORK_SECONDS = 20.0  # below it one process is done before others have started
_OPERATIONS_PER_SECOND = 2e10  # multiply-accumulates, one core, fp32
_QUALITY_SECONDS = 1e-3  # per image: criteria of a feature set
_PROCESS_BYTES = 700 * 2**20


def do_jobs(batches: Sequence[Sequence[Job]], setup: Setup, *, workers: int, on_done: OnDone) -> list[list[Value]]:
    """Do every job, batch after batch.

    Args:
        batches: Jobs of a batch may need what those of earlier ones have kept.
        setup: What they share.
        workers: Processes; one: this one.
        on_done: Called after each job with the job, how many are done, and their number.

    Returns:
        The values of each job, in the order of the jobs.

    Raises:
        LossassayError: Of the first job that fails.
    """
    jobs = [job for batch in batches for job in batch]
    if workers > 1:
        return _in_processes(batches, jobs, setup, workers, on_done)
    workplace, found = Workplace(setup), []
    for job in jobs:
        found.append(workplace.values(job))
        on_done(job, len(found), len(jobs))
    return found


def workers_for(jobs: Sequence[Job], setup: Setup, plan: dict[str, Any], store: FeatureStore) -> int:
    """Return how many processes pay: one for a little work and on a GPU, else as many as cores and memory allow.

    Args:
        jobs: To be done.
        setup: What they share.
        plan: plan.json.
        store: What is kept already.
    """
    images = min(setup.settings.images, plan["data"]["rows"])
    of_network = (1 + VIEWS) * images * plan["model"]["multiply_accumulates"] / _OPERATIONS_PER_SECOND
    seconds = sum(
        images * _QUALITY_SECONDS + (of_network if job.run and not store.holds(job.run) else 0.0)
        for job in jobs
        if job.kind != "pair"
    )
    if setup.device != "cpu" or seconds < _SMALLEST_WORK_SECONDS:
        return 1
    pixels = int(np.prod(plan["data"]["image_shape"])) * np.dtype(plan["data"]["pixel_type"]).itemsize
    memory_bytes = _PROCESS_BYTES + (1 + VIEWS) * images * pixels
    fit = min(core_count() // setup.threads, runs_that_fit("cpu", memory_bytes), len(jobs))
    return max(1, fit)


def _in_processes(
    batches: Sequence[Sequence[Job]], jobs: list[Job], setup: Setup, workers: int, on_done: OnDone
) -> list[list[Value]]:
    found: dict[int, list[Value]] = {}

    def on_message(message: dict[str, Any]) -> None:
        if message["event"] == "failed":
            raise _error(message)
        found[message["id"]] = [(name, probe, value) for name, probe, value in message["values"]]
        on_done(jobs[message["id"]], len(found), len(jobs))

    numbered = iter(enumerate(jobs))
    messages = [[{"id": next(numbered)[0], "job": asdict(job)} for job in batch] for batch in batches if batch]
    waiting = iter(messages)
    run_jobs(
        next(waiting, ()),
        command=[sys.executable, "-m", "lossassay.biomarkers.quality.worker"],
        setup=setup.as_data(),
        workers=workers,
        on_message=on_message,
        more=lambda: next(waiting, ()),
        environment=worker_environment(setup.threads),
    )
    return [found[number] for number in range(len(jobs))]


def _error(message: dict[str, Any]) -> LossassayError:
    """Return what a worker raised; what is none of our errors is one of the data."""
    kind = getattr(errors, message.get("error", ""), None)
    if kind in (errors.ModelError, errors.DataError, errors.OutFolderError):
        found: LossassayError = kind(message["message"])
        return found
    return errors.DataError(
        f"Features could not be assessed: {message['message']}. What was finished is kept: give `lossassay biomarkers` "
        "again, with --workers 1 if memory is short."
    )
