"""Intervals of means and the noise floor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lossassay.stats import mean_interval, noise_floor, share_of_pairs_at_least

NAN = float("nan")


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_mean_interval_equals_scipy(level: float) -> None:
    values = np.random.default_rng(0).normal(3, 2, 9)
    found = mean_interval(values, level=level)
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(level)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.sd == pytest.approx(scipy_stats.tstd(values))
    assert (found.level, found.replicates, found.dropped) == (level, 9, 0)


def test_one_value_has_no_interval() -> None:
    found = mean_interval(np.array([0.7]))
    assert found.estimate == 0.7
    assert np.isnan([found.low, found.high, found.sd]).all()
    assert found.replicates == 1


def test_no_value_is_nan_without_a_warning() -> None:
    for values in ([], [NAN, NAN]):
        found = mean_interval(np.array(values))
        assert np.isnan([found.estimate, found.low, found.high, found.sd]).all()
        assert (found.replicates, found.dropped) == (0, len(values))


def test_values_that_are_no_numbers_are_left_out_and_counted() -> None:
    found = mean_interval(np.array([1.0, NAN, 3.0, np.inf]))
    clean = mean_interval(np.array([1.0, 3.0]))
    assert (found.estimate, found.low, found.high) == (clean.estimate, clean.low, clean.high)
    assert (found.replicates, found.dropped) == (2, 2)


def test_equal_values_have_an_interval_without_width() -> None:
    found = mean_interval(np.full(5, 0.25))
    assert (found.low, found.estimate, found.high, found.sd) == (0.25, 0.25, 0.25, 0.0)


def test_noise_floor_by_hand() -> None:
    found = noise_floor(np.array([0.0, 1.0, 3.0, NAN]))  # gaps 1, 3, 2
    assert (found.median, found.largest, found.pairs, found.replicates) == (2.0, 3.0, 3, 3)
    assert found.p95 == pytest.approx(2.9)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, NAN]])
def test_noise_floor_needs_two_replicates(values: list[float]) -> None:
    found = noise_floor(np.array(values))
    assert np.isnan([found.median, found.p95, found.largest]).all()
    assert found.pairs == 0
    assert np.isnan(share_of_pairs_at_least(np.array(values), 0.1))


def test_share_of_pairs_counts_gaps_that_are_equal_on_paper() -> None:
    values = np.array([0.1, 0.3, 0.4])  # gaps 0.2, 0.3, 0.1, each with a rounding error
    assert [share_of_pairs_at_least(values, gap) for gap in (0.0, 0.1, 0.2, 0.3, 0.31)] == pytest.approx(
        [1, 1, 2 / 3, 1 / 3, 0]
    )


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12), st.floats(-100, 100))
def test_noise_floor_does_not_move_with_the_mean_and_is_ordered(values: list[float], shift: float) -> None:
    here, there = noise_floor(np.array(values)), noise_floor(np.array(values) + shift)
    assert 0 <= here.median <= here.p95 <= here.largest
    assert (here.median, here.p95, here.largest) == pytest.approx((there.median, there.p95, there.largest), abs=1e-9)
    assert here.pairs == len(values) * (len(values) - 1) // 2
