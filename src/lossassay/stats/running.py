"""Means of paired differences as replicates come in, and their intervals; whole arrays of studies at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from lossassay.stats.intervals import Array

_ROUNDING = 1e-12  # of the scores: differences that spread less than this are equal
_UNDERFLOW = 1e-150  # the square of a smaller number is 0

Path = Float[Array, "studies replicates pairs"]


@dataclass(frozen=True, kw_only=True)
class RunningDifferences:
    """Arm a minus arm b over the first 1, 2, ... replicates that both have.

    Args:
        count: Replicates that both have so far.
        mean: Mean difference; nan before the first.
        error: Standard error s / sqrt(n); nan before the second.
        equal: Whether all differences so far are one number, up to rounding (from the second on).
        score_range: Largest minus smallest score of the two arms so far.
    """

    count: Int[Array, "studies replicates pairs"]
    mean: Path
    error: Path
    equal: Bool[Array, "studies replicates pairs"]
    score_range: Path


def running_differences(
    scores: Real[Array, "studies replicates arms"], pairs: Int[Array, "pairs 2"]
) -> RunningDifferences:
    """Return means and standard errors after every replicate.

    Args:
        scores: One number per replicate and arm; where one of a pair is not finite, the pair skips that replicate.
        pairs: Columns a and b of each pair.
    """
    first, second = (np.asarray(scores, dtype=float)[:, :, pairs[:, side]] for side in (0, 1))
    both = np.isfinite(first) & np.isfinite(second)
    differences = np.where(both, first - second, 0.0)
    count = both.cumsum(axis=1)
    origin = _first_of_each(differences, both)  # sums of squares around it do not cancel, and it never changes later
    around = np.where(both, differences - origin, 0.0)
    total, squares = around.cumsum(axis=1), np.square(around).cumsum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = total / count
        variance = np.maximum(squares - total * shift, 0.0) / (count - 1)
        error = np.sqrt(variance / count)
    highest, lowest = _running_extremes(np.stack([first, second]), both)
    spread_high, spread_low = _running_extremes(around[None], both)
    with np.errstate(invalid="ignore"):
        smallest = np.maximum(_ROUNDING * np.maximum(abs(highest), abs(lowest)), _UNDERFLOW)
        equal = (count >= 2) & (spread_high - spread_low <= smallest)
        mean = np.where(count > 0, origin + shift, np.nan)
        mean = np.where(equal & (np.abs(mean) <= smallest), 0.0, mean)
        score_range = highest - lowest
    return RunningDifferences(
        count=count, mean=mean, error=np.where(count >= 2, error, np.nan), equal=equal, score_range=score_range
    )


def limits(
    running: RunningDifferences,
    critical: Float[Array, " counts"],
    chance: Float[Array, " counts"],
    widen: Path | float = 0.0,
) -> tuple[Path, Path]:
    r"""Return the limits of mean ± critical value · standard error, for every number of replicates.

    Differences that are all equal show no spread, but that is no proof of certainty: on a small test part they often
    agree. Of n equal differences it is known only that another value comes with a chance of at most
    :math:`u = 1 - chance^{1/n}`, and it is taken to lie as far away as the scores of the two arms range: the interval
    is d ± u · range; and it is stretched to 0 unless n equal signs alone are rarer than ``chance``,
    :math:`2^{1-n} \le chance`. Where all scores of both arms are one number not even a range is known, and the interval
    is endless.

    Args:
        running: The differences.
        critical: Critical value of \|t\| for each count of replicates, entry n for n; infinite where there is no look.
        chance: Probability of error that a look at n replicates may use; for equal differences.
        widen: Added on both sides.

    Returns:
        Lower and upper limits; infinite where nothing is known.
    """
    of_count = np.minimum(running.count, len(critical) - 1)
    with np.errstate(invalid="ignore"):
        half = critical[of_count] * running.error
    known = (running.count >= 2) & np.isfinite(critical[of_count])
    unseen = 1 - chance[of_count] ** (1 / np.maximum(running.count, 1))
    of_equal = np.where(running.score_range > 0, unseen * running.score_range, np.inf)
    half = np.where(running.equal, of_equal, half)
    half = np.where(known, half + widen, np.inf)
    mean = np.where(np.isnan(running.mean), 0.0, running.mean)
    low, high = mean - half, mean + half
    doubtful = running.equal & (2.0 ** (1.0 - running.count) > chance[of_count])
    return np.where(doubtful, np.minimum(low, 0.0), low), np.where(doubtful, np.maximum(high, 0.0), high)


def _first_of_each(differences: Path, both: Bool[Array, "studies replicates pairs"]) -> Float[Array, "studies 1 pairs"]:
    place = both.argmax(axis=1, keepdims=True)
    return np.take_along_axis(differences, place, axis=1)


def _running_extremes(
    values: Float[Array, "sides studies replicates pairs"], both: Bool[Array, "studies replicates pairs"]
) -> tuple[Path, Path]:
    highest = np.where(both, values, -np.inf).max(axis=0)
    lowest = np.where(both, values, np.inf).min(axis=0)
    return np.maximum.accumulate(highest, axis=1), np.minimum.accumulate(lowest, axis=1)
