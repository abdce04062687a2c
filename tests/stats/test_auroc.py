"""Intervals of an AUROC and of a difference of two, against direct sums over pairs and published examples."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student_t
from sklearn.metrics import roc_auc_score

from lossassay.errors import DataError
from lossassay.stats.auroc import auroc_interval, paired_auroc_difference

Array = np.ndarray[Any, np.dtype[Any]]
Z = norm.isf(0.025)

# Albumin, total protein, K-G score and whether surgery helped, of 43 patients: the example of DeLong, DeLong and
# Clarke-Pearson 1988, as SAS/STAT's documentation of the LOGISTIC procedure gives it ("Comparing ROC curves").
OVARIAN = """
3.0 5.8 10 0  3.2 6.3  5 1  3.9 6.8  3 1  2.8 4.8  6 0  3.2 5.8  3 1  0.9 4.0  5 0  2.5 5.7  8 0  1.6 5.6  5 1
3.8 5.7  5 1  3.7 6.7  6 1  3.2 5.4  4 1  3.8 6.6  6 1  4.1 6.6  5 1  3.6 5.7  5 1  4.3 7.0  4 1  3.6 6.7  4 0
2.3 4.4  6 1  4.2 7.6  4 0  4.0 6.6  6 0  3.5 5.8  6 1  3.8 6.8  7 1  3.0 4.7  8 0  4.5 7.4  5 1  3.7 7.4  5 1
3.1 6.6  6 1  4.1 8.2  6 1  4.3 7.0  5 1  4.3 6.5  4 1  3.2 5.1  5 1  2.6 4.7  6 1  3.3 6.8  6 0  1.7 4.0  7 0
3.7 6.1  5 1  3.3 6.3  7 1  4.2 7.7  6 1  3.5 6.2  5 1  2.9 5.7  9 0  2.1 4.8  7 1  2.8 6.2  8 0  4.0 7.0  7 1
3.3 5.7  6 1  3.7 6.9  5 1  3.6 6.6  5 1
"""


def ovarian() -> tuple[Array, dict[str, Array]]:
    albumin, protein, score, helped = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    return helped == 1, {"albumin": albumin, "protein": protein, "K-G": 10 - score}


def beats(positive: float, negative: float) -> Fraction:
    return Fraction(int(positive > negative) * 2 + int(positive == negative), 2)


def direct_auroc(truth: Array, scores: Array) -> Fraction:
    pairs = [beats(p, n) for p in scores[truth] for n in scores[~truth]]
    return sum(pairs, Fraction(0)) / len(pairs)


def direct_covariance(truth: Array, first: Array, second: Array, groups: Array) -> Fraction:
    """Obuchowski 1997, term by term over all pairs, in exact fractions."""
    rows, patients = range(len(truth)), sorted(set(groups.tolist()))
    positives, negatives = int(truth.sum()), int((~truth).sum())

    def sums(scores: Array) -> tuple[list[Fraction], list[Fraction]]:
        theta = direct_auroc(truth, scores)
        own = {
            row: sum(beats(scores[row], other) for other in scores[~truth]) / negatives
            if truth[row]
            else sum(beats(other, scores[row]) for other in scores[truth]) / positives
            for row in rows
        }
        per_class = (
            [sum((own[r] - theta for r in rows if groups[r] == g and truth[r] == side), Fraction(0)) for g in patients]
            for side in (True, False)
        )
        x, y = per_class
        return x, y

    def dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
        return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))

    (x1, y1), (x2, y2) = sums(first), sums(second)
    with_x, with_y, either = len(set(groups[truth])), len(set(groups[~truth])), len(patients)
    s10 = Fraction(with_x, (with_x - 1) * positives) * dot(x1, x2)
    s01 = Fraction(with_y, (with_y - 1) * negatives) * dot(y1, y2)
    s11 = Fraction(either, either - 1) * (dot(x1, y2) + dot(y1, x2))
    return s10 / positives + s01 / negatives + s11 / (positives * negatives)


def binormal(seed: int, positives: int, negatives: int, auroc: float, ratio: float = 1.0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    shift = norm.ppf(auroc) * (1 + ratio**2) ** 0.5
    scores = np.concatenate([random.normal(shift, ratio, positives), random.normal(size=negatives)])
    return np.arange(len(scores)) < positives, scores


# --- against direct sums and published numbers


@st.composite
def small_studies(draw: st.DrawFn) -> tuple[Array, Array, Array, Array]:
    rows = draw(st.integers(4, 14))
    truth = np.array(draw(st.permutations([True, True, False, False] + [draw(st.booleans()) for _ in range(rows - 4)])))
    scores = [np.array(draw(st.lists(st.integers(0, 6), min_size=rows, max_size=rows))) for _ in range(2)]
    groups = np.array(draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows)))
    return truth, scores[0], scores[1], groups


@given(small_studies())
def test_equals_direct_sums_over_pairs(study: tuple[Array, Array, Array, Array]) -> None:
    truth, first, second, _ = study
    rows = np.arange(len(truth))
    found = auroc_interval(truth, first)
    assert found.estimate == pytest.approx(float(direct_auroc(truth, first)), abs=1e-12)
    assert found.standard_error**2 == pytest.approx(float(direct_covariance(truth, first, first, rows)), abs=1e-12)
    assert (found.unit, found.groups) == ("case", len(truth))
    difference = paired_auroc_difference(truth, first, second, method="delong")
    expected = sum(
        sign * direct_covariance(truth, a, b, rows)
        for sign, a, b in ((1, first, first), (1, second, second), (-2, first, second))
    )
    if expected > 0:
        assert difference.standard_error**2 == pytest.approx(float(expected), abs=1e-12)


@given(small_studies())
def test_clustered_equals_direct_sums_over_pairs(study: tuple[Array, Array, Array, Array]) -> None:
    truth, first, second, groups = study
    if min(len(set(groups[truth])), len(set(groups[~truth]))) < 2:
        assert np.isnan(auroc_interval(truth, first, groups=groups).standard_error)
        return
    found = auroc_interval(truth, first, groups=groups)
    expected = float(direct_covariance(truth, first, first, groups))
    assert found.standard_error**2 == pytest.approx(expected, abs=1e-12)
    assert (found.unit, found.groups) == ("patient", len(set(groups.tolist())))
    difference = paired_auroc_difference(truth, first, second, groups=groups, method="delong")
    other = float(direct_covariance(truth, second, second, groups))
    between = float(direct_covariance(truth, first, second, groups))
    if expected * other > 1e-12:
        assert difference.correlation == pytest.approx(between / (expected * other) ** 0.5, abs=1e-9)
    if expected + other - 2 * between > 1e-12:
        assert difference.standard_error**2 == pytest.approx(expected + other - 2 * between, abs=1e-12)


def test_example_of_delong_1988_as_sas_prints_it() -> None:
    truth, scores = ovarian()
    for name, area, error in (
        ("albumin", 0.7366, 0.0927),
        ("K-G", 0.7258, 0.1028),
        ("protein", 0.6478, 0.1000),
    ):
        found = auroc_interval(truth, scores[name])
        assert (round(found.estimate, 4), round(found.standard_error, 4)) == (area, error)
    for name, expected in (
        ("albumin", (0.0108, 0.0953, -0.1761, 0.1976, 0.9102)),
        ("protein", (-0.0780, 0.1046, -0.2830, 0.1271, 0.4561)),
    ):
        found = paired_auroc_difference(truth, scores[name], scores["K-G"], method="delong")
        numbers = (found.estimate, found.standard_error, found.low, found.high, found.p_value)
        assert tuple(round(number, 4) for number in numbers) == expected
        direct = [
            direct_covariance(truth, scores[a], scores[b], np.arange(43)) for a, b in ((name, name), ("K-G",) * 2)
        ]
        between = direct_covariance(truth, scores[name], scores["K-G"], np.arange(43))
        assert found.standard_error**2 == pytest.approx(float(sum(direct) - 2 * between), abs=1e-10)


def test_example_of_proc_with_ties() -> None:
    """WFNS grade of 113 patients by outcome (Turck et al. 2010); AUROC and variance from the tests of pROC (R)."""
    poor, good = [2, 12, 1, 8, 18], [37, 20, 3, 8, 4]
    grades = np.repeat(np.tile(np.arange(1, 6), 2), poor + good)
    found = auroc_interval(np.arange(113) < 41, grades, method="delong")
    assert found.estimate == pytest.approx(0.823678861788618, abs=1e-14)
    assert found.standard_error**2 == pytest.approx(0.00146991470882363, abs=1e-14)


def test_estimate_equals_scikit_learn() -> None:
    truth, scores = binormal(1, 300, 500, 0.8)
    assert auroc_interval(truth, scores).estimate == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


def test_delong_limits_are_on_the_logit_scale() -> None:
    truth, scores = binormal(2, 80, 120, 0.85)
    found = auroc_interval(truth, scores, level=0.9)
    half = norm.isf(0.05) * found.standard_error / (found.estimate * (1 - found.estimate))
    expected = expit(logit(found.estimate) + np.array([-half, half]))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert found.method == "DeLong, logit scale"


# --- the score type


def supposed_variance(theta: float, positives: float, negatives: float, scale: float = 1.0) -> float:
    smaller = min(positives, negatives)
    shape = max((1 - theta) / (2 - theta), theta / (1 + theta))
    share = (1 + (positives + negatives - 2) * shape) / (positives * negatives)
    return theta * (1 - theta) * min(scale * ((1 - 1 / smaller) * share + 1 / smaller**2), 1 / smaller)


@pytest.mark.parametrize("auroc", [0.7, 0.9, 0.97])
@pytest.mark.parametrize(("positives", "negatives"), [(2, 9), (12, 300), (80, 25)])
def test_score_limits_solve_their_equation(positives: int, negatives: int, auroc: float) -> None:
    truth, scores = binormal(3, positives, negatives, auroc, ratio=2.0)
    found = auroc_interval(truth, scores, method="score")
    supposed = supposed_variance(found.estimate, positives, negatives)
    seen = (student_t.isf(0.025, min(positives, negatives) - 1) * found.standard_error / Z) ** 2
    scale = max(1.0, seen / supposed) if supposed else 1.0
    for limit in (found.low, found.high):
        variance = supposed_variance(limit, positives, negatives, scale)
        assert (found.estimate - limit) ** 2 == pytest.approx(Z**2 * variance, rel=1e-9, abs=1e-15)


def test_score_with_one_positive_is_wilsons_interval_of_one_trial() -> None:
    found = auroc_interval(np.array([True, False, False, False]), np.array([2.5, 1.0, 2.0, 3.0]))
    theta = 2 / 3
    centre, spread = (theta + Z**2 / 2), Z * (theta * (1 - theta) + Z**2 / 4) ** 0.5
    assert (found.low, found.high) == pytest.approx(
        ((centre - spread) / (1 + Z**2), (centre + spread) / (1 + Z**2)), abs=1e-12
    )
    assert np.isnan(found.standard_error)


@pytest.mark.parametrize("method", ["delong", "score"])
@pytest.mark.parametrize("seed", range(5))
def test_mirrored_scores_have_the_mirrored_interval(method: str, seed: int) -> None:
    truth, scores = binormal(seed, 23, 41, 0.8)
    groups = np.arange(64) // 3
    found = auroc_interval(truth, scores, method=method, groups=groups)
    for mirrored in (
        auroc_interval(truth, -scores, method=method, groups=groups),
        auroc_interval(~truth, scores, method=method, groups=groups),
    ):
        assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-12)


@settings(max_examples=30)
@given(small_studies(), st.floats(0.5, 0.999))
def test_interval_holds_the_estimate_and_grows_with_the_level(
    study: tuple[Array, Array, Array, Array], level: float
) -> None:
    truth, scores, _, groups = study
    for grouping in (None, groups):
        found = auroc_interval(truth, scores, groups=grouping, level=level)
        wider = auroc_interval(truth, scores, groups=grouping, level=(1 + level) / 2)
        assert 0 <= wider.low <= found.low <= found.estimate <= found.high <= wider.high <= 1
        assert found.low < found.high


@pytest.mark.parametrize(
    ("positives", "negatives", "auroc", "expected"),
    [
        (30, 30, 0.75, "DeLong"),
        (29, 300, 0.75, "score"),
        (300, 29, 0.75, "score"),
        (60, 900, 0.93, "score"),
        (200, 900, 0.93, "DeLong"),
        (60, 900, 0.07, "score"),
    ],
)
def test_auto_looks_at_the_smaller_class_and_at_both_ends(
    positives: int, negatives: int, auroc: float, expected: str
) -> None:
    quantiles = [norm.ppf((np.arange(size) + 0.5) / size) for size in (positives, negatives)]
    scores = np.concatenate([quantiles[0] + norm.ppf(auroc) * 2**0.5, quantiles[1]])
    truth = np.arange(len(scores)) < positives
    found = auroc_interval(truth, scores)
    assert found.method.startswith(expected)
    assert found == auroc_interval(truth, scores, method=expected.lower())


# --- edges


@pytest.mark.parametrize("sizes", [(1, 1), (1, 50), (50, 1), (3, 4), (100, 1000), (1000, 1000)])
def test_perfect_ranking_has_an_interval_with_width(sizes: tuple[int, int]) -> None:
    truth = np.arange(sum(sizes)) < sizes[0]
    found = auroc_interval(truth, truth.astype(float))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert 0 < found.low < 1
    worst = auroc_interval(truth, 1 - truth.astype(float))
    assert (worst.estimate, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - found.low, abs=1e-12)


def test_perfect_ranking_says_more_with_more_cases() -> None:
    lows = []
    for size in (1, 2, 5, 10, 100, 1000):
        truth = np.arange(2 * size) < size
        lows.append(auroc_interval(truth, truth.astype(float)).low)
    assert lows == sorted(lows)
    assert lows[-1] > 0.99


def test_delong_itself_is_undefined_at_the_ends() -> None:
    truth = np.arange(200) < 100
    for scores in (truth.astype(float), np.zeros(200)):
        found = auroc_interval(truth, scores, method="delong")
        assert np.isnan([found.low, found.high]).all()


def test_constant_scores_are_no_better_than_chance_and_not_certain() -> None:
    found = auroc_interval(np.arange(200) < 100, np.full(200, 0.3))
    assert (found.estimate, found.standard_error) == (0.5, 0.0)
    assert found.low < 0.45 < 0.55 < found.high


@pytest.mark.parametrize("truth", [[False, False], [True, True], []])
def test_one_class_alone_says_nothing(truth: list[bool]) -> None:
    labels, scores = np.array(truth, dtype=bool), np.arange(len(truth), dtype=float)
    found = auroc_interval(labels, scores)
    assert np.isnan([found.estimate, found.standard_error]).all()
    assert (found.low, found.high) == (0.0, 1.0)
    assert "one class is not there" in found.method
    difference = paired_auroc_difference(labels, scores, -scores)
    assert np.isnan([difference.estimate, difference.p_value]).all()
    assert (difference.low, difference.high) == (-1.0, 1.0)


def test_infinite_scores_are_ranked() -> None:
    truth = np.array([True, True, False, False])
    found = auroc_interval(truth, np.array([np.inf, 0.0, -np.inf, 0.0]))
    assert found.estimate == 0.875


def test_a_million_cases() -> None:
    truth, scores = binormal(4, 500_000, 500_000, 0.9)
    found = auroc_interval(truth, scores)
    assert abs(found.estimate - 0.9) < 5 * found.standard_error
    # V = (Q - theta^2) (1/M + 1/N), Q the chance that two positives both beat one negative
    both = multivariate_normal(cov=[[1, 0.5], [0.5, 1]]).cdf(np.full(2, norm.ppf(0.9)))
    assert found.standard_error == pytest.approx(((both - 0.81) / 250_000) ** 0.5, rel=0.01)
    perfect = auroc_interval(truth, truth.astype(float))
    assert (perfect.estimate, perfect.high) == (1.0, 1.0)
    assert 0.9999 < perfect.low < 1
    same = paired_auroc_difference(truth, scores, scores)
    assert (same.estimate, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_bad_input_is_refused() -> None:
    truth, scores = np.array([True, False, False]), np.array([0.3, np.nan, 0.1])
    with pytest.raises(DataError, match=r"1 of 3 scores are nan; expected numbers.*Leave these rows out"):
        auroc_interval(truth, scores)
    with pytest.raises(DataError, match="1 of 3 scores are nan"):
        paired_auroc_difference(truth, truth.astype(float), scores)
    with pytest.raises(DataError, match="level must lie between 0 and 1"):
        auroc_interval(truth, truth.astype(float), level=1.0)
    with pytest.raises(DataError, match="level must lie between 0 and 1"):
        paired_auroc_difference(truth, truth.astype(float), truth.astype(float), level=0.0)


# --- patients


def test_rows_that_are_copies_change_nothing() -> None:
    truth, scores = binormal(5, 40, 90, 0.8)
    once = np.arange(130)
    for method in ("delong", "score"):
        plain = auroc_interval(truth, scores, method=method)
        copied = auroc_interval(np.tile(truth, 3), np.tile(scores, 3), groups=np.tile(once, 3), method=method)
        assert copied.standard_error == pytest.approx(plain.standard_error, abs=1e-12)
        assert (copied.low, copied.high) == pytest.approx((plain.low, plain.high), abs=1e-12)
        ignored = auroc_interval(np.tile(truth, 3), np.tile(scores, 3), method=method)
        assert ignored.high - ignored.low < 0.7 * (plain.high - plain.low)


def test_patients_of_one_row_are_cases() -> None:
    truth, scores = binormal(6, 40, 90, 0.8)
    names = np.array([f"patient {number}" for number in np.random.default_rng(0).permutation(130)])
    plain, named = auroc_interval(truth, scores), auroc_interval(truth, scores, groups=names)
    assert (named.low, named.high) == pytest.approx((plain.low, plain.high), abs=1e-12)
    assert named.method == "DeLong, logit scale, clustered by patient (Obuchowski)"


def test_names_and_numbers_of_patients_are_alike() -> None:
    truth, scores = binormal(7, 20, 40, 0.8)
    numbers = np.arange(60) // 2
    found = auroc_interval(truth, scores, groups=numbers)
    assert found == auroc_interval(truth, scores, groups=np.array([f"p{number:02d}" for number in numbers]))
    assert found == auroc_interval(truth, scores, groups=numbers * 1000 - 7)


def test_all_positives_of_one_patient_count_as_one_case() -> None:
    truth, scores = np.arange(60) < 20, np.concatenate([np.full(20, 9.0), np.arange(40.0)])
    groups = np.concatenate([np.zeros(20, dtype=int), 1 + np.arange(40)])
    found = auroc_interval(truth, scores, groups=groups)
    alone = auroc_interval(truth[19:], scores[19:])
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=1e-12)
    assert np.isnan(found.standard_error)


def test_what_cancels_within_patients_is_no_rounding_error() -> None:
    """A positive that gains what the negative of the same patient loses: no spread over patients at all."""
    truth, scores = np.array([False, False, True, True] * 25), np.array([0.0, 1.0, 1.0, 2.0] * 25)
    groups = np.array([0, 1, 0, 1] * 25) + np.repeat(np.arange(25) * 2, 4)
    found = auroc_interval(truth, scores, groups=groups)
    assert found.standard_error == 0.0
    assert found.low < found.estimate - 0.02


# --- the difference of two


def test_equal_rankings_are_exactly_equal() -> None:
    truth, scores = binormal(8, 30, 70, 0.8)
    for other in (scores, np.exp(scores), 5 * scores - 3):
        found = paired_auroc_difference(truth, scores, other)
        assert (found.estimate, found.low, found.high, found.p_value, found.standard_error) == (0.0, 0.0, 0.0, 1.0, 0.0)
        assert found.correlation == pytest.approx(1.0)


def test_other_order_has_the_other_sign() -> None:
    truth, first = binormal(9, 50, 70, 0.85)
    second = first + np.random.default_rng(0).normal(size=120)
    for method in ("auto", "delong", "added"):
        a, b = (paired_auroc_difference(truth, *pair, method=method) for pair in ((first, second), (second, first)))
        assert (a.estimate, a.low, a.high, a.p_value) == pytest.approx((-b.estimate, -b.high, -b.low, b.p_value))


def test_added_cases_by_hand() -> None:
    truth, first = binormal(10, 12, 90, 0.9)
    second = first + np.random.default_rng(0).normal(size=102)
    found = paired_auroc_difference(truth, first, second)
    delong = paired_auroc_difference(truth, first, second, method="delong")
    thetas = [auroc_interval(truth, scores).estimate for scores in (first, second)]
    added = sum(supposed_variance((12 * theta + 1) / 14, 12, 90) for theta in thetas)
    assert found.standard_error**2 == pytest.approx(delong.standard_error**2 + added / 6, abs=1e-12)
    half = student_t.isf(0.025, 11) * found.standard_error
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half), abs=1e-12)
    assert found.method == "DeLong with two cases added, t"


@pytest.mark.parametrize("method", ["delong", "added"])
def test_p_value_inverts_the_interval(method: str) -> None:
    truth, first = binormal(11, 50, 70, 0.85)
    second = first + np.random.default_rng(0).normal(size=120)
    p_value = paired_auroc_difference(truth, first, second, method=method).p_value
    edge = paired_auroc_difference(truth, first, second, method=method, level=1 - p_value)
    assert min(abs(edge.low), abs(edge.high)) == pytest.approx(0, abs=1e-12)


def test_a_difference_is_never_certain_but_for_equal_rankings() -> None:
    truth = np.arange(8) < 4
    perfect, also_perfect = np.arange(8)[::-1], np.array([4, 5, 6, 7, 3, 2, 1, 0])
    found = paired_auroc_difference(truth, perfect, also_perfect)
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert found.low < -0.1
    assert found.high > 0.1
    found = paired_auroc_difference(truth, perfect, np.zeros(8))
    assert found.estimate == 0.5
    assert found.low < found.high


def test_with_one_positive_any_difference_is_possible() -> None:
    found = paired_auroc_difference(np.arange(9) < 1, np.arange(9)[::-1], np.arange(9))
    assert (found.estimate, found.low, found.high, found.p_value) == (1.0, -1.0, 1.0, 1.0)


# --- how often they hold; limits are 3.5 Monte-Carlo standard errors from the nominal share


def coverage(studies: int, positives: int, negatives: int, auroc: float, ratio: float, method: str) -> float:
    held = 0
    for seed in range(studies):
        found = auroc_interval(*binormal(seed, positives, negatives, auroc, ratio), method=method)
        held += found.low <= auroc <= found.high
    return held / studies


@pytest.mark.parametrize(("positives", "auroc", "ratio"), [(30, 0.75, 1.0), (100, 0.9, 2.0)])
def test_delong_holds_as_often_as_it_says_in_its_range(positives: int, auroc: float, ratio: float) -> None:
    assert 0.911 < coverage(800, positives, 150, auroc, ratio, "delong") < 0.977


@pytest.mark.parametrize(("positives", "auroc", "ratio"), [(1, 0.8, 1.0), (10, 0.95, 2.0), (40, 0.98, 2.0)])
def test_score_holds_at_least_as_often_as_it_says(positives: int, auroc: float, ratio: float) -> None:
    assert coverage(300, positives, 150, auroc, ratio, "score") > 0.905


def test_delong_does_not_hold_outside_its_range() -> None:
    """The reason for the rule: with ten positives at 0.95 it is far too sure."""
    assert coverage(400, 10, 500, 0.95, 2.0, "delong") < 0.85


def test_patients_must_not_be_taken_for_cases() -> None:
    held = np.zeros(2)
    for seed in range(300):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(80), 4)
        truth = (np.arange(80) < 40)[groups]
        scores = truth * norm.ppf(0.8) * 2**0.5 + random.normal(size=80)[groups] * 0.8 + random.normal(size=320) * 0.6
        for column, grouping in enumerate((groups, None)):
            found = auroc_interval(truth, scores, groups=grouping)
            held[column] += found.low <= 0.8 <= found.high
    assert held[0] / 300 > 0.905
    assert held[1] / 300 < 0.85


def test_equal_arms_differ_as_rarely_as_they_should() -> None:
    rejected = 0
    for seed in range(600):
        random = np.random.default_rng(seed)
        truth, shared = np.arange(160) < 60, random.normal(size=160)
        arms = [truth * 1.2 + 0.8 * shared + 0.6 * random.normal(size=160) for _ in range(2)]
        rejected += paired_auroc_difference(truth, *arms).p_value <= 0.05
    assert 0.015 < rejected / 600 < 0.082
