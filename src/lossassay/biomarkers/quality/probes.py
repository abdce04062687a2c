"""What can be read from features by a linear probe or by nearest neighbours, on patients that it did not see."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import ThreadpoolController

from lossassay.engine.spec import Array

FOLDS = 5
NEIGHBOURS = 5
FEW_SHOTS = (5, 10, 20)
_DRAWS = 3  # of few images, in each fold
_STRENGTH = 1.0  # C of the logistic regression, on standardised features
_MOST_STEPS = 300


@dataclass(frozen=True, kw_only=True)
class ProbeTask:
    """Labels of some images, cut into folds by patient.

    Args:
        labels: int [M], from 0.
        groups: [M]; rows of one group are in one fold.
        seed: Of the folds and of the few images that are drawn.
    """

    labels: Array
    groups: Array
    seed: int

    @cached_property
    def folds(self) -> list[tuple[Array, Array]]:
        """Rows to learn from and rows to test, for each fold; empty where a class has too few patients for it.

        Patients are dealt out class by class (by the class that most of their rows have), the largest first, so that
        folds have about equal shares of every class.
        """
        classes, of_row = np.unique(self.labels, return_inverse=True)
        patients, own = np.unique(self.groups, return_inverse=True)
        counts = np.zeros((len(patients), len(classes)), dtype=int)
        np.add.at(counts, (own, of_row), 1)
        fewest = int((counts > 0).sum(axis=0).min(initial=len(patients)))
        if len(classes) < 2 or fewest < 2:
            return []
        order = np.random.default_rng([self.seed, len(self.labels)]).permutation(len(patients))
        order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
        order = order[np.argsort(counts[order].argmax(axis=1), kind="stable")]
        fold_of_patient = np.empty(len(patients), dtype=int)
        fold_of_patient[order] = np.arange(len(patients)) % min(FOLDS, fewest)
        fold = fold_of_patient[own]
        parts = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in np.unique(fold)]
        return [(learn, test) for learn, test in parts if len(np.unique(of_row[learn])) == len(classes)]


def linear_probe(features: Array, task: ProbeTask) -> float:
    """Return the balanced accuracy of logistic regression, cross-validated; nan where there are too few patients."""
    return _balanced_accuracy(task, (_linear(features, task.labels, learn, test) for learn, test in task.folds))


def linear_probe_without(features: Array, task: ProbeTask, nuisance: Array) -> float:
    """Return the same after a linear model of the nuisance, fitted to the rows to learn from, was taken out."""
    return _balanced_accuracy(
        task,
        (_linear(without(features, nuisance, learn), task.labels, learn, test) for learn, test in task.folds),
    )


def nearest_neighbours(features: Array, task: ProbeTask) -> float:
    """Return the balanced accuracy of the nearest neighbours, cross-validated; nan where there are too few patients."""
    return _balanced_accuracy(task, (_nearest(features, task.labels, learn, test) for learn, test in task.folds))


def few_shot(features: Array, task: ProbeTask, per_class: int) -> float:
    """Return the balanced accuracy of a linear probe that sees so many images of each class; mean of three draws.

    nan where some fold holds fewer of some class.
    """
    found = []
    for draw in range(_DRAWS):
        generator = np.random.default_rng([task.seed, per_class, draw])
        chosen = []
        for learn, test in task.folds:
            few = _drawn(task.labels, learn, per_class, generator)
            if few is None:
                return float("nan")
            chosen.append((few, test))
        found.append(_balanced_accuracy(task, (_linear(features, task.labels, few, test) for few, test in chosen)))
    return float(np.mean(found))


def without(features: Array, nuisance: Array, learn: Array) -> Array:
    """Return what a linear model of the nuisance does not explain: features less the mean of each nuisance class.

    Means that took in the rows to test would carry their labels: where class and nuisance go together, the rest of a
    row then points away from its own class, and a probe falls below chance.

    Args:
        features: [M F].
        nuisance: int [M].
        learn: Rows that the means are taken from. A nuisance class that none of them has gets their overall mean.
    """
    found = features.astype(np.float64)
    learnt, of_learnt = found[learn], nuisance[learn]
    means = {label: learnt[of_learnt == label].mean(axis=0) for label in np.unique(of_learnt)}
    overall = learnt.mean(axis=0)
    for label in np.unique(nuisance):
        found[nuisance == label] -= means.get(label, overall)
    return found


def above_chance(balanced_accuracy: float, num_classes: int) -> float:
    """Return balanced accuracy with 0 at chance and 1 where it is perfect; below chance is 0."""
    return max(0.0, (balanced_accuracy - 1 / num_classes) / (1 - 1 / num_classes))


def _balanced_accuracy(task: ProbeTask, predictions: Iterator[tuple[Array, Array]]) -> float:
    """Return the mean sensitivity over all folds together."""
    predicted = np.full(len(task.labels), -1)
    for test, found in predictions:
        predicted[test] = found
    tested = predicted >= 0
    if not tested.any():
        return float("nan")
    right = (predicted == task.labels)[tested]
    return float(np.mean([right[task.labels[tested] == label].mean() for label in np.unique(task.labels[tested])]))


def _linear(features: Array, labels: Array, learn: Array, test: Array) -> tuple[Array, Array]:
    learnt, tested = _standardised(features, learn, test)
    if learnt.shape[1] == 0:  # constant features tell nothing: the most frequent class
        return test, np.full(len(test), np.bincount(labels[learn]).argmax())
    model = LogisticRegression(C=_STRENGTH, max_iter=_MOST_STEPS, class_weight="balanced", tol=1e-3)
    with warnings.catch_warnings(), _libraries().limit(limits=1):  # small products: threads would wait
        warnings.simplefilter("ignore")  # no convergence: the probe is what it is after so many steps, for every arm
        model.fit(learnt, labels[learn])
    return test, model.predict(tested)


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries that compute in threads: to look for them takes as long as one fit."""
    return ThreadpoolController()


def _nearest(features: Array, labels: Array, learn: Array, test: Array) -> tuple[Array, Array]:
    learnt, tested = _standardised(features, learn, test)
    if learnt.shape[1] == 0:
        return test, np.full(len(test), np.bincount(labels[learn]).argmax())
    model = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(learn)))
    return test, model.fit(learnt, labels[learn]).predict(tested)


def _standardised(features: Array, learn: Array, test: Array) -> tuple[Array, Array]:
    """Return both parts with mean 0 and sd 1 of the rows to learn from; features that are constant there are left out.

    The spread has to stand out from the rounding of float32.
    """
    learnt, tested = features[learn].astype(np.float64), features[test].astype(np.float64)
    mean, sd = learnt.mean(axis=0), learnt.std(axis=0)
    alive = sd > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return (learnt[:, alive] - mean[alive]) / sd[alive], (tested[:, alive] - mean[alive]) / sd[alive]


def _drawn(labels: Array, rows: Array, per_class: int, generator: np.random.Generator) -> Array | None:
    chosen = []
    for label in np.unique(labels):
        own = rows[labels[rows] == label]
        if len(own) < per_class:
            return None
        chosen.append(generator.choice(own, per_class, replace=False))
    return np.sort(np.concatenate(chosen))
