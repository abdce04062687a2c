"""Yardsticks: numbers that mean the same for every arm, from labels and probabilities. Undefined is nan, never a guess.

>>> import numpy as np
>>> found = yardsticks(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), task="single_label")
>>> round(found["balanced_accuracy"], 3)
0.75
"""

from lossassay.metrics.calibration import ReliabilityBins, calibration_error, reliability_bins
from lossassay.metrics.checked import Checked
from lossassay.metrics.decisions import confusion_counts
from lossassay.metrics.influence import influence, influence_of
from lossassay.metrics.ranks import auroc, average_precision, roc_curves_on_grid
from lossassay.metrics.scores import brier, negative_log_likelihood
from lossassay.metrics.table import per_class, per_class_of, yardsticks, yardsticks_of
from lossassay.metrics.weighted import TestedRows, WeightedYardstick, weighted_yardstick

__all__ = [
    "Checked",
    "ReliabilityBins",
    "TestedRows",
    "WeightedYardstick",
    "auroc",
    "average_precision",
    "brier",
    "calibration_error",
    "confusion_counts",
    "influence",
    "influence_of",
    "negative_log_likelihood",
    "per_class",
    "per_class_of",
    "reliability_bins",
    "roc_curves_on_grid",
    "weighted_yardstick",
    "yardsticks",
    "yardsticks_of",
]
