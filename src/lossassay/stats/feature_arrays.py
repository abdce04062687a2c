"""What the statistics of features share: one column per feature, one record for all features."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Real

from lossassay.errors import DataError
from lossassay.stats.intervals import Array


@dataclass(frozen=True, kw_only=True)
class FeatureIntervals:
    """One number with its interval for each feature.

    Args:
        estimate: One per feature; nan where it is not defined, as for a feature that never changes.
        low: Lower limits; nan where there is no interval.
        high: Upper limits; nan where there is no interval.
        level: Of each interval, for example 0.95.
        num_subjects: Images or patients that were measured.
        num_measurements: Of each subject.
        method: In words.
    """

    estimate: Float[Array, " features"]
    low: Float[Array, " features"]
    high: Float[Array, " features"]
    level: float
    num_subjects: int
    num_measurements: int
    method: str


def repeated(measurements: Real[Array, "subjects raters features"]) -> Float[Array, "subjects raters features"]:
    """Return the measurements as float64, less the first of each feature, so that a constant feature is exactly 0.

    A feature with a value that is nan or infinite is made constant: nothing can be said of it.

    Raises:
        DataError: With fewer than two subjects, or with one measurement of each.
    """
    subjects, raters, _ = measurements.shape
    if subjects < 2 or raters < 2:
        raise DataError(
            f"{raters} measurements of each of {subjects} subjects came; agreement needs two or more of each. "
            "Give an array of [subjects, measurements, features]."
        )
    values = measurements.astype(float)
    values[:, :, ~np.isfinite(values).all(axis=(0, 1))] = 0.0
    values -= values[0, 0].copy()
    return values


def feature_rows(features: Real[Array, "rows features"], *, least: int = 2) -> Float[Array, "rows features"]:
    """Return a table of features as float64.

    Raises:
        DataError: With fewer rows than ``least``, or with a value that is nan or infinite.
    """
    values = features.astype(float)
    if len(values) < least:
        raise DataError(f"{len(values)} rows of features came; this needs {least} or more. Give more images.")
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise DataError(
            f"{broken} of {values.size} features are nan or infinite; all must be numbers. "
            "Leave out the run they came from if it diverged, or these features."
        )
    return values


def centred(features: Float[Array, "rows features"]) -> Float[Array, "rows features"]:
    """Return the features less their means; a constant feature is exactly 0."""
    shifted = features - features[0]
    found: Array = shifted - shifted.mean(axis=0)
    return found


def same_rows(first: int, second: int, *, what: str) -> None:
    """Refuse two things of different length.

    Raises:
        DataError: If the lengths differ.
    """
    if first != second:
        raise DataError(f"{first} rows of features and {second} {what} came; there must be one for each row.")


def divided(top: Array, bottom: Array) -> Array:
    """Return top by bottom, and nan where bottom is 0."""
    empty = np.full(np.broadcast(top, bottom).shape, np.nan)
    found: Array = np.divide(top, bottom, out=empty, where=bottom != 0)
    return found


def where_defined(defined: Bool[Array, " features"], values: Array) -> Array:
    """Return the values, and nan where they are not defined."""
    return np.where(defined, values, np.nan)
