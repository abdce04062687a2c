"""Fieller's interval: it is the t test turned round, and it covers."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from lossassay.stats import paired_ratio


def test_limits_are_where_the_t_test_turns() -> None:
    random = np.random.default_rng(4)
    y = random.normal(0.4, 0.05, 9)
    x = 0.7 * y + random.normal(0, 0.03, 9)
    found = paired_ratio(x, y, level=0.9)
    assert found.estimate == pytest.approx(x.mean() / y.mean())
    assert found.low < found.estimate < found.high
    for limit in (found.low, found.high):
        assert scipy_stats.ttest_1samp(x - limit * y, 0).pvalue == pytest.approx(0.1, rel=1e-6)


def test_it_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits, of = 0, 4000
    for _ in range(of):
        noise = random.normal(0, 0.06, (2, 6))
        y = 0.3 + noise[0]
        x = 0.15 + 0.5 * noise[0] + noise[1]
        found = paired_ratio(x, y)
        hits += found.low <= 0.5 <= found.high or np.isnan(found.low)
    assert hits / of == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / of) ** 0.5)


def test_a_reference_at_chance_gives_no_limits() -> None:
    found = paired_ratio(np.array([0.1, 0.2, 0.1]), np.array([0.1, -0.1, 0.05]))
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_incomplete_pairs_are_left_out() -> None:
    found = paired_ratio(np.array([0.1, np.nan, 0.12, 0.3]), np.array([0.2, 0.2, 0.2, np.inf]))
    assert found.replicates == 2
    assert found.estimate == pytest.approx(0.55)
    one = paired_ratio(np.array([0.1]), np.array([0.2]))
    assert one.estimate == pytest.approx(0.5)
    assert np.isnan(one.low)
    assert np.isnan(paired_ratio(np.array([]), np.array([])).estimate)


def test_no_spread_is_a_point() -> None:
    found = paired_ratio(np.full(4, 0.1), np.full(4, 0.4))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_folds_that_share_what_they_learn_from_widen_the_limits() -> None:
    random = np.random.default_rng(5)
    y = random.normal(0.4, 0.05, 5)
    x = 0.7 * y + random.normal(0, 0.03, 5)
    found = paired_ratio(x, y, test_share_ratio=0.25)
    for limit in (found.low, found.high):
        rest = x - limit * y
        assert abs(rest.mean()) / rest.std(ddof=1) / (1 / 5 + 0.25) ** 0.5 == pytest.approx(scipy_stats.t.ppf(0.975, 4))
