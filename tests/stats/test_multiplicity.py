"""Holm and Bonferroni: against statsmodels, as rules of a whole family, and at their limits."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.errors import DataError
from lossassay.stats.multiplicity import bonferroni, holm

NAN = float("nan")
RULES = {"holm": holm, "bonferroni": bonferroni}
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 2, 7, 66])
def test_adjusted_p_values_equal_statsmodels(rule: str, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of statsmodels' own imports
        from statsmodels.stats.multitest import multipletests
    p_values = np.random.default_rng(count).beta(0.3, 2.0, size=count)
    p_values[: count // 3] = p_values[-1]  # ties
    expected = multipletests(p_values, method=rule)[1]
    np.testing.assert_allclose(RULES[rule](p_values), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_one_call_on_the_family_is_not_a_call_for_each_row(rule: str) -> None:
    """Called row by row, a published package adjusted nothing (spotify/confidence, issue 101)."""
    p_values = np.array([0.02, 0.03, 0.04])
    by_row = np.concatenate([RULES[rule](p_values[index : index + 1]) for index in range(3)])
    assert by_row.tolist() == p_values.tolist()
    family = RULES[rule](p_values)
    assert (family > by_row).all()
    assert not (family <= 0.05).any(), "0.02 · 3 is above 0.05"


@pytest.mark.parametrize("rule", RULES)
def test_what_was_not_compared_stays_nan_and_does_not_count(rule: str) -> None:
    with_gaps = RULES[rule](np.array([NAN, 0.01, NAN, 0.2, 0.03]))
    without = RULES[rule](np.array([0.01, 0.2, 0.03]))
    assert np.isnan(with_gaps[[0, 2]]).all()
    assert with_gaps[[1, 3, 4]].tolist() == without.tolist()
    assert np.isnan(RULES[rule](np.array([NAN, NAN]))).all()
    assert RULES[rule](np.array([])).shape == (0,)


def test_known_values() -> None:
    """Steps 4 · 0.005, 3 · 0.01, 2 · 0.03 and 1 · 0.04, which may not fall below the step before."""
    assert holm(np.array([0.04, 0.01, 0.03, 0.005])) == pytest.approx([0.06, 0.03, 0.06, 0.02], abs=1e-15)
    assert bonferroni(np.array([0.04, 0.01, 0.03, 0.005])) == pytest.approx([0.16, 0.04, 0.12, 0.02], abs=1e-15)
    assert holm(np.array([0, 1])).tolist() == [0.0, 1.0]


@given(P_VALUES)
def test_holm_lies_between_the_raw_p_and_bonferroni(values: list[float]) -> None:
    p_values = np.array(values)
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= bonferroni(p_values)).all()
    assert adjusted.min() == bonferroni(p_values).min()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


@given(P_VALUES, st.randoms())
def test_the_order_of_the_family_does_not_matter(values: list[float], random) -> None:
    shuffled = list(range(len(values)))
    random.shuffle(shuffled)
    for rule in RULES.values():
        assert rule(np.array(values)[shuffled]).tolist() == rule(np.array(values))[shuffled].tolist()


@given(P_VALUES, st.floats(0.001, 0.3))
def test_holm_rejects_what_its_step_down_rule_rejects(values: list[float], alpha: float) -> None:
    rejected = np.zeros(len(values), dtype=bool)
    for step, place in enumerate(np.argsort(values, kind="stable")):
        if (len(values) - step) * values[place] > alpha:
            break
        rejected[place] = True
    assert (holm(np.array(values)) <= alpha).tolist() == rejected.tolist()


def test_holm_keeps_the_chance_of_any_wrong_rejection() -> None:
    """Ten comparisons, seven of them null: 5 % of 4,000 families have a standard error of 0.34 points."""
    rng = np.random.default_rng(0)
    wrong, naive = [], []
    for _ in range(4_000):
        p_values = np.concatenate([rng.uniform(size=7), rng.uniform(size=3) * 1e-4])
        wrong.append((holm(p_values)[:7] <= 0.05).any())
        naive.append((p_values[:7] <= 0.05).any())
    assert np.mean(wrong) <= 0.05 + 3.5 * 0.0034
    assert np.mean(naive) > 0.25, "unadjusted, seven null comparisons err in 1 - 0.95^7 = 30 % of families"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.inf])
def test_what_is_no_p_value_is_refused(rule, wrong: float) -> None:
    with pytest.raises(DataError, match="expected numbers from 0 to 1"):
        rule(np.array([0.5, wrong]))
