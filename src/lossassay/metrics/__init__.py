"""Yardsticks: numbers that mean the same for every arm, from labels and probabilities. Undefined is nan, never a guess.

>>> import numpy as np
>>> found = yardsticks(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), task="single_label")
>>> round(found["balanced_accuracy"], 3)
0.75
"""

from lossassay.metrics.calibration import ReliabilityBins, calibration_error, reliability_bins
from lossassay.metrics.decisions import confusion_counts
from lossassay.metrics.influence import influence
from lossassay.metrics.ranks import auroc, average_precision, roc_curve_on_grid
from lossassay.metrics.scores import brier, negative_log_likelihood
from lossassay.metrics.table import per_class, yardsticks
from lossassay.metrics.weighted import TestedRows, WeightedYardstick, weighted_yardstick

__all__ = [
    "ReliabilityBins",
    "TestedRows",
    "WeightedYardstick",
    "auroc",
    "average_precision",
    "brier",
    "calibration_error",
    "confusion_counts",
    "influence",
    "negative_log_likelihood",
    "per_class",
    "reliability_bins",
    "roc_curve_on_grid",
    "weighted_yardstick",
    "yardsticks",
]
