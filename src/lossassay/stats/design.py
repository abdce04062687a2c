"""What a design can show, before it is run; and how many more replicates an undecided pair would take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import chi2
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.paired import check_alpha
from lossassay.stats.sequences import Looks, Race, race
from lossassay.stats.sign_flip import fewest_replicates
from lossassay.stats.verdicts import CODES, UNDECIDED

_STUDIES = 2_000  # simulated; the Monte-Carlo error of a power of 0.8 is 0.009
_STEPS = 14  # bisections of an effect, in units of the spread
_LARGEST_EFFECT = 20.0  # in units of the spread
_MOST = 10_000  # replicates: more are said as "more than"


@dataclass(frozen=True, kw_only=True)
class Design:
    """What one pair of a design can show, for normal differences with a given spread.

    Args:
        sd: Of the paired difference between replicates, in the metric's unit.
        replicates: At most.
        detectable_80: True difference that is found with a power of 0.80; infinite if none is.
        detectable_90: The same with 0.90.
        smallest_margin: Half-width of the interval with all replicates: no smaller margin can be shown.
        equivalence_80: Margin within which equal arms are called equivalent with a power of 0.80.
        power_at_margin: Of finding a true difference as large as the margin; nan without one.
        replicates_if_equal: Median of replicates used where the arms are equal (early stopping; else all).
        replicates_at_margin: Median of replicates used where they differ by twice the margin; nan without one.
        studies: Simulated for these numbers.
    """

    sd: float
    replicates: int
    detectable_80: float
    detectable_90: float
    smallest_margin: float
    equivalence_80: float
    power_at_margin: float
    replicates_if_equal: float
    replicates_at_margin: float
    studies: int


@dataclass(frozen=True, kw_only=True)
class MoreReplicates:
    """About how many more replicates would decide a pair, if the difference stays where it is.

    Args:
        low: With the smallest spread that fits (a limit of its 80 % interval); None: more than `_MOST`.
        high: With the largest; None: more than `_MOST`.
        more_patients: No number of replicates: the patients' part alone is too wide.
    """

    low: int | None
    high: int | None
    more_patients: bool = False


def design(
    *,
    looks: Looks,
    sd: float,
    alpha: float,
    family_size: int,
    margin: float | None,
    test_share_ratio: float = 0.0,
    seed: int = 0,
) -> Design:
    r"""Return what one pair can show in scope procedure with t intervals.

    Args:
        looks: When the study is looked at.
        sd: Of the paired difference between replicates, above 0.
        alpha: Of the whole family.
        family_size: Pairs that are judged together.
        margin: In the unit of ``sd``, or None.
        test_share_ratio: Rows tested by rows learnt from, where these overlap between replicates (the corrected
            resampled t, one look): the mean then varies as if the spread were larger by
            :math:`\sqrt{1 + n\, n_{test}/n_{train}}`. 0: independent.
        seed: Of the simulated studies.

    Raises:
        DataError: If the spread is not above 0, or alpha makes no sense.
    """
    check_alpha(alpha)
    if not sd > 0 or not np.isfinite(sd):
        raise DataError(
            f"A spread of {sd} came. Expected the standard deviation of paired differences, above 0: "
            "take it from an earlier study or a pilot."
        )
    stated, sd = sd, sd * (1 + looks.last * test_share_ratio) ** 0.5
    trial = _Trial(looks, alpha / family_size, seed)
    (critical,) = looks.critical_values([alpha / family_size])
    half = float(critical[looks.last]) / looks.last**0.5
    relative = None if margin is None else margin / sd
    return Design(
        sd=stated,
        replicates=looks.last,
        detectable_80=sd * trial.effect(0.80),
        detectable_90=sd * trial.effect(0.90),
        smallest_margin=sd * half,
        equivalence_80=sd * trial.margin(0.80),
        power_at_margin=float("nan") if relative is None else trial.power(relative),
        replicates_if_equal=trial.replicates(0.0, relative),
        replicates_at_margin=float("nan") if relative is None else trial.replicates(2 * relative, relative),
        studies=_STUDIES,
    )


class _Trial:
    """Simulated pairs; all questions are asked of the same random numbers, so that answers are monotone."""

    def __init__(self, looks: Looks, alpha: float, seed: int) -> None:
        self.looks, self.alpha = looks, alpha
        self.noise = np.random.default_rng(seed).normal(size=(_STUDIES, looks.last))

    def race(self, effect: float, margin: float | None) -> Race:
        scores = np.stack([self.noise + effect, np.zeros_like(self.noise)], axis=2)
        return race(scores, [(0, 1)], looks=self.looks, alpha=self.alpha, margin=margin)

    def power(self, effect: float) -> float:
        return float(np.mean(self.race(effect, None).verdict == CODES.index("better")))

    def equivalent(self, margin: float) -> float:
        return float(np.mean(self.race(0.0, margin).verdict == CODES.index("equivalent")))

    def replicates(self, effect: float, margin: float | None) -> float:
        raced = self.race(effect, margin)
        return float(np.median(np.where(raced.verdict == UNDECIDED, self.looks.last, raced.arm_replicates[:, :1])))

    def effect(self, power: float) -> float:
        return self._smallest(self.power, power)

    def margin(self, power: float) -> float:
        return self._smallest(self.equivalent, power)

    @staticmethod
    def _smallest(ask: Callable[[float], float], wanted: float) -> float:
        if ask(_LARGEST_EFFECT) < wanted:
            return float("inf")
        low, high = 0.0, _LARGEST_EFFECT
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if ask(middle) >= wanted else (middle, high)
        return high


def more_replicates(
    *,
    estimate: float,
    sd: float,
    replicates: int,
    alpha: float,
    margin: float | None,
    patient_error: float = 0.0,
) -> MoreReplicates:
    """Return how many more replicates an undecided pair would take, as a range.

    The interval must leave out 0, or lie inside the margin, whichever comes first; the difference is taken to stay at
    its estimate and the spread to lie in its 80 % interval. A fixed number of replicates is assumed.

    Args:
        estimate: Mean difference so far.
        sd: Of the paired differences so far.
        replicates: So far, 2 or more.
        alpha: Of this one comparison.
        margin: The smallest difference that matters, or None.
        patient_error: Scope population: standard error that replicates cannot reduce.
    """
    target = max(abs(estimate), 0.0 if margin is None else margin - abs(estimate))
    freedom = replicates - 1
    spreads = [sd * (freedom / float(chi2.ppf(share, freedom))) ** 0.5 for share in (0.9, 0.1)]
    if patient_error * student_t.isf(alpha / 2, 1_000) >= target:
        return MoreReplicates(low=None, high=None, more_patients=patient_error > 0)
    low, high = (_replicates_for(target, spread, alpha, patient_error) for spread in spreads)
    return MoreReplicates(
        low=None if low is None else max(1, low - replicates), high=None if high is None else max(1, high - replicates)
    )


def _replicates_for(target: float, sd: float, alpha: float, patient_error: float) -> int | None:
    """Return the smallest number of replicates whose half-width is below the target."""
    counts = np.arange(2, _MOST + 1)
    half = student_t.isf(alpha / 2, counts - 1) * np.sqrt(sd**2 / counts + patient_error**2)
    enough = half < target
    return int(counts[enough.argmax()]) if enough.any() else None


def floor_in_words(method: Literal["t", "sign_flip"], replicates: int, alpha: float) -> str | None:
    """Say why a method could not decide at any effect, and what could; None where it can.

    Args:
        method: Of the verdicts.
        replicates: At most.
        alpha: Of the whole family; max-T needs no more for a larger family.
    """
    if replicates < 2:
        return (
            "one replicate shows no spread: no method can decide anything; ask for 2 or more (6 or more are sensible)"
        )
    needed = fewest_replicates("sign_flip_max_t", alpha, 1)
    if method == "sign_flip" and replicates < needed:
        return (
            f"the smallest p that sign flips can give with {replicates} replicates is {2.0 ** (1 - replicates):g}, "
            f"above alpha {alpha:g}: no difference, however large, could be found; sign-flip max-T needs {needed} "
            'replicates, and method "t" has no such floor'
        )
    return None
