"""How often our rules say something false, and how often their intervals miss the truth: counts of a chunk."""

import numpy as np

from benchmarks.evidence_cells import ALPHA, CELLS, Cell
from benchmarks.evidence_noise import NOISES, Array, generator_of
from lossassay.stats import CODES, adjusted_p_values, classify, max_t, mean_interval, race, sd_interval
from lossassay.stats.running import limits, running_differences

Counts = dict[str, Array]
BETTER, WORSE, EQUIVALENT = (CODES.index(word) for word in ("better", "worse", "equivalent"))
ROUNDING = 1e-9  # of a margin or a truth: shifts are added to scores in floating point
P_LEVELS = (0.01, 0.05, 0.1, 0.2)


def gate(studies: int, rate: float = ALPHA) -> float:
    """Return the rate and 3.5 Monte-Carlo standard errors: 5.8 % at 10,000 studies."""
    return float(rate + 3.5 * (rate * (1 - rate) / studies) ** 0.5)


def false_words(verdicts: Array, cell: Cell) -> Array:
    """Return which verdicts [S P] are false; a difference of exactly the margin is not smaller than the margin."""
    truth = cell.true_differences * (1 if cell.higher_is_better else -1)
    false = ((verdicts == BETTER) & (truth <= 0)) | ((verdicts == WORSE) & (truth >= 0))
    if cell.true_margin is not None:
        false |= (verdicts == EQUIVALENT) & (np.abs(truth) >= cell.true_margin * (1 - ROUNDING))
    return np.asarray(false)


def judge(name: str, chunk: int, studies: int) -> Counts:
    """Draw studies of a cell and count what our rule says of them, and where its intervals miss the truth."""
    cell = CELLS[name]
    scores, patients = cell.draw(chunk, studies)
    raced = race(
        scores,
        cell.pairs,
        looks=cell.rule,
        alpha=ALPHA,
        margin=cell.true_margin,
        higher_is_better=cell.higher_is_better,
        patients=patients,
    )
    false, equivalent = false_words(raced.verdict, cell), raced.verdict == EQUIVALENT
    counts = {
        "studies": np.array(studies),
        "false": _studies_with(false),
        "false_better_or_worse": _studies_with(false & ~equivalent),
        "false_equivalent": _studies_with(false & equivalent),
        "missed_when_stopped": _studies_with(_missed(raced.low, raced.high, cell)),
        "runs": raced.arm_replicates.sum(),
    }
    if patients is None:
        counts["missed_at_some_look"] = _studies_with(missed_at_some_look(cell, scores))
    return counts


def missed_at_some_look(cell: Cell, scores: Array) -> Array:
    """Return for which pairs some look would have missed the truth, had nothing stopped [S P]."""
    running = running_differences(scores, np.array(cell.pairs))
    own = ALPHA / len(cell.pairs)
    (critical,) = cell.rule.critical_values([own])
    low, high = limits(running, critical, cell.rule.chances(own))
    return np.asarray(_missed(low, high, cell)[:, cell.rule.first - 1 : cell.rule.last].any(axis=1))


def judge_max_t(name: str, chunk: int, studies: int) -> Counts:
    """The same for fixed replicates by sign flips."""
    cell = CELLS[name]
    scores, _ = cell.draw(chunk, studies)
    low, high = np.empty((2, studies, len(cell.pairs)))
    for number, study in enumerate(scores):
        found = max_t(study, cell.pairs, alpha=ALPHA, flips=1_000, seed=number)
        low[number], high[number] = [one.low for one in found], [one.high for one in found]
    verdicts = classify(low, high, margin=cell.true_margin, higher_is_better=cell.higher_is_better)
    return {
        "studies": np.array(studies),
        "false": _studies_with(false_words(verdicts, cell)),
        "missed_when_stopped": _studies_with(_missed(low, high, cell)),
    }


def judge_arms(name: str, chunk: int, studies: int) -> Counts:
    """Intervals of one arm's mean and spread, by name of the noise and number of replicates."""
    noise, replicates = name.rsplit(", ", 1)
    kind = NOISES[noise]
    scores = kind.draw(generator_of(f"arm, {name}", chunk), (studies, int(replicates), 1))[:, :, 0]
    mean = [mean_interval(one) for one in scores]
    spread = [sd_interval(one) for one in scores]
    return {
        "studies": np.array(studies),
        "mean_missed": np.array(sum(not one.low <= kind.mean <= one.high for one in mean)),
        "spread_missed": np.array(sum(not one.low <= kind.spread <= one.high for one in spread)),
    }


def judge_p_values(name: str, chunk: int, studies: int) -> Counts:
    """How often the smallest adjusted p of a study is at most a level, for `P_LEVELS`."""
    cell = CELLS[name]
    scores, _ = cell.draw(chunk, studies)
    raced = race(scores, cell.pairs, looks=cell.rule, alpha=ALPHA)
    p = adjusted_p_values(scores, cell.pairs, raced, looks=cell.rule, alpha=ALPHA).min(axis=1)
    return {"studies": np.array(studies), "at_most": np.array([np.count_nonzero(p <= level) for level in P_LEVELS])}


def _missed(low: Array, high: Array, cell: Cell) -> Array:
    truth = cell.true_differences
    slack = ROUNDING * np.abs(truth)
    return np.asarray((low > truth + slack) | (truth - slack > high))


def _studies_with(happened: Array) -> Array:
    return np.asarray(np.count_nonzero(happened.any(axis=1)))
