"""Words from intervals of criteria: who is best, who is beaten in both."""

from types import SimpleNamespace

import numpy as np
import pytest

from lossassay import stats
from lossassay.biomarkers.quality.evidence import (
    Scores,
    _front,
    best_arm,
    better_than,
    differences,
    if_diverged_were_worst,
    same_as,
)
from lossassay.config.load import parse_study
from lossassay.study.analysis.family import looks_of
from lossassay.study.analysis.units import units_of

ARMS = ["a", "b", "c"]
NAN = float("nan")


def test_who_is_better() -> None:
    words = {(0, 1): "better", (0, 2): "worse", (1, 2): "undecided"}
    assert [better_than(words, arm) for arm in range(3)] == [{2}, {0}, set()]
    assert same_as({(0, 1): "same function", (1, 2): "undecided"}, 0) == {1}


def test_the_best_arm_is_shown_only_if_it_beats_all_others() -> None:
    all_beaten = {(0, 1): "worse", (0, 2): "worse", (1, 2): "better"}
    means = np.array([0.1, 0.9, 0.5])
    found = best_arm(ARMS, all_beaten, means, best_is_high=True)
    assert found == {"arm": "b", "shown": True, "candidates": ["b"]}
    one_open = all_beaten | {(1, 2): "undecided"}
    found = best_arm(ARMS, one_open, means, best_is_high=True)
    assert found == {"arm": "b", "shown": False, "candidates": ["b", "c"]}
    same = all_beaten | {(1, 2): "same function"}
    assert best_arm(ARMS, same, means, best_is_high=True)["shown"]
    nobody = best_arm(["a", "b"], {(0, 1): "same function"}, np.array([0.5, 0.5]), best_is_high=True)
    assert nobody == {"arm": "a", "shown": False, "candidates": ["a", "b"]}


def test_low_can_be_best_and_arms_without_a_value_are_no_candidates() -> None:
    found = best_arm(ARMS, {}, np.array([0.3, NAN, 0.2]), best_is_high=False)
    assert found == {"arm": "c", "shown": False, "candidates": ["a", "c"]}
    assert best_arm(ARMS, {}, np.array([NAN] * 3), best_is_high=True)["arm"] is None
    assert not best_arm(["a"], {}, np.array([0.5]), best_is_high=True)["shown"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], [True, True, True]),
        ([1, 2, 3], [1, 2, 3], [False, False, True]),
        ([1, 1, 0], [1, 1, 1], [True, True, False]),  # equal arms do not push each other out
        ([1, NAN, 0], [1, 5, NAN], [True, False, False]),
    ],
)
def test_the_front_by_means(first: list[float], second: list[float], expected: list[bool]) -> None:
    assert _front(np.array(first, dtype=float), np.array(second, dtype=float)).tolist() == expected


def test_a_diverged_run_as_the_worst_can_change_a_verdict() -> None:
    def run(diverged: bool) -> SimpleNamespace:
        return SimpleNamespace(diverged=diverged)

    study = parse_study(
        {
            "name": "two",
            "data": {"path": "digits"},
            "arms": [{"loss": "categorical_crossentropy"}, {"loss": "label_smoothing"}],
            "evidence": {"replicates": 4},
        }
    )
    table = [[run(False)] * 4, [run(False)] * 3 + [run(True)]]
    context = SimpleNamespace(
        study=study,
        arms=[arm.name for arm in study.arms],
        table=table,
        stages=SimpleNamespace(family=[(0, 1)]),
        raced=None,
        units=units_of(study.data.split, 0),
    )
    values = np.array([[0.5, 0.7], [0.51, 0.711], [0.52, 0.7195], [0.51, NAN]])
    scores = Scores(criterion="repeatability", table=values)
    found = if_diverged_were_worst(context, scores, None)  # type: ignore[arg-type]
    change = {"arm_a": context.arms[0], "arm_b": context.arms[1], "verdict": "undecided", "instead_of": "worse"}
    assert found == {"value": 0.5, "changes": [change]}
    context.table = [[run(False)] * 4] * 2
    assert if_diverged_were_worst(context, scores, None) is None  # type: ignore[arg-type]
    context.table = table
    pairs = Scores(criterion="reproducibility", table=np.array([[0.5, 0.7], [0.4, NAN]]), replicates=2)
    assert if_diverged_were_worst(context, pairs, None) == {"value": 0.4, "changes": []}  # type: ignore[arg-type]


def context_of(evidence: dict[str, object]) -> SimpleNamespace:
    """Two arms and, where the study stops early, a race whose last look was at eight replicates."""
    study = parse_study(
        {
            "name": "two",
            "data": {"path": "digits"},
            "arms": [{"loss": "categorical_crossentropy"}, {"loss": "label_smoothing"}],
            "evidence": evidence,
        }
    )
    looks = looks_of(study.evidence)
    raced = None
    if study.evidence.sequential:
        raced = stats.race(TABLE[None], [(0, 1)], looks=looks, alpha=0.05, margin=None, higher_is_better=True)
    stages = SimpleNamespace(family=[(0, 1)], looks=looks)
    return SimpleNamespace(study=study, raced=raced, stages=stages, units=units_of(study.data.split, 0))


TABLE = np.random.default_rng(0).normal(0.5, 0.1, (8, 2))


@pytest.mark.parametrize("replicates", [1, 2])
def test_criteria_are_compared_by_t_also_where_the_study_flips_signs(replicates: int) -> None:
    (plain,) = stats.paired_differences(TABLE, [(0, 1)], alpha=0.05, family_size=1)
    context = context_of({"replicates": 8, "method": "sign_flip"})
    scores = Scores(criterion="repeatability", table=TABLE, replicates=replicates)
    assert differences(context, scores) == {(0, 1): plain}  # type: ignore[arg-type]


def test_intervals_hold_at_every_look_but_for_pairs_of_replicates() -> None:
    (plain,) = stats.paired_differences(TABLE, [(0, 1)], alpha=0.05, family_size=1)
    context = context_of({"replicates": {"min": 4, "max": 12}})
    single, pairs = (
        differences(context, Scores(criterion="repeatability", table=TABLE, replicates=number))[0, 1]  # type: ignore[arg-type]
        for number in (1, 2)
    )
    assert single.low < plain.low < plain.high < single.high
    assert "hold at every look" in single.method
    assert pairs == plain
