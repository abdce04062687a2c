"""The one rule that turns an interval into a word, and the order of arms that follows from the words."""

from collections.abc import Iterable
from math import isfinite
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from lossassay.stats.intervals import Array
from lossassay.stats.paired import PairedDifference

Verdict = Literal["better", "worse", "equivalent", "undecided", "same function"]
Reason = Literal[
    "value and gradient are equal for every label",
    "fewer than two replicates",
    "this method cannot decide with so few replicates",
    "all scores are one number, which shows no spread",
    "the interval lies inside the margin",
    "the interval lies inside the margin and leaves out 0",
    "the interval leaves out 0",
    "the interval contains 0 and reaches past the margin",
    "the interval contains 0, and no margin was stated",
    "verdicts with and without diverged replicates differ",
]
CODES: tuple[Verdict, ...] = ("better", "worse", "equivalent", "undecided")  # what `classify` counts
UNDECIDED = CODES.index("undecided")


def classify(
    low: Float[Array, "*shape"], high: Float[Array, "*shape"], *, margin: float | None, higher_is_better: bool
) -> Int[Array, "*shape"]:
    """Return for each interval the place of its word in `CODES`; the rule itself.

    Args:
        low: Lower limits of arm a minus arm b; nan or infinite where nothing is known.
        high: Upper limits.
        margin: The smallest difference that matters, above 0; None: nothing is equivalent.
        higher_is_better: The metric's direction.
    """
    positive, negative = ("better", "worse") if higher_is_better else ("worse", "better")
    words = np.full(np.shape(low), UNDECIDED)
    words = np.where(np.asarray(low) > 0, CODES.index(positive), words)
    words = np.where(np.asarray(high) < 0, CODES.index(negative), words)
    if margin is not None:
        words = np.where((-margin < np.asarray(low)) & (np.asarray(high) < margin), CODES.index("equivalent"), words)
    return np.asarray(words)


def verdict(
    difference: PairedDifference, *, margin: float | None, same_function: bool, higher_is_better: bool
) -> tuple[Verdict, Reason]:
    """Return the verdict on arm a against arm b, and what it rests on.

    In this order: the same function; equivalent if the interval lies inside the margin; better or worse if it leaves
    out 0; else undecided. A difference that is surely there but surely smaller than the margin is equivalent.

    Args:
        difference: Arm a minus arm b, with its simultaneous interval.
        margin: The smallest difference that matters, above 0; None: nothing is called equivalent.
        same_function: Whether the arms were found to be one function before training.
        higher_is_better: The metric's direction.
    """
    if same_function:
        return "same function", "value and gradient are equal for every label"
    low, high = difference.low, difference.high
    code = classify(np.array(low), np.array(high), margin=margin, higher_is_better=higher_is_better)
    return CODES[int(code)], reason(difference, margin)


def reason(difference: PairedDifference, margin: float | None) -> Reason:
    """Return what the verdict on two different functions rests on."""
    low, high = difference.low, difference.high
    if difference.num_pairs < 2:
        return "fewer than two replicates"
    if not (isfinite(low) and isfinite(high)) and difference.estimate == 0:
        return "all scores are one number, which shows no spread"
    if not (isfinite(low) and isfinite(high)):
        return "this method cannot decide with so few replicates"
    leaves_out_zero = low > 0 or high < 0
    if margin is not None and -margin < low and high < margin:
        if leaves_out_zero:
            return "the interval lies inside the margin and leaves out 0"
        return "the interval lies inside the margin"
    if leaves_out_zero:
        return "the interval leaves out 0"
    if margin is None:
        return "the interval contains 0, and no margin was stated"
    return "the interval contains 0 and reaches past the margin"


def rank_ranges(verdicts: Iterable[tuple[int, int, Verdict]], num_arms: int) -> list[tuple[int, int]]:
    """Return for each arm the ranks that no verdict contradicts: 1 + arms that are better, to K - arms that are worse.

    Args:
        verdicts: Arm a, arm b and the verdict of a against b.
        num_arms: K.
    """
    better = np.zeros(num_arms, dtype=int)  # arms that are better than this one
    worse = np.zeros(num_arms, dtype=int)
    for a, b, word in verdicts:
        if word in ("better", "worse"):
            winner, loser = (a, b) if word == "better" else (b, a)
            better[loser] += 1
            worse[winner] += 1
    return [(1 + int(above), num_arms - int(below)) for above, below in zip(better, worse, strict=True)]
