"""Looks at growing studies: what stops, what is refined, what is never reversed."""

from itertools import combinations

import numpy as np
import pytest

from lossassay.errors import DataError
from lossassay.stats import (
    CODES,
    Looks,
    PatientPart,
    adjusted_p_values,
    intervals_at_last_look,
    paired_differences,
    race,
)

PLANNED = Looks(kind="planned", first=4, last=20)
NAN = float("nan")


def scores_of(means: list[float], replicates: int = 20, seed: int = 0, studies: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(studies, replicates, len(means)))
    return np.array(means) + noise


def patient_part(error: float) -> PatientPart:
    shape = (1, 12, 1)
    return PatientPart(error=np.full(shape, error), freedom=np.full(shape, 50.0), floor=np.full(shape, error / 2))


def test_one_fixed_look_gives_the_bonferroni_t_intervals() -> None:
    scores = scores_of([0.0, 0.5, 1.0], 8)
    pairs = list(combinations(range(3), 2))
    raced = race(scores, pairs, looks=Looks(kind="fixed", first=8, last=8), alpha=0.05)
    expected = paired_differences(scores[0], pairs, alpha=0.05, family_size=3)
    assert raced.low[0] == pytest.approx([d.low for d in expected], abs=1e-10)
    assert raced.high[0] == pytest.approx([d.high for d in expected], abs=1e-10)
    p = adjusted_p_values(scores, pairs, raced, looks=Looks(kind="fixed", first=8, last=8), alpha=0.05)
    assert p[0] == pytest.approx([d.p_adjusted for d in expected], rel=0.05)  # read off a grid of levels


@pytest.mark.parametrize("kind", ["planned", "anytime"])
def test_a_prefix_of_a_study_is_judged_as_it_was_then(kind: str) -> None:
    looks = Looks(kind=kind, first=4, last=20)  # type: ignore[arg-type]
    pairs = [(0, 1), (0, 2), (1, 2)]
    scores = scores_of([0.0, 1.0, 1.2])
    whole = race(scores, pairs, looks=looks, alpha=0.05, margin=1.5)
    for n in (4, 9, 15):
        part = race(scores[:, :n], pairs, looks=looks, alpha=0.05, margin=1.5)
        assert np.array_equal(part.path_low[0, n - 1], whole.path_low[0, n - 1])
        assert np.array_equal(part.path_high[0, n - 1], whole.path_high[0, n - 1])


def test_intervals_only_shrink_and_words_are_never_reversed() -> None:
    scores = scores_of([0.0, 0.8, 0.9, 3.0], seed=3, studies=200)
    pairs = list(combinations(range(4), 2))
    raced = race(scores, pairs, looks=PLANNED, alpha=0.05, margin=1.2)
    for n in range(4, 20):
        assert (raced.path_low[:, n] >= raced.path_low[:, n - 1]).all()
        assert (raced.path_high[:, n] <= raced.path_high[:, n - 1]).all()
    assert (raced.low <= raced.high).all()
    assert ((raced.decided_at > 0) == (raced.verdict != CODES.index("undecided"))).all()


def test_an_arm_that_is_decided_against_all_others_stops_and_what_comes_later_is_ignored() -> None:
    scores = scores_of([0.0, 0.0, 10.0], seed=1)
    pairs = [(0, 1), (0, 2), (1, 2)]
    raced = race(scores, pairs, looks=PLANNED, alpha=0.05)
    assert raced.arm_replicates[0, 2] < 20
    assert list(raced.active[0]) == [True, True, False]
    changed = scores.copy()
    changed[:, raced.arm_replicates[0, 2] :, 2] = -100
    again = race(changed, pairs, looks=PLANNED, alpha=0.05)
    assert np.array_equal(again.verdict, raced.verdict)
    assert np.array_equal(again.estimate, raced.estimate)


def test_p_is_at_most_alpha_exactly_where_some_look_left_out_0() -> None:
    scores = scores_of([0.0, 0.9], seed=5, studies=300)
    for looks in (PLANNED, Looks(kind="anytime", first=4, last=20)):
        raced = race(scores, [(0, 1)], looks=looks, alpha=0.05)
        p = adjusted_p_values(scores, [(0, 1)], raced, looks=looks, alpha=0.05)
        decided = raced.verdict != CODES.index("undecided")
        assert 0.1 < decided.mean() < 1
        assert ((p <= 0.05) == decided).all()


def test_a_missing_run_leaves_the_replicate_out_of_its_pairs() -> None:
    scores = scores_of([0.0, 0.5], 10)
    scores[0, 3, 1] = NAN
    raced = race(scores, [(0, 1)], looks=Looks(kind="planned", first=4, last=10), alpha=0.05)
    assert raced.replicates[0, 0] == 9
    assert raced.estimate[0, 0] == pytest.approx(np.nanmean(scores[0, :, 0] - scores[0, :, 1]))


def test_patients_widen_the_interval_and_share_alpha() -> None:
    scores = scores_of([0.0, 0.5], 12)
    looks = Looks(kind="planned", first=4, last=12)
    alone = race(scores, [(0, 1)], looks=looks, alpha=0.05)
    none, some, unknown = (patient_part(error) for error in (0.0, 0.1, NAN))
    half = race(scores, [(0, 1)], looks=looks, alpha=0.025)
    assert race(scores, [(0, 1)], looks=looks, alpha=0.05, patients=none).low == pytest.approx(half.low)
    wide = race(scores, [(0, 1)], looks=looks, alpha=0.05, patients=some)
    assert wide.low[0, 0] < half.low[0, 0] < alone.low[0, 0]
    assert np.isinf(race(scores, [(0, 1)], looks=looks, alpha=0.05, patients=unknown).low).all()
    assert some.half_width(0.05, endless=True) == pytest.approx(some.half_width(0.05) / 2)


def test_other_metrics_get_intervals_where_the_race_stopped() -> None:
    scores = scores_of([0.0, 4.0], seed=2)
    raced = race(scores, [(0, 1)], looks=PLANNED, alpha=0.05)
    stopped = int(raced.replicates[0, 0])
    other = scores_of([0.0, 0.1], seed=7)
    mean, low, high = intervals_at_last_look(other, [(0, 1)], raced, looks=PLANNED, alpha=0.05)
    assert mean[0, 0] == pytest.approx((other[0, :stopped, 0] - other[0, :stopped, 1]).mean())
    assert low[0, 0] < mean[0, 0] < high[0, 0]


def test_a_family_without_pairs_needs_nothing() -> None:
    raced = race(scores_of([0.0, 0.0], 4), [], looks=PLANNED, alpha=0.05)
    assert not raced.active.any()


def test_impossible_looks_are_refused() -> None:
    with pytest.raises(DataError, match="impossible"):
        Looks(kind="planned", first=9, last=4)
    with pytest.raises(DataError, match="fixed"):
        Looks(kind="fixed", first=4, last=9)
