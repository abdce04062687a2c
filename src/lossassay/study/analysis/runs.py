"""A stored run as analysis sees it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay import metrics
from lossassay.engine.spec import Array
from lossassay.study.folder.store import Store


@dataclass(frozen=True, kw_only=True)
class Run:
    """Plain facts, history, and the test part as arrays."""

    id: str
    arm: str
    replicate: int
    facts: dict[str, Any]
    history: pl.DataFrame
    rows: Array  # [M]
    patients: Array  # [M] number of the patient (without groups: of the image) of each row
    scores: Array  # [M K]
    tested: metrics.Checked  # labels [M] or [M K], and probabilities [M K]
    values: dict[str, float]  # yardsticks on the test part, and own_loss
    influences: dict[str, tuple[Array, Array]] = field(default_factory=dict)  # filled by `patients`, when asked for

    @property
    def labels(self) -> Array:
        """[M] or [M K]."""
        return self.tested.labels

    @property
    def probabilities(self) -> Array:
        """[M K]."""
        return self.tested.probabilities

    @property
    def diverged(self) -> bool:
        """Whether training failed, so that the run counts as the predictor of the training prior."""
        return bool(self.facts["status"] == "diverged")


class RunReader:
    """Reads runs of one out folder, each once.

    Args:
        folder: The out folder.
        plan: plan.json.
    """

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.store = Store(folder)
        self._folder = folder
        self._task = plan["data"]["task"]
        self._entries = {entry["id"]: entry for entry in plan["runs"]}
        self._read: dict[str, Run] = {}

    def __call__(self, run_id: str) -> Run:
        """Return a run that is there."""
        self.read_all([run_id])
        return self._read[run_id]

    @cached_property
    def _patient_of_row(self) -> Array:
        """Number of the patient of every row of the data; without groups every row is its own."""
        groups = pl.read_parquet(self._folder / "rows.parquet")["group"]
        known = groups.is_not_null().to_numpy()
        numbers = np.arange(len(groups))
        _, of_known = np.unique(groups.drop_nulls().to_numpy().astype(str), return_inverse=True)
        numbers[known] = len(groups) + of_known
        return numbers

    def read_all(self, run_ids: Sequence[str]) -> None:
        """Read many runs, those of an arm together: opening small files one by one takes most of the time."""
        by_arm: dict[str, list[str]] = {}
        for run_id in run_ids:
            if run_id not in self._read:
                by_arm.setdefault(self._entries[run_id]["arm"], []).append(run_id)
        for unread in by_arm.values():
            tests, histories = self.store.predictions_of(unread, "test"), self.store.histories(unread)
            for run_id in unread:
                self._read[run_id] = self._open(run_id, self.store.facts(run_id), tests[run_id], histories[run_id])

    def _open(self, run_id: str, facts: dict[str, Any], test: pl.DataFrame, history: pl.DataFrame) -> Run:
        entry = self._entries[run_id]
        tested = metrics.Checked(test["label"].to_numpy(), test["probabilities"].to_numpy(), self._task)
        own_loss = facts["test_loss"]
        values = metrics.yardsticks_of(tested)
        rows = test["row"].to_numpy()
        return Run(
            id=run_id,
            arm=entry["arm"],
            replicate=entry["replicate"],
            facts=facts,
            history=history,
            rows=rows,
            patients=self._patient_of_row[rows],
            scores=test["scores"].to_numpy(),
            tested=tested,
            values=values | {"own_loss": float("nan") if own_loss is None else own_loss},
        )
