"""The check that some arm has learnt something."""

import json
from pathlib import Path

import pytest

from lossassay.study.analysis.checks import check_rows
from lossassay.study.analysis.context import Context, read_context


def of_check(context: Context) -> dict[str, object]:
    (row,) = (row for row in check_rows(context) if row["code"] == "none-above-chance")
    return {"status": row["status"], **json.loads(row["fields"])}


def with_scores(context: Context, scores: list[list[float]], metric: str = "balanced_accuracy") -> Context:
    """Put scores in the place of those of the runs of some arms."""
    context.stages.metric = metric
    for runs, values in zip(context.table, scores, strict=False):
        for run, value in zip(runs, values, strict=True):
            assert run is not None
            run.values[metric] = value
    return context


def test_one_arm_above_chance_is_enough(finished: Path) -> None:
    context = read_context(finished)
    chance = 1 / len(context.classes)
    nothing = [[chance, chance + 0.01]] * len(context.arms)
    failed = of_check(with_scores(context, nothing))
    assert failed["status"] == "failed"
    assert failed["chance"] == pytest.approx(chance)
    passed = of_check(with_scores(context, [*nothing[:-1], [0.9, 0.901]]))
    assert (passed["status"], passed["arm_best"]) == ("passed", context.arms[-1])
    assert passed["low"] > chance > failed["low"]  # type: ignore[operator]


def test_it_does_not_apply_without_a_value_for_chance_or_without_an_interval(finished: Path) -> None:
    context = read_context(finished)
    assert of_check(with_scores(context, [], metric="accuracy")) == {"status": "not applicable"}
    single = read_context(finished)
    for runs in single.table:
        runs[1:] = [None] * len(runs[1:])
    assert of_check(with_scores(single, [], metric="balanced_accuracy"))["status"] == "not applicable"
