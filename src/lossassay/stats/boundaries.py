"""Critical values of the t statistic when replicates are looked at more than once.

Two rules, both exact for normal differences:

- planned looks: an error budget alpha is spent over looks fixed in advance (Lan and DeMets 1983, Biometrika 70:659);
- anytime: the right-Haar mixture of t likelihoods, valid at every look and without a last one (Lai 1976, Ann. Statist.
  4:265; Wang and Ramdas 2023, arXiv:2310.03722).

An interval ``mean ± critical value * s / sqrt(n)`` at every look covers the true mean at all looks together with
probability 1 - alpha (repeated confidence intervals, Jennison and Turnbull 1989, JRSS B 51:305).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr

from lossassay.stats.intervals import Array

SPENDING_POWER = 2.0  # settled by simulation: docs/decisions/0007
_CELLS = 240  # of the angle, see _planned; twice as many change critical values by less than 0.2 %
_BISECTIONS = 16  # of a cell
_NEGLIGIBLE = 1e-13  # chances below this are not resolved by the quadrature; they are spent at the next look
_RIGHT_ANGLE = np.pi / 2 - 1e-12


def planned_critical_values(
    first: int, last: int, alpha: Sequence[float], *, power: float = SPENDING_POWER
) -> Float[Array, "levels n"]:
    r"""Return the critical value of :math:`|t|` for every number of replicates up to ``last``.

    A look at n replicates may have spent :math:`\alpha\,(n / last)^{power}` in all (Kim and DeMets 1987, Biometrika
    74:149). The values solve :math:`P(|t_m| \ge c_m \text{ for some } m \le n) = \alpha\,(n / last)^{power}` exactly
    for normal differences: under the null the t statistics of growing n are a Markov chain in one dimension.

    Args:
        first: Replicates at the first look, 2 or more.
        last: Replicates at the last look, ``first`` or more.
        alpha: Chances of ever leaving out the truth, between 0 and 1.
        power: Of the spending function; larger spends later.

    Returns:
        Entry n is the critical value at n replicates, a row for each alpha; infinite below ``first``.
    """
    return _planned(first, last, tuple(alpha), power).copy()


def anytime_critical_values(first: int, last: int, alpha: Sequence[float]) -> Float[Array, "levels n"]:
    r"""Return the critical value of :math:`|t|` of the right-Haar mixture for every number of replicates.

    With effect size :math:`\delta \sim N(0, 1)` the mixture likelihood ratio of n replicates is
    :math:`(1+n)^{-1/2} \left[(1 + t^2/\nu) / (1 + t^2/(\nu(1+n)))\right]^{n/2}`, :math:`\nu = n - 1`; the critical
    value is where it reaches :math:`1/\alpha` (Ville 1939).

    Args:
        first: Replicates at the first look, 2 or more.
        last: Largest number asked for.
        alpha: Chances of ever leaving out the truth, between 0 and 1.

    Returns:
        Entry n is the critical value at n replicates, a row for each alpha; infinite where no t is large enough.
    """
    n = np.arange(first, last + 1, dtype=float)
    log_ratio = 2 / n * (0.5 * np.log1p(n) - np.log(np.asarray(alpha))[:, None])
    ratio = np.exp(np.minimum(log_ratio, 50))
    shrink = 1 - ratio / (1 + n)
    squared = np.where(shrink > 0, (ratio - 1) * (n - 1) / np.where(shrink > 0, shrink, 1), np.inf)
    values = np.full((len(squared), last + 1), np.inf)
    values[:, first:] = np.sqrt(squared)
    return values


@lru_cache(maxsize=64)
def _planned(first: int, last: int, levels: tuple[float, ...], power: float) -> Float[Array, "levels n"]:
    r"""Spend each level over the looks; the state is the chance of each cell of the angle without an exceedance so far.

    With :math:`V_n = S_n / \sqrt{Q_n}`, the sum over the root of the sum of squares, the next is
    :math:`(V_n + w) / \sqrt{1 + w^2}` where :math:`\sqrt n\, w` is Student t with n degrees of freedom and
    independent of :math:`V_n` under the null. The angle is :math:`\arcsin(|V_n| / \sqrt n)`; its tangent times
    :math:`\sqrt{n-1}` is :math:`|t|`.
    """
    edges = np.linspace(0, np.pi / 2, _CELLS + 1)
    values = np.full((len(levels), last + 1), np.inf)
    spent = np.zeros(len(levels))
    mass: Array | None = None  # [levels cells]; None before the first look
    for n in range(first, last + 1):
        tails = _exceedance(n, np.broadcast_to(edges, (len(levels), len(edges))), mass, shared=True)
        target = np.array(levels) * (n / last) ** power - spent
        angle = _solve(n, target, edges, tails, mass)
        looked = np.isfinite(angle)
        values[looked, n] = np.tan(angle[looked]) * (n - 1) ** 0.5
        spent += np.where(looked, target, 0.0)
        mass = _kept(-np.diff(tails, axis=1), edges, np.where(looked, angle, np.pi / 2))
    return values


def _exceedance(
    n: int, angles: Float[Array, "levels k"], mass: Float[Array, "levels cells"] | None, *, shared: bool = False
) -> Float[Array, "levels k"]:
    """Return the chance, with no exceedance before, that the angle at n replicates is at least each of ``angles``.

    Args:
        n: Replicates.
        angles: From 0 to pi/2; ``shared``: the same row for each level.
        mass: Of the cells of the angle at n - 1 replicates; None: this is the first look.
        shared: Whether all rows of ``angles`` are equal.
    """
    if mass is None:
        return np.asarray(2 * stdtr(n - 1, -np.tan(np.minimum(angles, _RIGHT_ANGLE)) * (n - 1) ** 0.5))
    nodes = (np.arange(_CELLS) + 0.5) * (np.pi / 2 / _CELLS)
    before = np.sin(nodes) * (n - 1) ** 0.5
    if shared:
        return mass @ _passes(before[:, None], np.sin(angles[:1]) * n**0.5, n - 1)
    passes = _passes(before, np.sin(angles)[..., None] * n**0.5, n - 1)  # [levels k cells]
    return np.asarray(np.einsum("lc,lkc->lk", mass, passes))


def _passes(before: Array, limit: Array, freedom: int) -> Array:
    """Return P(|before + w| >= limit sqrt(1 + w^2)), w being Student t over the root of its degrees of freedom."""
    limit = np.where(np.abs(limit - 1) < 1e-9, 1 + 1e-9, limit)
    root = limit * np.sqrt(np.maximum(1 + before**2 - limit**2, 0.0))
    near = (limit**2 - before**2) / (before + root)
    far = -(before + root) / (1 - limit**2)
    scale = freedom**0.5
    side = np.where(limit < 1, 1.0, -1.0)  # below 1 both tails beyond near and far count, above 1 what lies between
    chance = stdtr(freedom, -near * scale) + side * stdtr(freedom, side * far * scale)
    return np.where(1 + before**2 > limit**2, chance, 0.0)


def _solve(
    n: int, target: Float[Array, " levels"], edges: Array, tails: Float[Array, "levels edges"], mass: Array | None
) -> Float[Array, " levels"]:
    """Return the angle that is reached with chance ``target``; infinite where the chance is too small to resolve."""
    solvable = target > _NEGLIGIBLE
    cell = np.clip((tails > target[:, None]).sum(axis=1) - 1, 0, _CELLS - 1)
    low, high = edges[cell], edges[cell + 1]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = _exceedance(n, middle[:, None], mass)[:, 0] > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(solvable, (low + high) / 2, np.inf)


def _kept(mass: Float[Array, "levels cells"], edges: Array, angle: Float[Array, " levels"]) -> Array:
    """Drop what lies beyond the angle; a cell that is cut keeps its share, shifted so that its middle stays right."""
    share = np.clip((angle[:, None] - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    kept = mass * share
    shift = (1 - share) / 2  # of a cell's width, towards smaller angles
    moved = np.zeros_like(kept)
    moved[:, :-1] = (kept * shift)[:, 1:]
    return np.asarray(kept * (1 - shift) + moved)
