"""Agreement and repeatability, against pingouin, published numbers, closed forms and simulated truth."""

import math

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.errors import DataError
from lossassay.stats import (
    FORMS,
    FeatureIntervals,
    concordance_correlation,
    intraclass_correlation,
    limits_of_agreement,
    mean_squares,
    repeatability_coefficient,
    within_subject_cv,
    within_subject_sd,
)

# Shrout and Fleiss 1979, table 2: six subjects, four judges
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
PINGOUIN_ROWS = {"1,1": "ICC(1,1)", "2,1": "ICC(A,1)", "3,1": "ICC(C,1)"}


def measured(
    seed: int,
    *,
    subjects: int,
    raters: int,
    features: int,
    between: float = 1.0,
    shift: float = 0.5,
    noise: float = 0.5,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        between * rng.normal(size=(subjects, 1, features))
        + shift * rng.normal(size=(1, raters, features))
        + noise * rng.normal(size=(subjects, raters, features))
    )


def of_pingouin(one: np.ndarray) -> pd.DataFrame:
    subjects, raters = one.shape
    table = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(subjects), raters),
            "rater": np.tile(np.arange(raters), subjects),
            "value": one.ravel(),
        }
    )
    found = pingouin.intraclass_corr(table, targets="subject", raters="rater", ratings="value")
    return found.set_index("Type")


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pingouin.options, "round.column.CI95", None)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin, of its own use of pandas
@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize(("subjects", "raters"), [(3, 2), (6, 4), (40, 2), (25, 3)])
@pytest.mark.parametrize("noise", [0.05, 0.5, 2.0])
def test_intraclass_correlation_equals_pingouin(subjects: int, raters: int, noise: float) -> None:
    values = measured(1, subjects=subjects, raters=raters, features=6, noise=noise)
    records = {form: intraclass_correlation(values, form=form) for form in FORMS}
    for feature in range(values.shape[2]):
        expected = of_pingouin(values[:, :, feature])
        for form, found in records.items():
            row = expected.loc[PINGOUIN_ROWS[form]]
            assert found.estimate[feature] == pytest.approx(row["ICC"], abs=1e-10)
            if form == "2,1" and freedom_of_satterthwaite(values[:, :, feature]) < raters - 1:
                continue  # bounded there, see below
            limits = (found.low[feature], found.high[feature])
            assert limits == pytest.approx(tuple(row["CI95"]), abs=1e-10)


def freedom_of_satterthwaite(one: np.ndarray) -> float:
    """As McGraw and Wong 1996 write it, table 7."""
    n, k = one.shape
    squares = mean_squares(one[:, :, None])
    rho = float(intraclass_correlation(one[:, :, None]).estimate[0])
    a, b = k * rho / (n * (1 - rho)), 1 + k * rho * (n - 1) / (n * (1 - rho))
    raters, error = a * float(squares.raters[0]), b * float(squares.error[0])
    return (raters + error) ** 2 / (raters**2 / (k - 1) + error**2 / ((n - 1) * (k - 1)))


def test_bounded_degrees_of_freedom_keep_the_estimate_in_its_interval() -> None:
    values = measured(16, subjects=5, raters=2, features=3000, between=0.0, shift=10.0)
    found = intraclass_correlation(values)
    unbounded = [freedom_of_satterthwaite(values[:, :, feature]) for feature in range(100)]
    assert min(unbounded) < 0.1
    assert (found.low <= found.estimate + 1e-12).all()
    assert (found.estimate <= found.high + 1e-12).all()


def test_intraclass_correlation_equals_shrout_and_fleiss() -> None:
    found = {form: intraclass_correlation(SHROUT_FLEISS[:, :, None], form=form) for form in FORMS}
    assert [round(float(found[form].estimate[0]), 2) for form in FORMS] == [0.17, 0.29, 0.71]
    # the interval of (2,1) as printed by McGraw and Wong's method in the R packages irr and psych
    assert (round(float(found["2,1"].low[0]), 3), round(float(found["2,1"].high[0]), 3)) == (0.019, 0.761)
    assert found["2,1"].num_subjects == 6
    assert found["2,1"].num_measurements == 4


def test_mean_squares_equal_shrout_and_fleiss() -> None:
    found = mean_squares(SHROUT_FLEISS[:, :, None])
    squares = [round(float(part[0]), 2) for part in (found.subjects, found.within, found.raters, found.error)]
    assert squares == [11.24, 6.26, 32.49, 1.02]


def test_features_do_not_touch_each_other() -> None:
    values = measured(2, subjects=12, raters=3, features=5)
    for form in FORMS:
        together = intraclass_correlation(values, form=form)
        for feature in range(5):
            alone = intraclass_correlation(values[:, :, [feature]], form=form)
            assert (together.estimate[feature], together.low[feature], together.high[feature]) == pytest.approx(
                (alone.estimate[0], alone.low[0], alone.high[0]), rel=1e-12
            )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e6 / 3, math.inf, math.nan])
def test_a_feature_without_information_is_nan(form, constant: float) -> None:
    values = measured(3, subjects=7, raters=3, features=3).astype(np.float32)
    values[:, :, 1] = constant
    found = intraclass_correlation(values, form=form)
    assert np.isnan([found.estimate[1], found.low[1], found.high[1]]).all()
    assert np.isfinite(found.estimate[[0, 2]]).all()


@pytest.mark.parametrize("form", FORMS)
def test_perfect_agreement_is_one_with_an_interval_of_no_width(form) -> None:
    values = np.repeat(np.array([1.0, 2.0, 5.0, 4.0])[:, None, None], 2, axis=1)
    found = intraclass_correlation(values, form=form)
    assert (found.estimate[0], found.low[0], found.high[0]) == (1.0, 1.0, 1.0)


def test_a_shift_counts_against_agreement_and_not_against_consistency() -> None:
    values = measured(4, subjects=20, raters=2, features=1, shift=0.0, noise=0.1)
    shifted = values + np.array([0.0, 3.0])[None, :, None]
    consistency = [intraclass_correlation(v, form="3,1").estimate[0] for v in (values, shifted)]
    agreement = [intraclass_correlation(v, form="2,1").estimate[0] for v in (values, shifted)]
    assert consistency[0] == pytest.approx(consistency[1])
    assert agreement[1] < agreement[0] - 0.5


def test_intervals_are_ordered_and_contain_the_estimate_for_noise() -> None:
    values = measured(5, subjects=15, raters=2, features=500, between=0.0, shift=0.3)
    for form in FORMS:
        found = intraclass_correlation(values, form=form)
        assert (found.estimate < 0).sum() > 50
        assert (found.low <= found.estimate + 1e-12).all()
        assert (found.estimate <= found.high + 1e-12).all()
        assert (found.high <= 1).all()


@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-6, 1e6),
    sign=st.sampled_from([-1.0, 1.0]),
    offset=st.floats(-100, 100),
)
@settings(max_examples=40, deadline=None)
def test_intraclass_correlation_ignores_scale_offset_and_order(
    seed: int, scale: float, sign: float, offset: float
) -> None:
    values = measured(seed, subjects=8, raters=3, features=2)
    order = np.random.default_rng(seed).permutation(8)
    moved = sign * scale * (values[order][:, [2, 0, 1]] + offset)
    for form in FORMS:
        one, other = intraclass_correlation(values, form=form), intraclass_correlation(moved, form=form)
        for name in ("estimate", "low", "high"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-8)


@pytest.mark.parametrize(("form", "shift"), [("1,1", 0.0), ("2,1", 0.0), ("3,1", 0.0), ("3,1", 5.0)])
@pytest.mark.parametrize(("subjects", "raters"), [(20, 2), (12, 4)])
def test_intervals_cover_the_truth(form, shift: float, subjects: int, raters: int) -> None:
    draws, noise = 2000, 0.7
    values = measured(6, subjects=subjects, raters=raters, features=draws, shift=shift, noise=noise)
    covered = share_covered(intraclass_correlation(values, form=form), 1 / (1 + noise**2))
    # that of (2,1) goes by Satterthwaite's approximation
    assert abs(covered - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / draws) + (0.01 if form == "2,1" else 0)


def share_covered(found: FeatureIntervals, truth: float | np.ndarray) -> float:
    return float(((found.low <= truth) & (truth <= found.high)).mean())


@pytest.mark.parametrize("shift", [0.1, 0.3, 1.0])
def test_agreement_is_covered_for_the_measurements_that_were_made(shift: float) -> None:
    draws, noise = 2000, 0.3
    rng = np.random.default_rng(14)
    shifts = shift * rng.normal(size=(2, draws))
    values = measured(15, subjects=200, raters=2, features=draws, shift=0.0, noise=noise) + shifts
    found = intraclass_correlation(values, form="2,1")
    made = 1 / (1 + noise**2 + shifts.var(axis=0, ddof=1))
    assert share_covered(found, made) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / draws)
    if shift == 0.3:  # what the docstring warns of: measurements of any other kind
        assert share_covered(found, 1 / (1 + noise**2 + shift**2)) == pytest.approx(0.7, abs=0.05)


def epi_ccc(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The formula of the R package epiR, written out for one pair."""
    k = len(x)
    sx2, sy2 = x.var(), y.var()
    r = np.corrcoef(x, y)[0, 1]
    sxy = r * math.sqrt(sx2 * sy2)
    p = 2 * sxy / (sx2 + sy2 + (y.mean() - x.mean()) ** 2)
    u = (y.mean() - x.mean()) / (sx2 * sy2) ** 0.25
    sep = math.sqrt(
        ((1 - r**2) * p**2 * (1 - p**2) / r**2 + 2 * p**3 * (1 - p) * u**2 / r - 0.5 * p**4 * u**4 / r**2) / (k - 2)
    )
    t, set_ = math.atanh(p), sep / (1 - p**2)
    return p, math.tanh(t - 1.959963984540054 * set_), math.tanh(t + 1.959963984540054 * set_)


def test_concordance_equals_the_written_out_formula() -> None:
    values = measured(7, subjects=30, raters=2, features=20)
    found = concordance_correlation(values)
    for feature in range(20):
        expected = epi_ccc(values[:, 0, feature], values[:, 1, feature])
        assert (found.estimate[feature], found.low[feature], found.high[feature]) == pytest.approx(expected, abs=1e-10)


def test_concordance_by_hand() -> None:
    values = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])[:, :, None]
    # variances 2/3, covariance 2/3, shift 1: (4/3) / (4/3 + 1)
    assert concordance_correlation(values).estimate[0] == pytest.approx(4 / 7, abs=1e-15)


def test_concordance_at_its_ends() -> None:
    x = np.array([1.0, 2.0, 4.0, 3.0])
    pairs = np.stack([np.stack([x, x], 1), np.stack([x - 2.5, 2.5 - x], 1)], axis=2)
    found = concordance_correlation(pairs)
    assert found.estimate == pytest.approx([1, -1])
    one_constant = np.stack([np.stack([x, np.full(4, 2.0)], 1), np.full((4, 2), 0.1)], axis=2)
    found = concordance_correlation(one_constant)
    assert found.estimate[0] == 0
    assert np.isnan(found.estimate[1])
    assert np.isnan([found.low, found.high]).all()
    two = concordance_correlation(np.array([[[1.0], [2.0]], [[3.0], [2.5]]]))
    assert np.isfinite(two.estimate[0])
    assert np.isnan([two.low[0], two.high[0]]).all()


def test_concordance_interval_covers_the_truth() -> None:
    draws, noise = 2000, 0.5
    values = measured(8, subjects=40, raters=2, features=draws, shift=0.0, noise=noise)
    truth = 1 / (1 + noise**2)
    found = concordance_correlation(values)
    covered = float(((found.low <= truth) & (truth <= found.high)).mean())
    assert abs(covered - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / draws) + 0.01


def test_limits_of_agreement_equal_what_pingouin_draws() -> None:
    values = measured(9, subjects=17, raters=2, features=1)
    found = limits_of_agreement(values)
    axes = pingouin.plot_blandaltman(values[:, 1, 0], values[:, 0, 0], confidence=0.95)
    lines = sorted(float(np.atleast_1d(line.get_ydata())[0]) for line in axes.get_lines())
    bands = sorted((patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches)
    plt.close("all")
    assert [found.lower.estimate[0], found.bias.estimate[0], found.upper.estimate[0]] == pytest.approx(
        sorted(line for line in lines if line != 0.0), abs=1e-10
    )
    for record, band in zip((found.lower, found.bias, found.upper), bands, strict=True):
        assert (record.low[0], record.high[0]) == pytest.approx(band, abs=1e-10)


def test_repeatability_by_hand() -> None:
    values = np.array([[10.0, 12.0], [20.0, 20.0], [31.0, 29.0]])[:, :, None]
    # variances within subjects 2, 0, 2
    sd = math.sqrt(4 / 3)
    assert within_subject_sd(values).estimate[0] == pytest.approx(sd)
    assert repeatability_coefficient(values).estimate[0] == pytest.approx(1.959963984540054 * math.sqrt(2) * sd)
    assert within_subject_cv(values).estimate[0] == pytest.approx(math.sqrt((2 / 121 + 0 + 2 / 900) / 3))


@pytest.mark.parametrize("function", [within_subject_sd, repeatability_coefficient])
def test_repeatability_intervals_cover_the_truth(function) -> None:
    draws, noise = 2000, 0.7
    found = function(measured(10, subjects=15, raters=2, features=draws, shift=0.0, noise=noise))
    truth = noise * (1 if function is within_subject_sd else 1.959963984540054 * math.sqrt(2))
    covered = float(((found.low <= truth) & (truth <= found.high)).mean())
    assert abs(covered - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / draws)


def test_95_of_100_repeated_differences_lie_below_the_repeatability_coefficient() -> None:
    values = measured(11, subjects=20_000, raters=2, features=1, shift=0.0)
    coefficient = repeatability_coefficient(values).estimate[0]
    share = float((np.abs(values[:, 0, 0] - values[:, 1, 0]) < coefficient).mean())
    assert share == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 20_000))


def test_coefficient_of_variation_says_where_it_is_not_defined() -> None:
    values = 10 + measured(12, subjects=6, raters=2, features=5)
    values[0, 0, 1] = -0.1  # a negative value
    values[3, :, 2] = 0.0  # a subject at 0
    values[:, :, 3] = 4.0  # constant
    values[2, 1, 4] = np.nan
    found = within_subject_cv(values)
    assert np.isfinite([found.estimate[0], found.low[0], found.high[0]]).all()
    assert np.isnan([found.estimate[1:], found.low[1:], found.high[1:]]).all()


def test_coefficient_of_variation_ignores_scale_and_stays_below_the_root_of_k() -> None:
    values = np.abs(measured(13, subjects=9, raters=2, features=4))
    values[0] = [[0.0] * 4, [1.0] * 4]
    one, other = within_subject_cv(values), within_subject_cv(1000 * values)
    np.testing.assert_allclose(one.estimate, other.estimate)
    assert (one.estimate <= math.sqrt(2)).all()


@pytest.mark.parametrize(
    "function",
    [
        intraclass_correlation,
        within_subject_sd,
        within_subject_cv,
        repeatability_coefficient,
        concordance_correlation,
        limits_of_agreement,
    ],
)
def test_bad_input_is_refused(function) -> None:
    with pytest.raises(DataError, match="1 subjects came; agreement needs two or more"):
        function(np.zeros((1, 2, 3)))
    with pytest.raises(DataError, match="The level must lie between 0 and 1, got 95"):
        function(np.zeros((4, 2, 3)), level=95.0)


@pytest.mark.parametrize("function", [concordance_correlation, limits_of_agreement])
def test_pairs_alone_are_compared(function) -> None:
    with pytest.raises(DataError, match="3 measurements of each subject came; this compares two"):
        function(np.zeros((4, 3, 1)))
