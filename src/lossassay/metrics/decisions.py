"""Yardsticks of decisions: the most probable class, or for multi-label data every probability above 1/2."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lossassay.metrics.shapes import Array, Counts, IsTrue, Labels, PerClass, Probabilities, ratio


@dataclass(frozen=True, kw_only=True)
class DecisionCounts:
    """Right and wrong decisions for each class against the rest, [K] each.

    Args:
        true_positives: Said so, and so it is.
        false_positives: Said so, and it is not.
        false_negatives: Not said, but so it is.
        true_negatives: Not said, and it is not.
    """

    true_positives: PerClass
    false_positives: PerClass
    false_negatives: PerClass
    true_negatives: PerClass

    def sensitivity(self) -> PerClass:
        """Share of the positives that were found; nan without positives."""
        return ratio(self.true_positives, self.true_positives + self.false_negatives)

    def specificity(self) -> PerClass:
        """Share of the negatives that were left alone; nan without negatives."""
        return ratio(self.true_negatives, self.true_negatives + self.false_positives)

    def precision(self) -> PerClass:
        """Share of what was said that is so; nan where nothing was said."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    def f1(self) -> PerClass:
        """Harmonic mean of precision and sensitivity; 0 for a class never said and never there."""
        wrong = self.false_positives + self.false_negatives
        return np.nan_to_num(ratio(2 * self.true_positives, 2 * self.true_positives + wrong))


def confusion_counts(labels: Labels, probabilities: Probabilities) -> Counts:
    """Count rows by true class (down) and most probable class (across); of equal ones the first.

    Args:
        labels: Class indices, [N].
        probabilities: [N K].

    Returns:
        Counts, [K K].
    """
    num_classes = probabilities.shape[1]
    cells = labels.astype(np.int64) * num_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def counts_from_confusion(confusion: Counts) -> DecisionCounts:
    """Return the counts of each class against the rest."""
    right = np.diagonal(confusion).astype(float)
    said, there = confusion.sum(axis=0), confusion.sum(axis=1)
    return DecisionCounts(
        true_positives=right,
        false_positives=said - right,
        false_negatives=there - right,
        true_negatives=confusion.sum() - said - there + right,
    )


def counts_at_one_half(truth: IsTrue, probabilities: Probabilities, known: IsTrue) -> DecisionCounts:
    """Return the counts of each label, where it is known, when every probability above 1/2 is said to be so."""
    said = probabilities > 0.5
    return DecisionCounts(
        true_positives=(known & said & truth).sum(axis=0).astype(float),
        false_positives=(known & said & ~truth).sum(axis=0).astype(float),
        false_negatives=(known & ~said & truth).sum(axis=0).astype(float),
        true_negatives=(known & ~said & ~truth).sum(axis=0).astype(float),
    )


def accuracy(confusion: Counts) -> float:
    """Share of right decisions."""
    return float(ratio(np.trace(confusion), confusion.sum()))


def matthews_correlation(confusion: Counts) -> float:
    """Correlation of true and said class, multi-class form (Gorodkin 2004, Comput. Biol. Chem. 28:367, eq. 8).

    nan if only one class is there; 0 if there are several but only one is ever said, as chance would have it.
    """
    total, right = float(confusion.sum()), float(np.trace(confusion))
    said, there = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    spread_said, spread_there = total**2 - said @ said, total**2 - there @ there
    if spread_said == 0 and spread_there > 0:
        return 0.0
    return float(ratio(right * total - said @ there, np.sqrt(spread_said) * np.sqrt(spread_there)))


def cohen_kappa(confusion: Counts) -> float:
    """Agreement beyond chance (Cohen 1960, Educ. Psychol. Meas. 20:37); nan if only one class is there and said."""
    total, right = float(confusion.sum()), float(np.trace(confusion))
    by_chance = float(confusion.sum(axis=0).astype(float) @ confusion.sum(axis=1))
    return float(ratio(right * total - by_chance, total**2 - by_chance))


def grade_gaps(num_classes: int) -> Float[Array, "true predicted"]:
    """Return how many grades the decision is off in each cell of the confusion matrix."""
    grades = np.arange(num_classes, dtype=float)
    return np.asarray(np.abs(grades[:, None] - grades))


def mean_absolute_grade_error(confusion: Counts) -> float:
    """Mean number of grades by which the decision is off."""
    return float(ratio((grade_gaps(len(confusion)) * confusion).sum(), confusion.sum()))


def quadratic_weighted_kappa(confusion: Counts) -> float:
    """Agreement beyond chance, a gap of d grades counting d^2 (Cohen 1968, Psychol. Bull. 70:213).

    nan if only one grade is there and said.
    """
    cost = np.square(grade_gaps(len(confusion)))
    said, there = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    by_chance = ratio(there @ cost @ said, confusion.sum())
    return float(1 - ratio((cost * confusion).sum(), by_chance))
