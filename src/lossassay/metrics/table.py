"""All yardsticks at once, and those of each class."""

from lossassay.catalogue.loss_spec import Task
from lossassay.metrics import decisions
from lossassay.metrics.calibration import calibration_error
from lossassay.metrics.checked import Checked
from lossassay.metrics.ranks import above_thresholds, auroc, average_precision, over_known
from lossassay.metrics.scores import brier, negative_log_likelihood, ranked_probability_score
from lossassay.metrics.shapes import Labels, PerClass, Probabilities, mean_of_defined, ratio


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
    return yardsticks_of(Checked(labels, probabilities, task))


def yardsticks_of(rows: Checked) -> dict[str, float]:
    """Return `yardsticks` of rows that were checked already."""
    labels, probabilities, truth, known = rows.labels, rows.probabilities, rows.truth, rows.known
    common = {
        "macro_auroc": mean_of_defined(rows.auroc),
        "nll": negative_log_likelihood(labels, probabilities, task=rows.task),
        "brier": brier(truth, probabilities, known, task=rows.task),
        "ece": calibration_error(rows.bins),
    }
    counts = rows.counts
    if rows.task == "multi_label":
        return {
            "accuracy": float(ratio((counts.true_positives + counts.true_negatives).sum(), known.sum())),
            "macro_f1": mean_of_defined(counts.f1()),
            "macro_average_precision": mean_of_defined(over_known(average_precision, truth, probabilities, known)),
            **common,
        }
    return {
        **(_of_grades(rows) if rows.task == "ordinal" else {}),
        "accuracy": decisions.accuracy(rows.confusion),
        "balanced_accuracy": mean_of_defined(counts.sensitivity()),
        "macro_f1": mean_of_defined(counts.f1()),
        "matthews_correlation": decisions.matthews_correlation(rows.confusion),
        "cohen_kappa": decisions.cohen_kappa(rows.confusion),
        **common,
    }


def _of_grades(rows: Checked) -> dict[str, float]:
    """Yardsticks that know the order of the classes."""
    return {
        "quadratic_weighted_kappa": decisions.quadratic_weighted_kappa(rows.confusion),
        "mean_absolute_grade_error": decisions.mean_absolute_grade_error(rows.confusion),
        "ranked_probability_score": ranked_probability_score(rows.truth, rows.probabilities),
        "threshold_auroc": mean_of_defined(auroc(*above_thresholds(rows.labels, rows.probabilities))),
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
    return per_class_of(Checked(labels, probabilities, task))


def per_class_of(rows: Checked) -> dict[str, PerClass]:
    """Return `per_class` of rows that were checked already."""
    counts, extra = rows.counts, {}
    if rows.task == "multi_label":
        precision = over_known(average_precision, rows.truth, rows.probabilities, rows.known)
        extra = {"average_precision": precision, "f1": counts.f1()}
    return {
        "sensitivity": counts.sensitivity(),
        "specificity": counts.specificity(),
        "precision": counts.precision(),
        "auroc": rows.auroc,
        **extra,
    }
