"""How good a score is against chance, where the rows of a group belong together.

Labels are handed from group to group to see what chance alone gives (Good 2005, Permutation, Parametric and Bootstrap
Tests of Hypotheses, chapter 3); intervals count groups, not images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as distributions

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Cells = npt.NDArray[np.bool_]

PERMUTATIONS = 200
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean over cells (the images of a class) of the share that is right.

    Args:
        estimate: From 0 to 1.
        error: Standard error, which counts groups.
    """

    estimate: float
    error: float


@dataclass(frozen=True, kw_only=True)
class AgainstChance:
    """A score, its interval and how often chance reaches it.

    Args:
        estimate: From 0 to 1.
        low: Lower limit at `LEVEL`.
        high: Upper limit.
        p: Share of permutations, the given labels included, that score as high.
    """

    estimate: float
    low: float
    high: float
    p: float


class GroupShuffler:
    """Hands the labels of each group to another group, as often as asked.

    A group takes the labels of its donor in their order, from a random place on, and repeats them where it is larger.
    Rows of a group that are alike stay alike, and every group is the donor of exactly one.

    Args:
        groups: Number of the group of each row, [N].
        seed: Of the draws.
    """

    def __init__(self, groups: Numbers, seed: int = 0) -> None:
        _, numbers, self._sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self._order = np.argsort(numbers, kind="stable")
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._own = numbers[self._order]
        self._place = np.arange(len(groups)) - self._starts[self._own]
        self._random = np.random.default_rng(seed)

    def draw(self) -> Numbers:
        """Return from which row each row takes its label, [N]."""
        donors = self._random.permutation(len(self._sizes))
        offsets = self._random.integers(0, self._sizes[donors])
        donor = donors[self._own]
        taken = self._starts[donor] + (self._place + offsets[self._own]) % self._sizes[donor]
        rows: Numbers = np.empty(len(taken), dtype=np.int64)
        rows[self._order] = self._order[taken]
        return rows


def score(cells: Cells, right: Cells, groups: Numbers) -> Score:
    """Average the shares of right rows over the cells, each with the same weight.

    The standard error is that of the linearised mean over groups (Cochran 1977, Sampling Techniques, 6.3). A cell that
    is right or wrong throughout would have none; it gets that of one more group of either kind (Agresti and Coull
    1998).

    Args:
        cells: Which rows are in a cell, [N C]; a cell without rows is left out.
        right: Whether they are right, [N C], or [N 1] where that is the same for all cells.
        groups: Number of the group of each row, 0 … G - 1, [N].
    """
    filled = cells.any(axis=0)
    cells, right = cells[:, filled], right if right.shape[1] == 1 else right[:, filled]
    counts = np.maximum(cells.sum(axis=0), 1)
    shares = (cells & right).sum(axis=0) / counts
    weight = 1 / cells.shape[1]
    spread = (cells * ((right - shares) / counts * weight)).sum(axis=1)
    of_groups = np.bincount(groups, weights=spread)
    number = len(of_groups)
    variance = number / max(1, number - 1) * float(of_groups @ of_groups)
    for k in np.flatnonzero((shares == 0) | (shares == 1)):
        in_cell = len(np.unique(groups[cells[:, k]]))
        share = (in_cell * shares[k] + 1) / (in_cell + 2)
        variance += weight**2 * share * (1 - share) / (in_cell + 2)
    return Score(estimate=float(shares.mean()), error=float(np.sqrt(variance)))


def against_chance(
    scored: Callable[[Numbers], Score],
    groups: Numbers,
    fewest_groups: int,
    chance: float,
    *,
    permutations: int = PERMUTATIONS,
) -> AgainstChance:
    """Compare a score with what the same rule reaches on labels that are handed from group to group.

    Predictions that learn from other rows depend on each other, which the standard error does not see. It is therefore
    stretched by as much as it is too small for permuted labels, where the true spread can be watched. A label that is
    held out is rarer among the rest, so that in small data chance stays below its nominal value: the interval is made
    wider by that much.

    Args:
        scored: From where each row takes its label, [N] → the score.
        groups: Number of the group of each row, [N].
        fewest_groups: Of any class; decides how wide the t interval is.
        chance: The score of a rule that sees nothing.
        permutations: How many.
    """
    number = len(groups)
    found = scored(np.arange(number))
    shuffler = GroupShuffler(groups)
    null = [scored(shuffler.draw()) for _ in range(permutations)]
    estimates = np.array([one.estimate for one in null])
    typical_error = float(np.sqrt(np.mean([one.error**2 for one in null])))
    stretch = max(1.0, float(estimates.std(ddof=1)) / typical_error) if typical_error else 1.0
    quantile = float(distributions.t.ppf((1 + LEVEL) / 2, max(1, fewest_groups - 1)))
    half = quantile * found.error * stretch + abs(float(estimates.mean()) - chance)
    return AgainstChance(
        estimate=found.estimate,
        low=max(0.0, found.estimate - half),
        high=min(1.0, found.estimate + half),
        p=(1 + int((estimates >= found.estimate - 1e-12).sum())) / (1 + permutations),
    )
