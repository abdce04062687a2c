"""The criteria of one set of features: what it repeats, separates, transfers and hides."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossassay.biomarkers.quality.probe_labels import UNKNOWN, ProbeLabels
from lossassay.biomarkers.quality.probes import (
    FEW_SHOTS,
    ProbeTask,
    above_chance,
    few_shot,
    linear_probe,
    linear_probe_without,
    nearest_neighbours,
)
from lossassay.biomarkers.quality.visit_rows import Visits
from lossassay.engine.spec import Array
from lossassay.stats.agreement import concordance_correlation, intraclass_correlation
from lossassay.stats.feature_arrays import FeatureIntervals
from lossassay.stats.redundancy import bootstrap_stability, correlated_clusters
from lossassay.stats.repeatability import limits_of_agreement, within_subject_cv
from lossassay.stats.separation import class_separation, effective_rank, neural_collapse, silhouette

FEWEST_IMAGES = 20
FEWEST_REPEATS = 10  # patients with two images of one class
_SELECTED = 10
_ICC_STEPS = {"share_icc_above_075": 0.75, "share_icc_above_090": 0.9}

Values = Iterator[tuple[str, str | None, float]]  # criterion, probe or nuisance column, value


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """Features of the test images of a run, and of two noisy views of each.

    Args:
        rows: Of the data, [M].
        clean: [M F].
        views: [M 2 F].
    """

    rows: Array
    clean: Array
    views: Array


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """What is known of all rows of the data.

    Args:
        labels: int [N]; None for multi-label data, whose classes are no partition.
        patients: int [N].
        probes: Labels that were not trained on.
        nuisance: Labels that should not be readable.
        seed: Of folds and draws.
        visits: When rows were taken; None: no patient was seen at two times.
    """

    labels: Array | None
    patients: Array
    probes: tuple[ProbeLabels, ...]
    nuisance: tuple[ProbeLabels, ...]
    seed: int
    visits: Visits | None = None


def quality(found: FeatureSet, subjects: Subjects, *, replicate: int) -> Values:
    """Yield every criterion that is defined for one set of features; see `catalogue.criteria`.

    A value is nan where the test part is too small for it. A set with fewer than twenty images has none.

    Args:
        found: The features.
        subjects: Labels and patients.
        replicate: From 0; with it folds and draws differ.
    """
    if len(found.rows) < FEWEST_IMAGES:
        return
    yield from _repeatability(found)
    yield from _repeat_images(found, subjects)
    yield "effective_rank", None, effective_rank(found.clean).estimate
    yield "dead_features", None, float((np.ptp(found.clean, axis=0) == 0).mean())
    yield "independent_share", None, correlated_clusters(found.clean).estimate
    if subjects.labels is not None:
        yield from _classes(found, subjects, replicate)
    yield from _transfer(found, subjects, replicate)
    yield from _nuisance(found, subjects, replicate)


def feature_repeatability(found: FeatureSet) -> FeatureIntervals:
    """Return ICC(2,1) of each feature between the two views."""
    return intraclass_correlation(found.views, form="2,1")


def _repeatability(found: FeatureSet) -> Values:
    icc = _dead_as_zero(feature_repeatability(found).estimate)
    yield "repeatability", None, float(np.median(icc))
    for name, step in _ICC_STEPS.items():
        yield name, None, float((icc > step).mean())
    consistent = intraclass_correlation(found.views, form="3,1").estimate
    yield "consistency", None, float(np.median(_dead_as_zero(consistent)))
    yield "concordance", None, float(np.median(_dead_as_zero(concordance_correlation(found.views).estimate)))
    yield "within_subject_cv", None, _median(within_subject_cv(found.views).estimate)
    sd = found.clean.astype(np.float64).std(axis=0)
    bias = np.abs(limits_of_agreement(found.views).bias.estimate)
    yield "bias", None, _median(np.divide(bias, sd, out=np.full(sd.shape, np.nan), where=sd > 0))


def _repeat_images(found: FeatureSet, subjects: Subjects) -> Values:
    """Compare the first two images of each patient that have one label."""
    labels = np.zeros(len(found.rows), dtype=int) if subjects.labels is None else subjects.labels[found.rows]
    pairs: dict[tuple[int, int], list[int]] = {}
    for place, key in enumerate(zip(subjects.patients[found.rows].tolist(), labels.tolist(), strict=True)):
        pairs.setdefault(key, []).append(place)
    patients: dict[int, list[int]] = {}
    for (patient, _), places in pairs.items():
        if len(places) > 1 and patient not in patients:
            patients[patient] = places[:2]
    if subjects.labels is None or len(patients) < FEWEST_REPEATS:
        return
    measured = found.clean[np.array(list(patients.values()))]
    icc = intraclass_correlation(measured, form="1,1").estimate
    yield "repeat_images", None, float(np.median(_dead_as_zero(icc)))


def _classes(found: FeatureSet, subjects: Subjects, replicate: int) -> Values:
    labels = _own(subjects.labels, found)
    if len(np.unique(labels)) < 2:
        return
    patients = subjects.patients[found.rows]
    yield "separation", None, class_separation(found.clean, labels).estimate
    yield "silhouette", None, silhouette(found.clean, labels).estimate
    yield "within_by_between", None, neural_collapse(found.clean, labels).within_by_between
    if found.clean.shape[1] > _SELECTED:
        seed = subjects.seed + replicate
        chosen = bootstrap_stability(found.clean, labels, num_selected=_SELECTED, groups=patients, seed=seed)
        yield "selection_stability", None, chosen.estimate
    yield "class_probe", None, linear_probe(found.clean, _task(labels, patients, subjects, replicate))


def _transfer(found: FeatureSet, subjects: Subjects, replicate: int) -> Values:
    measures: dict[str, Callable[[Array, ProbeTask], float]] = {
        "transfer": linear_probe,
        "transfer_neighbours": nearest_neighbours,
    }
    for number in FEW_SHOTS:
        measures[f"transfer_{number}_per_class"] = _few_shot_of(number)
    values: dict[str, list[float]] = {}
    for probe in subjects.probes:
        known = _known(probe, found)
        task = _task(probe.labels[found.rows][known], subjects.patients[found.rows][known], subjects, replicate)
        for name, measure in measures.items():
            value = measure(found.clean[known], task)
            values.setdefault(name, []).append(value)
            yield name, probe.name, value
    for name, of_probes in values.items():
        yield name, None, float(np.mean(of_probes))


def _few_shot_of(number: int) -> Callable[[Array, ProbeTask], float]:
    return lambda features, task: few_shot(features, task, number)


def _nuisance(found: FeatureSet, subjects: Subjects, replicate: int) -> Values:
    readable, left = [], []
    for column in subjects.nuisance:
        known = _known(column, found)
        nuisance, patients = column.labels[found.rows][known], subjects.patients[found.rows][known]
        read = linear_probe(found.clean[known], _task(nuisance, patients, subjects, replicate))
        readable.append(above_chance(read, len(np.unique(nuisance))) if read == read else float("nan"))
        yield "nuisance", column.name, readable[-1]
        if subjects.labels is not None:
            task = _task(_own(subjects.labels, found)[known], patients, subjects, replicate)
            left.append(linear_probe_without(found.clean[known], task, nuisance))
            yield "class_without_nuisance", column.name, left[-1]
    if readable:
        yield "nuisance", None, float(np.mean(readable))
    if left:
        yield "class_without_nuisance", None, float(np.mean(left))


def _task(labels: Array, patients: Array, subjects: Subjects, replicate: int) -> ProbeTask:
    _, numbered = np.unique(labels, return_inverse=True)
    return ProbeTask(labels=numbered, groups=patients, seed=subjects.seed + replicate)


def _own(labels: Any, found: FeatureSet) -> Array:
    own: Array = labels[found.rows]
    return own


def _known(column: ProbeLabels, found: FeatureSet) -> Array:
    known: Array = column.labels[found.rows] != UNKNOWN
    return known


def _dead_as_zero(values: Array) -> Array:
    """A feature that never changes repeats nothing."""
    return np.where(np.isfinite(values), values, 0.0)


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
