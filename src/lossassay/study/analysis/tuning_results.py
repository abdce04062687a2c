"""What the tuning jobs of a study left behind, read back: every trial with its parameters and its value."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import CONTROL_ARMS


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training with one choice of parameters.

    Args:
        number: From 0; the first has the study's own settings.
        status: ``"finished"``, ``"pruned"`` or ``"diverged"``.
        epochs: Trained.
        value: Validation yardstick at the kept epoch; None where it diverged.
        epoch_of_value: The kept epoch.
        seconds: Of training.
        parameters: By name.
        chosen: Whether the job took it.
        own_settings: Whether its parameters are those of the study file.
        values: Validation yardstick after each epoch.
    """

    number: int
    status: str
    epochs: int
    value: float | None
    epoch_of_value: int | None
    seconds: float
    parameters: dict[str, Any]
    chosen: bool
    own_settings: bool
    values: tuple[float | None, ...]

    def value_until(self, epoch: int, *, high: bool, last: bool) -> float | None:
        """Return the value as it stood after some epochs, so that trials of different lengths compare.

        Args:
            epoch: How many epochs count.
            high: Whether high values are good.
            last: Whether the last epoch is kept in place of the best.
        """
        if self.status == "diverged":
            return None
        known = [value for value in self.values[:epoch] if value is not None]
        if not known:
            return self.value if self.epochs <= epoch else None
        if last:
            return known[-1]
        return max(known) if high else min(known)


@dataclass(frozen=True, kw_only=True)
class Job:
    """All trials of one arm in one replicate, or once.

    Args:
        id: Its name.
        arm: Whose parameters were chosen.
        replicate: From 0; None: once, for all replicates.
        metric: The validation yardstick that chose.
        space: Range of each parameter, as plan.json has it.
        trials: In their order.
    """

    id: str
    arm: str
    replicate: int | None
    metric: str
    space: dict[str, dict[str, Any]]
    trials: tuple[Trial, ...]

    @property
    def chosen(self) -> Trial | None:
        """The trial that was taken; None where all diverged."""
        return next((trial for trial in self.trials if trial.chosen), None)

    @property
    def high(self) -> bool:
        """Whether high values are good."""
        return YARDSTICKS[self.metric].best == "high"


def read_jobs(folder: Path, plan: dict[str, Any]) -> list[Job]:
    """Return the finished tuning jobs of the arms of a plan, in its order; those of the A/A control are left out.

    Args:
        folder: The out folder.
        plan: plan.json.
    """
    return _read(folder, plan, jobs_of_arms(plan))


def seconds_of_trials(folder: Path, plan: dict[str, Any]) -> float:
    """Return what all trials took, those of the A/A control too.

    Args:
        folder: The out folder.
        plan: plan.json.
    """
    return sum(trial.seconds for job in _read(folder, plan, plan.get("tuning", ())) for trial in job.trials)


def _read(folder: Path, plan: dict[str, Any], entries: Sequence[dict[str, Any]]) -> list[Job]:
    found = []
    for entry in entries:
        path = folder / "tuning" / entry["id"] / "trials.parquet"
        if path.is_file():
            found.append(
                Job(
                    id=entry["id"],
                    arm=entry["arm"],
                    replicate=entry["replicate"],
                    metric=entry.get("metric", plan["metric"]),
                    space=entry["space"],
                    trials=tuple(map(_trial, pl.read_parquet(path).sort("trial").iter_rows(named=True))),
                )
            )
    return found


def jobs_of_arms(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the planned tuning jobs of arms; the A/A control has some too, which no table compares.

    Args:
        plan: plan.json.
    """
    return [entry for entry in plan.get("tuning", ()) if entry["arm"] not in CONTROL_ARMS.values()]


def common_epochs(jobs: Sequence[Job]) -> int:
    """Return after how many epochs all trials that did not diverge can be compared; 0: there is none."""
    lengths = [trial.epochs for job in jobs for trial in job.trials if trial.status != "diverged"]
    return min(lengths, default=0)


def _trial(row: dict[str, Any]) -> Trial:
    return Trial(
        number=row["trial"],
        status=row["status"],
        epochs=row["epochs"],
        value=row["value"],
        epoch_of_value=row["epoch_of_value"],
        seconds=row["seconds"],
        parameters=json.loads(row["parameters"]),
        chosen=row["chosen"],
        own_settings=row["own_settings"],
        values=tuple(row.get("values") or ()),
    )
