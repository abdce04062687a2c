"""Bootstrap of patients, against scipy's where every patient has one row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.stats import norm

from lossassay.errors import DataError
from lossassay.stats.cluster_bootstrap import bca_shares, cluster_bootstrap

Array = np.ndarray[Any, np.dtype[Any]]


def mean_of(values: Array) -> Callable[[Array], float]:
    return lambda times: float(np.average(values, weights=times))


def variance_of(values: Array) -> Callable[[Array], float]:
    return lambda times: float(np.average((values - np.average(values, weights=times)) ** 2, weights=times))


class Recorder:
    """A statistic that remembers what it was asked and what it answered."""

    def __init__(self, statistic: Callable[[Array], float]) -> None:
        self.statistic = statistic
        self.asked: list[Array] = []
        self.answered: list[float] = []

    def __call__(self, times: Array) -> float:
        self.asked.append(times)
        self.answered.append(self.statistic(times))
        return self.answered[-1]


@pytest.mark.parametrize("statistic", [np.mean, np.var])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_bca_formula_equals_scipys_on_scipys_draws(statistic: Callable[..., Any], level: float) -> None:
    values = np.random.default_rng(0).lognormal(size=25)
    expected = scipy_stats.bootstrap(
        (values,), statistic, n_resamples=499, confidence_level=level, method="BCa", rng=np.random.default_rng(1)
    )
    left_out = np.array([statistic(np.delete(values, place)) for place in range(25)])
    drawn = expected.bootstrap_distribution
    limits = np.quantile(drawn, bca_shares(float(statistic(values)), drawn, left_out, level=level))
    assert limits == pytest.approx(tuple(expected.confidence_interval), abs=1e-12)


@pytest.mark.parametrize(("method", "name"), [("percentile", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize("make", [mean_of, variance_of])
def test_equals_scipy_on_the_same_draws(
    method: str, name: str, make: Callable[[Array], Callable[[Array], float]]
) -> None:
    values = np.random.default_rng(2).lognormal(size=30)
    statistic = Recorder(make(values))
    found = cluster_bootstrap(statistic, np.arange(30), draws=300, method=method, level=0.9)
    drawn = np.array(statistic.answered[1:301])
    plain = {mean_of: np.mean, variance_of: np.var}[make]
    earlier = scipy_stats.bootstrap((values,), plain, n_resamples=2, method="percentile", rng=np.random.default_rng(0))
    earlier.bootstrap_distribution = drawn
    expected = scipy_stats.bootstrap(
        (values,), plain, n_resamples=0, bootstrap_result=earlier, confidence_level=0.9, method=name
    )
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval), abs=1e-10)
    assert found.estimate == pytest.approx(plain(values), abs=1e-12)


def test_agrees_with_scipys_own_draws() -> None:
    values = np.random.default_rng(3).lognormal(size=60)
    found = cluster_bootstrap(mean_of(values), np.arange(60), draws=4000, method="bca", seed=5)
    expected = scipy_stats.bootstrap((values,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(6))
    width = found.high - found.low  # Monte-Carlo standard error of a limit: about 2 % of the width
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.1 * width)


def test_whole_patients_are_drawn() -> None:
    groups = np.array(["b", "a", "c", "a", "b", "b"])
    statistic = Recorder(lambda times: float(times.sum()))
    found = cluster_bootstrap(statistic, groups, draws=50, method="bca")
    assert statistic.asked[0].tolist() == [1] * 6
    for times in statistic.asked[1:51]:
        assert np.issubdtype(times.dtype, np.integer)
        per_patient = {name: set(times[groups == name].tolist()) for name in "abc"}
        assert all(len(counts) == 1 for counts in per_patient.values())
        assert sum(min(counts) for counts in per_patient.values()) == 3
    left_out = [times.tolist() for times in statistic.asked[51:]]
    assert left_out == [(groups != name).astype(int).tolist() for name in "abc"]
    assert (found.groups, found.draws, found.dropped, found.unit) == (3, 50, 0, "patient")


def test_copies_of_rows_change_nothing() -> None:
    values = np.random.default_rng(4).normal(size=40)
    once = cluster_bootstrap(mean_of(values), np.arange(40), draws=200, method="bca")
    thrice = cluster_bootstrap(mean_of(np.repeat(values, 3)), np.repeat(np.arange(40), 3), draws=200, method="bca")
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=1e-12)
    ignored = cluster_bootstrap(mean_of(np.repeat(values, 3)), np.arange(120), draws=200)
    assert ignored.high - ignored.low < 0.75 * (once.high - once.low)


def test_same_seed_same_bits() -> None:
    values, groups = np.arange(20.0) ** 2, np.arange(20) // 2
    first, again, other = (cluster_bootstrap(mean_of(values), groups, draws=99, seed=seed) for seed in (7, 7, 8))
    assert first == again
    assert first.low != other.low


def test_bca_without_bias_and_skew_is_the_percentile_interval() -> None:
    drawn = np.arange(-500.0, 501.0)
    assert bca_shares(0.0, drawn, np.array([1.0, 2.0, 3.0]), level=0.9) == pytest.approx((0.05, 0.95), abs=1e-12)


def test_bca_shares_by_hand() -> None:
    drawn, left_out = np.arange(10.0), np.array([0.0, 1.0, 5.0])
    bias = norm.ppf(0.35)  # three below and one equal
    pulls = left_out.mean() - left_out
    acceleration = (pulls**3).sum() / (6 * (pulls**2).sum() ** 1.5)
    shifted = bias + norm.ppf([0.05, 0.95])
    expected = norm.cdf(bias + shifted / (1 - acceleration * shifted))
    assert bca_shares(3.0, drawn, left_out, level=0.9) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize("estimate", [-1.0, 100.0])
def test_bca_is_defined_where_no_draw_passes_the_estimate(estimate: float) -> None:
    low, high = bca_shares(estimate, np.arange(100.0), np.arange(5.0), level=0.95)
    assert 0 <= low <= high <= 1


def test_bca_is_defined_where_the_acceleration_is_too_large() -> None:
    left_out = np.array([0.0] * 49 + [-1.0])  # an acceleration of about 1/6, where z0 + z is above 8
    low, high = bca_shares(1e6, np.arange(1e5), left_out, level=0.9999)
    assert 0.9 < low <= high == 1.0
    low, high = bca_shares(-1.0, np.arange(1e5), -left_out, level=0.9999)
    assert 0.0 == low <= high < 0.1


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_constant_statistic_has_an_interval_without_width(method: str) -> None:
    found = cluster_bootstrap(lambda times: 0.25, np.arange(12), draws=50, method=method)
    assert (found.estimate, found.low, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_draws_without_a_value_are_left_out_and_counted(method: str) -> None:
    truth = np.array([True, False, False, False])

    def recall(times: Array) -> float:
        return float(times[1]) if times[truth].any() else float("nan")

    found = cluster_bootstrap(recall, np.arange(4), draws=400, method=method)
    assert found.draws + found.dropped == 400
    assert found.dropped == pytest.approx(400 * 0.75**4, abs=4 * (400 * 0.32 * 0.68) ** 0.5)
    assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_undefined_answers_are_nan(method: str) -> None:
    one_patient = cluster_bootstrap(lambda times: 0.5, np.zeros(5, dtype=int), draws=10, method=method)
    assert one_patient.estimate == 0.5
    assert np.isnan([one_patient.low, one_patient.high]).all()
    never = cluster_bootstrap(lambda times: float("nan"), np.arange(5), draws=10, method=method)
    assert np.isnan([never.estimate, never.low, never.high]).all()
    assert (never.draws, never.dropped) == (0, 10)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="No rows came; expected the patient of each row"):
        cluster_bootstrap(lambda times: 1.0, np.array([], dtype=int))
    with pytest.raises(DataError, match=r"draws must be 2 or more, got 1\. Use 2000"):
        cluster_bootstrap(lambda times: 1.0, np.arange(3), draws=1)
    with pytest.raises(DataError, match="level must lie between 0 and 1"):
        cluster_bootstrap(lambda times: 1.0, np.arange(3), level=1.0)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_holds_about_as_often_as_it_says(method: str) -> None:
    """Mean over 60 patients of 1 to 5 rows; rows of a patient agree. 300 studies: 3.5 standard errors are 4.4 %."""
    held = ignored = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), random.integers(1, 6, 60))
        values = random.normal(size=60)[groups] + 0.5 * random.normal(size=len(groups))
        found = cluster_bootstrap(mean_of(values), groups, draws=200, method=method, seed=seed)
        held += found.low <= 0 <= found.high
        standard_error = values.std() / len(values) ** 0.5
        ignored += abs(values.mean()) <= 1.96 * standard_error
    assert 0.89 < held / 300 < 0.985
    assert ignored / 300 < 0.8
