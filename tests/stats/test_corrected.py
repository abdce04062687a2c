"""The corrected resampled t: its formula by hand, and how often its interval holds where folds are dependent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student_t

from lossassay import stats
from lossassay.errors import DataError

PAIR = [(0, 1)]


def corrected(differences: np.ndarray, ratio: float, *, alpha: float = 0.05, size: int = 1) -> stats.PairedDifference:
    scores = np.stack([0.5 + np.asarray(differences), np.full(len(differences), 0.5)], axis=1)
    (found,) = stats.paired_differences(scores, PAIR, alpha=alpha, family_size=size, test_share_ratio=ratio)
    return found


def test_the_interval_is_that_of_the_formula() -> None:
    """Two repetitions of five folds: mean 0.02, variance 0.0004 / 9; 1/10 + 1/4; t with 9 degrees of freedom."""
    differences = 0.02 + 0.01 * np.array([1, -1, 1, -1, 0, 0, 0, 0, 0, 0])
    found = corrected(differences, 0.25)
    variance = 4 * 0.01**2 / 9
    error = (variance * (0.1 + 0.25)) ** 0.5
    assert error == pytest.approx(0.0039440532, abs=1e-9)  # sqrt(4.4444e-5 * 0.35)
    assert found.estimate == pytest.approx(0.02)
    assert found.high - found.estimate == pytest.approx(2.2621571628 * error)
    assert found.low == pytest.approx(0.02 - 2.2621571628 * 0.0039440532, abs=1e-9)
    assert found.p_value == pytest.approx(2 * student_t.sf(0.02 / error, 9))
    assert found.method == "corrected resampled t over folds (Nadeau and Bengio), Bonferroni over 1 comparison"
    assert found.num_pairs == 10


@given(seed=st.integers(0, 10_000), count=st.integers(2, 20), folds=st.integers(2, 10), size=st.integers(1, 15))
def test_it_is_the_interval_of_nadeau_bengio(seed: int, count: int, folds: int, size: int) -> None:
    differences = np.random.default_rng(seed).normal(0.01, 0.02, count)
    ratio = 1 / (folds - 1)
    found = corrected(differences, ratio, size=size)
    other = stats.nadeau_bengio(differences, test_share_ratio=ratio, alpha=0.05, family_size=size)
    np.testing.assert_allclose(
        [found.estimate, found.low, found.high, found.p_value, found.p_adjusted],
        [other.estimate, other.low, other.high, other.p_value, other.p_adjusted],
        rtol=1e-7,
    )


def test_without_overlap_it_is_the_plain_t() -> None:
    differences = np.random.default_rng(3).normal(0.01, 0.02, 10)
    scores = np.stack([0.5 + differences, np.full(10, 0.5)], axis=1)
    (plain,) = stats.paired_differences(scores, PAIR, alpha=0.05, family_size=3)
    assert corrected(differences, 0.0, size=3) == plain
    wider = corrected(differences, 1e-9, size=3)
    assert wider.low == pytest.approx(plain.low)
    assert "corrected" in wider.method


@given(count=st.integers(2, 20), value=st.floats(0.001, 0.3), ratio=st.sampled_from([0.0, 0.25, 1.0]))
def test_the_adjusted_p_fits_the_interval_of_equal_differences(count: int, value: float, ratio: float) -> None:
    """Ten equal folds are no ten independent facts."""
    random = np.random.default_rng(0)
    base = random.normal(0.5, 0.1, count)
    scores = np.stack([base + value, base], axis=1)
    (found,) = stats.paired_differences(scores, PAIR, alpha=0.05, family_size=2, test_share_ratio=ratio)
    (plain,) = stats.paired_differences(scores, PAIR, alpha=0.05, family_size=2)
    assert (found.p_adjusted <= 0.05) == (found.low > 0)
    assert found.low <= plain.low
    assert found.high >= plain.high
    assert found.p_value >= plain.p_value


def correlated_folds(studies: int, repetitions: int, folds: int) -> np.ndarray:
    """Differences of equal arms [studies, folds]: any two have correlation n_test / (n_test + n_train)."""
    random, rho = np.random.default_rng(0), 1 / folds
    shared = random.normal(size=(studies, 1))
    own = random.normal(size=(studies, repetitions * folds))
    return rho**0.5 * shared + (1 - rho) ** 0.5 * own


@pytest.mark.parametrize(("repetitions", "folds"), [(1, 5), (2, 5), (4, 2), (3, 10)])
def test_its_interval_holds_where_the_plain_one_does_not(repetitions: int, folds: int) -> None:
    differences = correlated_folds(4_000, repetitions, folds)
    scores = np.concatenate([differences, np.zeros((1, differences.shape[1]))]).T  # a study is an arm
    pairs = [(study, len(differences)) for study in range(len(differences))]
    held = {}
    for ratio in (0.0, 1 / (folds - 1)):
        found = stats.paired_differences(scores, pairs, alpha=0.05, family_size=1, test_share_ratio=ratio)
        held[ratio] = np.mean([one.low <= 0 <= one.high for one in found])
    assert held[1 / (folds - 1)] >= 0.94
    assert held[1 / (folds - 1)] <= 0.96  # exact in this model, not merely wide
    assert held[0.0] < 0.88


def test_the_mean_of_one_arm_is_widened_alike() -> None:
    values = np.array([0.8, 0.82, 0.85, 0.81, np.nan])
    plain, wide = stats.mean_interval(values), stats.mean_interval(values, test_share_ratio=0.25)
    assert wide.high - wide.estimate == pytest.approx((plain.high - plain.estimate) * (1 + 4 * 0.25) ** 0.5)
    assert (wide.estimate, wide.sd, wide.replicates) == (plain.estimate, plain.sd, 4)


def test_what_a_design_can_show_is_counted_with_the_corrected_variance() -> None:
    looks = stats.Looks(kind="fixed", first=10, last=10)
    options = {"looks": looks, "sd": 0.01, "alpha": 0.05, "family_size": 1, "margin": 0.02}
    plain, folds = stats.design(**options), stats.design(**options, test_share_ratio=0.25)
    assert folds.smallest_margin == pytest.approx(2.2621571628 * 0.01 * (0.1 + 0.25) ** 0.5)
    assert folds.smallest_margin == pytest.approx(plain.smallest_margin * 3.5**0.5)
    assert folds.detectable_80 == pytest.approx(plain.detectable_80 * 3.5**0.5)
    assert folds.power_at_margin < plain.power_at_margin
    assert folds.sd == plain.sd == 0.01


@pytest.mark.parametrize("ratio", [-0.1, float("inf"), float("nan")])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(DataError, match="ratio of rows tested to rows learnt from of 0 or more"):
        corrected(np.array([0.1, 0.2]), ratio)
