"""Expected time and disk of a plan, from a short measurement on this machine."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossassay.engine.one import seconds_per_image
from lossassay.engine.spec import RunData
from lossassay.study.planning.machine import default_workers
from lossassay.study.planning.plan import Plan
from lossassay.study.tuning.jobs import TuningJob

_START_SECONDS = 4.0  # a worker's imports
_EVALUATION_SHARE = 0.6  # of a training step per image: forward only, but in fp32
_CHECKPOINT_COPIES = 4  # weights, the best weights, and two moments of the optimiser


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a plan will cost.

    Args:
        runs: How many.
        workers: Processes at once.
        image_seconds: Of one training image in one run.
        wall_seconds: Of the whole study.
        disk_bytes: Of the runs when all are done.
        checkpoint_bytes: Of the checkpoints while they run.
        tuning_jobs: How many come before the runs.
        tuning_trials: Of all jobs.
        tuning_seconds: Of all jobs, at this number of workers; part of ``wall_seconds``.
    """

    runs: int
    workers: int
    image_seconds: float
    wall_seconds: float
    disk_bytes: int
    checkpoint_bytes: int
    tuning_jobs: int = 0
    tuning_trials: int = 0
    tuning_seconds: float = 0.0


def estimate(plan: Plan, images: Any, workers: int | None = None) -> Estimate:
    """Measure a few training steps and scale them to the whole plan.

    Args:
        plan: The plan.
        images: The image array.
        workers: Processes at once; None takes the default.
    """
    workers = workers or default_workers(plan.engine, plan.run_memory_bytes)
    first = plan.runs[0]
    split = plan.splits[0]
    data = RunData(
        images=images,
        labels=plan.labels,
        num_classes=len(plan.manifest.class_names),
        task=plan.manifest.task,
        train=split.train,
        validation=split.validation,
        test=split.test,
    )
    image_seconds = seconds_per_image(first.spec, data)
    seconds = sum(_run_seconds(plan, run.spec.training.epochs, run.replicate, image_seconds) for run in plan.runs)
    tuning = sum(_job_seconds(plan, job, image_seconds) for job in plan.jobs)
    tuning /= max(1, min(workers, len(plan.jobs)))
    settings = plan.study.tuning
    trials = 0 if settings is None else settings.trials
    states = trials if settings is not None and settings.pruning == "halving" else 1  # that wait for the next rung
    classes = len(plan.manifest.class_names)
    predicted = int(np.mean([len(own.test) + len(own.validation) for own in plan.splits]))
    weights = 4 * plan.model.parameters
    return Estimate(
        runs=len(plan.runs),
        workers=workers,
        image_seconds=image_seconds,
        wall_seconds=_START_SECONDS + tuning + seconds / min(workers, len(plan.runs)),
        disk_bytes=len(plan.runs) * (weights + predicted * (8 * classes + 16)),
        checkpoint_bytes=min(workers, len(plan.runs)) * states * _CHECKPOINT_COPIES * weights,
        tuning_jobs=len(plan.jobs),
        tuning_trials=len(plan.jobs) * trials,
        tuning_seconds=tuning,
    )


def _job_seconds(plan: Plan, job: TuningJob, image_seconds: float) -> float:
    """Training and validation of all epochs of all trials; nothing is tested."""
    own = plan.tuning_split if job.replicate is None else plan.splits[job.replicate]
    if own is None:  # the type checker's case: a job that tunes once has its split
        return 0.0
    return image_seconds * job.epochs * (len(own.train) + _EVALUATION_SHARE * len(own.validation))


def _run_seconds(plan: Plan, epochs: int, replicate: int, image_seconds: float) -> float:
    own = plan.splits[replicate]
    trained = epochs * len(own.train)
    evaluated = epochs * len(own.validation) + len(own.validation) + len(own.test)
    return image_seconds * (trained + _EVALUATION_SHARE * evaluated)
