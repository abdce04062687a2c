"""Who goes on, and what a job spends."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lossassay.study.tuning.halving import better, budget_epochs, ranking, rungs


def test_half_goes_on_after_a_quarter_and_a_quarter_after_half() -> None:
    assert [(rung.epoch, rung.kept) for rung in rungs(20, 16, "halving")] == [(4, 10), (8, 5), (16, 1)]
    assert budget_epochs(20, 16, "halving") == 20 * 4 + 10 * 4 + 5 * 8
    assert budget_epochs(20, 16, "none") == 20 * 16


def test_ties_go_to_the_smaller_number_and_failures_leave_their_place_empty() -> None:
    assert better({0: 0.5, 1: 0.7, 2: 0.7, 3: 0.5}, 3, high=True) == [0, 1, 2]
    assert better({0: 0.5, 1: 0.7, 2: 0.2}, 2, high=False) == [0, 2]
    assert better({0: None, 1: None, 2: 0.1}, 2, high=True) == [2]
    assert ranking({0: None, 1: 0.1, 2: 0.3}, high=True) == [2, 1, 0]


def test_equal_values_are_ranked_by_the_likelihood_and_then_by_number() -> None:
    values = dict.fromkeys(range(4), 1 / 3)
    nlls = {0: 1.2, 1: 1.0, 2: None, 3: 1.0}
    assert ranking(values, high=True, nlls=nlls) == [1, 3, 0, 2]
    assert better(values, 2, high=True, nlls=nlls) == [1, 3]
    assert ranking(values, high=False, nlls=nlls) == [1, 3, 0, 2]
    assert better({0: 0.5, 1: 0.6}, 1, high=True, nlls={0: 0.1, 1: 9.0}) == [1]  # the value comes first


@given(st.integers(1, 200), st.integers(1, 100))
def test_a_job_never_spends_more_than_without_pruning(trials: int, epochs: int) -> None:
    own = rungs(trials, epochs, "halving")
    assert own[-1].epoch == epochs
    assert all(1 <= a.epoch <= b.epoch for a, b in pairwise(own))
    assert all(trials >= a.kept >= b.kept >= 1 for a, b in pairwise(own))
    assert epochs <= budget_epochs(trials, epochs, "halving") <= budget_epochs(trials, epochs, "none")
