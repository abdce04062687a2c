"""What counts as one observation: a replicate, a fold that shares what it learns from with others, or a site."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lossassay import stats
from lossassay.config.schema import SplitConfig
from lossassay.engine.spec import Array
from lossassay.study.analysis.family import Pair

Scope = str  # "procedure" or "population"


@dataclass(frozen=True, kw_only=True)
class Units:
    """The unit of a study's paired statistics.

    Args:
        noun: In the plural: replicates, folds or sites.
        test_share_ratio: Rows tested by rows learnt from, where replicates share what they learn from; 0: they are
            draws of their own.
        sites: Number of sites; the replicates of one site are averaged first. 0: they are not.
    """

    noun: str
    test_share_ratio: float = 0.0
    sites: int = 0

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Scopes whose intervals are worked out. Folds and sites have one: what else varies is not separated."""
        return ("procedure",) if self.test_share_ratio or self.sites else ("procedure", "population")

    def count(self, replicates: int) -> int:
        """Return how many observations a number of replicates makes."""
        return min(self.sites, replicates) if self.sites else replicates

    def observations(self, scores: Array, pairs: Sequence[Pair]) -> tuple[Array, list[Pair]]:
        """Return scores of which each row is one observation, and the columns of each pair in them.

        Args:
            scores: [R A]; a replicate that one of a pair lacks counts for neither.
            pairs: Columns of each pair.
        """
        if not self.sites:
            return scores, list(pairs)
        columns = []
        for a, b in pairs:
            both = np.isfinite(scores[:, a]) & np.isfinite(scores[:, b])
            columns += [self.values(np.where(both, scores[:, arm], np.nan)) for arm in (a, b)]
        return np.stack(columns, axis=1), [(2 * place, 2 * place + 1) for place in range(len(pairs))]

    def values(self, values: Array) -> Array:
        """Return one number for each observation, from one for each replicate; nan where there is none."""
        if not self.sites:
            return values
        return np.array([_mean(values[site :: self.sites]) for site in range(self.count(len(values)))])

    def mean_interval(self, values: Array, *, level: float) -> stats.MeanInterval:
        """Return the mean with the interval that fits the unit.

        Args:
            values: One number for each replicate, in order; nan where there is none.
            level: Of the interval.
        """
        found = stats.mean_interval(self.values(values), level=level, test_share_ratio=self.test_share_ratio)
        return replace(found, replicates=int(np.isfinite(values).sum()))

    def replicates(self, scores: Array, pair: Pair) -> int:
        """Return how many replicates both arms of a pair have."""
        return int(np.isfinite(scores[:, list(pair)]).all(axis=1).sum())


def units_of(split: SplitConfig, sites: int) -> Units:
    """Return the unit that a split asks for.

    A fold is learnt from the others, of which the validation part is one part: it chooses the epoch. So rows tested by
    rows learnt from are 1 / (folds - 1).

    Args:
        split: The study's.
        sites: Number of sources; used where one after the other is left out.
    """
    if split.kind == "cross_validation":
        return Units(noun="folds", test_share_ratio=1 / (split.folds - 1))
    if split.kind == "leave_one_out":
        return Units(noun="sites", sites=sites)
    return Units(noun="replicates")


def by_replicate(values: Sequence[tuple[int, float]], replicates: int) -> Array:
    """Return [R], nan where there is no value.

    Args:
        values: Number of the replicate, and the value.
        replicates: R.
    """
    found = np.full(replicates, np.nan)
    for replicate, value in values:
        found[replicate] = value
    return found


def _mean(values: Array) -> float:
    used = values[np.isfinite(values)]
    return float(used.mean()) if len(used) else float("nan")
