"""Shapes with names for numpy, and the one place that looks at the kind of labels."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from lossassay.catalogue.loss_spec import Task
from lossassay.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

Labels = Real[Array, "*shape"]  # class indices [N], or 0 and 1 [N K], nan where nothing is known
Probabilities = Float[Array, "rows classes"]
IsTrue = Bool[Array, "rows classes"]  # one-hot or multi-hot
PerClass = Float[Array, " classes"]
Counts = Int[Array, "true predicted"]


def is_true(labels: Labels, num_classes: int) -> IsTrue:
    """Return which classes are true of which row, [N K]."""
    return np.asarray(labels > 0.5 if labels.ndim == 2 else labels[:, None] == np.arange(num_classes))


def is_known(labels: Labels, num_classes: int) -> IsTrue:
    """Return of which classes something is known in which row, [N K]; single labels say it of all."""
    return ~np.isnan(labels) if labels.ndim == 2 else np.ones((len(labels), num_classes), dtype=bool)


def check_shapes(labels: Labels, probabilities: Probabilities, task: Task) -> None:
    """Check that labels and probabilities belong together.

    Raises:
        DataError: Saying what came, what was expected and what to do.
    """
    expected = probabilities.shape if task == "multi_label" else probabilities.shape[:1]
    if probabilities.ndim != 2 or labels.shape != expected:
        raise DataError(
            f"Labels of shape {list(labels.shape)} and probabilities of shape {list(probabilities.shape)} do not "
            f"belong together for {task.replace('_', '-')} data. Expected probabilities [N K] and labels "
            f"{'[N K]' if task == 'multi_label' else '[N]'}: give both for the same rows in the same order."
        )
    if (
        not np.isfinite(probabilities).all()
        or probabilities.min(initial=0) < 0
        or probabilities.max(initial=1) > 1 + 1e-5
    ):
        raise DataError(
            "Probabilities must be numbers from 0 to 1; got values outside, or nan. "
            "Give what comes out of softmax or sigmoid, not the raw scores."
        )
    if task != "multi_label" and labels.size and not 0 <= labels.min() <= labels.max() < probabilities.shape[1]:
        raise DataError(
            f"Labels from 0 to {probabilities.shape[1] - 1} were expected, one for each column of the probabilities; "
            f"got {labels.min()} to {labels.max()}. Number the classes from 0 without gaps."
        )


def ratio(part: Any, whole: Any) -> Float[Array, "..."]:
    """Return part / whole, and nan where the whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    if whole.all():
        return np.asarray(part / whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole == 0, np.nan, part / whole))


def mean_of_defined(values: Float[Array, " values"]) -> float:
    """Return the mean of the values that are not nan; nan if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
