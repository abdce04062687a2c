"""Studentised max-T: by enumeration, as a test of a family, as intervals, and at its limits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.errors import DataError
from lossassay.stats import paired_differences
from lossassay.stats.max_t import max_t
from lossassay.stats.sign_flip import fewest_replicates, sign_flip_test

NAN = float("nan")
PAIRS = [(0, 1), (0, 2), (1, 2)]


def all_pairs(arms: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(arms), 2))


def t_of(differences: np.ndarray) -> np.ndarray:
    """|t| over axis -2."""
    count = differences.shape[-2]
    spread = differences.std(axis=-2, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.abs(differences.mean(axis=-2)) / spread * count**0.5, posinf=1e9)


def enumerated(differences: np.ndarray, alpha: float) -> tuple[np.ndarray, float]:
    """Adjusted p and critical value of both references, by the definition: all flips, t computed afresh."""
    signs = np.array(list(itertools.product([1, -1], repeat=len(differences))))
    p_values, critical = [], []
    for flipped in (differences, differences - differences.mean(axis=0)):
        largest = t_of(signs[:, :, None] * flipped).max(axis=1)
        p_values.append((largest[:, None] >= t_of(differences) * (1 - 1e-9)).mean(axis=0))
        candidates = np.sort(largest)[::-1]
        critical.append(next(c for c in candidates if (largest >= c * (1 - 1e-9)).mean() > alpha))
    return np.max(p_values, axis=0), max(critical)


@pytest.mark.parametrize("replicates", [6, 8, 10])
@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_equals_its_definition(replicates: int, effect: float) -> None:
    scores = np.random.default_rng(replicates).normal(size=(replicates, 3)) + effect * np.arange(3)
    differences = np.stack([scores[:, a] - scores[:, b] for a, b in PAIRS], axis=1)
    p_adjusted, critical = enumerated(differences, 0.05)
    found = max_t(scores, PAIRS, alpha=0.05)
    assert [record.p_adjusted for record in found] == pytest.approx(p_adjusted.tolist(), abs=1e-12)
    error = differences.std(axis=0, ddof=1) / replicates**0.5
    for index, record in enumerate(found):
        mean = differences[:, index].mean()
        limits = (mean - critical * error[index], mean + critical * error[index])
        assert (record.low, record.high) == pytest.approx(limits, rel=1e-6, abs=1e-9)
        assert (record.level, record.num_pairs, record.unit) == (0.95, replicates, "replicate")
        assert f"3 comparisons, all {2**replicates:,} sign flips" in record.method


def test_one_pair_is_the_sign_flip_test() -> None:
    values = np.random.default_rng(3).normal(0.7, 1, 9)
    (found,) = max_t(np.stack([values, np.zeros(9)], axis=1), [(0, 1)], alpha=0.05)
    assert found.p_adjusted == found.p_value >= sign_flip_test(values).p_value
    assert found.p_value == pytest.approx(sign_flip_test(values).p_value, abs=0.02)


@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=2, max_size=9),
    st.sampled_from([0.01, 0.05, 0.2, 0.4]),
    st.booleans(),
)
def test_p_is_at_most_alpha_exactly_where_the_interval_leaves_out_0(rows: list, alpha: float, gaps: bool) -> None:
    scores = np.array(rows) / 16
    if gaps:
        scores[0, 1] = NAN
    for record in max_t(scores, PAIRS, alpha=alpha):
        if record.num_pairs >= 2:
            assert (record.p_adjusted <= alpha) == (record.low > 0 or record.high < 0)
            assert record.p_value <= record.p_adjusted


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=2, max_size=8))
def test_swapping_the_arms_turns_the_sign(rows: list) -> None:
    scores = np.array(rows) / 16
    for ab, ba in zip(
        max_t(scores, PAIRS, alpha=0.1), max_t(scores, [(b, a) for a, b in PAIRS], alpha=0.1), strict=True
    ):
        assert (ab.estimate, ab.low, ab.high) == pytest.approx((-ba.estimate, -ba.high, -ba.low))
        assert ab.p_adjusted == ba.p_adjusted


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_the_scores_does_not_matter(factor: float) -> None:
    scores = np.random.default_rng(0).normal(size=(8, 3))
    for one, other in zip(max_t(scores, PAIRS, alpha=0.05), max_t(scores * factor, PAIRS, alpha=0.05), strict=True):
        assert other.p_adjusted == one.p_adjusted
        assert (other.low, other.high) == pytest.approx((one.low * factor, one.high * factor))


def test_the_same_pairs_flip_together() -> None:
    """Two copies of a pair are one comparison: its p must not be paid for twice."""
    scores = np.random.default_rng(0).normal([0.6, 0.0], 1.0, size=(9, 2))
    (alone,) = max_t(scores, [(0, 1)], alpha=0.05)
    for copy in max_t(np.concatenate([scores, scores], axis=1), [(0, 1), (2, 3), (1, 0)], alpha=0.05):
        assert copy.p_adjusted == alone.p_adjusted


def test_a_wider_family_never_makes_p_smaller() -> None:
    scores = np.random.default_rng(0).normal(size=(9, 5)) + 0.5 * np.arange(5)
    few = max_t(scores, all_pairs(5)[:4], alpha=0.05)
    many = max_t(scores, all_pairs(5), alpha=0.05)
    assert all(wide.p_adjusted >= narrow.p_adjusted for narrow, wide in zip(few, many, strict=False))
    assert all(wide.low <= narrow.low for narrow, wide in zip(few, many, strict=False))


@pytest.mark.parametrize("replicates", [2, 5, 6])
def test_below_six_replicates_nothing_is_decided_at_any_effect(replicates: int) -> None:
    rng = np.random.default_rng(0)
    scores = np.stack([9 + rng.normal(size=replicates), rng.normal(size=replicates) / 9], axis=1)
    (found,) = max_t(scores, [(0, 1)], alpha=0.05)
    enough = replicates >= fewest_replicates("sign_flip_max_t", 0.05, 1)
    assert (found.p_adjusted <= 0.05) == enough == np.isfinite(found.low)
    assert found.p_adjusted == 2 ** (1 - replicates)


def test_missing_replicates_count_for_the_pairs_that_have_them() -> None:
    scores = np.random.default_rng(0).normal(size=(9, 3)) + np.array([0, 0, 2])
    scores[[1, 4], 0] = NAN
    scores[8] = NAN, np.inf, NAN  # a replicate that no pair has changes nothing
    found = max_t(scores, PAIRS, alpha=0.05)
    assert found == max_t(scores[:8], PAIRS, alpha=0.05)
    assert [record.num_pairs for record in found] == [6, 6, 8]
    by_t = paired_differences(scores, PAIRS, alpha=0.05, family_size=3)
    assert [record.estimate for record in found] == pytest.approx([record.estimate for record in by_t])
    (alone,) = max_t(scores[:, :2], [(0, 1)], alpha=0.05)
    assert alone.p_value == found[0].p_value, "flips of replicates that are not there change nothing"


def test_a_pair_with_too_few_replicates_of_its_own_stays_undecided() -> None:
    scores = np.random.default_rng(0).normal(size=(12, 3)) + np.array([0, 0, 50])
    scores[4:, 0] = NAN
    ab, ac, bc = max_t(scores, PAIRS, alpha=0.05)
    assert (ac.low, ac.high) == (-np.inf, np.inf)
    assert ac.p_adjusted >= 2**-3
    assert bc.high < 0
    scores[1:, 0] = NAN
    ab, _, bc = max_t(scores, PAIRS, alpha=0.05)
    assert np.isnan([ab.low, ab.high, ab.p_value, ab.p_adjusted]).all()
    assert ab.num_pairs == 1
    assert bc.high < 0


def test_no_replicates_and_no_pairs() -> None:
    (found,) = max_t(np.empty((0, 2)), [(0, 1)], alpha=0.05)
    assert found.num_pairs == 0
    assert np.isnan([found.estimate, found.low, found.p_adjusted]).all()
    assert max_t(np.ones((4, 2)), [], alpha=0.05) == []


def test_equal_scores_give_0_and_equal_differences_no_certainty() -> None:
    base = np.linspace(0.5, 0.9, 8)
    scores = np.stack([base, base, base + 0.1, base + 0.39], axis=1)
    same, near, far = max_t(scores, [(0, 1), (2, 0), (3, 0)], alpha=0.05)
    unseen = 1 - (0.05 / 3) ** (1 / 8)
    assert (same.estimate, same.p_adjusted) == (0, 1)
    assert (same.low, same.high) == pytest.approx((-unseen * 0.4, unseen * 0.4))
    assert near.low <= 0 < near.high, "0.1 is less than another replicate may well differ by"
    assert far.low > 0
    assert far.p_adjusted == max(2**-7, 3 * (1 - 0.39 / 0.79) ** 8)
    constant = max_t(np.full((8, 2), 0.7), [(0, 1)], alpha=0.05)[0]
    assert (constant.low, constant.high, constant.p_adjusted) == (-np.inf, np.inf, 1)


def test_equal_differences_of_one_pair_do_not_hide_the_others() -> None:
    """Their infinite t belongs to two of 512 flips: those that give the smallest p to every pair."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(9, 4)) + np.array([0, 30, 0, 0])
    scores[:, 3] = scores[:, 2] + 0.5
    ab, _, cd = max_t(scores, [(0, 1), (0, 2), (2, 3)], alpha=0.05)
    assert ab.p_adjusted == 2**-8
    assert ab.high < 0
    assert cd.p_adjusted > 0.5, "0.5 is less than the range of the scores allows for"


@pytest.mark.parametrize("kind", ["normal", "tied", "unequal spread"])
def test_the_chance_of_any_wrong_rejection(kind: str) -> None:
    """800 studies of four exchangeable arms: the standard error of 5 % is 0.77 points."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(800):
        scores = rng.normal(size=(8, 4))
        if kind == "tied":
            scores = np.round(scores)
        elif kind == "unequal spread":
            scores = scores * [1, 1, 3, 9]
        wrong += any(record.p_adjusted <= 0.05 for record in max_t(scores, all_pairs(4), alpha=0.05))
    assert wrong / 800 <= 0.05 + 3.5 * 0.0077


def test_strong_control_beside_a_large_difference() -> None:
    """Three equal arms beside one far away: only true nulls count; 600 studies, standard error 0.89 points."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(600):
        scores = rng.normal(size=(8, 4)) + np.array([0, 0, 0, 5])
        found = max_t(scores, all_pairs(4), alpha=0.05)
        wrong += any(found[place].p_adjusted <= 0.05 for place, (_, b) in enumerate(all_pairs(4)) if b < 3)
    assert wrong / 600 <= 0.05 + 3.5 * 0.0089


def test_far_from_0_too_the_intervals_cover() -> None:
    """Six arms far apart, 10 replicates, 500 studies (standard error 1 point).

    With flips of the raw differences alone 70 % of these studies are covered: far from 0 they know only the signs.
    """
    rng, covered, raw_only = np.random.default_rng(2), 0, 0
    pairs = all_pairs(6)
    truth = np.array([10.0 * (a - b) for a, b in pairs])
    for _ in range(500):
        scores = rng.normal(size=(10, 6)) + 10.0 * np.arange(6)
        found = max_t(scores, pairs, alpha=0.05)
        covered += all(r.low <= true <= r.high for r, true in zip(found, truth, strict=True))
        differences = np.stack([scores[:, a] - scores[:, b] for a, b in pairs], axis=1)
        raw_only += t_of(differences - truth).max() <= _critical_of_raw_flips(differences)
    assert covered / 500 >= 0.95 - 3.5 * 0.01
    assert raw_only / 500 < 0.8


def _critical_of_raw_flips(differences: np.ndarray) -> float:
    flipped = (np.arange(512)[:, None] >> np.arange(9)) & 1
    signs = np.concatenate([np.ones((512, 1)), 1 - 2 * flipped], axis=1)
    share = (signs @ differences) ** 2 / (10 * (differences**2).sum(axis=0))
    largest = np.sort((9 * share / np.maximum(1 - share, 1e-12)).max(axis=1))[::-1]
    return float(largest[int(0.05 * 512)] ** 0.5)


def test_sampled_flips_repeat_and_come_near_the_t_intervals() -> None:
    scores = np.random.default_rng(0).normal(size=(30, 12)) + np.arange(12)
    pairs = all_pairs(12)
    found = max_t(scores, pairs, alpha=0.05, seed=4)
    assert found == max_t(scores, pairs, alpha=0.05, seed=4)
    assert found != max_t(scores, pairs, alpha=0.05, seed=5)
    assert "66 comparisons, 10,001 sampled sign flips" in found[0].method
    by_t = paired_differences(scores, pairs, alpha=0.05, family_size=66)
    ratio = [(flip.high - flip.low) / (t.high - t.low) for flip, t in zip(found, by_t, strict=True)]
    assert min(ratio) == pytest.approx(max(ratio))
    assert 0.85 < ratio[0] < 1.02


def test_too_few_sampled_flips_decide_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 2)) + np.array([0, 9])
    (found,) = max_t(scores, [(0, 1)], alpha=0.05, flips=10)
    assert (found.low, found.high, found.p_adjusted) == (-np.inf, np.inf, 1 / 11)


@pytest.mark.parametrize("alpha", [0.0, 1.0, NAN])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
        max_t(np.ones((6, 2)), [(0, 1)], alpha=alpha)
