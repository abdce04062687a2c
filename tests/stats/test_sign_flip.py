"""Sign flips and signed ranks: against scipy, by enumeration, and at their limits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lossassay.errors import DataError
from lossassay.stats.sign_flip import SymmetryTest, fewest_replicates, sign_flip_test, sign_patterns, wilcoxon_test

NAN = float("nan")
TESTS = {"sign_flip": sign_flip_test, "wilcoxon": wilcoxon_test}
TIED = st.lists(st.integers(-4, 4), min_size=1, max_size=9)
# numbers of one or two digits, so that sums are equal on paper now and then and never by rounding alone
FEW_DIGITS = st.lists(st.integers(-99, 99), min_size=1, max_size=9)


def enumerated_p(values: np.ndarray) -> float:
    """Of the mean, by all sign patterns in whole numbers."""
    sums = [abs(sum(s * d for s, d in zip(signs, values, strict=True))) for signs in flips_of(len(values))]
    return float(np.mean([total >= abs(sum(values)) for total in sums]))


def enumerated_rank_p(values: np.ndarray) -> float:
    """Of the signed ranks with zeros by Pratt's rule, by all sign patterns."""
    ranks = scipy_stats.rankdata(np.abs(values))
    signed = [rank * np.sign(d) for rank, d in zip(ranks, values, strict=True) if d]
    sums = [abs(sum(s * r for s, r in zip(signs, signed, strict=True))) for signs in flips_of(len(signed))]
    return float(np.mean([total >= abs(sum(signed)) for total in sums]))


def flips_of(count: int) -> itertools.product:
    return itertools.product([1, -1], repeat=count)


@given(FEW_DIGITS)
def test_p_is_the_share_of_all_sign_patterns(values: list[int]) -> None:
    found = sign_flip_test(np.array(values) / 64)
    assert found.p_value == pytest.approx(enumerated_p(np.array(values)), abs=1e-12)
    assert (found.exact, found.flips) == (True, 2 ** len(values))


@given(TIED)
def test_rank_p_is_the_share_of_all_sign_patterns_with_ties_and_zeros_too(values: list[int]) -> None:
    found = wilcoxon_test(np.array(values) / 64)
    assert found.p_value == pytest.approx(enumerated_rank_p(np.array(values)), abs=1e-12)
    assert found.flips == 2 ** np.count_nonzero(values)
    assert f"all 2^{np.count_nonzero(values)} flips" in found.method


@pytest.mark.parametrize("count", [2, 5, 8, 12])
def test_sign_flip_equals_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(0.5, 1, count)
    expected = scipy_stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(values).p_value == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("count", [2, 5, 12, 40, 300])
def test_wilcoxon_equals_scipy_without_ties(count: int) -> None:
    values = np.random.default_rng(count).normal(0.2, 1, count)
    expected = scipy_stats.wilcoxon(values, method="exact")
    assert wilcoxon_test(values).p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_wilcoxon_equals_scipys_permutations_with_zeros_and_ties() -> None:
    values = np.array([0, 0.1, 0.1, -0.1, 0.3, 0.4, 0.4, 0.2, 0, -0.2, 0.5])
    all_flips = scipy_stats.PermutationMethod(n_resamples=np.inf)
    expected = scipy_stats.wilcoxon(values, zero_method="pratt", method=all_flips)
    assert wilcoxon_test(values).p_value == pytest.approx(expected.pvalue, abs=1e-12)
    dropped = scipy_stats.wilcoxon(values, zero_method="wilcox", method=all_flips)
    assert wilcoxon_test(values).p_value != pytest.approx(dropped.pvalue), "zeros are ranked, not dropped first"


def test_differences_that_are_equal_on_paper_are_ties() -> None:
    rounded = np.array([0.3, -0.3, 0.1, 0.2, 0.3, 0.2])
    computed = np.array([0.1 + 0.2, -(0.1 + 0.2), 0.8 - 0.7, 0.9 - 0.7, 1.1 - 0.8, 0.3 - 0.1])
    assert (rounded != computed).any()
    for test in TESTS.values():
        assert test(computed).p_value == test(rounded).p_value


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
@given(values=FEW_DIGITS)
def test_swapping_the_arms_turns_the_sign(test, values: list[int]) -> None:
    ab, ba = test(np.array(values) / 64), test(-np.array(values) / 64)
    assert ab.p_value == ba.p_value
    assert (ab.estimate, ab.low, ab.high) == pytest.approx((-ba.estimate, -ba.high, -ba.low), nan_ok=True)


@given(FEW_DIGITS, st.floats(0.01, 0.6))
def test_the_interval_leaves_out_0_exactly_where_p_is_at_most_alpha(values: list[int], alpha: float) -> None:
    found = sign_flip_test(np.array(values) / 64, alpha=alpha)
    if len(set(values)) > 1:
        assert (found.p_value <= alpha) == (found.low > 0 or found.high < 0)


@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=2, max_size=8, unique=True), st.floats(-1, 1))
def test_the_interval_holds_every_shift_that_is_not_refused(values: list[float], shift: float) -> None:
    found = sign_flip_test(np.array(values), alpha=0.2)
    if min(abs(shift - found.low), abs(shift - found.high)) > 1e-6:
        shifted = sign_flip_test(np.array(values) - shift)
        assert (shifted.p_value > 0.2) == (found.low < shift < found.high)


@pytest.mark.parametrize("count", [6, 15, 60])
def test_the_limits_of_the_signed_ranks_are_where_p_crosses_alpha(count: int) -> None:
    values = np.random.default_rng(count).normal(0.3, 1, count)
    found = wilcoxon_test(values)
    assert found.low < found.estimate < found.high
    for limit, outwards in ((found.low, -1e-9), (found.high, 1e-9)):
        assert wilcoxon_test(values - limit - outwards).p_value <= 0.05
        assert wilcoxon_test(values - limit + outwards).p_value > 0.05


def test_median_of_pairwise_means_is_the_published_one() -> None:
    """Hamilton's depression scores, estimate and exact interval (Hollander and Wolfe 1973, pages 27 to 35)."""
    first = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    second = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = wilcoxon_test(second - first, alpha=0.05)
    assert found.estimate == pytest.approx(-0.46)
    assert (found.low, found.high) == pytest.approx((-0.786, -0.010))
    assert found.p_value == pytest.approx(0.0390625)  # 20 of 512, two-sided


def test_large_samples_are_sampled_and_say_so() -> None:
    values = np.random.default_rng(0).normal(0.45, 1, 30)
    found = sign_flip_test(values, seed=1)
    assert (found.exact, found.flips) == (False, 10_001)
    assert "a sample of 10,001 flips" in found.method
    assert found == sign_flip_test(values, seed=1)
    assert found != sign_flip_test(values, seed=2)
    t = scipy_stats.ttest_1samp(values, 0)
    assert found.p_value == pytest.approx(t.pvalue, abs=3 * (t.pvalue / 10_000) ** 0.5 + 0.004)
    assert (found.low, found.high) == pytest.approx(t.confidence_interval(0.95), abs=0.03)
    assert sign_flip_test(values + 9).p_value == 1 / 10_001, "never below one of all flips tried"


def test_many_ranks_are_sampled_and_agree_with_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(0.08, 1, 600)
    found = wilcoxon_test(values)
    assert (found.exact, found.flips) == (False, 10_001)
    expected = scipy_stats.wilcoxon(values, method="asymptotic").pvalue
    assert found.p_value == pytest.approx(expected, abs=4 * (expected / 10_000) ** 0.5)
    assert wilcoxon_test(values - found.low, flips=20_000).p_value == pytest.approx(0.05, abs=0.008)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_edges(test) -> None:
    nothing = test(np.array([NAN, np.inf]))
    assert (nothing.num_pairs, nothing.num_zeros, nothing.flips) == (0, 0, 0)
    assert np.isnan([nothing.estimate, nothing.low, nothing.high, nothing.p_value]).all()
    one = test(np.array([0.1, NAN]))
    assert (one.num_pairs, one.p_value, one.low, one.high) == (1, 1.0, -np.inf, np.inf)
    zeros = test(np.zeros(8))
    assert (zeros.num_pairs, zeros.num_zeros, zeros.p_value, zeros.estimate) == (8, 8, 1.0, 0.0)
    some = test(np.array([0.0, 0.1, 0.0, -0.2, 0.3]))
    assert (some.num_pairs, some.num_zeros, some.unit) == (5, 2, "pair")
    assert some.tests == "symmetry of the differences about 0"


def test_equal_differences_are_no_certainty() -> None:
    found = sign_flip_test(np.full(8, 0.25))
    assert found.p_value == 2**-7
    assert np.isnan([found.low, found.high]).all()


def test_zeros_do_not_move_the_sign_flip_and_weaken_the_ranks() -> None:
    values = np.array([0.3, 0.2, 0.4, -0.1, 0.5, -0.05])
    with_zeros = np.concatenate([values, np.zeros(4)])
    assert sign_flip_test(with_zeros).p_value == sign_flip_test(values).p_value
    assert wilcoxon_test(with_zeros).p_value != wilcoxon_test(values).p_value


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, NAN])
def test_an_alpha_that_is_none_is_refused(test, alpha: float) -> None:
    with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
        test(np.array([0.1, 0.2]), alpha=alpha)


def test_no_flips_are_refused() -> None:
    with pytest.raises(DataError, match="expected 1 or more"):
        sign_flip_test(np.ones(20), flips=0)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_under_symmetry_p_is_at_most_alpha_as_rarely_as_it_should(test) -> None:
    """2,000 symmetric samples of 8 with heavy tails: the standard error of 5 % is 0.49 points."""
    rng = np.random.default_rng(0)
    p_values = np.array([test(rng.standard_t(2, size=8)).p_value for _ in range(2_000)])
    for alpha in (0.05, 0.2):
        assert np.mean(p_values <= alpha) <= alpha + 3.5 * (alpha * (1 - alpha) / 2_000) ** 0.5
        assert np.mean(p_values <= alpha) >= alpha - 0.01 - 3.5 * (alpha * (1 - alpha) / 2_000) ** 0.5


def test_the_interval_covers_the_centre() -> None:
    """1,000 samples of 10: the standard error of 95 % is 0.69 points; exact tests may not cover less."""
    rng = np.random.default_rng(1)
    intervals = [sign_flip_test(rng.laplace(3.0, 1.0, size=10)) for _ in range(1_000)]
    assert np.mean([found.low <= 3 <= found.high for found in intervals]) >= 0.95 - 3.5 * 0.0069


def test_the_sign_patterns_are_all_there_once() -> None:
    patterns = np.concatenate(list(sign_patterns(13, flips=1, seed=0)))
    assert len(np.unique(np.concatenate([patterns, -patterns]), axis=0)) == 2**13
    assert (patterns[0] == 1).all()
    sampled = np.concatenate(list(sign_patterns(17, flips=5_000, seed=0)))
    assert sampled.shape == (5_001, 17)
    assert (sampled[0] == 1).all()
    assert np.abs(sampled.mean(axis=0)).max() < 4 / 5_000**0.5


@pytest.mark.parametrize(
    ("method", "alpha", "family_size", "replicates"),
    [
        ("t", 0.05, 66, 2),
        ("sign_flip_holm", 0.05, 1, 6),
        ("sign_flip_holm", 0.05, 8, 9),
        ("sign_flip_bonferroni", 0.05, 8, 9),
        ("sign_flip_max_t", 0.05, 8, 6),
        ("sign_flip_max_t", 2**-7, 3, 8),  # just reached: 2^(1 - 8)
        ("sign_flip_max_t", 0.9, 3, 2),
    ],
)
def test_fewest_replicates(method, alpha: float, family_size: int, replicates: int) -> None:
    assert fewest_replicates(method, alpha, family_size) == replicates


def test_fewest_replicates_is_where_the_largest_effect_is_first_found() -> None:
    for alpha in (0.01, 0.05, 0.1):
        count = fewest_replicates("sign_flip_holm", alpha, 3)
        effect = 10 + np.arange(count)
        assert 3 * sign_flip_test(effect).p_value <= alpha
        assert 3 * sign_flip_test(effect[1:]).p_value > alpha
    with pytest.raises(DataError, match="expected 1 or more"):
        fewest_replicates("t", 0.05, 0)


def test_the_record_is_plain_data() -> None:
    found = sign_flip_test(np.array([0.1, 0.2, -0.1]))
    assert isinstance(found, SymmetryTest)
    assert {type(value) for value in vars(found).values()} == {float, int, bool, str}
