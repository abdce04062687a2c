"""Turns scores that are no probabilities into some, on the validation part.

A margin, a rank or a squared error says which class, not how likely. Before a yardstick of probabilities is computed,
such scores are calibrated: one slope for scores whose decisions are meant (temperature scaling, Guo et al. 2017, ICML,
arXiv:1706.04599). Where only an order is meant, intercepts are added (Platt 1999): single labels and grades get one
slope for all classes and an intercept for each, findings a slope and an intercept each. Slopes stay positive: a slope
alone changes no decision. It may change which of two images is nearer to a class of three or more, and so an AUROC of
one class against the rest; intercepts may change decisions too.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

from lossassay.catalogue.loss_spec import Task

Array = np.ndarray[Any, np.dtype[Any]]

_LOG_SLOPE = (-12.0, 12.0)  # slopes from 6e-6 to 1.6e5
_INTERCEPT = (-50.0, 50.0)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Logits become slope * logit + intercept.

    Args:
        method: ``"temperature"``: one slope; ``"platt"``: intercepts too, and for findings a slope each.
        slope: One number, or one for each class.
        intercept: One number for each class, or one 0.
    """

    method: Literal["temperature", "platt"]
    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def probabilities(self, logits: Array, task: Task) -> Array:
        """Return probabilities float32 [M K] from logits [M K]."""
        scaled = np.asarray(self.slope) * logits.astype(float) + np.asarray(self.intercept)
        return np.asarray(expit(scaled) if task == "multi_label" else softmax(scaled, axis=1), dtype=np.float32)


def fit_calibration(logits: Array, labels: Array, *, task: Task, output: Literal["score", "rank"]) -> Calibration:
    """Fit slopes and intercepts by the likelihood of the labels.

    Args:
        logits: As `losses.class_logits` gives them, finite, [M K].
        labels: Class indices [M], or 0 and 1 [M K]; nan is left out.
        task: What the labels are.
        output: ``"score"`` fits a temperature, ``"rank"`` Platt's slopes and intercepts.
    """
    exact = logits.astype(float)
    if task == "multi_label":
        return _of_findings(exact, labels, output)
    classes = exact.shape[1] if output == "rank" else 0
    truth = labels.astype(np.int64)

    def cost(theta: Array) -> tuple[float, Array]:
        slope, intercept = np.exp(theta[0]), theta[1:] if classes else 0.0
        log_p = log_softmax(slope * exact + intercept, axis=1)
        error = np.exp(log_p)
        error[np.arange(len(truth)), truth] -= 1
        gradient = np.array([slope * (error * exact).sum(), *(error.sum(axis=0) if classes else ())])
        return -float(log_p[np.arange(len(truth)), truth].mean()), gradient / len(truth)

    found = _least(cost, classes, _start(exact))
    return _as_calibration(output, [found[0]], found[1:])


def _of_findings(logits: Array, labels: Array, output: str) -> Calibration:
    """One slope for all findings, or a slope and an intercept for each."""
    if output == "score":
        found = [_fit_one(logits, labels, with_intercept=False)]
    else:
        found = [_fit_one(logits[:, [k]], labels[:, [k]], with_intercept=True) for k in range(logits.shape[1])]
    return _as_calibration(output, [theta[0] for theta in found], [theta[1] for theta in found if len(theta) > 1])


def _fit_one(logits: Array, labels: Array, *, with_intercept: bool) -> Array:
    """Fit one slope, and perhaps an intercept, to labels drawn slightly inwards: then the fit exists (Platt 1999)."""
    known = ~np.isnan(labels)
    z, t = logits[known], labels[known]
    positives, negatives = t.sum(), (1 - t).sum()
    target = np.where(t > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2)) if with_intercept else t

    def cost(theta: Array) -> tuple[float, Array]:
        slope, intercept = np.exp(theta[0]), theta[1] if with_intercept else 0.0
        logit = slope * z + intercept
        value = -(target * log_expit(logit) + (1 - target) * log_expit(-logit)).mean()
        error = (expit(logit) - target) / len(z)
        gradient = np.array([slope * (error * z).sum(), *([error.sum()] if with_intercept else [])])
        return float(value), gradient

    return _least(cost, int(with_intercept), _start(z)) if len(z) else np.zeros(1 + with_intercept)


def _start(logits: Array) -> float:
    """Start where logits have a spread of 1, so that cosines and large scores take equally few steps."""
    spread = float(logits.std())
    return float(np.clip(-np.log(spread), *_LOG_SLOPE)) if spread > 0 else 0.0


def _least(cost: Any, intercepts: int, log_slope: float) -> Array:
    start = np.array([log_slope, *[0.0] * intercepts])
    bounds = [_LOG_SLOPE, *[_INTERCEPT] * intercepts]
    return np.asarray(minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def _as_calibration(output: str, log_slopes: Any, intercepts: Any) -> Calibration:
    return Calibration(
        method="temperature" if output == "score" else "platt",
        slope=tuple(float(np.exp(value)) for value in log_slopes),
        intercept=tuple(float(value) for value in intercepts) or (0.0,),
    )
