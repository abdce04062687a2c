"""The one rule that turns an interval into a word."""

from math import isnan
from typing import Literal

from lossassay.stats.paired import PairedDifference

Verdict = Literal["better", "worse", "equivalent", "undecided", "same function"]
Reason = Literal[
    "value and gradient are equal for every label",
    "fewer than two replicates",
    "the interval lies inside the margin",
    "the interval leaves out 0",
    "the interval contains 0 and reaches past the margin",
    "the interval contains 0, and no margin was stated",
]


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
    if isnan(low) or isnan(high):
        return "undecided", "fewer than two replicates"
    if margin is not None and -margin < low and high < margin:
        return "equivalent", "the interval lies inside the margin"
    if low > 0 or high < 0:
        return "better" if (low > 0) == higher_is_better else "worse", "the interval leaves out 0"
    if margin is None:
        return "undecided", "the interval contains 0, and no margin was stated"
    return "undecided", "the interval contains 0 and reaches past the margin"
