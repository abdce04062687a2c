"""Where another package has the same method, its numbers are ours: pingouin, baycomp, statsmodels."""

import warnings

import numpy as np
import pytest

from lossassay.stats import paired_differences
from lossassay.stats.multiplicity import bonferroni, holm
from lossassay.stats.population import nadeau_bengio
from lossassay.stats.sign_flip import wilcoxon_test

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # whatever these packages warn of while they load is theirs
    import baycomp
    import pingouin
    from statsmodels.stats.weightstats import DescrStatsW

SCORES = np.random.default_rng(0).normal([0.80, 0.78], 0.02, size=(12, 2))


def test_paired_t_equals_pingouin() -> None:
    (found,) = paired_differences(SCORES, [(0, 1)], alpha=0.05, family_size=1)
    expected = pingouin.ttest(SCORES[:, 0], SCORES[:, 1], paired=True)
    column = "p_val" if "p_val" in expected else "p-val"
    assert found.p_value == pytest.approx(float(expected[column].iloc[0]), rel=1e-10)


def test_paired_t_interval_equals_statsmodels() -> None:
    (found,) = paired_differences(SCORES, [(0, 1)], alpha=0.05, family_size=1)
    expected = DescrStatsW(SCORES[:, 0] - SCORES[:, 1]).tconfint_mean(0.05)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_simultaneous_t_equals_pingouins_adjusted_pairwise_tests() -> None:
    scores = np.random.default_rng(1).normal([0.80, 0.78, 0.79], 0.02, size=(9, 3))
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = paired_differences(scores, pairs, alpha=0.05, family_size=3)
    p_values = np.array([record.p_value for record in found])
    for method, rule in (("holm", holm), ("bonf", bonferroni)):
        _, expected = pingouin.multicomp(p_values, method=method)
        np.testing.assert_allclose(rule(p_values), expected, rtol=1e-10)
    assert [record.p_adjusted for record in found] == pytest.approx(bonferroni(p_values).tolist(), rel=1e-10)


def test_signed_ranks_equal_pingouin() -> None:
    found = wilcoxon_test(SCORES[:, 0] - SCORES[:, 1])
    expected = pingouin.wilcoxon(SCORES[:, 0], SCORES[:, 1], method="exact")
    column = "p_val" if "p_val" in expected else "p-val"
    assert found.p_value == pytest.approx(float(expected[column].iloc[0]), rel=1e-10)


def test_corrected_t_equals_baycomps_posterior_without_a_rope() -> None:
    """The posterior of the mean is the t distribution of the test, so its smaller tail is half of p.

    Of n folds, baycomp takes 1 / (n - 1) for the ratio of test to training rows.
    """
    for runs in (1, 3):
        left, right = baycomp.two_on_single(SCORES[:, 0], SCORES[:, 1], runs=runs)
        ratio = 1 / (12 / runs - 1)
        found = nadeau_bengio(SCORES[:, 0] - SCORES[:, 1], test_share_ratio=ratio, alpha=0.05, family_size=1)
        assert left + right == pytest.approx(1)
        assert found.p_value == pytest.approx(2 * min(left, right), rel=1e-10)
        assert (found.estimate > 0) == (left > right)
