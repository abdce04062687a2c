"""The share of bootstrap draws in which an arm is best."""

import numpy as np
import pytest

from lossassay.stats import probability_best

NAN = float("nan")


def test_shares_add_up_to_one_and_follow_the_means() -> None:
    scores = np.random.default_rng(0).normal(size=(10, 4)) + np.array([0.0, 0.5, 1.0, 5.0])
    found = probability_best(scores)
    assert found.sum() == pytest.approx(1)
    assert found[3] == 1
    low = probability_best(scores, higher_is_better=False)
    assert low[0] > low[1] > low[3]


def test_equal_arms_share_every_draw() -> None:
    column = np.random.default_rng(0).normal(size=12)
    assert probability_best(np.stack([column, column], axis=1)) == pytest.approx([0.5, 0.5])


def test_whole_replicates_are_drawn() -> None:
    """Arms that differ by a constant have one order in every draw, however much replicates differ."""
    column = 10 * np.random.default_rng(0).normal(size=8)
    assert list(probability_best(np.stack([column, column + 0.01], axis=1))) == [0, 1]


def test_missing_runs_and_missing_arms() -> None:
    scores = np.array([[1.0, 0.0, NAN], [1.1, NAN, NAN], [0.9, 0.1, NAN]])
    found = probability_best(scores)
    assert found[0] == pytest.approx(1, abs=0.05)
    assert np.isnan(found[2])
    assert np.isnan(probability_best(np.full((2, 2), NAN))).all()
