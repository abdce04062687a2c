"""Paired differences: against scipy, at their limits, and the rule that gives the verdict."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lossassay.stats import PairedDifference, paired_differences, verdict

NAN = float("nan")


def one(differences: list[float], *, alpha: float = 0.05, family_size: int = 1) -> PairedDifference:
    """The record of a pair whose arm b scores 0 in every replicate."""
    scores = np.stack([differences, np.zeros(len(differences))], axis=1)
    return paired_differences(scores, [(0, 1)], alpha=alpha, family_size=family_size)[0]


@pytest.mark.parametrize("family_size", [1, 3, 45])
def test_paired_differences_equal_scipy(family_size: int) -> None:
    scores = np.random.default_rng(0).normal([0.8, 0.7, 0.75], 0.05, size=(9, 3))
    pairs = [(0, 1), (0, 2), (2, 1)]
    for (a, b), found in zip(pairs, paired_differences(scores, pairs, alpha=0.1, family_size=family_size), strict=True):
        test = scipy_stats.ttest_rel(scores[:, a], scores[:, b])
        expected = test.confidence_interval(1 - 0.1 / family_size)
        assert found.estimate == pytest.approx(scores[:, a].mean() - scores[:, b].mean())
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert found.p_value == pytest.approx(test.pvalue, rel=1e-10)
        assert found.p_adjusted == pytest.approx(min(1, family_size * test.pvalue), rel=1e-10)
        assert (found.level, found.num_pairs, found.unit) == (0.9, 9, "replicate")
        assert f"Bonferroni over {family_size} comparison" in found.method


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.integers(1, 50), st.floats(0.001, 0.5))
def test_adjusted_p_is_the_inversion_of_the_interval(values: list[float], family_size: int, alpha: float) -> None:
    found = one(values, alpha=alpha, family_size=family_size)
    if abs(found.p_adjusted - alpha) > 1e-9:  # on the limit itself rounding decides
        assert (found.p_adjusted < alpha) == (found.low > 0 or found.high < 0)
    again = one(values, alpha=found.p_adjusted, family_size=family_size) if 0 < found.p_adjusted < 1 else None
    if again and np.ptp(values) > 1e-6:  # at that alpha the interval just touches 0
        assert min(abs(again.low), abs(again.high)) == pytest.approx(0, abs=1e-9 + 1e-7 * abs(again.high - again.low))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.integers(1, 9))
def test_swapping_the_arms_turns_the_sign(values: list[float], family_size: int) -> None:
    scores = np.stack([values, values[::-1]], axis=1)
    ab, ba = paired_differences(scores, [(0, 1), (1, 0)], alpha=0.05, family_size=family_size)
    assert (ab.estimate, ab.low, ab.high) == pytest.approx((-ba.estimate, -ba.high, -ba.low), abs=1e-12)
    assert ab.p_adjusted == pytest.approx(ba.p_adjusted)


def test_scores_that_are_all_one_number_decide_nothing() -> None:
    """Two arms that are always right on a small test part are not known to be equal."""
    found = paired_differences(np.ones((5, 2)), [(0, 1)], alpha=0.05, family_size=1)[0]
    assert (found.estimate, found.low, found.high, found.p_value) == (0, -np.inf, np.inf, 1)
    assert verdict(found, margin=0.5, same_function=False, higher_is_better=True) == (
        "undecided",
        "all scores are one number, which shows no spread",
    )


def test_equal_differences_decide_only_when_the_sign_flip_test_does() -> None:
    few = one([0.25] * 5)
    assert (few.low, few.estimate, few.p_value) == (0, 0.25, 2**-4)
    many = one([0.25] * 6)
    assert many.low > 0
    assert (many.p_value, many.p_adjusted) == (2**-5, 2**-5)
    in_family = one([-0.25] * 6, family_size=2)
    assert (in_family.high, in_family.p_adjusted) == (0, 2**-4)


def test_equal_differences_reach_as_far_as_an_unseen_value_may_pull_them() -> None:
    """Two arms that agree in six replicates of a small test part are not known to agree always."""
    scores = np.array([[0.9, 0.9], [0.8, 0.8], [1.0, 1.0], [0.85, 0.85], [0.95, 0.95], [0.9, 0.9]])
    (found,) = paired_differences(scores, [(0, 1)], alpha=0.05, family_size=1)
    unseen = 1 - 0.05 ** (1 / 6)  # of the replicates, at most
    assert (found.low, found.high) == pytest.approx((-unseen * 0.2, unseen * 0.2))
    assert found.p_value == 1


@given(st.floats(0.001, 0.3), st.integers(2, 12), st.floats(0.01, 0.2))
def test_of_equal_differences_too_p_is_at_most_alpha_exactly_where_the_interval_leaves_out_0(
    difference: float, count: int, alpha: float
) -> None:
    base = np.linspace(0.5, 0.7, count)
    (found,) = paired_differences(np.stack([base + difference, base], axis=1), [(0, 1)], alpha=alpha, family_size=1)
    assert (found.p_value <= alpha) == (found.low > 0)


def test_differences_that_are_equal_on_paper_count_as_equal() -> None:
    first = np.array([0.9, 0.1, 0.7, 0.3]) + 0.1
    scores = np.stack([first, np.array([0.99, 0.19, 0.79, 0.39])], axis=1)
    assert np.ptp(scores[:, 0] - scores[:, 1]) > 0  # a rounding error
    found = paired_differences(scores, [(0, 1)], alpha=0.05, family_size=1)[0]
    assert found.low <= 0
    assert found.p_value == pytest.approx((1 - 0.01 / 0.81) ** 4)


def test_replicates_are_paired_on_what_both_arms_have() -> None:
    scores = np.array([[1.0, 0.5, NAN], [NAN, 0.1, 0.3], [0.8, 0.1, 0.2], [0.9, 0.6, 0.1]])
    ab, ac = paired_differences(scores, [(0, 1), (0, 2)], alpha=0.05, family_size=2)
    assert (ab.num_pairs, ac.num_pairs) == (3, 2)
    assert ab.estimate == pytest.approx(np.mean([0.5, 0.7, 0.3]))
    assert ac.estimate == pytest.approx(np.mean([0.6, 0.8]))


@pytest.mark.parametrize("values", [[], [0.1], [0.1, NAN], [np.inf, 0.1]])
def test_fewer_than_two_pairs_have_no_interval(values: list[float]) -> None:
    found = one(values)
    assert np.isnan([found.low, found.high, found.p_value, found.p_adjusted]).all()
    assert found.num_pairs == len([value for value in values if np.isfinite(value)])
    assert verdict(found, margin=1.0, same_function=False, higher_is_better=True) == (
        "undecided",
        "fewer than two replicates",
    )


def with_interval(low: float, high: float) -> PairedDifference:
    return dataclasses.replace(one([0.1, 0.2]), estimate=(low + high) / 2, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "margin", "higher_is_better", "word"),
    [
        (0.01, 0.05, None, True, "better"),
        (0.01, 0.05, None, False, "worse"),
        (-0.05, -0.01, None, True, "worse"),
        (-0.05, -0.01, None, False, "better"),
        (-0.01, 0.02, None, True, "undecided"),
        (-0.01, 0.02, 0.03, True, "equivalent"),
        (0.01, 0.02, 0.03, True, "equivalent"),  # surely there, surely too small to matter
        (-0.01, 0.03, 0.03, True, "undecided"),  # the margin itself is outside
        (-0.03, 0.01, 0.03, True, "undecided"),
        (0.01, 0.04, 0.03, True, "better"),
        (0.0, 0.05, 0.03, True, "undecided"),  # 0 is in the interval
        (0.0, 0.0, 0.03, True, "equivalent"),
        (0.0, 0.0, None, True, "undecided"),
        (-1.0, 1.0, 0.03, False, "undecided"),
    ],
)
def test_the_verdict_rule(low: float, high: float, margin: float | None, higher_is_better: bool, word: str) -> None:
    found, reason = verdict(
        with_interval(low, high), margin=margin, same_function=False, higher_is_better=higher_is_better
    )
    assert found == word
    assert reason


def test_the_same_function_comes_before_everything_else() -> None:
    for difference in (with_interval(0.1, 0.2), with_interval(-0.01, 0.01), with_interval(NAN, NAN)):
        word, _ = verdict(difference, margin=0.05, same_function=True, higher_is_better=True)
        assert word == "same function"


@pytest.mark.parametrize(
    ("low", "high", "margin", "reason"),
    [
        (-0.1, 0.1, None, "the interval contains 0, and no margin was stated"),
        (-0.1, 0.1, 0.05, "the interval contains 0 and reaches past the margin"),
        (-0.01, 0.01, 0.05, "the interval lies inside the margin"),
        (0.1, 0.2, 0.05, "the interval leaves out 0"),
    ],
)
def test_the_reason_says_what_the_verdict_rests_on(low: float, high: float, margin: float | None, reason: str) -> None:
    found = verdict(with_interval(low, high), margin=margin, same_function=False, higher_is_better=True)
    assert found[1] == reason
