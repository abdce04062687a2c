"""Pruning that is fair between arms: successive halving with the same numbers at the same epochs for every arm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Until which epoch trials train, and how many of them go on from there."""

    epoch: int
    kept: int


def rungs(trials: int, epochs: int, pruning: str) -> list[Rung]:
    """Return the rungs of a tuning job, the last one at the full length.

    All trials train a quarter of their epochs, the better half goes on to one half, and the better quarter to the end
    (successive halving: Jamieson and Talwalkar 2016, arXiv:1502.07943, with two cuts).

    Args:
        trials: How many.
        epochs: Of a whole run.
        pruning: ``"halving"``, or ``"none"``: all train to the end.
    """
    if pruning == "none":
        return [Rung(epoch=epochs, kept=1)]
    return [
        Rung(epoch=math.ceil(epochs / 4), kept=math.ceil(trials / 2)),
        Rung(epoch=math.ceil(epochs / 2), kept=math.ceil(trials / 4)),
        Rung(epoch=epochs, kept=1),
    ]


def budget_epochs(trials: int, epochs: int, pruning: str) -> int:
    """Return the epochs that a job spends in all, if no trial diverges.

    Args:
        trials: How many.
        epochs: Of a whole run.
        pruning: As of `rungs`.
    """
    spent, before, going = 0, 0, trials
    for rung in rungs(trials, epochs, pruning):
        spent += going * (rung.epoch - before)
        before, going = rung.epoch, rung.kept
    return spent


Values = Mapping[int, float | None]  # of each trial by number; None: it diverged, or has none


def better(values: Values, kept: int, *, high: bool, nlls: Values | None = None) -> list[int]:
    """Return the trials that go on, in the order of their numbers.

    Ties go as in `ranking`. A trial without a value (it diverged) never goes on, and its place stays empty: no other
    trial gets more because one failed.

    Args:
        values: Best value so far of each trial.
        kept: How many places there are.
        high: Whether high values are good.
        nlls: As of `ranking`.
    """
    ranked = ranking(values, high=high, nlls=nlls)[:kept]
    return sorted(number for number in ranked if values[number] is not None)


def ranking(values: Values, *, high: bool, nlls: Values | None = None) -> Sequence[int]:
    """Return the trials from the best to the worst, those without a value last.

    Of equal values the smaller negative log-likelihood is better, then the smaller number. Early trials that all
    predict one class have the same decisions, but not the same probabilities.

    Args:
        values: As of `better`.
        high: Whether high values are good.
        nlls: Validation negative log-likelihood of each trial at the epoch of its value; one that has none is worse.
    """

    def key(number: int) -> tuple[bool, float, float, int]:
        value, nll = values[number], (nlls or {}).get(number)
        if value is None:
            return True, 0.0, 0.0, number
        return False, -value if high else value, math.inf if nll is None else nll, number

    return sorted(values, key=key)
