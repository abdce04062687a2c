"""Which arm is best, as a share of bootstrap draws over replicates."""

import numpy as np
from jaxtyping import Float, Real

from lossassay.stats.intervals import Array


def probability_best(
    scores: Real[Array, "replicates arms"], *, higher_is_better: bool = True, draws: int = 10_000, seed: int = 0
) -> Float[Array, " arms"]:
    """Return for each arm the share of bootstrap draws in which its mean is best; equal means share a draw.

    Whole replicates are drawn, the same for all arms. An arm that was stopped early has its mean over the replicates
    that it has. This describes how sure the order is; it is no test, and it leans to whoever led so far.

    Args:
        scores: One number per replicate and arm; nan where a run is missing.
        higher_is_better: The metric's direction.
        draws: Of replicates, with replacement.
        seed: Of the draws.

    Returns:
        Shares that add up to 1; nan for an arm without a score.
    """
    scores = np.asarray(scores, dtype=float) * (1 if higher_is_better else -1)
    there = np.isfinite(scores)
    if not there.any():
        return np.full(scores.shape[1], np.nan)
    replicates = len(scores)
    weights = np.random.default_rng(seed).multinomial(replicates, np.full(replicates, 1 / replicates), size=draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ np.where(there, scores, 0.0)) / (weights @ there.astype(float))
    means = np.where(np.isfinite(means), means, -np.inf)
    top = means.max(axis=1, keepdims=True)
    best = (means >= top - 1e-12 * np.abs(np.where(np.isfinite(top), top, 0.0))) & np.isfinite(means)
    shares = (best / np.maximum(best.sum(axis=1, keepdims=True), 1)).mean(axis=0)
    return np.where(there.any(axis=0), shares, np.nan)
