"""How many replicates a verdict takes, beside a t test with a fixed number of replicates and the same power."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, nct, norm
from scipy.stats import t as student_t

from benchmarks.evidence_cells import ALPHA, LOOKS
from benchmarks.evidence_errors import BETTER, EQUIVALENT, Counts
from benchmarks.evidence_noise import Array, chunks_of, generator_of
from lossassay.stats import Looks, race

MOST = 30
MOST_FIXED = 200
CAP = 0.999  # powers above it are compared as this one: simulation cannot tell them apart


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of simulated studies of normal runs.

    Args:
        arms: Of which the first differs from all others.
        effect: By how much, in standard deviations of the paired difference.
        looks: Name of the rule.
        margin: In the same unit; None: nothing is equivalent.
    """

    arms: int
    effect: float
    looks: str
    margin: float | None = None

    @property
    def name(self) -> str:
        margin = "" if self.margin is None else f", margin {self.margin:g} sd"
        return f"{self.arms} arms, {self.effect:g} sd{margin}, {self.looks}"

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return [(a, b) for a in range(self.arms) for b in range(a + 1, self.arms)]

    @property
    def right(self) -> int:
        """The word that is true of the first arm against any other."""
        return BETTER if self.margin is None else EQUIVALENT

    @property
    def rule(self) -> Looks:
        return LOOKS[self.looks]

    def chunks(self, studies: int) -> list[int]:
        return chunks_of(studies, MOST * len(self.pairs))

    def fixed_power(self, replicates: int) -> float:
        """Power of a t test with Bonferroni's level and a fixed number of replicates, for one pair."""
        own = ALPHA / len(self.pairs)
        if self.margin is None:
            return detection_power(self.effect, replicates, own)
        return equivalence_power(self.margin, replicates, own)


QUESTIONS = {
    question.name: question
    for arms in (2, 6)
    for question in (
        *(Question(arms=arms, effect=d, looks=k) for d in (0.5, 0.674, 1.0, 2.0) for k in ("planned", "anytime")),
        *(Question(arms=arms, effect=0.0, margin=1.5, looks=k) for k in ("planned", "anytime")),
    )
}


def judge_replicates(name: str, chunk: int, studies: int) -> Counts:
    """Count the studies by the replicates after which the right word was there; place 0: not by 30.

    One pair: the first arm against the second. First pair, all pairs: of the first arm against any other.
    """
    question = QUESTIONS[name]
    scores = generator_of(f"replicates, {name}", chunk).normal(size=(studies, MOST, question.arms)) / 2**0.5
    scores[..., 0] += question.effect
    raced = race(scores, question.pairs, looks=question.rule, alpha=ALPHA, margin=question.margin)
    of_first = np.array([a == 0 for a, _ in question.pairs])
    at = np.where(raced.verdict == question.right, raced.decided_at, MOST + 1)[:, of_first]
    return {
        "studies": np.array(studies),
        "one_pair": _histogram(at[:, 0]),
        "first_pair": _histogram(at.min(axis=1)),
        "all_pairs": _histogram(at.max(axis=1)),
        "runs": raced.arm_replicates.sum(),
    }


def _histogram(at: Array) -> Array:
    counts = np.bincount(at, minlength=MOST + 2)
    return np.append(counts[MOST + 1], counts[1 : MOST + 1])


def quantile(histogram: Array, share: float) -> int | None:
    """Return the replicates by which this share of studies had the right word; None: more than 30."""
    reached = np.cumsum(histogram[1:]) >= share * histogram.sum()
    return int(reached.argmax()) + 1 if reached.any() else None


def detection_power(effect: float, replicates: int, alpha: float) -> float:
    """Power of a two-sided t test in the right direction."""
    freedom = replicates - 1
    return float(nct.sf(student_t.isf(alpha / 2, freedom), freedom, effect * replicates**0.5))


def equivalence_power(margin: float, replicates: int, alpha: float, nodes: int = 2_000) -> float:
    """Chance that the two-sided t interval of equal arms lies inside the margin: over the distribution of s."""
    freedom = replicates - 1
    spread = np.sqrt(chi2.ppf((np.arange(nodes) + 0.5) / nodes, freedom) / freedom)
    room = margin * replicates**0.5 - student_t.isf(alpha / 2, freedom) * spread
    return float(np.mean(np.where(room > 0, 2 * norm.cdf(room) - 1, 0.0)))


def fewest(power_of: Callable[[int], float], power: float) -> int | None:
    """Return the fewest replicates with this power."""
    return next((n for n in range(2, MOST_FIXED) if power_of(n) >= min(power, CAP)), None)
