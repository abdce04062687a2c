"""Change over time in the test part of one run: its criteria, and its rows of the table of features."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lossassay.biomarkers.quality.classical import BASELINE, FEATURE_NAMES
from lossassay.biomarkers.quality.criteria import FEWEST_IMAGES, FeatureSet, Subjects, Values
from lossassay.biomarkers.quality.run_features import FeatureStore, baseline_id
from lossassay.biomarkers.quality.visit_rows import Visits
from lossassay.biomarkers.quality.visits import Changes, Coefficient, Measurements, changes, coefficient_of, repeats
from lossassay.engine.spec import Array
from lossassay.stats.feature_arrays import FeatureIntervals
from lossassay.study.analysis.runs import Run

NAN = float("nan")


def run_changes(found: FeatureSet, subjects: Subjects, *, level: float = 0.95) -> Changes | None:
    """Return what the features of a test part do over time; None where it has too few visits.

    The smallest detectable change is that between two images of a patient of one day with one label where ten patients
    or more have them, and else that between the two noisy views. The first takes account of how many images a patient
    has on the first and the last day.

    Args:
        found: Features of the test part.
        subjects: Patients and visits of all rows.
        level: Of all intervals.
    """
    visits = subjects.visits
    if visits is None or len(found.rows) < FEWEST_IMAGES:
        return None
    first, unit = _units(found.rows, visits)
    clean = _means(found.clean, unit)
    years = visits.years[found.rows][first]
    known = np.isfinite(years)
    rows = found.rows[first][known]
    measured = Measurements(
        values=clean[known],
        subjects=subjects.patients[rows],
        years=years[known],
        scores=None if visits.scores is None else _means(visits.scores[found.rows], unit)[known],
    )
    if not len(rows):
        return None
    coefficient = _coefficient(found, measured, rows, unit, subjects, level=level)
    return changes(measured, coefficient, level=level)


def change_values(found: FeatureSet, subjects: Subjects) -> Values:
    """Yield the criteria of change; nan where the test part has too few visits, none where the data have none.

    Args:
        found: Features of the test part.
        subjects: Patients and visits of all rows.
    """
    if subjects.visits is None or len(found.rows) < FEWEST_IMAGES:
        return
    over_time = run_changes(found, subjects)
    in_coefficients = None if over_time is None else over_time.in_coefficients
    yield "change_per_year", None, NAN if in_coefficients is None else float(np.median(in_coefficients))
    beyond = None if over_time is None else over_time.beyond
    yield "change_beyond", None, NAN if beyond is None else float(np.median([one.estimate for one in beyond.shares]))
    if subjects.visits.score is not None:
        yield "score_correlation", None, _strength(None if over_time is None else over_time.score_change)
        yield "score_level_correlation", None, _strength(None if over_time is None else over_time.score_level)


def change_rows(over_time: Changes, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield one row for each feature, as the table of changes has it.

    Args:
        over_time: Of one set of features.
        names: Of the features.
    """
    scaled, coefficient = over_time.in_coefficients, over_time.coefficient
    for place, name in enumerate(names):
        share = None if over_time.beyond is None else over_time.beyond.shares[place]
        yield {
            "feature": name,
            "subjects": over_time.mean.num_subjects,
            **_limits("change_per_year", over_time.mean, place),
            **_limits("coefficient", None if coefficient is None else coefficient.intervals, place),
            "coefficient_from": None if coefficient is None else coefficient.source,
            "change_in_coefficients": None if scaled is None else float(scaled[place]),
            "share_beyond": None if share is None else share.estimate,
            "share_beyond_low": None if share is None else share.low,
            "share_beyond_high": None if share is None else share.high,
            **_limits("score_correlation", over_time.score_change, place),
            **_limits("score_level_correlation", over_time.score_level, place),
            "level": over_time.mean.level,
        }


def feature_names(count: int) -> list[str]:
    """Return the names of the features of a network, as `lossassay extract` writes them."""
    digits = max(3, len(str(count - 1)))
    return [f"feature_{place:0{digits}d}" for place in range(count)]


def visit_tables(
    store: FeatureStore, runs: Iterable[Run], subjects: Subjects, *, baselines: int, level: float
) -> Iterator[dict[str, Any]]:
    """Yield the rows of every run that did not diverge, and of the classical baseline.

    Args:
        store: Holds the features of the runs.
        runs: In the order of the table.
        subjects: Patients and visits of all rows.
        baselines: Replicates that it is added for.
        level: Of all intervals.
    """
    if subjects.visits is None:
        return
    kept = [(run.id, {"run": run.id, "arm": run.arm, "replicate": run.replicate}) for run in runs if not run.diverged]
    for replicate in range(baselines):
        kept.append((baseline_id(replicate), {"run": None, "arm": BASELINE, "replicate": replicate}))
    for stored_as, own in kept:
        found = store.read(stored_as)
        over_time = None if found is None else run_changes(found, subjects, level=level)
        if over_time is not None:
            count = len(over_time.mean.estimate)
            names = FEATURE_NAMES[:count] if own["arm"] == BASELINE else feature_names(count)
            yield from (own | row for row in change_rows(over_time, names))


def visit_facts(rows: Sequence[dict[str, Any]], subjects: Subjects) -> dict[str, Any] | None:
    """Return what the page says of visits; None where no patient was seen at two times.

    Args:
        rows: Of the table of changes.
        subjects: Patients and visits of all rows.
    """
    if subjects.visits is None:
        return None
    counts = [row["subjects"] for row in rows if row["arm"] != BASELINE] or [0]
    return {
        "subjects_low": min(counts),
        "subjects_high": max(counts),
        "coefficient_from": sorted({row["coefficient_from"] for row in rows}),
        "score": subjects.visits.score,
    }


def _units(rows: Array, visits: Visits) -> tuple[Array, Array]:
    """Return the first place of each measurement, and the number of the measurement of each row."""
    keys = np.stack([visits.exams[rows], np.nan_to_num(visits.years[rows], nan=-1.0)], axis=1)
    _, first, unit = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, unit.reshape(-1)


def _means(values: Array, unit: Array) -> Array:
    """Return the mean of each measurement; nan where one of its values is."""
    counts = np.bincount(unit)
    in_order = values[np.argsort(unit, kind="stable")].astype(np.float64)
    sums = np.add.reduceat(in_order, np.cumsum(counts) - counts, axis=0)
    found: Array = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return found


def _coefficient(
    found: FeatureSet, measured: Measurements, rows: Array, unit: Array, subjects: Subjects, *, level: float
) -> Coefficient:
    visits = subjects.visits
    if visits is not None and visits.same_day:
        labels = np.zeros(len(rows)) if subjects.labels is None else subjects.labels[rows]
        _, occasions = np.unique(np.stack([measured.years, labels], axis=1), axis=0, return_inverse=True)
        pairs = repeats(measured.values, measured.subjects, occasions.reshape(-1))
        if pairs is not None:
            return coefficient_of(pairs, "repeat images", level=level)
    return coefficient_of(_means(found.views, unit), "noisy views", level=level)


def _limits(name: str, found: FeatureIntervals | None, place: int) -> dict[str, float | None]:
    if found is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {
        name: float(found.estimate[place]),
        f"{name}_low": float(found.low[place]),
        f"{name}_high": float(found.high[place]),
    }


def _strength(found: FeatureIntervals | None) -> float:
    """The sign of a feature means nothing, so its correlation counts without it; a constant feature counts as 0."""
    if found is None or found.num_subjects < 3:
        return NAN
    sizes = np.abs(found.estimate)
    if not np.isfinite(sizes).any():
        return NAN
    return float(np.median(np.where(np.isfinite(sizes), sizes, 0.0)))
