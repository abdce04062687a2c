"""Do things happen as often as the probabilities say?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from lossassay.catalogue.loss_spec import Task
from lossassay.metrics.shapes import Array, Labels, Probabilities, check_shapes


@dataclass(frozen=True, kw_only=True)
class ReliabilityBins:
    """Bins by rising probability; empty ones are left out.

    Args:
        confidence: Mean probability of each bin.
        frequency: Share of each bin that came true.
        count: Size of each bin.
    """

    confidence: Float[Array, " bins"]
    frequency: Float[Array, " bins"]
    count: Int[Array, " bins"]


def reliability_bins(labels: Labels, probabilities: Probabilities, *, task: Task, bins: int = 15) -> ReliabilityBins:
    """Sort probabilities into bins of equal mass and compare them with what came true.

    Equal probabilities stay in one bin, that of their middle rank, so the order of rows does not matter; with many
    of them the bins are not quite equal.

    Args:
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K].
        task: Single-label takes the probability of the most probable class, multi-label every probability.
        bins: At most this many.
    """
    check_shapes(labels, probabilities, task)
    if task == "multi_label":
        known = ~np.isnan(labels)
        confidence, came_true = probabilities[known], labels[known] > 0.5
    else:
        confidence, came_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return _equal_mass(confidence, came_true, bins)


def calibration_error(bins: ReliabilityBins) -> float:
    r"""Return the expected calibration error, :math:`\sum_b \frac{n_b}{N} |f_b - c_b|` (Naeini et al. 2015, AAAI).

    Biased upwards: the noise of each bin's frequency counts as error too, so even a perfectly calibrated network shows
    about :math:`\sum_b \frac{n_b}{N} \sqrt{2 f_b (1 - f_b) / (\pi n_b)}` (the mean size of a normal deviation), for
    example 0.05 with 15 bins, 300 images and frequencies near 0.9. Compare arms on the same images only.
    """
    if not bins.count.size:
        return float("nan")
    return float(np.average(np.abs(bins.frequency - bins.confidence), weights=bins.count))


def _equal_mass(confidence: Float[Array, " n"], came_true: Bool[Array, " n"], bins: int) -> ReliabilityBins:
    order = np.lexsort((came_true, confidence))  # by outcome too: then even rounding does not depend on the rows' order
    confidence, came_true = confidence[order].astype(float), came_true[order].astype(float)
    group = np.cumsum(np.diff(confidence, prepend=np.nan) != 0) - 1  # of equal ones; nan differs from all
    sizes = np.bincount(group)
    middle_rank = np.cumsum(sizes) - sizes / 2
    bin_of_group = np.minimum((middle_rank * bins / max(1, len(confidence))).astype(int), bins - 1)
    starts = np.flatnonzero(np.diff(bin_of_group[group], prepend=-1))
    count = np.diff(starts, append=len(confidence))
    if not count.size:
        return ReliabilityBins(confidence=confidence, frequency=came_true, count=count)
    return ReliabilityBins(
        confidence=np.add.reduceat(confidence, starts) / count,
        frequency=np.add.reduceat(came_true, starts) / count,
        count=count,
    )
