"""Change over visits on made features whose change, noise and score are known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.biomarkers.quality.criteria import FeatureSet, Subjects
from lossassay.biomarkers.quality.run_changes import change_rows, change_values, feature_names, run_changes, visit_facts
from lossassay.biomarkers.quality.visit_rows import Visits
from lossassay.biomarkers.quality.visits import (
    Changes,
    CoefficientSource,
    Measurements,
    changes,
    coefficient_of,
    num_changing,
    repeats,
)
from lossassay.stats.repeatability import REPEATABILITY_FACTOR

PATIENTS, NOISE, RATE = 400, 0.5, 0.3
TIMES = np.array([0.0, 1.0, 2.5])


def made(*, growing: float = 0.5, same_day: bool = False, seed: int = 0) -> tuple[FeatureSet, Subjects, np.ndarray]:
    """Three visits of each patient, two images of each if asked for; feature 0 grows by RATE per year in some patients,
    feature 1 is noise around a level, feature 2 never changes."""
    generator = np.random.default_rng(seed)
    grows = np.arange(PATIENTS) < growing * PATIENTS
    patients, years = (one.ravel() for one in np.meshgrid(np.arange(PATIENTS), TIMES, indexing="ij"))
    if same_day:
        patients, years = np.repeat(patients, 2), np.repeat(years, 2)
    level = generator.normal(5, 2, (PATIENTS, 2))[patients]
    truth = level + np.stack([RATE * grows[patients] * years, np.zeros(len(years))], axis=1)
    truth = np.concatenate([truth, np.zeros((len(years), 1))], axis=1)
    noise = NOISE * np.array([1, 1, 0])

    def measured() -> np.ndarray:
        return truth + noise * generator.normal(size=truth.shape)

    found = FeatureSet(rows=np.arange(len(years)), clean=measured(), views=np.stack([measured(), measured()], axis=1))
    score = 3 * truth[:, 0] + 0.01 * generator.normal(size=len(years))
    visits = Visits(years=years, exams=np.arange(len(years)), same_day=True, score="severity", scores=score)
    labels = np.zeros(len(years), dtype=int)
    return found, Subjects(labels=labels, patients=patients, probes=(), nuisance=(), seed=0, visits=visits), grows


def values_of(found: FeatureSet, subjects: Subjects) -> dict[str, float]:
    values = list(change_values(found, subjects))
    assert all(probe is None for _, probe, _ in values)
    return {name: value for name, _, value in values}


def over_time_of(found: FeatureSet, subjects: Subjects) -> Changes:
    over_time = run_changes(found, subjects)
    assert over_time is not None
    return over_time


@pytest.mark.parametrize("same_day", [False, True])
def test_the_known_change_and_the_known_noise_are_found(same_day: bool) -> None:
    found, subjects, _ = made(same_day=same_day)
    over_time = over_time_of(found, subjects)
    assert over_time.mean.num_subjects == PATIENTS
    assert over_time.mean.low[0] < RATE / 2 < over_time.mean.high[0]
    assert over_time.mean.low[1] < 0 < over_time.mean.high[1]
    coefficient = over_time.coefficient
    assert coefficient is not None
    assert coefficient.source == ("repeat images" if same_day else "noisy views")
    assert coefficient.intervals.estimate[:2] == pytest.approx(REPEATABILITY_FACTOR * NOISE, rel=0.12)
    assert over_time.in_coefficients is not None
    assert over_time.in_coefficients[0] == pytest.approx(RATE / 2 / (REPEATABILITY_FACTOR * NOISE), rel=0.15)
    assert over_time.in_coefficients[2] == 0


@pytest.mark.parametrize("same_day", [False, True])
def test_every_interval_has_the_level_that_was_asked_for(same_day: bool) -> None:
    found, subjects, _ = made(same_day=same_day)
    over_time = run_changes(found, subjects, level=0.8)
    assert over_time is not None
    assert over_time.coefficient is not None
    assert over_time.beyond is not None
    intervals = (over_time.mean, over_time.coefficient.intervals, over_time.score_change, over_time.score_level)
    assert [None if one is None else one.level for one in intervals] == [0.8] * 4
    assert {one.level for one in over_time.beyond.shares} == {0.8}


def test_about_five_in_a_hundred_who_do_not_change_lie_beyond() -> None:
    shares = []
    for seed in range(10):
        found, subjects, _ = made(growing=0.0, seed=seed)
        beyond = over_time_of(found, subjects).beyond
        assert beyond is not None
        shares.append([one.estimate for one in beyond.shares])
    assert np.mean(shares, axis=0)[:2] == pytest.approx(0.05, abs=0.012)  # 4,000 patients: three standard errors
    assert {of_seed[2] for of_seed in shares} == {0.0}  # a feature that never differs shows no one's change


def unchanged(first: int, last: int, *, seed: int, between_days: bool = False) -> tuple[FeatureSet, Subjects]:
    """Nobody changes: so many images on the first and the last day, two on one between, three features of noise around
    a level; noise is of each image, or one of all images of a day."""
    generator = np.random.default_rng(seed)
    counts = np.tile([first, 2, last], PATIENTS)
    days = np.repeat(np.arange(3 * PATIENTS), counts)
    patients = days // 3
    level = generator.normal(5, 2, (PATIENTS, 3))[patients]

    def measured() -> np.ndarray:
        noise = generator.normal(size=(3 * PATIENTS, 3))[days] if between_days else generator.normal(size=level.shape)
        return level + NOISE * noise

    found = FeatureSet(rows=np.arange(len(days)), clean=measured(), views=np.stack([measured(), measured()], axis=1))
    exams = np.arange(len(days))
    visits = Visits(years=TIMES[days % 3], exams=exams, same_day=True, score=None, scores=None)
    labels = np.zeros(len(days), dtype=int)
    return found, Subjects(labels=labels, patients=patients, probes=(), nuisance=(), seed=0, visits=visits)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 1), (2, 2), (3, 3)])
def test_about_five_in_a_hundred_lie_beyond_whatever_number_of_images_a_day_has(first: int, last: int) -> None:
    """1.96 standard errors of a difference of two means; for two single images alone it is the coefficient itself."""
    shares = []
    for seed in range(10):
        found, subjects = unchanged(first, last, seed=seed)
        over_time = over_time_of(found, subjects)
        assert over_time.coefficient is not None
        assert over_time.coefficient.source == "repeat images"
        assert over_time.coefficient.intervals.estimate == pytest.approx(REPEATABILITY_FACTOR * NOISE, rel=0.12)
        assert over_time.beyond is not None
        shares.append([one.estimate for one in over_time.beyond.shares])
    assert np.mean(shares) == pytest.approx(0.05, abs=0.007)  # 12,000 shares: three standard errors and a little


@pytest.mark.parametrize("source", ["noisy views", "given repeats"])
def test_noise_between_days_does_not_average_out(source: CoefficientSource) -> None:
    shares = []
    for seed in range(10):
        found, subjects = unchanged(3, 3, seed=seed, between_days=True)
        visits = subjects.visits
        assert visits is not None
        measured = Measurements(values=found.clean, subjects=subjects.patients, years=visits.years)
        over_time = changes(measured, coefficient_of(found.views[visits.years == 0][::3], source))
        assert over_time is not None
        assert over_time.beyond is not None
        shares.append([one.estimate for one in over_time.beyond.shares])
    assert np.mean(shares) == pytest.approx(0.05, abs=0.007)


def test_those_who_change_much_lie_beyond() -> None:
    found, subjects, grows = made(growing=0.25)
    shifted = found.clean.copy()
    shifted[:, 0] += 10 * RATE * grows[subjects.patients] * subjects.visits.years  # type: ignore[union-attr]
    beyond = over_time_of(dataclasses.replace(found, clean=shifted), subjects).beyond
    assert beyond is not None
    assert beyond.beyond[grows, 0].all()
    assert beyond.beyond[~grows, 0].mean() < 0.1


def test_the_score_goes_along_with_the_feature_it_is_made_of() -> None:
    found, subjects, _ = made()
    over_time = over_time_of(found, subjects)
    assert over_time.score_level is not None
    assert over_time.score_change is not None
    assert over_time.score_level.estimate[0] > 0.9
    assert over_time.score_change.low[0] > 0.1
    assert abs(over_time.score_change.estimate[1]) < 0.15
    assert np.isnan(over_time.score_change.estimate[2])
    assert over_time.score_change.num_subjects == PATIENTS


def test_patients_without_a_score_are_left_out_of_correlations_alone() -> None:
    found, subjects, _ = made()
    visits = subjects.visits
    assert visits is not None
    assert visits.scores is not None
    scores = np.where(subjects.patients < 100, visits.scores, np.nan)
    over_time = over_time_of(found, dataclasses.replace(subjects, visits=dataclasses.replace(visits, scores=scores)))
    assert over_time.mean.num_subjects == PATIENTS
    assert over_time.score_change is not None
    assert over_time.score_change.num_subjects == 100


def test_criteria_are_medians_over_features() -> None:
    found, subjects, _ = made()
    over_time, values = over_time_of(found, subjects), values_of(found, subjects)
    assert over_time.in_coefficients is not None
    assert over_time.score_change is not None
    assert values["change_per_year"] == np.median(over_time.in_coefficients)
    assert values["score_correlation"] == np.median([*np.abs(over_time.score_change.estimate[:2]), 0.0])
    assert set(values) == {"change_per_year", "change_beyond", "score_correlation", "score_level_correlation"}


def test_without_visits_there_are_no_values_and_with_too_few_they_are_nan() -> None:
    found, subjects, _ = made()
    assert values_of(found, dataclasses.replace(subjects, visits=None)) == {}
    visits = subjects.visits
    assert visits is not None
    for known in (subjects.patients < 2, np.zeros(len(subjects.patients), dtype=bool)):
        years = np.where(known, visits.years, np.nan)
        few = dataclasses.replace(subjects, visits=dataclasses.replace(visits, years=years))
        assert all(np.isnan(value) for value in values_of(found, few).values())
        assert run_changes(found, few) is None


def test_images_of_an_exam_are_one_measurement() -> None:
    found, subjects, _ = made(same_day=True)
    visits = subjects.visits
    assert visits is not None
    joined = dataclasses.replace(visits, exams=np.arange(len(found.rows)) // 2)
    over_time = over_time_of(found, dataclasses.replace(subjects, visits=joined))
    assert over_time.coefficient is not None
    assert over_time.coefficient.source == "noisy views"  # no exam has another of its day
    assert over_time.coefficient.intervals.estimate[0] == pytest.approx(REPEATABILITY_FACTOR * NOISE / 2**0.5, rel=0.12)
    apart = over_time_of(found, subjects)
    assert over_time.mean.estimate == pytest.approx(apart.mean.estimate)


def test_images_of_equal_times_are_no_repeats_where_times_are_coarse_or_labels_differ() -> None:
    found, subjects, _ = made(same_day=True)
    visits = subjects.visits
    assert visits is not None
    coarse = dataclasses.replace(subjects, visits=dataclasses.replace(visits, same_day=False))
    sides = dataclasses.replace(subjects, labels=np.arange(len(found.rows)) % 2)
    for one in (coarse, sides):
        coefficient = over_time_of(found, one).coefficient
        assert coefficient is not None
        assert coefficient.source == "noisy views"


def test_repeats_are_the_first_two_of_the_first_occasion_with_two() -> None:
    values = np.arange(60.0)[:, None]
    subjects, occasions = np.arange(60) // 4, np.tile([0, 1, 1, 1], 15)
    found = repeats(values, subjects, occasions)
    assert found is not None
    assert found[:, :, 0].tolist() == [[4 * subject + 1, 4 * subject + 2] for subject in range(15)]
    assert repeats(values[:36], subjects[:36], occasions[:36]) is None  # nine subjects


def test_rows_hold_every_feature_and_facts_count_patients() -> None:
    found, subjects, _ = made()
    rows = [{"arm": "a"} | row for row in change_rows(over_time_of(found, subjects), feature_names(3))]
    assert [row["feature"] for row in rows] == ["feature_000", "feature_001", "feature_002"]
    assert rows[2]["change_in_coefficients"] == 0
    assert visit_facts(rows, subjects) == {
        "subjects_low": PATIENTS,
        "subjects_high": PATIENTS,
        "coefficient_from": ["noisy views"],
        "score": "severity",
    }
    assert visit_facts([], dataclasses.replace(subjects, visits=None)) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(-50, 50))
def test_order_of_rows_and_first_time_change_nothing(seed: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    subjects, years = np.repeat(np.arange(8), 3), np.tile(TIMES, 8)
    values, scores = generator.normal(size=(24, 2)), generator.normal(size=24)
    order = generator.permutation(24)
    moved = years + shift * subjects
    first, second = (
        changes(Measurements(values=values[rows], subjects=subjects[rows], years=own[rows], scores=scores[rows]), None)
        for rows, own in ((np.arange(24), years), (order, moved))
    )
    assert first is not None
    assert second is not None
    assert second.mean.estimate == pytest.approx(first.mean.estimate, abs=1e-9)
    assert first.score_level is not None
    assert second.score_level is not None
    assert second.score_level.estimate == pytest.approx(first.score_level.estimate, abs=1e-9)


def test_subjects_with_two_times_are_counted() -> None:
    subjects, years = np.array([0, 0, 1, 1, 2]), np.array([0.0, 1.0, 3.0, 3.0, 0.0])
    assert num_changing(Measurements(values=np.zeros((5, 1)), subjects=subjects, years=years)) == 1
