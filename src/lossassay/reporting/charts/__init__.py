"""Every chart of the report, by name, in the order of the page."""

from collections.abc import Callable

from lossassay.reporting.charts.biomarkers import (
    biomarker_map,
    biomarker_pareto,
    biomarkers_change,
    biomarkers_repeatability,
    biomarkers_transfer,
)
from lossassay.reporting.charts.common import Figure
from lossassay.reporting.charts.comparisons import arms, forest, noise_floor
from lossassay.reporting.charts.controls import controls
from lossassay.reporting.charts.costs import cost, label_memory
from lossassay.reporting.charts.evidence import looks, verdict_matrix
from lossassay.reporting.charts.quality import confusion, reliability, roc
from lossassay.reporting.charts.training import curves_accuracy, curves_loss
from lossassay.reporting.charts.tuning import tuning_best, tuning_choices, tuning_rate
from lossassay.reporting.messages import Messages
from lossassay.study.folder.results import StudyResults

__all__ = ["FIGURES", "Figure"]

FIGURES: dict[str, Callable[[StudyResults, Messages], Figure | None]] = {
    "forest": forest,
    "verdict_matrix": verdict_matrix,
    "arms": arms,
    "looks": looks,
    "controls": controls,
    "noise_floor": noise_floor,
    "curves_loss": curves_loss,
    "curves_accuracy": curves_accuracy,
    "tuning_best": tuning_best,
    "tuning_rate": tuning_rate,
    "tuning_choices": tuning_choices,
    "confusion": confusion,
    "roc": roc,
    "reliability": reliability,
    "cost": cost,
    "label_memory": label_memory,
    "biomarker_pareto": biomarker_pareto,
    "biomarkers_repeatability": biomarkers_repeatability,
    "biomarkers_transfer": biomarkers_transfer,
    "biomarkers_change": biomarkers_change,
    "biomarker_map": biomarker_map,
}
