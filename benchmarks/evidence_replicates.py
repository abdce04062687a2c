"""How many replicates a verdict takes, beside a fixed t test of equal power."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import nct
from scipy.stats import t as student_t

from lossassay.stats import CODES, Looks, race

ALPHA = 0.05
PLANNED = Looks(kind="planned", first=6, last=30)
ANYTIME = Looks(kind="anytime", first=6, last=30)
EFFECTS = (0.5, 0.674, 1.0, 2.0)


def replicate_rows(studies: int) -> list[dict[str, Any]]:
    """Return one row for each effect, number of arms and rule."""
    rows = []
    for arms in (2, 6):
        for effect in EFFECTS:
            for looks in (PLANNED, ANYTIME):
                rows.append(_apart(arms, effect, looks, studies))
        for looks in (PLANNED, ANYTIME):
            rows.append(_equal(arms, 1.5, looks, studies))
    return rows


def _noise(arms: int, studies: int, seed: int) -> Any:
    """Noise whose paired differences have a spread of 1."""
    return np.random.default_rng(seed).normal(size=(studies, 30, arms)) / 2**0.5


def _apart(arms: int, effect: float, looks: Looks, studies: int) -> dict[str, Any]:
    """One arm lies the effect above the others; any one of its pairs."""
    scores = _noise(arms, studies, int(1_000 * effect) + arms)
    scores[..., 0] += effect
    pairs = list(combinations(range(arms), 2))
    found = race(scores, pairs, looks=looks, alpha=ALPHA)
    right = found.verdict[:, 0] == CODES.index("better")
    at = np.where(right, found.decided_at[:, 0], 31)
    power = float(right.mean())
    return {
        "arms": arms,
        "truth": f"{effect:g} sd apart",
        "rule": looks.kind,
        "studies": studies,
        **_quantiles(at),
        "power": power,
        "fixed": fixed_replicates(effect, power, ALPHA / len(pairs)),
    }


def _equal(arms: int, margin: float, looks: Looks, studies: int) -> dict[str, Any]:
    """All arms are equal, and the margin is that many spreads; any one pair."""
    pairs = list(combinations(range(arms), 2))
    found = race(_noise(arms, studies, 77 + arms), pairs, looks=looks, alpha=ALPHA, margin=margin)
    right = found.verdict[:, 0] == CODES.index("equivalent")
    at = np.where(right, found.decided_at[:, 0], 31)
    return {
        "arms": arms,
        "truth": f"equal, margin {margin:g} sd",
        "rule": looks.kind,
        "studies": studies,
        **_quantiles(at),
        "power": float(right.mean()),
        "fixed": None,
    }


def _quantiles(at: Any) -> dict[str, Any]:
    median, p95 = np.quantile(at, [0.5, 0.95], method="higher")
    return {"median": int(median), "p95": None if p95 > 30 else int(p95)}


def fixed_replicates(effect: float, power: float, alpha: float) -> int | None:
    """Return the fewest replicates with which a fixed t test has at least this power."""
    for replicates in range(2, 500):
        critical = student_t.isf(alpha / 2, replicates - 1)
        if nct.sf(critical, replicates - 1, effect * replicates**0.5) >= min(power, 0.999):
            return replicates
    return None
