"""How features change over the visits of a subject: per year, beyond noise, and together with a clinical score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lossassay.engine.spec import Array
from lossassay.stats.change import (
    SharesBeyond,
    SubjectChanges,
    mean_change,
    share_beyond,
    smallest_detectable_changes,
    spearman,
    subject_changes,
)
from lossassay.stats.feature_arrays import FeatureIntervals, divided
from lossassay.stats.repeatability import repeatability_coefficient

FEWEST_SUBJECTS = 3  # with images of two times
FEWEST_REPEATS = 10  # subjects with two images of one time; with fewer, their noise is hardly known
CoefficientSource = Literal["repeat images", "noisy views", "given repeats"]


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Features of images, or means of those of an exam.

    Args:
        values: [M F].
        subjects: int [M], whose.
        years: [M], when, since any day of the subject.
        scores: [M], a clinical score then, nan where it is not known; None: there is none.
    """

    values: Array
    subjects: Array
    years: Array
    scores: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """The smallest change of one subject, between two single measurements, that can be told from noise.

    Args:
        intervals: The repeatability coefficient of each feature.
        source: Whether two images of one day were compared, two noisy views of one measurement, or repeats that were
            given, whose days are not known.
    """

    intervals: FeatureIntervals
    source: CoefficientSource

    @property
    def averages_out(self) -> bool:
        """Whether the mean of several measurements of one day has less noise.

        It has where the coefficient compares images of one day. Noisy views and given repeats stand for what differs
        between two exams, which all measurements of one day may share: the coefficient stays as it is.
        """
        return self.source == "repeat images"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the features of one run do over time.

    Args:
        mean: Change per year, mean over subjects, in units of each feature.
        coefficient: The smallest detectable change between two single measurements; None: not known.
        beyond: Share of subjects whose change, mean of the first time to that of the last, exceeds the smallest
            detectable one for as many measurements; None: it is not known.
        score_change: Spearman correlation of the change per year with that of the score; None: no score.
        score_level: Spearman correlation of the subject's mean with that of the score; None: no score.
    """

    mean: FeatureIntervals
    coefficient: Coefficient | None
    beyond: SharesBeyond | None
    score_change: FeatureIntervals | None
    score_level: FeatureIntervals | None

    @property
    def in_coefficients(self) -> Array | None:
        """Size of the mean change per year in units of the coefficient; 0 for a feature that never differs."""
        if self.coefficient is None:
            return None
        return _known_or_0(divided(np.abs(self.mean.estimate), self.coefficient.intervals.estimate))


def num_changing(measured: Measurements) -> int:
    """Return how many subjects were measured at two times or more."""
    pairs = np.unique(np.stack([measured.subjects, measured.years], axis=1), axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def changes(measured: Measurements, coefficient: Coefficient | None, *, level: float = 0.95) -> Changes | None:
    """Return what features do over time; None with fewer than three subjects who were measured at two times.

    Args:
        measured: Features at known times.
        coefficient: The smallest detectable change.
        level: Of all intervals.
    """
    if num_changing(measured) < FEWEST_SUBJECTS:
        return None
    found = subject_changes(measured.values, measured.subjects, measured.years)
    score_change, score_level = _with_score(measured, level)
    return Changes(
        mean=mean_change(found.slopes, level=level),
        coefficient=coefficient,
        beyond=None if coefficient is None else _beyond(found, coefficient, level),
        score_change=score_change,
        score_level=score_level,
    )


def repeats(values: Array, subjects: Array, occasions: Array) -> Array | None:
    """Return two measurements of one occasion of each subject who has them, [n 2 F].

    Args:
        values: [M F].
        subjects: int [M].
        occasions: int [M]: what was measured under one number did not change between.

    Returns:
        The first two of the first occasion with two; None with fewer than ten subjects.
    """
    places: dict[tuple[int, int], list[int]] = {}
    for place, key in enumerate(zip(subjects.tolist(), occasions.tolist(), strict=True)):
        places.setdefault(key, []).append(place)
    pairs: dict[int, list[int]] = {}
    for (subject, _), own in places.items():
        if len(own) > 1 and subject not in pairs:
            pairs[subject] = own[:2]
    if len(pairs) < FEWEST_REPEATS:
        return None
    found: Array = values[np.array(list(pairs.values()))]
    return found


def coefficient_of(measurements: Array, source: CoefficientSource, *, level: float = 0.95) -> Coefficient:
    """Return the repeatability coefficient of repeated measurements, [n k F]."""
    return Coefficient(intervals=repeatability_coefficient(measurements, level=level), source=source)


def _beyond(found: SubjectChanges, coefficient: Coefficient, level: float) -> SharesBeyond:
    """A feature whose repeats never differ has no noise to compare with, and no subject counts as changed."""
    size = coefficient.intervals.estimate
    size = np.where(size > 0, size, np.inf)
    if coefficient.averages_out:
        size = smallest_detectable_changes(size, found.num_first, found.num_last)
    return share_beyond(found.changes, size, level=level)


def _with_score(measured: Measurements, level: float) -> tuple[FeatureIntervals | None, FeatureIntervals | None]:
    if measured.scores is None:
        return None, None
    known = np.isfinite(measured.scores)
    if not known.any():
        return None, None
    subjects, years = measured.subjects[known], measured.years[known]
    features = subject_changes(measured.values[known], subjects, years)
    score = subject_changes(measured.scores[known][:, None], subjects, years)
    return (
        spearman(features.slopes, score.slopes[:, 0], level=level),
        spearman(features.means, score.means[:, 0], level=level),
    )


def _known_or_0(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)
