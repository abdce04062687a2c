"""Crossed bootstrap: patients are drawn once for all replicates and arms, replicates once for all patients."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.paired import check_alpha

Weights = Float[Array, "patients draws"]
PerDraw = Float[Array, " draws"]
ScoreOfReplicate = Callable[[Weights], Float[Array, "arms draws"]]
"""The metric of every arm in one replicate, from the weight of each patient (a whole number, 0 or more, as float32) in
each of some draws; nan where an arm has no run, or where the metric is undefined."""

_BLOCK = 500  # draws that are made and used together: few enough to stay in the processor's cache
_BLOCK_CELLS = 2_000_000  # at most so many weights in a block


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


def crossed_bootstrap(
    replicates: Sequence[ScoreOfReplicate],
    pairs: Sequence[tuple[int, int]],
    *,
    num_patients: int,
    alpha: float,
    family_size: int,
    draws: int = 10_000,
    seed: int = 0,
    threads: int = 2,
    higher_is_better: bool = True,
) -> CrossedBootstrap:
    r"""Return percentile intervals of differences between arms, for new patients and new replicates.

    In each draw b, patient p weighs :math:`w_{bp}` in all replicates and arms, and replicate r counts :math:`m_{br}`
    times for all patients and arms, both multinomial and independent of each other: the two are crossed, as in the data
    (Owen 2007, Ann. Appl. Stat. 1:386). Drawing patients anew within each replicate (a nested bootstrap) would average
    out over replicates what the patients leave open.

    Replicates are drawn from those that both arms of a pair have. One in which either is undefined for the patients
    drawn, because a class has no weight there, is left out of that draw. The limits are the quantiles at alpha / 2 and
    1 - alpha / 2, with alpha divided by the size of the family. Threads change no digit.

    Args:
        replicates: Scores in each replicate: ``metrics.weighted_yardstick(...).of_replicates``, or any functions of
            that shape.
        pairs: Arms a and b of each pair, by their places in the scores.
        num_patients: Rows of the weights.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        family_size: Number of comparisons made together.
        draws: At least 1.
        seed: For numpy's default generator.
        threads: That work side by side.
        higher_is_better: For the probability of being best.

    Raises:
        DataError: If there is no replicate, patient or draw, or if alpha or the family makes no sense.
    """
    check_alpha(alpha)
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")
    if not len(replicates) or num_patients < 1 or draws < 1:
        raise DataError(
            "At least one replicate, one patient and one draw were expected; "
            f"got {len(replicates)}, {num_patients} and {draws}."
        )
    as_tested = np.ones((num_patients, 1), dtype=np.float32)
    observed = np.array([score(as_tested)[:, 0] for score in replicates], dtype=float)
    groups = _groups(observed, pairs)
    size = max(1, min(_BLOCK, _BLOCK_CELLS // num_patients))

    def of_block(block: int) -> tuple[Float[Array, "arms draws"], Float[Array, "pairs draws"]]:
        count = min(draws, (block + 1) * size) - block * size
        weights = np.ascontiguousarray(_patient_weights(num_patients, size, seed, block)[:, :count])
        chosen = _replicates_drawn(seed, block * size, count, len(replicates))
        counts = {number: _counts(chosen, number) for number in {group.number for group in groups}}
        sums = [_Sums(group, counts[group.number]) for group in groups]
        for replicate, score in enumerate(replicates):
            values = score(weights)
            for own in sums:
                own.add(replicate, values)
        return sums[0].of_arms(), np.concatenate([own.of_pairs() for own in sums])

    with ThreadPoolExecutor(threads) as pool:
        blocks = list(pool.map(of_block, range(-(-draws // size))))
    of_arms, of_pairs = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
    means = dict(zip([pair for group in groups for pair in group.pairs], of_pairs, strict=True))
    return CrossedBootstrap(
        differences=[
            _difference(means[a, b], observed[:, a] - observed[:, b], alpha, family_size, num_patients)
            for a, b in pairs
        ],
        probability_best=_probability_best(of_arms, higher_is_better),
    )


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Pairs whose arms have the same replicates, so that these are drawn alike.

    Args:
        present: The replicates.
        arms: Of the pairs.
        pairs: In the order in which they came.
    """

    present: Bool[Array, " replicates"]
    arms: list[int]
    pairs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many replicates."""
        return int(np.count_nonzero(self.present))


def _groups(observed: Float[Array, "replicates arms"], pairs: Sequence[tuple[int, int]]) -> list[_Group]:
    """Return the pairs by the replicates that they have; the first group has all arms, for the best of them."""
    there = np.isfinite(observed)
    everywhere = np.asarray(there.all(axis=1))
    groups = {everywhere.tobytes(): _Group(present=everywhere, arms=list(range(observed.shape[1])))}
    for a, b in pairs:
        present = there[:, a] & there[:, b]
        group = groups.setdefault(present.tobytes(), _Group(present=present, arms=[]))
        group.arms.extend(arm for arm in (a, b) if arm not in group.arms)
        if (a, b) not in group.pairs:
            group.pairs.append((a, b))
    return list(groups.values())


def _patient_weights(num_patients: int, draws: int, seed: int, block: int) -> Weights:
    """Return how often each patient is drawn when as many are drawn as there are."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, block)))
    cells = random.integers(0, num_patients, size=(draws, num_patients)) * draws + np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=num_patients * draws).reshape(num_patients, draws).astype(np.float32)


def _replicates_drawn(seed: int, first: int, draws: int, replicates: int) -> Float[Array, "draws replicates"]:
    """Return numbers from 0 to 1 that say which replicates some draws have: the same whatever draws come together."""
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1,)))
    bits.advance(first * replicates)
    return np.random.Generator(bits).random((draws, replicates))


class _Sums:
    """Sums over drawn replicates, for the arms and the pairs of one group; each replicate is added once, in order."""

    def __init__(self, group: _Group, counts: Float[Array, "present draws"]) -> None:
        self._group, self._counts = group, counts
        self._place_of = np.cumsum(group.present) - 1
        place = {arm: index for index, arm in enumerate(group.arms)}
        self._first, self._second = (
            np.array([place[pair[side]] for pair in group.pairs], dtype=int) for side in (0, 1)
        )
        draws, arms, pairs = counts.shape[1], len(group.arms), len(group.pairs)
        # of replicates in which all arms are defined, and of the others
        self._total, self._count = np.zeros((arms, draws)), np.zeros(draws)
        self._arm_total, self._arm_count = np.zeros((2, arms, draws))
        self._pair_total, self._pair_count = np.zeros((2, pairs, draws))

    def add(self, replicate: int, values: Float[Array, "arms draws"]) -> None:
        """Add the scores of all arms in one replicate, as often as it was drawn."""
        if not self._group.present[replicate]:
            return
        count, values = self._counts[self._place_of[replicate]], values[self._group.arms]
        defined = np.isfinite(values)
        if defined.all():
            self._total += count * values
            self._count += count
            return
        known, counts = np.where(defined, values, 0.0), count * defined
        self._arm_total += counts * known
        self._arm_count += counts
        both = counts[self._first] * defined[self._second]
        self._pair_total += both * (known[self._first] - known[self._second])
        self._pair_count += both

    def of_pairs(self) -> Float[Array, "pairs draws"]:
        """Return the mean of each draw of arm a minus arm b; nan where no replicate is left."""
        total = self._total[self._first] - self._total[self._second] + self._pair_total
        return _mean(total, self._count + self._pair_count)

    def of_arms(self) -> Float[Array, "arms draws"]:
        """Return the mean of each draw of each arm; nan where no replicate is left."""
        return _mean(self._total + self._arm_total, self._count + self._arm_count)


def _counts(chosen: Float[Array, "draws replicates"], present: int) -> Float[Array, "present draws"]:
    """Return how often each of the replicates present is drawn, when as many are drawn as there are."""
    draws = len(chosen)
    cells: Int[Array, "draws present"] = (chosen[:, :present] * present).astype(np.int64) * draws
    cells += np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=present * draws).reshape(present, draws).astype(float)


def _mean(total: Float[Array, "_ draws"], count: Float[Array, "_ draws"]) -> Float[Array, "_ draws"]:
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _difference(
    means: PerDraw, observed: Float[Array, " replicates"], alpha: float, family_size: int, num_patients: int
) -> BootstrapDifference:
    present = np.asarray(np.isfinite(observed))
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
        num_patients=num_patients,
        unit="patient and replicate",
        method="crossed bootstrap over patients and replicates, percentile, "
        f"Bonferroni over {family_size} comparison{'s' if family_size > 1 else ''}",
    )


def _probability_best(means: Float[Array, "arms draws"], higher_is_better: bool) -> Float[Array, " arms"]:
    """Return each arm's share of the draws in which it is best; equal bests share a draw."""
    means = means[:, np.isfinite(means).all(axis=0)]
    if not means.shape[1]:
        return np.full(len(means), np.nan)
    best = means.max(axis=0) if higher_is_better else means.min(axis=0)
    is_best = means == best
    return np.asarray((is_best / is_best.sum(axis=0)).mean(axis=1))
