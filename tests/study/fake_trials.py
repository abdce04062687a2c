"""Trials that never ran: a valley of validation values over the learning rate for each arm."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.config import Study
from lossassay.study.analysis.tuning_results import Job, Trial

RATES = tuple(10 ** (-4 + 2 * place / 7) for place in range(8))
SPACE = {"learning_rate": {"kind": "log", "low": 1e-4, "high": 1e-2}}
EPOCHS, QUARTER = 8, 2


def fake_jobs(
    study: Study, peaks: dict[str, float], *, replicates: int | None = 3, diverged: int | None = None
) -> list[Job]:
    """Return the jobs of a study; each arm is best at its own peak of the learning rate.

    Args:
        study: With the arms.
        peaks: Best learning rate of each arm.
        replicates: None: tuned once.
        diverged: Number of a trial that diverged in every job.
    """
    places: list[int | None] = [None] if replicates is None else list(range(replicates))
    return [
        Job(
            id=f"{arm.name} {place}",
            arm=arm.name,
            replicate=place,
            metric="balanced_accuracy",
            space=SPACE,
            trials=_trials(peaks[arm.name], 0.001 * (place or 0) * (1 + index), diverged),
        )
        for place in places
        for index, arm in enumerate(study.arms)
    ]


def write_jobs(folder: Path, jobs: list[Job]) -> list[dict[str, Any]]:
    """Write trials.parquet of every job, and return the entries of plan.json."""
    for job in jobs:
        target = folder / "tuning" / job.id
        target.mkdir(parents=True)
        rows = [
            {
                "trial": trial.number,
                "status": trial.status,
                "epochs": trial.epochs,
                "value": trial.value,
                "epoch_of_value": trial.epoch_of_value,
                "seconds": trial.seconds,
                "parameters": json.dumps(trial.parameters),
                "chosen": trial.chosen,
                "own_settings": trial.own_settings,
                "values": list(trial.values),
            }
            for trial in reversed(job.trials)
        ]
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(target / "trials.parquet")
    return [
        {"id": job.id, "arm": job.arm, "replicate": job.replicate, "metric": job.metric, "space": job.space}
        for job in jobs
    ]


def _trials(peak: float, shift: float, diverged: int | None) -> tuple[Trial, ...]:
    ends = {number: 0.9 + shift - 0.1 * abs(math.log10(rate / peak)) for number, rate in enumerate(RATES)}
    ranked = sorted((number for number in ends if number != diverged), key=lambda number: (-ends[number], number))
    return tuple(_trial(number, ends[number], ranked, diverged) for number in ends)


def _trial(number: int, end: float, ranked: list[int], diverged: int | None) -> Trial:
    lost = number == diverged
    place = len(ranked) if lost else ranked.index(number)
    epochs = 1 if lost else EPOCHS if place < 2 else 2 * QUARTER if place < 4 else QUARTER
    values = () if lost else tuple(end - 0.02 * (EPOCHS - epoch) for epoch in range(1, epochs + 1))
    return Trial(
        number=number,
        status="diverged" if lost else "finished" if epochs == EPOCHS else "pruned",
        epochs=epochs,
        value=None if lost else values[-1],
        epoch_of_value=None if lost else epochs,
        seconds=1.5 * epochs,
        parameters={"learning_rate": RATES[number]},
        chosen=place == 0,
        own_settings=number == 0,
        values=values,
    )
