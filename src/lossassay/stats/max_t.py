"""Many arms without normality: the studentised max-T test, whose sign flips keep a replicate's pairs together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from lossassay.stats.intervals import Array
from lossassay.stats.paired import PairedDifference, check_alpha
from lossassay.stats.running import RunningDifferences, running_differences
from lossassay.stats.sign_flip import EXACT_UP_TO, TIE, most_refused, sign_patterns


def max_t(
    scores: Real[Array, "replicates arms"],
    pairs: Sequence[tuple[int, int]],
    *,
    alpha: float,
    flips: int = 10_000,
    seed: int = 0,
) -> list[PairedDifference]:
    r"""Return the paired differences of a family with p-values and intervals by studentised max-T sign flips.

    A flip turns the sign of a replicate in all pairs at once, so their dependence stays as it is. The reference is the
    largest :math:`|t_j|` over pairs under each flip, and p_adjusted the share of flips in which it reaches \|t\| of
    the pair (Westfall and Young 1993, Resampling-Based Multiple Testing, chapter 2, single step). As the observed
    signs are among the flips, the chance of any wrong rejection is at most alpha wherever the differences of the true
    null pairs are jointly symmetric about 0, whatever the other pairs do.

    The interval is :math:`\bar d \pm c\, s / \sqrt n` with one critical value c for all pairs. It needs a second
    reference: flips of the raw differences hold where the truth is 0, but far from 0 they know only the signs, and
    their c covers too little (70 % instead of 95 % for six arms far apart with ten replicates). So differences less
    their mean are flipped too, and the larger c and the larger p of the two count. c is infinite where
    :math:`2^{1-R} > \alpha`: below six replicates at 0.05.

    A replicate that a pair lacks counts as a difference of 0 under every flip, and not in its n, its spread or its
    interval. Differences that are all equal have an infinite t, and their interval and p also obey the rule of
    `paired_differences` with alpha over the number of pairs: no spread is no certainty.

    Args:
        scores: One number per replicate and arm; nan and infinite ones are missing.
        pairs: Columns a and b of each pair.
        alpha: Chance of any wrong rejection in the family, between 0 and 1.
        flips: Sampled for more than 16 replicates, beside the observed one; below that all are tried.
        seed: Of the sample.

    Returns:
        One record per pair, in the order of ``pairs``. p_adjusted is at most alpha exactly where the interval leaves
        out 0.

    Raises:
        DataError: If alpha or the number of flips make no sense.

    >>> scores = np.array([[0.9, 0.8], [0.8, 0.75], [0.85, 0.7], [0.9, 0.78], [0.88, 0.85], [0.92, 0.8], [0.9, 0.77]])
    >>> (found,) = max_t(scores, [(0, 1)], alpha=0.05)
    >>> found.p_adjusted, found.low > 0
    (0.015625, True)
    """
    check_alpha(alpha)
    if not len(pairs):
        return []
    if not len(scores):
        scores = np.full((1, scores.shape[1]), np.nan)
    family = _Family(np.asarray(scores, dtype=float), np.array(pairs, dtype=int))
    raw, centred = family.flipped([family.differences, family.residuals], flips, seed)
    p_value = np.maximum(raw.alone, centred.alone)
    p_adjusted = np.maximum(raw.share_at_least(family.strength), centred.share_at_least(family.strength))
    p_value = np.maximum(p_value, family.p_if_equal)
    p_adjusted = np.maximum(p_adjusted, np.minimum(1.0, family.size * family.p_if_equal))
    strength = max(raw.critical_strength(alpha), centred.critical_strength(alpha))
    low, high = family.limits(strength, alpha, p_adjusted)
    total = len(raw.largest)
    exact = family.replicates <= EXACT_UP_TO
    tried = f"all {2**family.replicates:,}" if exact else f"{total:,} sampled"
    method = f"studentised max-T over {family.size} comparison{'s' if family.size != 1 else ''}, {tried} sign flips"
    return [
        family.record(index, (low[index], high[index]), (p_value[index], p_adjusted[index]), alpha, method)
        for index in range(len(pairs))
    ]


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """What flips gave.

    Args:
        largest: Strength of the strongest pair under each flip, in falling order.
        alone: For each pair, the share of flips under which it is as strong as it was observed.
    """

    largest: Float[Array, " flips"]
    alone: Float[Array, " pairs"]

    def share_at_least(self, strength: Float[Array, " pairs"]) -> Float[Array, " pairs"]:
        """Return the share of flips whose strongest pair is as strong, up to rounding."""
        reached = np.searchsorted(-self.largest, -strength * (1 - TIE), side="right")
        return np.asarray(reached / len(self.largest))

    def critical_strength(self, alpha: float) -> float:
        """Return the strength above which that share is at most alpha; above 1 if there is none."""
        refused = most_refused(len(self.largest), alpha)
        return float(self.largest[refused]) / (1 - TIE) if refused else np.inf


class _Family:
    """All pairs. Their strength is t^2 / (t^2 + R - 1): it rises with the size of t, and is 1 where t is infinite."""

    def __init__(self, scores: Float[Array, "replicates arms"], pairs: Int[Array, "pairs 2"]) -> None:
        self.running: RunningDifferences = running_differences(scores[None], pairs)
        first, second = scores[:, pairs[:, 0]], scores[:, pairs[:, 1]]
        both: Bool[Array, "replicates pairs"] = np.isfinite(first) & np.isfinite(second)
        self.count, self.mean, self.error, self.equal, self.score_range = (
            np.asarray(getattr(self.running, name)[0, -1])
            for name in ("count", "mean", "error", "equal", "score_range")
        )
        with np.errstate(invalid="ignore"):
            raw = np.where(self.equal, self.mean, first - second)
        there = both.any(axis=1) if both.any() else np.arange(len(both)) == 0  # replicates that any pair has
        counts = both & (self.count >= 2)
        self.differences = np.where(counts, raw, 0.0)[there]
        self.residuals = np.where(counts, raw - self.mean, 0.0)[there]
        self.replicates = len(self.differences)
        self.size = int(np.count_nonzero(self.count >= 2))

    @cached_property
    def strength(self) -> Float[Array, " pairs"]:
        """As observed."""
        return np.asarray(self._strength(np.ones((1, self.replicates)), self.differences)[0])

    @cached_property
    def p_if_equal(self) -> Float[Array, " pairs"]:
        """Of a pair whose differences are all equal to d, (1 - abs(d) / range)^n; 0 for others."""
        with np.errstate(invalid="ignore", divide="ignore"):
            unlike = 1 - np.minimum(1.0, np.abs(self.mean) / self.score_range)
        unlike = np.where(self.mean == 0, 1.0, unlike)
        return np.asarray(np.where(self.equal, unlike**self.count, 0.0))

    def flipped(self, several: Sequence[Float[Array, "replicates pairs"]], flips: int, seed: int) -> list[_Reference]:
        """Return the reference of each of several sets of values, from the same flips of whole replicates."""
        largest: list[list[Array]] = [[] for _ in several]
        as_strong = [np.zeros(values.shape[1]) for values in several]
        for signs in sign_patterns(self.replicates, flips=flips, seed=seed):
            for index, values in enumerate(several):
                strength = self._strength(signs, values)
                largest[index].append(strength.max(axis=1))
                as_strong[index] += np.count_nonzero(strength >= self.strength * (1 - TIE), axis=0)
        in_order = [-np.sort(-np.concatenate(parts)) for parts in largest]
        return [
            _Reference(largest=sizes, alone=count / len(sizes))
            for sizes, count in zip(in_order, as_strong, strict=True)
        ]

    def _strength(
        self, signs: Float[Array, "flips replicates"], values: Float[Array, "replicates pairs"]
    ) -> Float[Array, "flips pairs"]:
        energy = self.count * np.square(values).sum(axis=0)
        share = np.square(signs @ values) / np.where(energy > 0, energy, 1.0)
        share = np.where(share > 1 - TIE, 1.0, share)  # all of one size and sign
        if (self.count == len(values)).all():
            return np.asarray(share)
        own, most = np.maximum(self.count - 1, 0), max(1, len(values) - 1)  # t^2 of fewer replicates, on one scale
        below = own * share + most * (1 - share)
        return np.asarray(own * share / np.where(below > 0, below, 1.0))

    def limits(
        self, strength: float, alpha: float, p_adjusted: Float[Array, " pairs"]
    ) -> tuple[Float[Array, " pairs"], Float[Array, " pairs"]]:
        """Return the simultaneous intervals from the critical strength."""
        most = max(1, self.replicates - 1)
        critical = (most * strength / (1 - strength)) ** 0.5 if strength < 1 else np.inf
        unseen = 1 - (alpha / max(1, self.size)) ** (1 / np.maximum(self.count, 1))
        with np.errstate(invalid="ignore"):
            of_equal = np.where(self.score_range > 0, unseen * self.score_range, np.inf)
            half = np.where(self.equal, of_equal, critical * self.error)
        undecidable = (2.0 ** (1 - self.count) > alpha) | ~np.isfinite(critical)
        half = np.where(undecidable, np.inf, half)
        low, high = self.mean - half, self.mean + half
        doubtful = p_adjusted > alpha
        return np.where(doubtful, np.minimum(low, 0.0), low), np.where(doubtful, np.maximum(high, 0.0), high)

    def record(
        self, index: int, interval: tuple[float, float], p_values: tuple[float, float], alpha: float, method: str
    ) -> PairedDifference:
        """Return one pair's record; nothing but the mean is known of fewer than two replicates."""
        count, nan = int(self.count[index]), float("nan")
        low, high, p_value, p_adjusted = (float(x) if count >= 2 else nan for x in (*interval, *p_values))
        return PairedDifference(
            estimate=float(self.mean[index]),
            low=low,
            high=high,
            level=1 - alpha,
            p_value=p_value,
            p_adjusted=p_adjusted,
            num_pairs=count,
            unit="replicate",
            method=method,
        )
