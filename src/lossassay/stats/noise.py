"""How far apart are two single runs of one arm?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real
from scipy.spatial.distance import pdist

from lossassay.stats.intervals import Array

_ROUNDING = 1e-12  # differences of stored numbers that are equal on paper


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """Distribution of the absolute difference between two replicates of one arm, over all pairs of replicates.

    Args:
        median: In the metric's unit; nan with fewer than two replicates.
        p95: The 95th percentile (linear between pairs).
        largest: The largest.
        pairs: Number of pairs. They share replicates, so they are not that many independent facts.
        replicates: Number of replicates.
    """

    median: float
    p95: float
    largest: float
    pairs: int
    replicates: int


def noise_floor(values: Real[Array, " replicates"]) -> NoiseFloor:
    """Return how far two single runs of one arm differ.

    Args:
        values: One number per replicate; nan and infinite ones are left out.
    """
    gaps = _gaps(values)
    median, p95, largest = np.quantile(gaps, [0.5, 0.95, 1.0]).tolist() if gaps.size else [float("nan")] * 3
    replicates = int(np.isfinite(np.asarray(values, dtype=float)).sum())
    return NoiseFloor(median=median, p95=p95, largest=largest, pairs=gaps.size, replicates=replicates)


def share_of_pairs_at_least(values: Real[Array, " replicates"], gap: float) -> float:
    """Return the share of pairs of replicates that differ by ``gap`` or more.

    Args:
        values: One number per replicate; nan and infinite ones are left out.
        gap: 0 or more, in the metric's unit.

    Returns:
        From 0 to 1; nan with fewer than two replicates.
    """
    gaps = _gaps(values)
    return float((gaps >= gap - _ROUNDING).mean()) if gaps.size else float("nan")


def _gaps(values: Real[Array, " replicates"]) -> Float[Array, " pairs"]:
    used = np.asarray(values, dtype=float)
    used = used[np.isfinite(used)]
    return pdist(used[:, None], "cityblock") if len(used) > 1 else np.zeros(0)
