"""Several data sets: a published example, scipy, autorank, and the groups of a critical-difference diagram."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.integrate import quad

from lossassay.errors import DataError
from lossassay.stats.data_sets import RankGroups, friedman, nemenyi, wilcoxon_holm

NAN = float("nan")

# AUROC of four variants of C4.5 on 14 data sets (Demsar 2006, JMLR 7:1, table 6). Printed to three digits, the last two
# of the thirteenth are equal; the paper's ranks 2 and 3 there came from more digits.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_friedman_equals_the_published_example() -> None:
    """Mean ranks, chi square 9.28 and F 3.69; the paper does not correct for ties: 78 of 840 cubed ranks."""
    found = friedman(DEMSAR)
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    uncorrected = found.chi_square * (1 - 78 / 840)
    assert uncorrected == pytest.approx(9.28, abs=5e-3)
    assert 13 * uncorrected / (14 * 3 - uncorrected) == pytest.approx(3.69, abs=5e-3)
    assert found.f_freedom == (3, 39)
    assert (found.num_data_sets, found.dropped, found.unit) == (14, 0, "data set")


def test_nemenyi_equals_the_published_example() -> None:
    """At 0.05 even the best and the worst do not differ; at 0.10 the first is worse than the second and the fourth."""
    strict, loose = nemenyi(DEMSAR, alpha=0.05), nemenyi(DEMSAR, alpha=0.10)
    assert strict.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert strict.groups == ((3, 1, 2, 0),)
    assert loose.critical_difference == pytest.approx(1.12, abs=5e-3)
    assert loose.groups == ((3, 1, 2), (2, 0))
    assert [(pair.a, pair.b) for pair in loose.differences if pair.different] == [(0, 1), (0, 3)]
    assert loose.level == 0.9


@pytest.mark.parametrize(
    ("systems", "alpha", "printed"),
    [(2, 0.05, 1.960), (3, 0.05, 2.343), (4, 0.05, 2.569), (10, 0.05, 3.164), (4, 0.10, 2.291), (10, 0.10, 2.920)],
)
def test_the_critical_difference_rests_on_the_published_table(systems: int, alpha: float, printed: float) -> None:
    """Demsar 2006, table 5(a), printed to three digits."""
    scores = np.random.default_rng(0).normal(size=(12, systems))
    error = (systems * (systems + 1) / (6 * 12)) ** 0.5
    assert nemenyi(scores, alpha=alpha).critical_difference / error == pytest.approx(printed, abs=1e-3)


@pytest.mark.parametrize("systems", [2, 5, 12])
def test_the_critical_difference_is_the_quantile_of_the_range_of_normals(systems: int) -> None:
    """P(range <= q) of k normals is k times the integral of phi(z) (Phi(z) - Phi(z - q))^(k - 1)."""
    scores = np.random.default_rng(0).normal(size=(12, systems))
    q = 2**0.5 * nemenyi(scores, alpha=0.05).critical_difference / (systems * (systems + 1) / (6 * 12)) ** 0.5
    normal = scipy_stats.norm
    below, _ = quad(
        lambda z: systems * normal.pdf(z) * (normal.cdf(z) - normal.cdf(z - q)) ** (systems - 1), -9, 9, epsabs=1e-13
    )
    assert below == pytest.approx(0.95, abs=1e-10)


@pytest.mark.parametrize("digits", [9, 1])
@pytest.mark.parametrize("systems", [3, 7])
def test_friedman_equals_scipy_with_and_without_ties(systems: int, digits: int) -> None:
    scores = np.round(np.random.default_rng(systems).normal(size=(11, systems)), digits)
    expected = scipy_stats.friedmanchisquare(*scores.T)
    found = friedman(scores)
    assert (found.chi_square, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)


def test_iman_and_davenports_f_is_the_analysis_of_variance_of_ranks() -> None:
    ranks = scipy_stats.rankdata(np.random.default_rng(0).normal(size=(9, 4)), axis=1)
    of_systems = 9 * np.square(ranks.mean(axis=0) - 2.5).sum()
    rest = np.square(ranks - 2.5).sum() - of_systems
    found = friedman(ranks, higher_is_better=False)
    assert found.f == pytest.approx((of_systems / 3) / (rest / 24), rel=1e-10)
    assert found.f_p_value == pytest.approx(scipy_stats.f.sf(found.f, 3, 24), rel=1e-10)


def test_ranks_and_critical_difference_equal_autorank() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever autorank and its imports warn of is theirs
        import pandas as pd
        from autorank import autorank

        scores = np.random.default_rng(3).exponential(size=(20, 5)) ** 3 + np.array([0, 0.1, 0.5, 1, 3])
        frame = pd.DataFrame(scores, columns=list("abcde"))
        expected = autorank(frame, alpha=0.05, verbose=False, order="descending", force_mode="nonparametric")
    found = nemenyi(scores, alpha=0.05)
    assert expected.omnibus == "friedman"
    assert found.mean_ranks == pytest.approx(expected.rankdf["meanrank"][list("abcde")].tolist(), abs=1e-12)
    # the method is the same, but autorank's quantile is a rational approximation (qsturng); below is an exact one
    assert found.critical_difference == pytest.approx(expected.cd, rel=2e-5)
    assert friedman(scores).p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_nemenyis_p_is_at_most_alpha_where_the_interval_leaves_out_0() -> None:
    scores = np.random.default_rng(1).normal(size=(15, 4)) + np.array([0, 0.3, 0.8, 1.5])
    for pair in nemenyi(scores, alpha=0.05).differences:
        assert pair.different == (pair.low > 0 or pair.high < 0) == (pair.p_adjusted <= 0.05)
        touching = nemenyi(scores, alpha=pair.p_adjusted)
        assert touching.critical_difference == pytest.approx(abs(pair.estimate), rel=1e-6)
    studentized = [pair.p_adjusted for pair in nemenyi(scores[:, :2], alpha=0.05).differences]
    difference = np.diff(nemenyi(scores[:, :2], alpha=0.05).mean_ranks)[0]
    assert studentized == pytest.approx([2 * scipy_stats.norm.sf(abs(difference) * 15**0.5)], rel=1e-6)


def test_wilcoxon_holm_equals_scipy_and_statsmodels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of statsmodels' own imports
        from statsmodels.stats.multitest import multipletests
    scores = np.random.default_rng(1).normal(size=(12, 4)) + np.array([0, 0.3, 0.8, 1.9])
    found = wilcoxon_holm(scores, alpha=0.05)
    pairs = list(itertools.combinations(range(4), 2))
    assert [(pair.a, pair.b) for pair in found.differences] == pairs
    p_values = [scipy_stats.wilcoxon(scores[:, a], scores[:, b], method="exact").pvalue for a, b in pairs]
    assert [pair.p_value for pair in found.differences] == pytest.approx(p_values, rel=1e-10)
    different, adjusted = multipletests(p_values, alpha=0.05, method="holm")[:2]
    assert [pair.p_adjusted for pair in found.differences] == pytest.approx(adjusted.tolist(), rel=1e-10)
    assert [pair.different for pair in found.differences] == different.tolist()
    assert np.isnan(found.critical_difference)
    assert "Holm over 6 pairs" in found.method
    for pair in found.differences:
        assert pair.low < pair.estimate < pair.high


def test_other_systems_do_not_change_a_signed_rank_but_may_change_a_rank_test() -> None:
    """Benavoli, Corani and Mangili 2016: whether two systems differ by mean ranks depends on the others."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=30)
    two = np.stack([base + 0.01 * rng.uniform(0.5, 1, 30), base], axis=1)
    far, between = np.full((30, 3), -99.0) + np.arange(3), base[:, None] + np.array([0.001, 0.002, 0.003])
    estimates = {}
    for name, others in (("far", far), ("between", between)):
        scores = np.concatenate([two, others], axis=1)
        estimates[name] = nemenyi(scores, alpha=0.05).differences[0]
        assert wilcoxon_holm(scores, alpha=0.05).differences[0].p_value == pytest.approx(2**-29)
    assert not estimates["far"].different
    assert estimates["between"].different


def groups_by_enumeration(found: RankGroups, systems: int) -> set[frozenset[int]]:
    differ = {frozenset((pair.a, pair.b)) for pair in found.differences if pair.different}
    alike = [
        frozenset(members)
        for size in range(2, systems + 1)
        for members in itertools.combinations(range(systems), size)
        if not any(frozenset(pair) in differ for pair in itertools.combinations(members, 2))
    ]
    return {group for group in alike if not any(group < other for other in alike)}


@given(st.integers(0, 10_000), st.integers(2, 7), st.sampled_from([nemenyi, wilcoxon_holm]))
def test_groups_are_the_largest_sets_without_a_difference(seed: int, systems: int, compare) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(12, systems)) * rng.uniform(0.1, 3, systems) + np.arange(systems) * rng.uniform(0, 1)
    found = compare(scores, alpha=0.2)
    assert {frozenset(group) for group in found.groups} == groups_by_enumeration(found, systems)
    assert len(set(found.groups)) == len(found.groups)
    for group in found.groups:
        assert [found.mean_ranks[system] for system in group] == sorted(found.mean_ranks[system] for system in group)
    best = [found.mean_ranks[group[0]] for group in found.groups]
    assert best == sorted(best)


def test_nemenyis_groups_are_neighbours_on_the_line_of_ranks() -> None:
    scores = np.random.default_rng(5).normal(size=(40, 8)) + 0.35 * np.arange(8)
    found = nemenyi(scores, alpha=0.05)
    order = np.argsort(found.mean_ranks).tolist()
    assert len(found.groups) > 1
    for group in found.groups:
        places = [order.index(system) for system in group]
        assert places == list(range(places[0], places[-1] + 1))


def test_systems_that_all_differ_form_no_group() -> None:
    scores = np.arange(40)[:, None] / 7 + np.arange(3)
    for compare in (nemenyi, wilcoxon_holm):
        found = compare(scores, alpha=0.05)
        assert found.groups == ()
        assert found.mean_ranks == (3.0, 2.0, 1.0)


@pytest.mark.parametrize("compare", [friedman, nemenyi, wilcoxon_holm])
def test_the_direction_of_the_metric_turns_the_ranks(compare) -> None:
    scores = np.random.default_rng(0).normal(size=(9, 4))
    alpha = {} if compare is friedman else {"alpha": 0.05}
    up, down = (compare(scores, higher_is_better=higher, **alpha) for higher in (True, False))
    assert np.add(up.mean_ranks, down.mean_ranks) == pytest.approx(np.full(4, 5.0))


def test_data_sets_that_lack_a_score_are_left_out_and_counted() -> None:
    gaps = DEMSAR.copy()
    gaps[2, 1], gaps[5] = NAN, (np.inf, 0.1, 0.2, 0.3)
    assert friedman(gaps).dropped == 2
    complete = np.delete(DEMSAR, [2, 5], axis=0)
    assert friedman(gaps).chi_square == friedman(complete).chi_square
    for compare in (nemenyi, wilcoxon_holm):
        found = compare(gaps, alpha=0.05)
        assert (found.num_data_sets, found.dropped) == (12, 2)
        assert found.mean_ranks == compare(complete, alpha=0.05).mean_ranks


def test_constant_scores_and_perfect_agreement_are_defined() -> None:
    same = friedman(np.ones((6, 3)))
    assert (same.chi_square, same.p_value, same.f, same.f_p_value) == (0, 1, 0, 1)
    assert nemenyi(np.ones((6, 3)), alpha=0.05).groups == ((0, 1, 2),)
    assert wilcoxon_holm(np.ones((6, 3)), alpha=0.05).groups == ((0, 1, 2),)
    agree = friedman(np.tile([0.1, 0.2, 0.3], (5, 1)))
    assert (agree.chi_square, agree.f) == (10, np.inf)
    assert agree.f_p_value == pytest.approx(6.0**-4), "not 0: five data sets agree by chance once in 1296 times"


def test_with_few_data_sets_signed_ranks_find_nothing() -> None:
    """Five data sets give no p below 1/16, however large the difference."""
    scores = np.arange(5)[:, None] / 7 + np.array([0, 50, 100])
    assert wilcoxon_holm(scores, alpha=0.05).groups == ((2, 1, 0),)


@pytest.mark.parametrize("compare", [friedman, nemenyi, wilcoxon_holm])
@pytest.mark.parametrize(
    "scores", [np.ones((1, 3)), np.ones((5, 1)), np.array([[0.1, NAN], [0.1, 0.2], [NAN, 0.1]]), np.empty((0, 2))]
)
def test_too_little_is_refused(compare, scores: np.ndarray) -> None:
    alpha = {} if compare is friedman else {"alpha": 0.05}
    with pytest.raises(DataError, match="expected two or more of each"):
        compare(scores, **alpha)


@pytest.mark.parametrize("compare", [nemenyi, wilcoxon_holm])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_an_alpha_that_is_none_is_refused(compare, alpha: float) -> None:
    with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
        compare(DEMSAR, alpha=alpha)


def test_the_chance_of_any_wrong_difference() -> None:
    """1,000 tables of five equal systems on 15 data sets: the standard error of 5 % is 0.69 points."""
    rng = np.random.default_rng(0)
    tables = rng.normal(size=(1_000, 15, 5))
    limit = 0.05 + 3.5 * 0.0069
    assert np.mean([friedman(table).p_value <= 0.05 for table in tables]) <= limit
    assert np.mean([friedman(table).f_p_value <= 0.05 for table in tables]) <= limit
    critical = nemenyi(tables[0], alpha=0.05).critical_difference
    ranks = scipy_stats.rankdata(tables, axis=2).mean(axis=1)
    assert np.mean(np.ptp(ranks, axis=1) > critical) <= limit
