"""Crossed bootstrap: patients are drawn once for all replicates and arms, replicates once for all patients."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.paired import check_alpha

Weights = Float[Array, "patients draws"]
Scores = Float[Array, "replicates arms draws"]
PerDraw = Float[Array, " draws"]

_BLOCK = 500  # draws whose weights are made and used together: few enough to stay in the processor's cache
_BLOCK_CELLS = 2_000_000  # at most so many weights in a block


@dataclass(frozen=True, kw_only=True)
class DrawnScores:
    """A metric of every replicate and arm, as observed and for patients drawn anew.

    Args:
        observed: [R A]; nan where an arm has no run.
        drawn: [draws R A]; each draw has one weight per patient, the same for all replicates and arms.
        num_patients: That were drawn from.
        seed: Of the draws.
    """

    observed: Float[Array, "replicates arms"]
    drawn: Float[Array, "draws replicates arms"]
    num_patients: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class BootstrapDifference:
    """Difference of two arms with a percentile interval.

    Args:
        estimate: Arm a minus arm b, mean over the replicates that both have, in the metric's unit.
        low: Lower limit of the simultaneous interval; nan without replicates or with one draw.
        high: Upper limit of the simultaneous interval; nan where low is.
        level: At which all intervals of the family hold together.
        draws: In which the difference is defined.
        num_replicates: That both arms have.
        num_patients: That were drawn from.
        unit: What was drawn.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    draws: int
    num_replicates: int
    num_patients: int
    unit: Literal["patient and replicate"]
    method: str


@dataclass(frozen=True, kw_only=True)
class CrossedBootstrap:
    """What a crossed bootstrap says of all arms.

    Args:
        differences: One for each pair, in the order asked for.
        probability_best: For each arm the share of draws in which its mean over replicates is best, ties shared, over
            the replicates that all arms have; nan if there is none. It is the share of draws, not a posterior.
    """

    differences: list[BootstrapDifference]
    probability_best: Float[Array, " arms"]


def draw_scores(
    score: Callable[[Weights], Scores], *, num_patients: int, draws: int = 10_000, seed: int = 0, threads: int = 2
) -> DrawnScores:
    """Compute a metric for patients drawn anew, with replacement, as often as asked.

    The first draws are the same however many are asked for and whatever the number of threads.

    Args:
        score: The metric of every replicate and arm, from the weight of each patient (a whole number, 0 or more, as
            float32) in each of some draws: ``metrics.weighted_yardstick``, or any function of that shape.
        num_patients: Rows of the weights.
        draws: At least 1.
        seed: For numpy's default generator.
        threads: That work side by side.

    Raises:
        DataError: If there is no patient or no draw.
    """
    if num_patients < 1 or draws < 1:
        raise DataError(f"At least one patient and one draw were expected; got {num_patients} and {draws}.")
    observed = score(np.ones((num_patients, 1), dtype=np.float32))[..., 0].astype(float)
    by_arm = np.empty((observed.shape[1], draws, observed.shape[0]))  # arms first: pairs of arms are read whole later
    drawn = np.moveaxis(by_arm, 0, -1)

    size = max(1, min(_BLOCK, _BLOCK_CELLS // num_patients))

    def fill(block: int) -> None:
        place = slice(block * size, min(draws, (block + 1) * size))
        weights = _patient_weights(num_patients, size, seed, block)[:, : place.stop - place.start]
        drawn[place] = np.moveaxis(score(np.ascontiguousarray(weights)), -1, 0)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(-(-draws // size))))
    return DrawnScores(observed=observed, drawn=drawn, num_patients=num_patients, seed=seed)


def crossed_bootstrap(
    scores: DrawnScores,
    pairs: Sequence[tuple[int, int]],
    *,
    alpha: float,
    family_size: int,
    higher_is_better: bool = True,
) -> CrossedBootstrap:
    r"""Return percentile intervals of differences between arms, for new patients and new replicates.

    In each draw b, patient p weighs :math:`w_{bp}` in all replicates and arms, and replicate r counts :math:`m_{br}`
    times for all patients and arms, both multinomial and independent of each other: the two are crossed, as in the data
    (Owen 2007, Ann. Appl. Stat. 1:386). Drawing patients anew within each replicate (a nested bootstrap) would average
    out over replicates what the patients leave open.

    The limits are the quantiles at alpha / 2 and 1 - alpha / 2, with alpha divided by the size of the family.

    Args:
        scores: From ``draw_scores``.
        pairs: Arms a and b of each pair, as columns of the scores.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number of comparisons made together.
        higher_is_better: For the probability of being best.

    Raises:
        DataError: If alpha or the family makes no sense.
    """
    check_alpha(alpha)
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")
    means_of = _Means(scores)
    return CrossedBootstrap(
        differences=[_difference(means_of, pair, alpha, family_size) for pair in pairs],
        probability_best=_probability_best(means_of, higher_is_better),
    )


def _patient_weights(num_patients: int, draws: int, seed: int, block: int) -> Weights:
    """Return how often each patient is drawn when as many are drawn as there are."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, block)))
    cells = random.integers(0, num_patients, size=(draws, num_patients)) * draws + np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=num_patients * draws).reshape(num_patients, draws).astype(np.float32)


class _Means:
    """Means over drawn replicates, with the same draws of replicates for all arms and pairs."""

    def __init__(self, scores: DrawnScores) -> None:
        self.scores = scores
        random = np.random.default_rng(np.random.SeedSequence(scores.seed, spawn_key=(1,)))
        self._uniform = random.random((len(scores.drawn), len(scores.observed)))
        self._counts: dict[int, Float[Array, "draws replicates"]] = {}
        self._of_arms: dict[tuple[int, bytes], PerDraw] = {}
        self._defined = [np.packbits(np.isfinite(scores.drawn[..., arm])) for arm in range(scores.observed.shape[1])]

    def counts(self, num_replicates: int) -> Float[Array, "draws replicates"]:
        """Return how often each of so many replicates is drawn, when as many are drawn as there are."""
        if num_replicates not in self._counts:
            draws = len(self._uniform)
            cells = (self._uniform[:, :num_replicates] * num_replicates).astype(np.int64)
            cells += np.arange(draws)[:, None] * num_replicates
            found = np.bincount(cells.ravel(), minlength=draws * num_replicates)
            self._counts[num_replicates] = found.reshape(draws, num_replicates).astype(float)
        return self._counts[num_replicates]

    def difference(self, a: int, b: int, present: Bool[Array, " replicates"]) -> PerDraw:
        """Return the mean of each draw of arm a minus arm b.

        Where both are defined in the same draws and replicates, that is the difference of their own means.
        """
        if np.array_equal(self._defined[a], self._defined[b]):
            return self.arm(a, present) - self.arm(b, present)
        return self._of(self.scores.drawn[..., a] - self.scores.drawn[..., b], present)

    def arm(self, arm: int, present: Bool[Array, " replicates"]) -> PerDraw:
        """Return the mean of each draw of one arm."""
        key = (arm, present.tobytes())
        if key not in self._of_arms:
            self._of_arms[key] = self._of(self.scores.drawn[..., arm], present)
        return self._of_arms[key]

    def _of(self, values: Float[Array, "draws replicates"], present: Bool[Array, " replicates"]) -> PerDraw:
        """Return the mean of each draw over replicates drawn from those present.

        Where a value is undefined in a draw, because a class has no weight there, its replicate is left out of that
        draw; nan if none is left.
        """
        counts, values = self.counts(int(np.count_nonzero(present))), values if present.all() else values[:, present]
        defined = np.isfinite(values)
        if defined.all() and present.any():
            return np.asarray(np.einsum("dr,dr->d", counts, values) / counts.shape[1])
        whole = (counts * defined).sum(axis=1)
        total = (counts * np.where(defined, values, 0.0)).sum(axis=1)
        return np.asarray(np.divide(total, whole, out=np.full(len(values), np.nan), where=whole > 0))


def _difference(means_of: _Means, pair: tuple[int, int], alpha: float, family_size: int) -> BootstrapDifference:
    (a, b), scores = pair, means_of.scores
    observed = scores.observed[:, a] - scores.observed[:, b]
    present = np.asarray(np.isfinite(observed))
    means = means_of.difference(a, b, present)
    means = means[np.isfinite(means)]
    tail = alpha / (2 * family_size)
    low, high = np.quantile(means, [tail, 1 - tail]) if len(means) > 1 else (np.nan, np.nan)
    return BootstrapDifference(
        estimate=float(observed[present].mean()) if present.any() else float("nan"),
        low=float(low),
        high=float(high),
        level=1 - alpha,
        draws=len(means),
        num_replicates=int(present.sum()),
        num_patients=scores.num_patients,
        unit="patient and replicate",
        method="crossed bootstrap over patients and replicates, percentile, "
        f"Bonferroni over {family_size} comparison{'s' if family_size > 1 else ''}",
    )


def _probability_best(means_of: _Means, higher_is_better: bool) -> Float[Array, " arms"]:
    """Return each arm's share of the draws in which it is best; equal bests share a draw."""
    scores = means_of.scores
    present = np.asarray(np.isfinite(scores.observed).all(axis=1))
    means = np.stack([means_of.arm(arm, present) for arm in range(scores.observed.shape[1])], axis=1)
    means = means[np.isfinite(means).all(axis=1)]
    if not len(means):
        return np.full(means.shape[1], np.nan)
    best = means.max(axis=1, keepdims=True) if higher_is_better else means.min(axis=1, keepdims=True)
    is_best = means == best
    return np.asarray((is_best / is_best.sum(axis=1, keepdims=True)).mean(axis=0))
