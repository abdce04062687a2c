"""Every yardstick by name: a number that means the same for every arm."""

from dataclasses import dataclass
from typing import Literal

from lossassay.catalogue.loss_spec import Task


@dataclass(frozen=True, kw_only=True)
class YardstickSpec:
    """What is true of a yardstick, as data.

    Args:
        title: Its name in tables and charts.
        best: Which direction is better.
        low: Smallest possible value.
        high: Largest possible value, or None if it has no limit.
        tasks: The tasks for which it is defined.
        needs: ``"decisions"``, ``"probabilities"`` or ``"ranks"``.
        definition: One line, with the averaging and the source.
    """

    title: str
    best: Literal["high", "low"]
    low: float
    high: float | None
    tasks: tuple[Task, ...]
    needs: Literal["decisions", "probabilities", "ranks"]
    definition: str


_SINGLE: tuple[Task, ...] = ("single_label", "ordinal")
_ORDINAL: tuple[Task, ...] = ("ordinal",)
_MULTI: tuple[Task, ...] = ("multi_label",)
_BOTH: tuple[Task, ...] = ("single_label", "ordinal", "multi_label")

YARDSTICKS: dict[str, YardstickSpec] = {
    "accuracy": YardstickSpec(
        title="Accuracy",
        best="high",
        low=0,
        high=1,
        tasks=_BOTH,
        needs="decisions",
        definition="share of correct decisions; multi-label: of all label decisions at 0.5",
    ),
    "balanced_accuracy": YardstickSpec(
        title="Balanced accuracy",
        best="high",
        low=0,
        high=1,
        tasks=_SINGLE,
        needs="decisions",
        definition="mean of the sensitivities of the classes present",
    ),
    "macro_f1": YardstickSpec(
        title="Macro F1",
        best="high",
        low=0,
        high=1,
        tasks=_BOTH,
        needs="decisions",
        definition="unweighted mean over classes of F1; a class never predicted and never present counts 0",
    ),
    "matthews_correlation": YardstickSpec(
        title="Matthews correlation",
        best="high",
        low=-1,
        high=1,
        tasks=_SINGLE,
        needs="decisions",
        definition="multi-class form (Gorodkin 2004)",
    ),
    "cohen_kappa": YardstickSpec(
        title="Cohen's kappa",
        best="high",
        low=-1,
        high=1,
        tasks=_SINGLE,
        needs="decisions",
        definition="agreement beyond chance (Cohen 1960), unweighted",
    ),
    "quadratic_weighted_kappa": YardstickSpec(
        title="Quadratic weighted kappa",
        best="high",
        low=-1,
        high=1,
        tasks=_ORDINAL,
        needs="decisions",
        definition="agreement beyond chance, a gap of d grades counting d squared (Cohen 1968)",
    ),
    "mean_absolute_grade_error": YardstickSpec(
        title="Mean absolute error (grades)",
        best="low",
        low=0,
        high=None,
        tasks=_ORDINAL,
        needs="decisions",
        definition="mean number of grades by which the decision is off",
    ),
    "threshold_auroc": YardstickSpec(
        title="AUROC per threshold",
        best="high",
        low=0,
        high=1,
        tasks=_ORDINAL,
        needs="ranks",
        definition="mean over the thresholds between grades of the AUROC of P(y > k); one-sided thresholds left out",
    ),
    "ranked_probability_score": YardstickSpec(
        title="Ranked probability score",
        best="low",
        low=0,
        high=None,
        tasks=_ORDINAL,
        needs="probabilities",
        definition="mean of the sum over thresholds of (P(y <= k) - [y <= k])^2 (Epstein 1969)",
    ),
    "macro_auroc": YardstickSpec(
        title="Macro AUROC",
        best="high",
        low=0,
        high=1,
        tasks=_BOTH,
        needs="ranks",
        definition="mean over classes of one-against-rest AUROC; classes without positives or negatives left out",
    ),
    "macro_average_precision": YardstickSpec(
        title="Macro average precision",
        best="high",
        low=0,
        high=1,
        tasks=_MULTI,
        needs="ranks",
        definition="mean over labels of average precision; labels without positives left out",
    ),
    "nll": YardstickSpec(
        title="Negative log-likelihood",
        best="low",
        low=0,
        high=None,
        tasks=_BOTH,
        needs="probabilities",
        definition="mean of -log p of what was true, in nats; multi-label: mean over labels",
    ),
    "brier": YardstickSpec(
        title="Brier score",
        best="low",
        low=0,
        high=2,
        tasks=_BOTH,
        needs="probabilities",
        definition="mean of the sum over classes of (p - t)^2 (Brier 1950); multi-label: mean over labels",
    ),
    "ece": YardstickSpec(
        title="Calibration error (ECE)",
        best="low",
        low=0,
        high=1,
        tasks=_BOTH,
        needs="probabilities",
        definition="15 equal-mass bins of the top (multi-label: every) probability; biased upwards in small data",
    ),
}

PRIMARY: dict[Task, str] = {
    "single_label": "balanced_accuracy",
    "ordinal": "quadratic_weighted_kappa",
    "multi_label": "macro_auroc",
}
