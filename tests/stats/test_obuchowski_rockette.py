"""Obuchowski-Rockette: the published analyses of a published reader study, simulation, and what is refused."""

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from lossassay.errors import DataError
from lossassay.stats.obuchowski_rockette import delong_covariance, jackknife_covariance, obuchowski_rockette

# Van Dyke et al. 1993, 79th meeting of the RSNA: ratings from 1 to 5 of 69 patients without and 45 with a dissection of
# the aorta, by five readers; for each the rows of spin-echo and of cine magnetic resonance imaging.
NORMAL = """
1221511111 1141111111 1131311214 1111131212 1123313113 3111111221 111332111
3332222232 1312222221 1111421312 2143231231 2223311133 3113412421 241442111
2322222223 2252223222 2222422223 2222222222 2222222222 2222222432 232222222
3222222232 2222212222 1222322222 2122122222 3122322222 2222322322 222222122
2222351122 4242223222 1232411322 1122241214 1211222222 3211211221 151421212
2422223222 1113222212 1121411512 1121222122 2113211123 3113221232 341242121
1111113111 1111111111 2111211112 1111111111 1111111133 1111111111 111311111
2211113121 1112211121 1111321212 1111221121 1111212121 2211111212 111323211
3512111122 2121112211 3221111211 2112312211 1333211121 1111111341 231212113
2231222212 2211122212 2212322321 2122221121 2113212233 2122221222 231233111
"""
DISEASED = """
5555455545 5543424555 5555154454 5535551155 54451
5355555545 5554433555 5555355355 5544555355 55551
5355555425 5544222555 5555243354 5524252255 55352
5355555525 5534424545 5545252355 5324255255 55552
5455555555 5554235555 5555252255 5525552255 55552
5255555555 5535414555 5555253355 5435555345 55551
5555555555 5555515555 5555554544 5535551255 55555
5455555545 5545555555 5555455445 5555555355 55555
5252555515 4545223555 5554144322 1515151155 53552
5254555554 5534333555 5555251332 5325455335 55553
"""
LABELS = np.repeat([0, 1], [69, 45])
PAIR = [(0, 1)]
SAME_ROWS = [np.arange(114)] * 5


def digits(text: str) -> np.ndarray:
    """[readers treatments cases]"""
    rows = [[int(digit) for digit in row.replace(" ", "")] for row in text.split("\n") if row]
    return np.array(rows).reshape(5, 2, -1)


VAN_DYKE = np.concatenate([digits(NORMAL), digits(DISEASED)], axis=2)


def auroc_of(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.apply_along_axis(lambda row: roc_auc_score(labels, row), 2, scores)


def without_each_case(metric, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[cases replicates arms]"""
    return np.stack([metric(np.delete(scores, case, axis=2), np.delete(labels, case)) for case in range(len(labels))])


def test_the_ratings_are_those_of_the_published_study() -> None:
    """Trapezoidal areas as printed by OR-DBM MRMC 2.51 (University of Iowa)."""
    auroc, _ = delong_covariance(VAN_DYKE, LABELS)
    published = [
        [0.91964573, 0.94782609],
        [0.85877617, 0.90531401],
        [0.90386473, 0.92173913],
        [0.97310789, 0.99935588],
        [0.82979066, 0.92995169],
    ]
    np.testing.assert_allclose(auroc, published, rtol=0, atol=5e-9)
    np.testing.assert_allclose(auroc, auroc_of(VAN_DYKE, LABELS), rtol=0, atol=1e-12)


def test_equals_the_published_analysis_with_jackknife_covariances() -> None:
    """MRMCaov's (Smith and Hillis 2020, Proc SPIE 11316:113160K) and OR-DBM MRMC 2.51's numbers for these ratings."""
    covariance = jackknife_covariance(without_each_case(auroc_of, VAN_DYKE, LABELS))
    found = obuchowski_rockette(
        auroc_of(VAN_DYKE, LABELS), covariance, PAIR, alpha=0.05, family_size=1, test_rows=SAME_ROWS
    )
    assert (found.variance, found.cov1) == pytest.approx((0.0008022883, 0.0003466137), abs=5e-11)
    assert (found.cov2, found.cov3) == pytest.approx((0.0003440748, 0.0002390284), abs=5e-11)
    assert found.ms_arms == pytest.approx(0.0047961705, abs=5e-11)
    assert found.ms_interaction == pytest.approx(0.0005510306, abs=5e-11)
    assert (found.f, found.arms_freedom) == (pytest.approx(4.4563187, abs=5e-8), 1)
    assert found.error_freedom == pytest.approx(15.259675, abs=5e-7)
    assert found.p_value == pytest.approx(0.051665686, abs=5e-10)
    (difference,) = found.differences
    assert difference.estimate == pytest.approx(-0.043800322, abs=5e-10)
    assert (difference.low, difference.high) == pytest.approx((-0.0879594986, 0.0003588544), abs=5e-11)
    assert (difference.error, difference.p_value) == pytest.approx((0.02074862, 0.05166569), abs=5e-9)
    first, second = found.arms
    assert (first.low, first.estimate, first.high) == pytest.approx((0.82522360, 0.89703704, 0.96885048), abs=5e-9)
    assert (second.low, second.estimate, second.high) == pytest.approx((0.89413783, 0.94083736, 0.98753689), abs=5e-9)
    assert (first.error, first.freedom) == (pytest.approx(0.03317360, abs=5e-9), pytest.approx(12.74465, abs=5e-6))
    assert (second.error, second.freedom) == (pytest.approx(0.02156637, abs=5e-9), pytest.approx(12.71019, abs=5e-6))


def test_equals_the_published_analysis_with_delong_covariances() -> None:
    """MRMCaov's numbers with its covariance method DeLong."""
    auroc, covariance = delong_covariance(VAN_DYKE, LABELS)
    found = obuchowski_rockette(auroc, covariance, PAIR, alpha=0.05, family_size=1, test_rows=SAME_ROWS)
    assert (found.variance, found.cov1) == pytest.approx((0.0007921325, 0.0003420090), abs=5e-11)
    assert (found.cov2, found.cov3) == pytest.approx((0.0003395265, 0.0002358497), abs=5e-11)
    assert (found.f, found.error_freedom) == (pytest.approx(4.484854, abs=5e-7), pytest.approx(15.06611, abs=5e-6))
    assert found.p_value == pytest.approx(0.05123303, abs=5e-9)
    (difference,) = found.differences
    assert (difference.low, difference.high) == pytest.approx((-0.0878671960, 0.0002665519), abs=5e-11)
    assert difference.error == pytest.approx(0.0206825, abs=5e-8)
    assert [(arm.low, arm.high) for arm in found.arms] == [
        pytest.approx((0.8253461, 0.9687280), abs=5e-8),
        pytest.approx((0.8942155, 0.9874592), abs=5e-8),
    ]


def test_equals_the_published_analysis_of_another_metric() -> None:
    """MRMCaov's numbers for the sensitivity of ratings of 3 or more: only the diseased are its cases."""
    called = digits(DISEASED) >= 3
    left_out = (called.sum(axis=2) - np.moveaxis(called, 2, 0)) / 44
    found = obuchowski_rockette(
        called.mean(axis=2),
        jackknife_covariance(left_out),
        PAIR,
        alpha=0.05,
        family_size=1,
        test_rows=[np.arange(45)] * 5,
    )
    assert (found.variance, found.cov1) == pytest.approx((0.0023681257, 0.0009943883), abs=5e-11)
    assert (found.cov2, found.cov3) == pytest.approx((0.0010145903, 0.0006604938), abs=5e-11)
    assert (found.f, found.error_freedom) == (pytest.approx(6.689493, abs=5e-7), pytest.approx(15.71732, abs=5e-6))
    (difference,) = found.differences
    assert (difference.low, difference.high) == pytest.approx((-0.1780371, -0.0175185), abs=5e-8)
    assert difference.p_value == pytest.approx(0.02008822, abs=5e-9)
    assert difference.num_cases == 45


def test_five_arms_equal_the_published_analysis() -> None:
    """RJafroc's numbers for the data of Zanca et al. 2009 (five processings, four readers, 200 cases).

    The areas are published in full, of the covariances only the means: so every entry of a kind is its mean.
    """
    areas = [
        [0.90425, 0.79820, 0.81175, 0.86645],
        [0.86425, 0.84470, 0.82050, 0.87160],
        [0.81295, 0.81635, 0.75275, 0.85730],
        [0.90235, 0.83150, 0.78865, 0.87980],
        [0.84140, 0.77300, 0.77115, 0.84800],
    ]
    covariance = with_covariances(4, 5, 7.8911924e-04, 2.9480096e-04, 2.3331406e-04, 2.1212789e-04)
    pairs = list(itertools.combinations(range(5), 2))
    found = obuchowski_rockette(
        np.array(areas).T, covariance, pairs, alpha=0.05, family_size=1, test_rows=[np.arange(200)] * 4
    )
    assert (found.ms_arms, found.ms_interaction) == pytest.approx((0.00189695737, 0.00046220687), abs=5e-12)
    assert (found.f, found.arms_freedom) == (pytest.approx(3.4682364, abs=1e-6), 4)
    assert found.error_freedom == pytest.approx(16.803749, abs=1e-5)
    assert found.p_value == pytest.approx(0.030544556, abs=1e-7)
    limits = {pair: (record.low, record.high) for pair, record in zip(pairs, found.differences, strict=True)}
    assert limits[0, 1] == pytest.approx((-0.04002130451, 0.0298213045), abs=1e-8)
    assert limits[0, 4] == pytest.approx((0.00185369549, 0.0716963045), abs=1e-8)
    assert limits[2, 3] == pytest.approx((-0.07565880451, -0.0058161955), abs=1e-8)


def with_covariances(replicates: int, arms: int, variance: float, cov1: float, cov2: float, cov3: float) -> np.ndarray:
    same_replicate, same_arm = np.eye(replicates)[:, None, :, None], np.eye(arms)[None, :, None, :]
    return (
        cov3
        + (cov2 - cov3) * same_arm
        + (cov1 - cov3) * same_replicate
        + (variance - cov1 - cov2 + cov3) * same_arm * same_replicate
    )


def test_jackknife_and_delong_differ_by_a_known_factor() -> None:
    """Of the area: (N - 1) / N times the placements' covariances over m - 1 and n - 1 instead of m and n."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [17, 17])
    scores = np.round(rng.normal(size=(2, 3, 34)) + labels, 1)
    jackknife = jackknife_covariance(without_each_case(auroc_of, scores, labels))
    _, delong = delong_covariance(scores, labels)
    np.testing.assert_allclose(jackknife, delong * 33 / 34 * 17 / 16, rtol=1e-10)


def test_delong_equals_placements_by_comparison() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([1, 0, 1], [4, 9, 3])
    scores = np.round(rng.normal(size=(2, 2, 16)) + labels, 1)
    flat = scores.reshape(4, 16)
    greater = (np.sign(flat[:, labels == 1, None] - flat[:, None, labels == 0]) + 1) / 2
    expected = np.cov(greater.mean(axis=2)) / 7 + np.cov(greater.mean(axis=1)) / 9
    auroc, covariance = delong_covariance(scores, labels)
    np.testing.assert_allclose(auroc.ravel(), greater.mean(axis=(1, 2)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(covariance.reshape(4, 4), expected, rtol=0, atol=1e-12)


def test_without_covariances_it_is_the_paired_t_test() -> None:
    """With two arms and cases that are no sample, F is t squared on R - 1 degrees of freedom."""
    estimates = np.random.default_rng(0).normal(0.8, 0.05, size=(7, 2))
    found = obuchowski_rockette(
        estimates, np.zeros((7, 2, 7, 2)), PAIR, alpha=0.1, family_size=1, test_rows=[np.arange(9)] * 7
    )
    test = scipy_stats.ttest_rel(estimates[:, 0], estimates[:, 1])
    assert (found.f, found.p_value) == pytest.approx((test.statistic**2, test.pvalue), rel=1e-10)
    (difference,) = found.differences
    assert (difference.freedom, difference.p_value) == pytest.approx((6, test.pvalue), rel=1e-10)
    interval = test.confidence_interval(0.9)
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_a_negative_difference_of_covariances_counts_as_none() -> None:
    estimates = np.random.default_rng(0).normal(0.8, 0.05, size=(7, 2))
    rows = [np.arange(9)] * 7
    none, negative = (
        obuchowski_rockette(
            estimates, with_covariances(7, 2, 1e-3, 5e-4, cov2, 4e-4), PAIR, alpha=0.1, family_size=1, test_rows=rows
        )
        for cov2 in (4e-4, 2e-4)
    )
    assert negative.cov2 < negative.cov3
    assert negative.differences == none.differences


def test_the_family_widens_the_intervals_together() -> None:
    auroc, covariance = delong_covariance(VAN_DYKE, LABELS)
    one, three = (
        obuchowski_rockette(auroc, covariance, PAIR, alpha=0.05, family_size=size, test_rows=SAME_ROWS).differences[0]
        for size in (1, 3)
    )
    assert three.low < one.low
    assert (three.p_value, three.p_adjusted) == (one.p_value, 3 * one.p_value)
    assert "Bonferroni over 3" in three.method
    assert "Bonferroni" not in one.method
    touching = obuchowski_rockette(
        auroc, covariance, PAIR, alpha=three.p_adjusted, family_size=3, test_rows=SAME_ROWS
    ).differences[0]
    assert touching.high == pytest.approx(0, abs=1e-12)


def test_where_nothing_varies_nothing_is_known() -> None:
    estimates = np.tile([1.0, 0.9], (4, 1))
    found = obuchowski_rockette(
        estimates, np.zeros((4, 2, 4, 2)), PAIR, alpha=0.05, family_size=1, test_rows=[np.arange(9)] * 4
    )
    assert np.isnan(found.f)
    assert found.p_value == 1
    (difference,) = found.differences
    assert (difference.estimate, difference.p_value) == (pytest.approx(0.1), 1)
    assert (difference.low, difference.high) == (-np.inf, np.inf)
    assert (found.arms[0].low, found.arms[0].high) == (-np.inf, np.inf)


def test_replicates_that_all_agree_leave_the_cases_as_the_only_source() -> None:
    """Without interaction the degrees of freedom are infinite, and the interval is the normal one."""
    auroc, covariance = delong_covariance(np.repeat(VAN_DYKE[:1], 4, axis=0), LABELS)
    found = obuchowski_rockette(auroc, covariance, PAIR, alpha=0.05, family_size=1, test_rows=[np.arange(114)] * 4)
    (difference,) = found.differences
    assert difference.freedom == np.inf
    variance = covariance[0, 0, 0, 0] + covariance[0, 1, 0, 1] - 2 * covariance[0, 0, 0, 1]
    assert difference.error == pytest.approx(variance**0.5)
    assert difference.high - difference.estimate == pytest.approx(scipy_stats.norm.isf(0.025) * variance**0.5)
    assert found.p_value == pytest.approx(difference.p_value)


@pytest.mark.parametrize("cases", [60, 200])
def test_new_cases_and_new_replicates_are_covered(cases: int) -> None:
    """600 studies of three arms of equal AUROC, 5 replicates: the standard error of 95 % is 0.9 points.

    A paired t over the replicates, blind to the cases they share, is shown beside it.
    """
    rng, covered, blind = np.random.default_rng(cases), 0, 0
    labels = np.repeat([0, 1], cases // 2)
    for _ in range(600):
        shared, of_arm = rng.normal(size=cases), rng.normal(size=(3, cases))
        noise = rng.normal(size=(5, 3, cases)) + rng.normal(0, 0.1, size=(5, 3, 1)) * labels
        auroc, covariance = delong_covariance(1.5 * labels + shared + 0.7 * of_arm + 0.5 * noise, labels)
        found = obuchowski_rockette(
            auroc, covariance, PAIR, alpha=0.05, family_size=1, test_rows=[np.arange(cases)] * 5
        )
        covered += found.differences[0].low <= 0 <= found.differences[0].high
        blind += scipy_stats.ttest_rel(auroc[:, 0], auroc[:, 1]).pvalue > 0.05
    assert 0.95 - 3.5 * 0.009 <= covered / 600 <= 0.99
    assert blind / 600 < 0.7


def test_other_test_cases_are_refused_with_the_reason() -> None:
    auroc, covariance = delong_covariance(VAN_DYKE, LABELS)
    rows = [np.arange(114)] * 4
    for last, words in (
        (np.arange(1, 115), "other test cases; Obuchowski-Rockette needs one fixed test part"),
        (np.arange(113), "other test cases"),
        (np.arange(114)[::-1], "the same test cases in another order.*Sort the cases"),
    ):
        with pytest.raises(DataError, match=words):
            obuchowski_rockette(auroc, covariance, PAIR, alpha=0.05, family_size=1, test_rows=[*rows, last])


def test_what_cannot_be_analysed_is_refused() -> None:
    auroc, covariance = delong_covariance(VAN_DYKE, LABELS)

    def analyse(estimates=auroc, covariance=covariance, alpha=0.05, family_size=1, test_rows=SAME_ROWS):
        return obuchowski_rockette(
            estimates, covariance, PAIR, alpha=alpha, family_size=family_size, test_rows=test_rows
        )

    with pytest.raises(DataError, match="1 replicates of 2 arms came"):
        analyse(auroc[:1], covariance[:1, :, :1], test_rows=SAME_ROWS[:1])
    with pytest.raises(DataError, match="needs every arm in every replicate"):
        analyse(np.where(auroc == auroc.max(), np.nan, auroc))
    with pytest.raises(DataError, match="Test cases of 4 replicates came with estimates of 5"):
        analyse(test_rows=SAME_ROWS[:4])
    with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
        analyse(alpha=1.0)
    with pytest.raises(DataError, match="family of 0"):
        analyse(family_size=0)
    with pytest.raises(DataError, match="69 of 0, 45 of 2"):
        delong_covariance(VAN_DYKE, LABELS * 2)
    with pytest.raises(DataError, match="expects two or more of 0 and of 1"):
        delong_covariance(VAN_DYKE[:, :, :70], LABELS[:70])  # one positive
    with pytest.raises(DataError, match="nan or infinite"):
        delong_covariance(np.where(VAN_DYKE == 5, np.nan, VAN_DYKE), LABELS)
    with pytest.raises(DataError, match="1 missing came"):
        jackknife_covariance(np.array([0.5, 0.6, np.nan]).reshape(3, 1, 1))
    with pytest.raises(DataError, match="expected two or more cases"):
        jackknife_covariance(np.ones((1, 2, 2)))
