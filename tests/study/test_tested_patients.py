"""Influence values of many runs at once are those of each run by itself."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import metrics, stats
from lossassay.study.analysis import patients as of_study
from lossassay.study.analysis.runs import Run

METRIC = "macro_auroc"
PAIRS = [(0, 1), (2, 0), (1, 2)]


def run_of(labels: Any, patients: Any, seed: int) -> Run:
    """A run whose probabilities are drawn."""
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(labels))
    return Run(
        id=f"{seed}",
        arm="a",
        replicate=0,
        facts={},
        history=pl.DataFrame(),
        rows=np.arange(len(labels)),
        patients=patients,
        scores=probabilities,
        tested=metrics.Checked(labels, probabilities, "single_label"),
        values={},
    )


def table_of(replicates: int = 4) -> list[list[Run | None]]:
    """Three arms, each replicate with a test part of its own."""
    random = np.random.default_rng(0)
    parts = [(random.permutation(np.arange(20 + r) % 3), random.integers(0, 9, 20 + r)) for r in range(replicates)]
    return [[run_of(*part, seed=10 * arm + r) for r, part in enumerate(parts)] for arm in range(3)]


def alone(run: Run | None) -> tuple[Any, Any]:
    """Patients and influence values of one run, nothing where it is missing or its yardstick is undefined."""
    none = np.zeros(0, dtype=int), np.zeros(0)
    if run is None:
        return none
    values = metrics.influence(METRIC, run.labels, run.probabilities, task="single_label")
    return (run.patients, values) if np.isfinite(values).all() else none


def missing(table: Any) -> None:
    table[1][2] = None


def missing_everywhere(table: Any) -> None:
    for runs in table:
        runs[3] = None


def an_arm_without_runs(table: Any) -> None:
    table[0][:] = [None] * len(table[0])


def undefined(table: Any) -> None:
    table[2][0] = run_of(np.zeros(20, dtype=int), table[2][0].patients, seed=99)


def fewer_rows(table: Any) -> None:
    table[0][1] = run_of(np.arange(12) % 3, np.arange(12), seed=98)


def other_patients(table: Any) -> None:
    table[2][1] = run_of(table[2][1].labels, 100 + table[2][1].patients, seed=97)


def complete(table: Any) -> None:
    """As it is."""


@pytest.mark.parametrize(
    "change", [complete, missing, missing_everywhere, an_arm_without_runs, undefined, fewer_rows, other_patients]
)
def test_many_runs_at_once_have_the_influences_of_each(change: Any) -> None:
    table = table_of()
    change(table)
    tested = of_study.TestedPatients(table)
    for arm, runs in enumerate(table):
        for found, run in zip(tested.of(arm, METRIC), runs, strict=True):
            for one, expected in zip(found, alone(run), strict=True):
                np.testing.assert_array_equal(one, expected)
    for a, b in PAIRS:
        for found, *runs in zip(tested.between((a, b), METRIC), table[a], table[b], strict=True):
            (patients, first), (_, second) = map(alone, runs)
            np.testing.assert_array_equal(found[1], first - second if len(first) == len(second) else [])
            np.testing.assert_array_equal(found[0], patients if len(first) == len(second) else [])


def test_influence_values_are_held_once() -> None:
    table = table_of()
    together = of_study.TestedPatients(table).of(0, METRIC)
    assert isinstance(together, stats.StackedInfluences)
    for run in table[0]:
        assert run is not None
        assert np.shares_memory(run.influences[METRIC][1], together.values)


def test_a_study_without_replicates_has_no_influences() -> None:
    assert list(of_study.TestedPatients([[], []]).between((0, 1), METRIC)) == []
    assert of_study.patient_part([[], []], METRIC, [(0, 1)]).error.shape == (1, 0, 1)
