"""Crossed bootstrap: by hand, against scipy, at its limits, and how often it and a nested one err."""

import tracemalloc
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from lossassay.errors import DataError
from lossassay.metrics import weighted
from lossassay.stats.crossed_bootstrap import CrossedBootstrap, _patient_weights, _replicates_drawn, crossed_bootstrap

NAN = float("nan")
ONE = {"alpha": 0.05, "family_size": 1}


def means_of(values: Any) -> list[Any]:
    """The weighted mean over patients of values [R A P], for each replicate as a function of weights [P draws]."""
    return [lambda weights, own=own: own @ weights / weights.sum(axis=0) for own in values]


def of_values(values: Any, pairs: Any = ((0, 1),), *, draws: int = 2_000, **other: Any) -> CrossedBootstrap:
    told = ONE | {"num_patients": values.shape[-1], "draws": draws} | other
    return crossed_bootstrap(means_of(values), pairs, **told)


def weights_seen(draws: int, **other: Any) -> list[Any]:
    """The weights that a score is asked for."""
    seen: list[Any] = []

    def look(weights: Any) -> Any:
        seen.append(weights)
        return np.zeros((1, weights.shape[1]))

    crossed_bootstrap([look], [], num_patients=30, draws=draws, threads=1, **ONE, **other)
    return seen


def test_every_draw_has_as_many_patients_as_there_are_and_its_weights_are_those_of_chance() -> None:
    seen = weights_seen(1_200)
    drawn = np.concatenate(seen[1:], axis=1)
    assert drawn.shape == (30, 1_200)
    assert (seen[0] == 1).all()  # as observed
    assert (drawn.sum(axis=0) == 30).all()
    counts = np.bincount(drawn.astype(int).ravel(), minlength=5)[:5]
    expected = scipy_stats.binom.pmf(np.arange(5), 30, 1 / 30) * drawn.size
    np.testing.assert_allclose(counts, expected, rtol=0.15)


def test_the_first_draws_are_the_same_however_many_and_whatever_the_threads() -> None:
    many, few = (np.concatenate(weights_seen(draws)[1:], axis=1) for draws in (1_300, 700))
    np.testing.assert_array_equal(many[:, :700], few)
    assert (np.concatenate(weights_seen(700, seed=1)[1:], axis=1) != few).any()
    values = np.random.default_rng(0).normal(size=(7, 2, 20))
    assert of_values(values, draws=1_300).differences == of_values(values, draws=1_300, threads=1).differences
    assert of_values(values, draws=1_300).differences != of_values(values, draws=1_300, seed=1).differences


def test_which_replicates_a_draw_has_does_not_depend_on_the_blocks() -> None:
    together = _replicates_drawn(3, 0, 70, 7)
    np.testing.assert_array_equal(together[40:], _replicates_drawn(3, 40, 30, 7))
    assert together.shape == (70, 7)


def test_with_one_replicate_it_is_the_percentile_bootstrap_of_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=(1, 2, 80))
    (found,) = of_values(values, draws=20_000).differences
    expected = scipy_stats.bootstrap(
        (values[0, 0] - values[0, 1],), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert (found.num_replicates, found.num_patients, found.draws, found.level) == (1, 80, 20_000, 0.95)


def test_with_constant_patients_it_is_the_percentile_bootstrap_over_replicates() -> None:
    of_replicates = np.random.default_rng(0).exponential(size=12)
    values = np.stack([of_replicates, np.zeros(12)], axis=1)[..., None] + np.zeros(9)
    (found,) = of_values(values, draws=20_000).differences
    expected = scipy_stats.bootstrap(
        (of_replicates,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.015)


def test_the_variance_is_that_of_two_crossed_samples() -> None:
    """Values patient + replicate + both: Owen (2007), theorem 1, with the product of the two parts."""
    random = np.random.default_rng(0)
    patients, replicates = 40, 15
    table = random.normal(size=(replicates, 1, patients)) + random.normal(size=patients)
    table += 0.5 * random.normal(size=(replicates, 1, 1))
    values = np.concatenate([table, 0 * table], axis=1)
    (found,) = of_values(values, draws=20_000, alpha=0.3173).differences  # one standard error
    centred = table[:, 0] - table.mean()
    rows, columns = centred.mean(axis=1, keepdims=True), centred.mean(axis=0, keepdims=True)
    rest = centred - rows - columns
    parts = [(part**2).mean() for part in (rows, columns, rest)]
    variance = parts[0] / replicates + parts[1] / patients + parts[2] / replicates / patients
    assert (found.high - found.low) / 2 == pytest.approx(variance**0.5, rel=0.03)
    assert found.estimate == pytest.approx(table.mean())


def test_more_replicates_do_not_hide_what_the_patients_leave_open() -> None:
    of_patients = np.random.default_rng(0).normal(size=50)
    values = np.stack([of_patients, np.zeros(50)])
    one, many = (of_values(np.tile(values, (r, 1, 1))).differences[0] for r in (1, 30))
    assert (many.low, many.high) == pytest.approx((one.low, one.high), abs=1e-6)


def test_the_family_widens_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=(6, 3, 40))
    pairs = [(0, 1), (2, 1)]
    alone = of_values(values, pairs, draws=5_000).differences
    together = of_values(values, pairs, draws=5_000, family_size=10).differences
    for narrow, wide in zip(alone, together, strict=True):
        assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high
        assert narrow.estimate == wide.estimate
        assert "Bonferroni over 10 comparisons" in wide.method


def test_arms_that_are_the_same_differ_by_exactly_0() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1], size=60)
    rows = weighted.TestedRows(
        patients=np.arange(60), labels=random.integers(0, 2, 60), probabilities=[probabilities, probabilities]
    )
    for metric in ("balanced_accuracy", "macro_auroc", "nll"):
        score = weighted.weighted_yardstick(metric, [rows, rows], task="single_label")
        found = crossed_bootstrap(score.of_replicates, [(0, 1)], num_patients=60, draws=600, **ONE)
        assert (found.differences[0].low, found.differences[0].high) == (0, 0)
        np.testing.assert_array_equal(found.probability_best, [0.5, 0.5])


def test_probability_best_adds_up_to_1_and_follows_the_direction() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3, 30)) + np.array([0.0, 0.2, 3.0])[:, None]
    high = of_values(values, []).probability_best
    low = of_values(values, [], higher_is_better=False).probability_best
    assert high.sum() == pytest.approx(1)
    assert low.sum() == pytest.approx(1)
    assert high[2] == 1
    assert low[2] == 0
    assert 0.5 < low[0] < 1


def test_missing_runs_are_left_out_pair_by_pair() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3, 30))
    values[3:, 2] = NAN
    found = of_values(values, [(0, 1), (0, 2)])
    assert [d.num_replicates for d in found.differences] == [5, 3]
    first = of_values(values[:3], [(0, 2)])
    assert found.differences[1].estimate == first.differences[0].estimate
    assert found.differences[1].low == pytest.approx(first.differences[0].low, abs=0.05)
    assert found.probability_best.sum() == pytest.approx(1)
    values[:, 2] = NAN
    found = of_values(values, [(0, 2)])
    assert np.isnan([found.differences[0].estimate, found.differences[0].low, found.differences[0].high]).all()
    assert (found.differences[0].draws, found.differences[0].num_replicates) == (0, 0)
    assert np.isnan(found.probability_best).all()


def test_draws_without_a_class_are_left_out() -> None:
    """One positive patient of 12: about a third of the draws have none, and no AUROC."""
    random = np.random.default_rng(0)
    labels = (np.arange(12) == 0).astype(int)
    probabilities = [random.dirichlet([1, 1], size=12) for _ in range(2)]
    rows = weighted.TestedRows(patients=np.arange(12), labels=labels, probabilities=probabilities)
    score = weighted.weighted_yardstick("macro_auroc", [rows], task="single_label")
    found = crossed_bootstrap(score.of_replicates, [(0, 1)], num_patients=12, draws=2_000, **ONE).differences[0]
    assert found.draws == pytest.approx(2_000 * (1 - (11 / 12) ** 12), rel=0.05)
    assert -1 <= found.low <= found.estimate <= found.high <= 1


def test_nested_draws_reject_too_often_and_crossed_ones_do_not() -> None:
    """150 studies without a difference, 20 replicates on one test part of 60 patients (Monte-Carlo error 1.8 %)."""
    random = np.random.default_rng(0)
    false = {"crossed": 0, "nested": 0}
    for study in range(150):
        of_patients = random.normal(size=60)
        rows = of_patients + random.normal(size=(20, 60))
        values = np.stack([rows, np.zeros((20, 60))], axis=1)
        (found,) = of_values(values, draws=500, seed=study, threads=1).differences
        false["crossed"] += not found.low <= 0 <= found.high
        chosen = random.integers(0, 20, size=(300, 20))
        drawn = random.integers(0, 60, size=(300, 20, 60))
        means = rows[chosen[..., None], drawn].mean(axis=(1, 2))
        low, high = np.quantile(means, [0.025, 0.975])
        false["nested"] += not low <= 0 <= high
    assert false["crossed"] / 150 < 0.05 + 3.5 * 0.018
    assert false["nested"] / 150 > 0.3


def test_replicates_without_a_class_are_left_out_of_both_arms_of_a_pair() -> None:
    """Against the mean over draws that is worked out draw by draw, where some scores are undefined in some draws."""
    values = np.random.default_rng(0).normal(size=(6, 3, 12))

    def score(replicate: int, weights: Any) -> Any:
        found = values[replicate] @ weights / weights.sum(axis=0)
        return np.where((weights[:3] == 0) & (replicate == 2) & (weights.shape[1] > 1), NAN, found)

    replicates = [partial(score, replicate) for replicate in range(6)]
    found = crossed_bootstrap(replicates, [(0, 1), (0, 2)], num_patients=12, draws=400, **ONE)
    weights = _patient_weights(12, 500, 0, 0)[:, :400]
    scores = np.array([one(weights) for one in replicates])  # [R A draws]
    chosen = (_replicates_drawn(0, 0, 400, 6) * 6).astype(int)
    for pair, b in zip(found.differences, (1, 2), strict=True):
        drawn = np.take_along_axis(scores[:, 0] - scores[:, b], chosen.T, axis=0)
        expected = np.nanquantile(np.nanmean(drawn, axis=0), [0.025, 0.975])
        assert (pair.low, pair.high) == pytest.approx(tuple(expected), rel=1e-12)
    means = np.stack([np.nanmean(np.take_along_axis(scores[:, arm], chosen.T, axis=0), axis=0) for arm in range(3)])
    np.testing.assert_allclose(found.probability_best, np.bincount(means.argmax(axis=0), minlength=3) / 400)


def test_memory_does_not_grow_with_how_often_each_replicate_is_drawn() -> None:
    """Each of six arms lacks a replicate of its own, so that every pair draws from others."""
    values = np.random.default_rng(0).normal(size=(120, 6, 4))
    values[range(6), range(6)] = NAN
    tracemalloc.start()
    of_values(values, list(combinations(range(6), 2)), draws=2_500, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 120 * 2_500 * 2  # bytes of the counts of two groups of pairs; there are 16


def test_what_makes_no_sense_is_refused() -> None:
    values = np.zeros((2, 2, 5))
    for alpha in (0.0, 1.0):
        with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
            of_values(values, alpha=alpha)
    with pytest.raises(DataError, match="family of 0 comparisons"):
        of_values(values, family_size=0)
    for wrong in ({"num_patients": 0}, {"draws": 0}):
        with pytest.raises(DataError, match="one replicate, one patient and one draw"):
            of_values(values, **wrong)
    with pytest.raises(DataError, match="got 0, 5 and 2000"):
        of_values(values[:0])
