"""Change over visits, against least squares of numpy, scipy and simulated truth."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from lossassay.errors import DataError
from lossassay.stats import (
    mean_change,
    repeatability_coefficient,
    share_beyond,
    smallest_detectable_changes,
    spearman,
    subject_changes,
    wilson,
)

NAN = float("nan")


def visits(seed: int, *, subjects: int = 15, features: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    subject = rng.permutation(np.repeat(np.arange(subjects), rng.integers(2, 6, subjects)))
    years = 2000 + rng.uniform(0, 8, len(subject))
    return rng.normal(size=(len(subject), features)), subject, years


def test_slopes_equal_least_squares() -> None:
    values, subject, years = visits(0)
    found = subject_changes(values, subject, years)
    for number, name in enumerate(dict.fromkeys(subject.tolist())):
        rows = subject == name
        own_years = years[rows]
        expected = np.polyfit(own_years - own_years.mean(), values[rows], 1)[0]
        assert found.slopes[number] == pytest.approx(expected, abs=1e-9)
        first, last = np.flatnonzero(rows)[[own_years.argmin(), own_years.argmax()]]
        assert found.changes[number] == pytest.approx(values[last] - values[first], abs=1e-12)
        assert found.means[number] == pytest.approx(values[rows].mean(axis=0))
        assert found.years[number] == pytest.approx(np.ptp(own_years))
        assert found.visits[number] == rows.sum()
        assert (found.num_first[number], found.num_last[number]) == (1, 1)
        assert (found.subject_of_visit[rows] == number).all()


def test_subjects_seen_at_one_time_have_no_change() -> None:
    values = np.array([[1.0], [5.0], [3.0], [4.0], [8.0]])
    found = subject_changes(values, np.array(["b", "a", "a", "c", "c"]), np.array([0.0, 1.0, 3.0, 2.0, 2.0]))
    np.testing.assert_array_equal(found.slopes[:, 0], [NAN, -1, NAN])
    np.testing.assert_array_equal(found.changes[:, 0], [NAN, -2, NAN])
    assert found.means[:, 0].tolist() == [1, 4, 6]


def test_visits_at_one_time_count_as_their_mean() -> None:
    values = np.array([[1.0], [3.0], [10.0]])
    found = subject_changes(values, np.array([7, 7, 7]), np.array([1.0, 1.0, 3.0]))
    assert found.changes[0, 0] == 8
    assert (found.num_first.tolist(), found.num_last.tolist()) == ([2], [1])
    assert found.slopes[0, 0] == pytest.approx(4)


def test_mean_change_equals_the_t_interval() -> None:
    values, subject, years = visits(1)
    slopes = subject_changes(values, subject, years).slopes
    slopes[3] = NAN
    found = mean_change(slopes)
    for feature in range(4):
        used = np.delete(slopes[:, feature], 3)
        expected = scipy_stats.ttest_1samp(used, 0).confidence_interval()
        assert found.estimate[feature] == pytest.approx(used.mean())
        assert (found.low[feature], found.high[feature]) == pytest.approx((expected.low, expected.high))
    assert found.num_subjects == 14


def test_mean_change_with_few_subjects() -> None:
    nobody = mean_change(np.full((3, 2), NAN))
    assert np.isnan([nobody.estimate, nobody.low, nobody.high]).all()
    one = mean_change(np.array([[NAN, NAN], [2.0, 3.0]]))
    assert one.estimate.tolist() == [2, 3]
    assert np.isnan([one.low, one.high]).all()


def test_about_five_of_100_unchanged_subjects_lie_beyond_the_smallest_detectable_change() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(20_000, 1, 2))
    smallest = repeatability_coefficient(truth + 0.3 * rng.normal(size=(20_000, 2, 2))).estimate
    followed = truth + 0.3 * rng.normal(size=(20_000, 2, 2))
    found = share_beyond(followed[:, 1] - followed[:, 0], smallest)
    for share in found.shares:
        assert share.estimate == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 1), (3, 3), (1, 4)])
def test_means_of_several_measurements_have_a_smaller_detectable_change(first: int, last: int) -> None:
    rng = np.random.default_rng(6)
    count = 20_000
    coefficient = repeatability_coefficient(0.3 * rng.normal(size=(count, 2, 2))).estimate
    smallest = smallest_detectable_changes(coefficient, np.full(count, first), np.full(count, last))
    assert smallest[0] == pytest.approx(1.96 * 0.3 * math.sqrt(1 / first + 1 / last), rel=0.02)
    before, after = (0.3 * rng.normal(size=(count, number, 2)).mean(axis=1) for number in (first, last))
    for share in share_beyond(after - before, smallest).shares:
        assert share.estimate == pytest.approx(0.05, abs=0.006)


def test_shares_beyond_count_known_subjects_alone() -> None:
    changes = np.array([[3.0, 0.5], [NAN, NAN], [-4.0, 0.5], [1.0, -9.0]])
    found = share_beyond(changes, np.array([2.0, 1.0]))
    assert found.shares == (wilson(2, 3), wilson(1, 3))
    assert found.beyond.tolist() == [[True, False], [False, False], [True, False], [False, True]]
    (nobody,) = share_beyond(np.full((2, 1), NAN), np.array([1.0])).shares
    assert np.isnan(nobody.estimate)
    assert (nobody.low, nobody.high, nobody.trials) == (0, 1, 0)


def test_spearman_equals_scipy_with_ties_and_gaps() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(30, 5)).round(1)
    score = (values[:, 0] + rng.normal(size=30)).round()
    score[4] = NAN
    values[9] = NAN
    found = spearman(values, score)
    used = np.delete(np.arange(30), [4, 9])
    for feature in range(5):
        expected = scipy_stats.spearmanr(values[used, feature], score[used]).statistic
        assert found.estimate[feature] == pytest.approx(expected, abs=1e-12)
        error = math.sqrt((1 + expected**2 / 2) / (28 - 3))
        limits = [math.tanh(math.atanh(expected) + sign * 1.959963984540054 * error) for sign in (-1, 1)]
        assert (found.low[feature], found.high[feature]) == pytest.approx(limits, abs=1e-12)
    assert found.num_subjects == 28


def test_spearman_at_its_ends() -> None:
    score = np.array([1.0, 2.0, 5.0, 9.0, 11.0])
    values = np.stack([score**3, -score, np.full(5, 0.1)], axis=1)
    found = spearman(values, score)
    assert found.estimate[:2].tolist() == [1, -1]
    assert (found.low[:2].tolist(), found.high[:2].tolist()) == ([1, -1], [1, -1])
    assert np.isnan([found.estimate[2], found.low[2], found.high[2]]).all()
    assert np.isnan(spearman(values, np.full(5, 3.0)).estimate).all()
    few = spearman(values[:3], score[:3])
    assert np.isfinite(few.estimate[0])
    assert np.isnan(few.low).all()
    assert np.isnan(spearman(values[:1], score[:1]).estimate).all()


def test_spearman_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(4)
    draws, correlation = 2000, 0.6
    truth = 6 / math.pi * math.asin(correlation / 2)  # of normal values
    covered = 0
    for _ in range(draws):
        score = rng.normal(size=50)
        values = correlation * score + math.sqrt(1 - correlation**2) * rng.normal(size=50)
        found = spearman(values[:, None], score)
        covered += bool(found.low[0] <= truth <= found.high[0])
    assert abs(covered / draws - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / draws) + 0.01


def test_bad_input_is_refused() -> None:
    values, subject, years = visits(5)
    with pytest.raises(DataError, match=rf"{len(values)} rows of features and {len(values) - 1} subjects came"):
        subject_changes(values, subject[1:], years)
    with pytest.raises(DataError, match=rf"{len(values)} rows of features and {len(values) - 1} times came"):
        subject_changes(values, subject, years[1:])
    with pytest.raises(DataError, match="nan or infinite"):
        subject_changes(values, subject, np.full(len(values), NAN))
    with pytest.raises(DataError, match="0 rows of features came; this needs 1 or more"):
        subject_changes(values[:0], subject[:0], years[:0])
    with pytest.raises(DataError, match="1 subjects have a change of some features alone"):
        mean_change(np.array([[1.0, NAN], [2.0, 3.0]]))
    with pytest.raises(DataError, match="Changes of 2 features and 3 smallest detectable changes came"):
        share_beyond(np.ones((4, 2)), np.ones(3))
    with pytest.raises(DataError, match="Changes of 4 subjects and smallest detectable changes of 3 came"):
        share_beyond(np.ones((4, 2)), np.ones((3, 2)))
    with pytest.raises(DataError, match="4 rows of features and 3 scores came"):
        spearman(np.ones((4, 2)), np.ones(3))
