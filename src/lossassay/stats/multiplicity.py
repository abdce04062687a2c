"""P-values of a family of comparisons that are judged together.

Each function takes the whole family in one call: called row by row, it would see families of one and adjust nothing.
"""

import numpy as np
from jaxtyping import Float, Real

from lossassay.errors import DataError
from lossassay.stats.intervals import Array


def holm(p_values: Real[Array, " comparisons"]) -> Float[Array, " comparisons"]:
    r"""Return p-values adjusted by Holm's step-down rule (Holm 1979, Scand J Statist 6:65).

    The i-th smallest of m becomes :math:`\max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`. Rejecting where the result is
    at most alpha keeps the chance of any wrong rejection at alpha, whatever the dependence of the comparisons.

    Args:
        p_values: Of the whole family, each from 0 to 1; nan stays nan and does not count as a comparison.

    Raises:
        DataError: If a p-value lies outside 0 to 1, or the family is not one row of numbers.

    >>> holm(np.array([0.01, 0.04, 0.03, float("nan")])).round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    given = _checked(p_values)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    steps = np.arange(len(order), 0, -1)  # comparisons that are still open at each step
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, steps * given[order]))
    return adjusted


def bonferroni(p_values: Real[Array, " comparisons"]) -> Float[Array, " comparisons"]:
    r"""Return p-values adjusted by Bonferroni's rule, :math:`\min(1, m\,p)` (Dunn 1961, JASA 56:52).

    Args:
        p_values: Of the whole family, each from 0 to 1; nan stays nan and does not count as a comparison.

    Raises:
        DataError: If a p-value lies outside 0 to 1, or the family is not one row of numbers.

    >>> bonferroni(np.array([0.01, 0.04, 0.6])).round(3).tolist()
    [0.03, 0.12, 1.0]
    """
    given = _checked(p_values)
    return np.asarray(np.minimum(1.0, np.count_nonzero(~np.isnan(given)) * given))


def _checked(p_values: Real[Array, " comparisons"]) -> Float[Array, " comparisons"]:
    given = np.asarray(p_values, dtype=float)
    wrong = given[(given < 0) | (given > 1)]
    if wrong.size:
        raise DataError(
            f"A p-value of {wrong.flat[0]:g} came; expected numbers from 0 to 1, or nan for a comparison that was not "
            "made. Give p-values, not test statistics."
        )
    if given.ndim != 1:
        raise DataError(
            f"P-values of shape {given.shape} came; expected one row with the whole family. "
            "Give all comparisons that are judged together in one call."
        )
    return given
