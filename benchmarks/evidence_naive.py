"""What other analyses make of the same simulated studies: how often they call arms different."""

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from benchmarks.evidence_cells import ALPHA
from benchmarks.evidence_errors import Counts
from benchmarks.evidence_noise import NOISES, Array, generator_of
from lossassay.stats import CODES, Looks, race
from lossassay.stats.running import running_differences

MOST = 30
SEEDS = 5  # of which the best is shown
STUDIES = {  # name: noise, and the true mean of each arm in standard deviations of the paired difference
    "2 equal arms": ("normal", (0.0, 0.0)),
    "6 equal arms": ("normal", (0.0,) * 6),
    "6 equal arms, tied": ("tied", (0.0,) * 6),
    "6 equal arms, skewed": ("skewed", (0.0,) * 6),
    "2 arms 1 sd apart": ("normal", (1.0, 0.0)),
}


class Drawn:
    """Studies with all that the analyses look at.

    Args:
        name: Of the studies.
        chunk: Which of them.
        studies: How many.
    """

    def __init__(self, name: str, chunk: int, studies: int) -> None:
        noise, shifts = NOISES[STUDIES[name][0]], np.array(STUDIES[name][1])
        drawn = noise.draw(generator_of(f"naive, {name}", chunk), (studies, MOST, len(shifts) + SEEDS - 1))
        self.scores = drawn[..., : len(shifts)] + noise.sd * shifts
        more_seeds = drawn[..., len(shifts) :] + noise.sd * shifts[0]
        self.best_of_first = np.maximum(self.scores[..., 0], more_seeds.max(axis=2))
        self.pairs = list(combinations(range(len(shifts)), 2))

    def t_paths(self) -> Array:
        """t of every pair after 1, 2, ... replicates [S R P]; infinite if all differences are equal and not 0."""
        return _t_paths(self.scores, self.pairs)

    def race(self, looks: Looks) -> Array:
        """Signs of what our rule calls [S P]."""
        verdicts = race(self.scores[:, : looks.last], self.pairs, looks=looks, alpha=ALPHA).verdict
        return np.asarray((verdicts == CODES.index("better")) * 1 - (verdicts == CODES.index("worse")) * 1)


def _t_paths(scores: Array, pairs: list[tuple[int, int]]) -> Array:
    running = running_differences(scores, np.array(pairs))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(running.equal, np.sign(running.mean) * np.inf, running.mean / running.error)
    return np.nan_to_num(t, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _beyond(t: Array, critical: Array | float) -> Array:
    """Signs of the t that pass a critical value."""
    return np.asarray(np.sign(t) * (np.abs(t) > critical))


def _critical(counts: Array) -> Array:
    return np.asarray(student_t.isf(ALPHA / 2, counts - 1))[:, None]


def _one_run(drawn: Drawn) -> Array:
    return np.stack([np.sign(drawn.scores[:, 0, a] - drawn.scores[:, 0, b]) for a, b in drawn.pairs], axis=1)


def _mean_of_three(drawn: Drawn) -> Array:
    mean = drawn.scores[:, :3].mean(axis=1)
    return np.stack([np.sign(mean[:, a] - mean[:, b]) for a, b in drawn.pairs], axis=1)


def _unpaired(drawn: Drawn) -> Array:
    scores = drawn.scores[:, :10]
    mean, variance = scores.mean(axis=1), scores.var(axis=1, ddof=1)
    t = [(mean[:, a] - mean[:, b]) / np.sqrt((variance[:, a] + variance[:, b]) / 10) for a, b in drawn.pairs]
    return _beyond(np.stack(t, axis=1), float(student_t.isf(ALPHA / 2, 18)))


def _paired(drawn: Drawn) -> Array:
    return _beyond(drawn.t_paths()[:, 9], float(student_t.isf(ALPHA / 2, 9)))


def _best_of_seeds(drawn: Drawn) -> Array:
    """The first arm shows its best seed on each of 10 splits, the second its only one."""
    scores = np.stack([drawn.best_of_first, drawn.scores[..., 1]], axis=2)[:, :10]
    return _beyond(_t_paths(scores, [(0, 1)])[:, 9], float(student_t.isf(ALPHA / 2, 9)))


def _peeking_t(drawn: Drawn) -> Array:
    return _beyond(drawn.t_paths()[:, 2:], _critical(np.arange(3, MOST + 1)))


def _peeking_z(drawn: Drawn) -> Array:
    return _beyond(drawn.t_paths()[:, 2:], float(norm.isf(ALPHA / 2)))


def _extended(drawn: Drawn) -> Array:
    counts = np.array([10, 20, 30])
    return _beyond(drawn.t_paths()[:, counts - 1], _critical(counts))


def _obrien_fleming(drawn: Drawn) -> Array:
    counts = np.arange(6, MOST + 1)
    tails = norm.sf(_obrien_fleming_constant() * np.sqrt(MOST / counts))
    return _beyond(drawn.t_paths()[:, counts - 1], student_t.isf(tails, counts - 1)[:, None])


@lru_cache
def _obrien_fleming_constant(paths: int = 400_000) -> float:
    """Return C with P(some |S_n| > C sqrt(30), n = 6 to 30) = 0.05 for a known spread, by simulation."""
    random, highest = np.random.default_rng(0), []
    for _ in range(8):
        sums = np.abs(random.normal(size=(paths // 8, MOST)).cumsum(axis=1))
        highest.append(sums[:, 5:].max(axis=1))
    return float(np.quantile(np.concatenate(highest), 1 - ALPHA) / MOST**0.5)


ANALYSES: dict[str, Callable[[Drawn], Array]] = {
    "lossassay, 10 replicates": lambda drawn: drawn.race(Looks(kind="fixed", first=10, last=10)),
    "lossassay, planned looks at 6 to 30": lambda drawn: drawn.race(Looks(kind="planned", first=6, last=MOST)),
    "lossassay, anytime from 6 to 30": lambda drawn: drawn.race(Looks(kind="anytime", first=6, last=MOST)),
    "one run of each arm, the higher score wins": _one_run,
    "three runs of each arm, the higher mean wins": _mean_of_three,
    "paired t, 10 replicates; the first arm shows the best of 5 seeds": _best_of_seeds,
    "unpaired t, 10 replicates, each pair at 0.05": _unpaired,
    "paired t, 10 replicates, each pair at 0.05": _paired,
    "paired t at 0.05 after every replicate from 3 to 30": _peeking_t,
    "z test at 0.05 after every replicate from 3 to 30": _peeking_z,
    "paired t at 0.05 with 10, then 20, then 30 replicates": _extended,
    "O'Brien-Fleming z values as t quantiles, looks at 6 to 30": _obrien_fleming,
}


def judge_naive(name: str, chunk: int, studies: int) -> Counts:
    """Count the studies in which each analysis calls some pair different; where arms differ, the right way round."""
    drawn = Drawn(name, chunk, studies)
    found = [analysis(drawn) for analysis in ANALYSES.values()]
    if any(STUDIES[name][1]):
        called = [first_sign(signs) > 0 for signs in found]
    else:
        called = [(signs != 0).reshape(studies, -1).any(axis=1) for signs in found]
    return {"studies": np.array(studies), "called": np.array([np.count_nonzero(one) for one in called])}


def first_sign(signs: Array) -> Array:
    """Return the first sign that is not 0 of each study: what was called when somebody stopped."""
    flat = signs.reshape(len(signs), -1)
    return np.asarray(np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, None], axis=1)[:, 0])
