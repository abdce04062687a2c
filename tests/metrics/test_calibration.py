"""Reliability bins and the calibration error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.metrics import calibration_error, reliability_bins, yardsticks


def binary(confidence: list[float] | Any, right: list[bool] | Any) -> tuple[Any, Any]:
    """Two-class rows whose top probability is ``confidence`` and is right where ``right``."""
    confidence = np.asarray(confidence, dtype=float)
    return np.where(right, 0, 1), np.stack([confidence, 1 - confidence], axis=1)


def test_bins_hold_equal_mass_and_rise() -> None:
    confidence = 0.5 + 0.5 * np.random.default_rng(0).random(300)
    bins = reliability_bins(*binary(confidence, confidence > 0), task="single_label")
    assert bins.count.tolist() == [20] * 15
    assert (np.diff(bins.confidence) > 0).all()
    np.testing.assert_allclose(bins.confidence, np.sort(confidence).reshape(15, 20).mean(axis=1), rtol=1e-12)


def test_the_error_by_hand() -> None:
    labels, probabilities = binary([0.6, 0.6, 0.9, 0.9], [True, False, True, True])
    bins = reliability_bins(labels, probabilities, task="single_label", bins=2)
    np.testing.assert_allclose(bins.confidence, [0.6, 0.9])
    np.testing.assert_allclose(bins.frequency, [0.5, 1.0])
    assert calibration_error(bins) == pytest.approx(0.1)


def test_multi_label_bins_every_probability() -> None:
    labels, probabilities = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.8, 0.2], [0.2, 0.2]])
    bins = reliability_bins(labels, probabilities, task="multi_label", bins=4)
    np.testing.assert_allclose(bins.confidence, [0.2, 0.8])
    np.testing.assert_allclose(bins.frequency, [0.0, 1.0])
    assert bins.count.tolist() == [3, 1]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60), st.randoms(), st.integers(1, 20))
def test_ties_stay_together_and_the_order_of_rows_does_not_matter(rows: Any, random: Any, bins: int) -> None:
    shuffled = random.sample(rows, len(rows))
    first, second = (
        reliability_bins(
            *binary([0.5 + v / 10 for v, _ in r], [right for _, right in r]), task="single_label", bins=bins
        )
        for r in (rows, shuffled)
    )
    for field in ("confidence", "frequency", "count"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert first.count.sum() == len(rows)
    assert len(first.count) <= min(bins, len({v for v, _ in rows}))
    assert (first.count > 0).all()


def test_calibrated_probabilities_have_a_small_error_and_overconfident_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    confidence = 0.5 + 0.5 * random.random(20_000)
    right = random.random(20_000) < confidence
    labels, probabilities = binary(confidence, right)
    assert yardsticks(labels, probabilities, task="single_label")["ece"] < 0.02
    overconfident = yardsticks(*binary(1 - (1 - confidence) / 4, right), task="single_label")
    assert overconfident["ece"] == pytest.approx((1 - 0.25 / 4) - 0.75, abs=0.02)
