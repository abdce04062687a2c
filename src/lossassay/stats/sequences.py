"""Looks at a growing study: intervals that hold at every look, arms that stop when they are decided.

Works on whole arrays of studies, so that the simulations of `docs/evidence.md` run the code that judges real studies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.boundaries import SPENDING_POWER, anytime_critical_values, planned_critical_values
from lossassay.stats.intervals import Array
from lossassay.stats.running import Path, RunningDifferences, limits, running_differences
from lossassay.stats.verdicts import UNDECIDED, classify

_LEVELS = np.geomspace(1e-9, 0.999, 40)  # at which p is read off
PerPair = Float[Array, "studies pairs"]
CountPerPair = Int[Array, "studies pairs"]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """When a study is looked at.

    Args:
        kind: ``"fixed"``: once; ``"planned"``: after every replicate from the first look to the last, by a spending
            function; ``"anytime"``: the same, by a rule that would allow going on for ever.
        first: Replicates at the first look, 2 or more.
        last: Most replicates; fixed: the same as ``first``.
    """

    kind: Literal["fixed", "planned", "anytime"]
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last or (self.kind == "fixed" and self.first != self.last) or self.first < 1:
            raise DataError(
                f"Looks of kind {self.kind!r} from {self.first} to {self.last} replicates are impossible. Expected "
                "1 <= first <= last, and first = last for a fixed number."
            )

    def critical_values(self, alpha: Sequence[float]) -> Float[Array, "levels n"]:
        """Return the critical value of t at each number of replicates, a row for each alpha (of one comparison)."""
        if self.kind == "planned":
            return planned_critical_values(max(2, self.first), max(2, self.last), alpha)
        if self.kind == "anytime":
            return anytime_critical_values(max(2, self.first), max(2, self.last), alpha)
        values = np.full((len(alpha), max(2, self.last) + 1), np.inf)
        freedom = np.arange(1, values.shape[1] - 1)
        values[:, 2:] = student_t.isf(np.asarray(alpha)[:, None] / 2, freedom)
        return values

    def chances(self, alpha: float) -> Float[Array, " n"]:
        """Return the probability of error that a look at n replicates may use alone; see `running.limits`."""
        n = np.arange(max(2, self.last) + 1, dtype=float)
        if self.kind == "fixed":
            return np.full(len(n), alpha)
        if self.kind == "planned":
            return np.asarray(alpha * np.diff((n / self.last) ** SPENDING_POWER, prepend=0.0))
        return np.asarray(alpha * self.first / np.maximum(n * (n + 1), 1))


@dataclass(frozen=True, kw_only=True)
class Race:
    """Where every pair stands at its last look.

    Args:
        estimate: Mean difference, arm a minus arm b.
        low: Lower limit of the intersection of all simultaneous intervals so far.
        high: Upper limit.
        verdict: Place of the word in `verdicts.CODES`.
        decided_at: Replicates when the word was first not undecided; 0: never.
        replicates: That both arms have.
        arm_replicates: Replicates of each arm that were looked at.
        active: Arms with an undecided pair: they need another replicate.
        looked: Which looks counted for which pair.
        path_low: Limits of the intersection at each look; infinite before the first.
        path_high: The same.
    """

    estimate: PerPair
    low: PerPair
    high: PerPair
    verdict: CountPerPair
    decided_at: CountPerPair
    replicates: CountPerPair
    arm_replicates: Int[Array, "studies arms"]
    active: Bool[Array, "studies arms"]
    looked: Bool[Array, "studies replicates pairs"]
    path_low: Path
    path_high: Path


@dataclass(frozen=True, kw_only=True)
class PatientPart:
    """The uncertainty that more replicates cannot remove, for scope ``population``.

    Args:
        error: Patient-clustered standard error of each pair's difference over the first 1, 2, ... replicates; nan
            where there is none.
        freedom: Its degrees of freedom.
        floor: What the error would come down to with endless replicates of the same patients.
    """

    error: Path
    freedom: Path
    floor: Path

    def half_width(self, chance: float, *, endless: bool = False) -> Path:
        """Return half the width of a two-sided t interval that is wrong with this chance; infinite if unknown.

        Args:
            chance: Between 0 and 1.
            endless: With endless replicates of the same patients.
        """
        error = self.floor if endless else self.error
        known = np.isfinite(error) & (self.freedom > 0)
        quantile = student_t.isf(chance / 2, np.where(known, self.freedom, 1.0))
        return np.where(known, quantile * np.where(known, error, 0.0), np.inf)


def race(
    scores: Real[Array, "studies replicates arms"],
    pairs: Sequence[tuple[int, int]],
    *,
    looks: Looks,
    alpha: float,
    margin: float | None = None,
    higher_is_better: bool = True,
    patients: PatientPart | None = None,
) -> Race:
    """Look at studies as their replicates come in; arms that are decided against all others stop.

    At every look each pair has an interval that is simultaneous over pairs (Bonferroni) and looks; what counts is the
    intersection of all of them, so a verdict may be refined from better to equivalent and is never reversed. An
    intersection that would become empty keeps the last interval.

    Args:
        scores: Of the primary metric; what is not finite is missing. Replicates after an arm has stopped are ignored.
        pairs: The family: columns a and b of each pair that is judged.
        looks: When.
        alpha: Chance of any wrong verdict in a study, between 0 and 1.
        margin: The smallest difference that matters, above 0; None: nothing is equivalent.
        higher_is_better: The metric's direction.
        patients: Scope population: half of alpha is spent on the replicates, half on the patients.

    Returns:
        The state after the replicates given.
    """
    columns = np.array(pairs, dtype=int).reshape(-1, 2)
    running = running_differences(scores, columns)
    ((low, high),) = _simultaneous(running, looks, np.array([alpha]), max(1, len(columns)), patients)
    return _run(running, low, high, columns, looks, (margin, higher_is_better), scores.shape[2])


def adjusted_p_values(
    scores: Real[Array, "studies replicates arms"],
    pairs: Sequence[tuple[int, int]],
    raced: Race,
    *,
    looks: Looks,
    alpha: float,
    patients: PatientPart | None = None,
) -> PerPair:
    """Return the inversion of the intervals: the smallest alpha at which some counted look leaves out 0.

    Read off a grid of levels that contains ``alpha``, so that p is at most alpha where the interval leaves out 0.

    Args:
        scores: As given to `race`.
        pairs: As given to `race`.
        raced: What `race` returned.
        looks: When.
        alpha: As given to `race`.
        patients: As given to `race`.
    """
    columns = np.array(pairs, dtype=int).reshape(-1, 2)
    running = running_differences(scores, columns)
    levels = np.unique(np.append(_LEVELS, alpha))
    intervals = _simultaneous(running, looks, levels, len(columns), patients)
    gaps = np.stack([_gap(low, high, raced.looked) for low, high in intervals])  # above 0 where 0 is left out
    left_out = gaps > 0
    first = np.where(left_out.any(axis=0), left_out.argmax(axis=0), len(levels))
    return _crossing(gaps, levels, first)


def intervals_at_last_look(
    scores: Real[Array, "studies replicates arms"],
    pairs: Sequence[tuple[int, int]],
    raced: Race,
    *,
    looks: Looks,
    alpha: float,
    patients: PatientPart | None = None,
) -> tuple[PerPair, PerPair, PerPair]:
    """Return mean and simultaneous limits of another metric, or another scope, where a race has stopped.

    Args:
        scores: Of the other metric.
        pairs: As given to `race`.
        raced: What `race` returned.
        looks: When.
        alpha: Of the family.
        patients: Scope population.
    """
    running = running_differences(scores, np.array(pairs, dtype=int).reshape(-1, 2))
    ((low, high),) = _simultaneous(running, looks, np.array([alpha]), len(pairs), patients)
    replicates = raced.looked.shape[1]
    last = np.where(raced.looked.any(axis=1), replicates - 1 - raced.looked[:, ::-1].argmax(axis=1), replicates - 1)
    mean, low, high = (np.take_along_axis(values, last[:, None], axis=1)[:, 0] for values in (running.mean, low, high))
    return mean, low, high


def _gap(low: Path, high: Path, looked: Bool[Array, "studies replicates pairs"]) -> PerPair:
    return np.asarray(np.where(looked, np.maximum(low, -high), -np.inf).max(axis=1, initial=-np.inf))


def _crossing(gaps: Array, levels: Array, first: Array) -> PerPair:
    """Return the level at which the gap crosses 0, linear in the logarithm between two levels of the grid."""
    at = np.clip(first, 1, len(levels) - 1)
    above = np.take_along_axis(gaps, at[None], axis=0)[0]
    below = np.take_along_axis(gaps, at[None] - 1, axis=0)[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(np.where(np.isfinite(below), -below / (above - below), 1.0), 0.0, 1.0)
    logs = np.log(levels)
    between = np.exp(logs[at - 1] + share * (logs[at] - logs[at - 1]))
    return np.asarray(np.where(first == len(levels), 1.0, np.where(first == 0, levels[0], between)))


def _simultaneous(
    running: RunningDifferences,
    looks: Looks,
    levels: Float[Array, " levels"],
    family: int,
    patients: PatientPart | None,
) -> Iterator[tuple[Path, Path]]:
    """Yield the limits for each level of the whole family."""
    own = levels / family if patients is None else levels / (2 * family)
    for chance, critical in zip(own.tolist(), looks.critical_values(own.tolist()), strict=True):
        widen: Path | float = 0.0
        if patients is not None:
            widen = patients.half_width(chance)
        yield limits(running, critical, looks.chances(chance), widen)


def _run(
    running: RunningDifferences,
    low: Path,
    high: Path,
    columns: Int[Array, "pairs 2"],
    looks: Looks,
    rule: tuple[float | None, bool],
    num_arms: int,
) -> Race:
    studies, replicates, num_pairs = running.mean.shape
    state = _State(studies, replicates, num_pairs, num_arms)
    for n in range(looks.first, min(looks.last, replicates) + 1):
        on = state.active[:, columns[:, 0]] & state.active[:, columns[:, 1]]
        state.look(n, on, low[:, n - 1], high[:, n - 1])
        words = classify(state.low, state.high, margin=rule[0], higher_is_better=rule[1])
        state.decided_at[(state.decided_at == 0) & (words != UNDECIDED)] = n
        undecided = words == UNDECIDED
        for arm in range(num_arms):
            state.active[:, arm] &= undecided[:, (columns == arm).any(axis=1)].any(axis=1)
    last = state.last_look[:, None, :]
    return Race(
        estimate=np.take_along_axis(running.mean, last, axis=1)[:, 0],
        low=state.low,
        high=state.high,
        verdict=classify(state.low, state.high, margin=rule[0], higher_is_better=rule[1]),
        decided_at=state.decided_at,
        replicates=np.take_along_axis(running.count, last, axis=1)[:, 0],
        arm_replicates=state.arm_replicates,
        active=state.active,
        looked=state.looked,
        path_low=state.path_low,
        path_high=state.path_high,
    )


class _State:
    """What changes from look to look."""

    def __init__(self, studies: int, replicates: int, num_pairs: int, num_arms: int) -> None:
        self.low = np.full((studies, num_pairs), -np.inf)
        self.high = np.full((studies, num_pairs), np.inf)
        self.decided_at = np.zeros((studies, num_pairs), dtype=int)
        self.last_look = np.full((studies, num_pairs), replicates - 1)
        self.active = np.ones((studies, num_arms), dtype=bool)
        self.arm_replicates = np.full((studies, num_arms), replicates)
        self.looked = np.zeros((studies, replicates, num_pairs), dtype=bool)
        self.path_low = np.full((studies, replicates, num_pairs), -np.inf)
        self.path_high = np.full((studies, replicates, num_pairs), np.inf)

    def look(self, n: int, on: Bool[Array, "studies pairs"], low: PerPair, high: PerPair) -> None:
        """Intersect the intervals of the pairs that are still on with those at n replicates."""
        lower = np.where(on, np.maximum(self.low, low), self.low)
        upper = np.where(on, np.minimum(self.high, high), self.high)
        possible = lower <= upper
        self.low, self.high = np.where(possible, lower, self.low), np.where(possible, upper, self.high)
        self.last_look = np.where(on, n - 1, self.last_look)
        self.arm_replicates = np.where(self.active, n, self.arm_replicates)
        self.looked[:, n - 1] = on
        self.path_low[:, n - 1], self.path_high[:, n - 1] = self.low, self.high
