"""A study as analysis sees it: plain facts, histories, and the test part of every run as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay import metrics
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import Study, load_study
from lossassay.engine.spec import Array
from lossassay.study.results import read_plan
from lossassay.study.store import Store


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as analysis sees it: plain facts, history, and the test part as arrays."""

    id: str
    arm: str
    replicate: int
    facts: dict[str, Any]
    history: pl.DataFrame
    rows: Array  # [M]
    labels: Array  # [M] or [M K]
    scores: Array  # [M K]
    probabilities: Array  # [M K]
    values: dict[str, float]  # yardsticks on the test part, and own_loss


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every table needs."""

    study: Study
    plan: dict[str, Any]
    runs: list[Run]

    @property
    def arms(self) -> list[str]:
        """Names of the arms, in the study's order."""
        return [arm.name for arm in self.study.arms]

    @property
    def task(self) -> Any:
        """What the labels are."""
        return self.plan["data"]["task"]

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.plan["data"]["class_names"]  # type: ignore[no-any-return]

    def of(self, arm: str) -> list[Run]:
        """Return the runs of an arm, by replicate."""
        return [run for run in self.runs if run.arm == arm]

    def metric_names(self) -> list[str]:
        """Return the yardsticks that are defined for the task."""
        return [name for name, spec in YARDSTICKS.items() if self.task in spec.tasks]

    def score_table(self, metric: str) -> Array:
        """Scores [R A] with nan where a run is missing."""
        table = np.full((self.study.evidence.replicates, len(self.arms)), np.nan)
        for run in self.runs:
            table[run.replicate, self.arms.index(run.arm)] = run.values[metric]
        return table


def read_context(folder: Path) -> Context:
    """Read the study of an out folder and those of its runs that are there."""
    study = load_study(folder / "study.toml")
    plan = read_plan(folder)
    store = Store(folder)
    there = store.finished()
    runs = [_read_run(store, entry, plan["data"]["task"]) for entry in plan["runs"] if entry["id"] in there]
    return Context(study=study, plan=plan, runs=runs)


def _read_run(store: Store, entry: dict[str, Any], task: Any) -> Run:
    facts = store.facts(entry["id"])
    test = store.predictions(entry["id"], "test")
    labels, probabilities = test["label"].to_numpy(), test["probabilities"].to_numpy()
    own_loss = facts["test_loss"]
    values = metrics.yardsticks(labels, probabilities, task=task)
    return Run(
        id=entry["id"],
        arm=entry["arm"],
        replicate=entry["replicate"],
        facts=facts,
        history=store.history(entry["id"]),
        rows=test["row"].to_numpy(),
        labels=labels,
        scores=test["scores"].to_numpy(),
        probabilities=probabilities,
        values=values | {"own_loss": float("nan") if own_loss is None else own_loss},
    )


def same_function_pairs(context: Context) -> set[tuple[str, str]]:
    """Return the pairs of arms that were found to be one function before training."""
    return {
        (pair["arm_a"], pair["arm_b"]) for pair in context.plan["identities"] if pair["relation"] == "same function"
    }
