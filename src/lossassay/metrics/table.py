"""All yardsticks at once, and those of each class."""

from lossassay.catalogue.loss_spec import Task
from lossassay.metrics import decisions
from lossassay.metrics.calibration import calibration_error, reliability_bins
from lossassay.metrics.ranks import above_thresholds, auroc, average_precision, over_known
from lossassay.metrics.scores import brier, negative_log_likelihood, ranked_probability_score
from lossassay.metrics.shapes import (
    Counts,
    Labels,
    PerClass,
    Probabilities,
    check_shapes,
    is_known,
    is_true,
    mean_of_defined,
    ratio,
)


def yardsticks(labels: Labels, probabilities: Probabilities, *, task: Task) -> dict[str, float]:
    """Return every yardstick of the catalogue that is defined for the task.

    Args:
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K], from 0 to 1; float32 or float64, all sums are in float64.
        task: What the labels are.

    Returns:
        Values by the catalogue's names; nan where the data leave one undefined, such as AUROC of a single class.

    Raises:
        DataError: If shapes or ranges do not fit.
    """
    check_shapes(labels, probabilities, task)
    truth, known = is_true(labels, probabilities.shape[1]), is_known(labels, probabilities.shape[1])
    common = {
        "macro_auroc": mean_of_defined(over_known(auroc, truth, probabilities, known)),
        "nll": negative_log_likelihood(labels, probabilities, task=task),
        "brier": brier(truth, probabilities, known, task=task),
        "ece": calibration_error(reliability_bins(labels, probabilities, task=task)),
    }
    if task == "multi_label":
        counts = decisions.counts_at_one_half(truth, probabilities, known)
        return {
            "accuracy": float(ratio((counts.true_positives + counts.true_negatives).sum(), known.sum())),
            "macro_f1": mean_of_defined(counts.f1()),
            "macro_average_precision": mean_of_defined(over_known(average_precision, truth, probabilities, known)),
            **common,
        }
    confusion = decisions.confusion_counts(labels, probabilities)
    of_grades = _of_grades(labels, probabilities, confusion) if task == "ordinal" else {}
    return {
        **of_grades,
        "accuracy": decisions.accuracy(confusion),
        "balanced_accuracy": decisions.balanced_accuracy(confusion),
        "macro_f1": mean_of_defined(decisions.counts_from_confusion(confusion).f1()),
        "matthews_correlation": decisions.matthews_correlation(confusion),
        "cohen_kappa": decisions.cohen_kappa(confusion),
        **common,
    }


def _of_grades(labels: Labels, probabilities: Probabilities, confusion: Counts) -> dict[str, float]:
    """Yardsticks that know the order of the classes."""
    truth = is_true(labels, probabilities.shape[1])
    return {
        "quadratic_weighted_kappa": decisions.quadratic_weighted_kappa(confusion),
        "mean_absolute_grade_error": decisions.mean_absolute_grade_error(confusion),
        "ranked_probability_score": ranked_probability_score(truth, probabilities),
        "threshold_auroc": mean_of_defined(auroc(*above_thresholds(labels, probabilities))),
    }


def per_class(labels: Labels, probabilities: Probabilities, *, task: Task) -> dict[str, PerClass]:
    """Return the yardsticks of each class against the rest.

    Args:
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K].
        task: What the labels are.

    Returns:
        Values [K] by name: sensitivity, specificity, precision, auroc; multi-label also average_precision and f1.
        nan where a class has none of the rows that the yardstick counts.

    Raises:
        DataError: If shapes or ranges do not fit.
    """
    check_shapes(labels, probabilities, task)
    truth, known = is_true(labels, probabilities.shape[1]), is_known(labels, probabilities.shape[1])
    if task == "multi_label":
        counts = decisions.counts_at_one_half(truth, probabilities, known)
        extra = {
            "average_precision": over_known(average_precision, truth, probabilities, known),
            "f1": counts.f1(),
        }
    else:
        counts = decisions.counts_from_confusion(decisions.confusion_counts(labels, probabilities))
        extra = {}
    return {
        "sensitivity": counts.sensitivity(),
        "specificity": counts.specificity(),
        "precision": counts.precision(),
        "auroc": over_known(auroc, truth, probabilities, known),
        **extra,
    }
