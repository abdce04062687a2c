"""Intervals of a proportion, against statsmodels and by enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from lossassay.errors import DataError
from lossassay.stats.proportions import Proportion, clopper_pearson, wilson

METHODS = [(clopper_pearson, "beta"), (wilson, "wilson")]
COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (1, 29), (500, 1000), (999, 1000), (7, 10**9), (10**9, 10**9)]


@pytest.mark.parametrize(("interval", "name"), METHODS)
@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_equals_statsmodels(interval, name: str, successes: int, trials: int, level: float) -> None:
    found = interval(successes, trials, level=level)
    expected = proportion_confint(successes, trials, alpha=1 - level, method=name)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert (found.estimate, found.level, found.unit) == (successes / trials, level, "trial")
    assert (found.successes, found.trials) == (successes, trials)


def test_clopper_pearson_inverts_the_binomial_tails() -> None:
    found = clopper_pearson(4, 17)
    assert binom.sf(3, 17, found.low) == pytest.approx(0.025, abs=1e-10)
    assert binom.cdf(4, 17, found.high) == pytest.approx(0.025, abs=1e-10)


def test_wilson_limits_are_as_many_errors_away_as_they_should_be() -> None:
    found = wilson(4, 17)
    for limit in (found.low, found.high):
        assert abs(found.estimate - limit) / math.sqrt(limit * (1 - limit) / 17) == pytest.approx(1.959963984540054)


@given(st.integers(1, 10**6), st.data(), st.floats(0.01, 0.999))
def test_contains_the_estimate_and_mirrors(trials: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, trials))
    for interval, _ in METHODS:
        found, mirrored = interval(successes, trials, level=level), interval(trials - successes, trials, level=level)
        assert 0 <= found.low <= found.estimate <= found.high <= 1
        assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_limits_at_the_ends_are_exact(interval) -> None:
    assert interval(0, 7).low == 0.0
    assert 0 < interval(0, 7).high < 1
    assert interval(7, 7).high == 1.0
    assert 0 < interval(7, 7).low < 1


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_without_trials_nothing_is_known(interval) -> None:
    found: Proportion = interval(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high, found.trials) == (0.0, 1.0, 0)


@pytest.mark.parametrize("trials", [5, 20, 60])
def test_clopper_pearson_covers_at_least_as_often_as_it_says(trials: int) -> None:
    limits = np.array([(found.low, found.high) for found in (clopper_pearson(k, trials) for k in range(trials + 1))])
    for share in np.linspace(0.01, 0.99, 99):  # exact: every outcome with its chance
        covers = (limits[:, 0] <= share) & (share <= limits[:, 1])
        assert binom.pmf(np.arange(trials + 1), trials, share) @ covers >= 0.95


def test_counts_of_numpy_are_welcome() -> None:
    assert clopper_pearson(np.int64(3), np.int64(10)) == clopper_pearson(3, 10)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused(interval, successes: int, trials: int) -> None:
    with pytest.raises(DataError, match=rf"{successes} successes in {trials} trials came; expected"):
        interval(successes, trials)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 95.0, float("nan")])
def test_impossible_levels_are_refused(interval, level: float) -> None:
    with pytest.raises(DataError, match=r"level must lie between 0 and 1, got .* Use 0\.95"):
        interval(1, 2, level=level)
