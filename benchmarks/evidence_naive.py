"""Analyses that people do, on the same null studies: how often they name a winner that is none."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from benchmarks.evidence_cells import Array, normal
from lossassay.stats import Looks, race
from lossassay.stats.verdicts import UNDECIDED

ALPHA = 0.05
MOST = 30


def naive_rows(studies: int) -> list[dict[str, Any]]:
    """Return the share of null studies in which each analysis calls some pair different."""
    rows = []
    for arms in (2, 6):
        scores = normal(np.random.default_rng([3, arms]), studies, MOST, arms)
        pairs = np.array(list(combinations(range(arms), 2)))
        differences = scores[..., pairs[:, 0]] - scores[..., pairs[:, 1]]
        for name, called in _analyses(scores, pairs, differences).items():
            rows.append({"arms": arms, "analysis": name, "studies": studies, "called_different": float(called.mean())})
    return rows


def _analyses(scores: Array, pairs: Array, differences: Array) -> dict[str, Array]:
    t = _t_paths(differences)  # [S R P]
    looks = np.arange(6, MOST + 1)
    crossing = _obrien_fleming(looks)
    as_t = student_t.isf(norm.sf(crossing), looks - 1)
    planned = race(
        scores, [tuple(p) for p in pairs.tolist()], looks=Looks(kind="planned", first=6, last=30), alpha=ALPHA
    )
    anytime = race(
        scores, [tuple(p) for p in pairs.tolist()], looks=Looks(kind="anytime", first=6, last=30), alpha=ALPHA
    )
    stops = [n - 1 for n in (10, 20, 30)]
    return {
        "lossassay, planned looks": _any(planned.verdict != UNDECIDED),
        "lossassay, anytime": _any(anytime.verdict != UNDECIDED),
        "one run each, the higher number wins": _any(differences[:, 0] != 0),
        "one run each, a gap of one spread counts": _any(np.abs(differences[:, 0]) > np.std(differences)),
        "best of 5 seeds each, the higher number wins": _any(_best_of(scores, pairs, 5) != 0),
        "unpaired t, 10 replicates, each pair at 0.05": _any(_unpaired(scores[:, :10], pairs) < ALPHA),
        "paired t, 10 replicates, each pair at 0.05": _any(t[:, 9] > student_t.isf(ALPHA / 2, 9)),
        "paired t after every replicate from 3 to 30": _any(t[:, 2:] > _quantile(np.arange(3, MOST + 1))),
        "z after every replicate from 3 to 30": _any(t[:, 2:] > norm.isf(ALPHA / 2)),
        "t at 10, then 20, then 30 replicates": _any(t[:, stops] > _quantile(np.array([10, 20, 30]))),
        "O'Brien-Fleming z values as t quantiles, 25 looks": _any(t[:, looks - 1] > as_t[:, None]),
    }


def _any(called: Array) -> Array:
    return np.asarray(called.reshape(len(called), -1).any(axis=1))


def _quantile(counts: Array) -> Array:
    return np.asarray(student_t.isf(ALPHA / 2, counts - 1))[:, None]


def _t_paths(differences: Array) -> Array:
    n = np.arange(1, differences.shape[1] + 1)[:, None]
    mean = differences.cumsum(axis=1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (np.square(differences).cumsum(axis=1) - n * mean**2) / (n - 1)
        return np.abs(mean) / np.sqrt(variance / n)


def _best_of(scores: Array, pairs: Array, seeds: int) -> Array:
    best = scores[:, :seeds].max(axis=1)
    return np.asarray(best[:, pairs[:, 0]] - best[:, pairs[:, 1]])


def _unpaired(scores: Array, pairs: Array) -> Array:
    n = scores.shape[1]
    mean, variance = scores.mean(axis=1), scores.var(axis=1, ddof=1)
    a, b = pairs[:, 0], pairs[:, 1]
    t = np.abs(mean[:, a] - mean[:, b]) / np.sqrt((variance[:, a] + variance[:, b]) / n)
    return np.asarray(2 * student_t.sf(t, 2 * n - 2))


def _obrien_fleming(looks: Array, studies: int = 200_000) -> Array:
    """z values that fall with the root of the looks and err in 5 % of studies of known spread, by simulation."""
    z = np.abs(np.random.default_rng(5).normal(size=(studies, MOST)).cumsum(axis=1)) / np.arange(1, MOST + 1) ** 0.5
    shape = np.sqrt(MOST / looks)
    return np.asarray(np.quantile((z[:, looks - 1] / shape).max(axis=1), 1 - ALPHA) * shape)
