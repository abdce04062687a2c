"""How often our rules say something false, and how often their intervals hold the truth."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from benchmarks.evidence_cells import ALPHA, Array, Cell
from lossassay.stats import CODES, max_t, race
from lossassay.stats.running import limits, running_differences

BETTER, WORSE, EQUIVALENT = (CODES.index(word) for word in ("better", "worse", "equivalent"))


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of studies or intervals, with its Monte-Carlo error.

    Args:
        count: Of those where it happened.
        of: All.
        spread: Standard error of the share; with several intervals a study, that over studies.
    """

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of

    @property
    def error(self) -> float:
        return float((self.value * (1 - self.value) / self.of) ** 0.5)


def gate(studies: int, rate: float = ALPHA) -> float:
    """Return the rate and 3.5 Monte-Carlo standard errors: 5.8 % at 10,000 studies."""
    return rate + 3.5 * (rate * (1 - rate) / studies) ** 0.5


def false_words(verdicts: Array, truth: Array, margin: float | None, higher_is_better: bool) -> Array:
    """Return which verdicts [S P] are false; better in the wrong direction or without a difference is.

    A difference that is exactly the margin is not smaller than the margin: `equivalent` is false.
    """
    sign = 1.0 if higher_is_better else -1.0
    false = (verdicts == BETTER) & (sign * truth <= 0)
    false |= (verdicts == WORSE) & (sign * truth >= 0)
    if margin is not None:
        false |= (verdicts == EQUIVALENT) & (np.abs(truth) >= margin * (1 - 1e-12))
    return np.asarray(false)


def judge(cell: Cell, chunk: int, studies: int) -> dict[str, Array]:
    """Draw a chunk of studies and count what our rule says of them, and where its intervals miss the truth."""
    scores, patients = cell.draw(cell.generator(chunk), studies)
    truth, margin = cell.true_differences, cell.true_margin
    raced = race(
        scores,
        cell.pairs,
        looks=cell.looks,
        alpha=ALPHA,
        margin=margin,
        higher_is_better=cell.higher_is_better,
        patients=patients,
    )
    false = false_words(raced.verdict, truth, margin, cell.higher_is_better)
    missed = (raced.low > truth) | (truth > raced.high)
    return {
        "studies": np.array(studies),
        "false": _any(false),
        "false_better_or_worse": _any(false & (raced.verdict != EQUIVALENT)),
        "false_equivalent": _any(false & (raced.verdict == EQUIVALENT)),
        "missed_when_stopped": _any(missed),
        "missed_at_some_look": np.array(0) if patients else _any(missed_at_some_look(cell, scores)),
        "single_t_missed": np.array(0) if patients else np.count_nonzero(_single_t_missed(scores, truth[0])),
        "replicates": raced.arm_replicates.sum(),
    }


def missed_at_some_look(cell: Cell, scores: Array) -> Array:
    """Return for which pairs some look would have missed the truth, had nothing stopped [S P]."""
    running = running_differences(scores, np.array(cell.pairs))
    own = ALPHA / len(cell.pairs)
    (critical,) = cell.looks.critical_values([own])
    low, high = limits(running, critical, cell.looks.chances(own))
    truth = cell.true_differences
    looked = slice(cell.looks.first - 1, cell.looks.last)
    return np.asarray(((low > truth) | (truth > high))[:, looked].any(axis=1))


def _single_t_missed(scores: Array, truth: float) -> Array:
    """The t interval of the first pair alone, once, with all replicates."""
    differences = scores[:, :, 0] - scores[:, :, 1]
    replicates = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / replicates**0.5
    half = student_t.isf(ALPHA / 2, replicates - 1) * error
    return np.asarray(np.abs(differences.mean(axis=1) - truth) > half)


def judge_max_t(cell: Cell, chunk: int, studies: int) -> dict[str, Array]:
    """The same for fixed replicates by sign flips."""
    scores, _ = cell.draw(cell.generator(chunk), studies)
    truth = cell.true_differences
    false = missed = 0
    for number, study in enumerate(scores):
        found = max_t(study, cell.pairs, alpha=ALPHA, flips=2_000, seed=number)
        low, high = (np.array([getattr(one, side) for one in found]) for side in ("low", "high"))
        false += bool((((low > 0) & (truth <= 0)) | ((high < 0) & (truth >= 0))).any())
        missed += bool(((low > truth) | (truth > high)).any())
    return {"studies": np.array(studies), "false": np.array(false), "missed_when_stopped": np.array(missed)}


def _any(happened: Array) -> Array:
    return np.asarray(np.count_nonzero(happened.any(axis=1)))
