"""Critical values of planned and anytime looks, against simulated normal differences."""

import numpy as np
import pytest
from scipy.stats import t as student_t

from lossassay.stats import anytime_critical_values, planned_critical_values
from lossassay.stats.boundaries import SPENDING_POWER

STUDIES = 60_000


def t_paths(replicates: int, seed: int = 0) -> np.ndarray:
    """|t| after 1, 2, ... replicates of normal noise, [studies replicates]; nan at one."""
    noise = np.random.default_rng(seed).normal(size=(STUDIES, replicates))
    n = np.arange(1, replicates + 1)
    mean = noise.cumsum(axis=1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (np.square(noise).cumsum(axis=1) - n * mean**2) / (n - 1)
        return np.abs(mean) / np.sqrt(variance / n)


def within(rate: float, expected: float) -> bool:
    return abs(rate - expected) <= 3.5 * (expected * (1 - expected) / STUDIES) ** 0.5


def test_one_planned_look_is_the_t_test() -> None:
    found = planned_critical_values(10, 10, [0.05, 0.001])
    assert found[:, 10] == pytest.approx(student_t.isf([0.025, 0.0005], 9), rel=1e-4)
    assert np.isinf(found[:, :10]).all()


@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_planned_looks_spend_what_they_may_by_every_look(alpha: float) -> None:
    (critical,) = planned_critical_values(6, 30, [alpha])
    crossed = np.maximum.accumulate(t_paths(30)[:, 5:] >= critical[6:], axis=1).mean(axis=0)
    for n in (10, 15, 22, 30):
        assert within(crossed[n - 6], alpha * (n / 30) ** SPENDING_POWER), n


def test_planned_values_fall_with_replicates_and_with_alpha() -> None:
    strict, loose = planned_critical_values(6, 20, [0.001, 0.1])
    assert (np.diff(strict[6:]) < 0).all()
    assert (strict[6:] > loose[6:]).all()


def test_looks_from_two_replicates_on_keep_alpha_too() -> None:
    (critical,) = planned_critical_values(2, 8, [0.05])
    assert within((t_paths(8)[:, 1:] >= critical[2:]).any(axis=1).mean(), 0.05)


def test_anytime_values_are_where_the_mixture_likelihood_ratio_reaches_one_over_alpha() -> None:
    (critical,) = anytime_critical_values(3, 40, [0.05])
    assert np.isinf(critical[3])  # three replicates cannot be rare enough at any t
    for n in (5, 7, 40):
        squared = critical[n] ** 2 / (n - 1)
        assert (1 + n) ** -0.5 * ((1 + squared) / (1 + squared / (1 + n))) ** (n / 2) == pytest.approx(20)


def test_the_anytime_sequence_rarely_errs_however_long_it_is_watched() -> None:
    (critical,) = anytime_critical_values(2, 100, [0.05])
    ever = (t_paths(100)[:, 1:] >= critical[2:]).any(axis=1).mean()
    assert 0.02 < ever <= 0.05


def test_naive_peeking_is_caught_by_the_same_simulation() -> None:
    naive = student_t.isf(0.025, np.arange(5, 30))
    assert (t_paths(30)[:, 5:] >= naive).any(axis=1).mean() > 0.15
