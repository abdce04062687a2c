"""What each case, or each patient, pulls an AUROC up or down by: what its variance is made of.

The placement of a positive is the share of negatives that score lower, that of a negative the share of positives that
score higher; ties count half. The AUROC is the mean placement of either class.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Real, Shaped
from scipy.stats import rankdata

from lossassay.errors import DataError
from lossassay.stats.intervals import Array

Groups = Shaped[Array, " rows"]
"""Patient of each row: any integers or strings."""

_ROUNDING = 1e-12  # of the parts of a sum: a smaller sum is rounding


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Who is positive, and which patient each row belongs to.

    Args:
        truth: True for positives.
        positive_groups: Patient of each positive, counted from 0.
        negative_groups: Patient of each negative.
        num_groups: Distinct patients; without groups, rows.
        unit: What was drawn.
    """

    truth: Bool[Array, " rows"]
    positive_groups: Int[Array, " positives"]
    negative_groups: Int[Array, " negatives"]
    num_groups: int
    unit: Literal["case", "patient"]

    @property
    def rows(self) -> tuple[int, int]:
        """Positives and negatives."""
        return len(self.positive_groups), len(self.negative_groups)

    @property
    def alike(self) -> tuple[float, float]:
        """Positives and negatives, if all rows of a patient were alike: (sum of m)^2 / sum of m^2 over patients."""
        positive_sizes, negative_sizes = (
            np.bincount(members).astype(float) for members in (self.positive_groups, self.negative_groups)
        )
        return (
            float(positive_sizes.sum() ** 2 / (positive_sizes @ positive_sizes)),
            float(negative_sizes.sum() ** 2 / (negative_sizes @ negative_sizes)),
        )


@dataclass(frozen=True, kw_only=True)
class Placements:
    """An AUROC, and by how much the positives and the negatives of each patient pull it away from its mean."""

    mean: float
    positive_pull: Float[Array, " groups"]
    negative_pull: Float[Array, " groups"]


def cases_of(truth: Bool[Array, " rows"], groups: Groups | None) -> Cases:
    """Sort rows into positives and negatives, and into patients; without groups every row is a patient.

    Raises:
        DataError: If truth is not Boolean, or groups has another length.
    """
    if truth.dtype != np.bool_:
        raise DataError(f"truth of type {truth.dtype} came; expected bool: compare the labels with the positive class.")
    if groups is not None and len(groups) != len(truth):
        raise DataError(f"{len(groups)} groups came for {len(truth)} rows; expected the patient of each row.")
    number = np.arange(len(truth)) if groups is None else np.unique(groups, return_inverse=True)[1]
    return Cases(
        truth=truth,
        positive_groups=number[truth],
        negative_groups=number[~truth],
        num_groups=int(number.max()) + 1 if len(number) else 0,
        unit="case" if groups is None else "patient",
    )


def mid_ranks(scores: Real[Array, " rows"], cases: Cases) -> Float[Array, " rows"]:
    """Return the rank of each score, equal ones sharing the mean of their ranks.

    Raises:
        DataError: If a score is nan, or there are not as many as rows.
    """
    if len(scores) != len(cases.truth):
        raise DataError(f"{len(scores)} scores came for {len(cases.truth)} rows; expected one score per row.")
    missing = int(np.isnan(scores).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(scores)} scores are nan; expected numbers, which can be ranked. "
            "Leave these rows out, or look for the run that gave them."
        )
    ranks: Array = rankdata(scores)
    return ranks


def placements(cases: Cases, ranks: Float[Array, " rows"]) -> Placements:
    """Return the AUROC and the pulls: a rank among all less the rank in the own class counts the others below.

    Sun and Xu 2014, IEEE Signal Processing Letters 21:1389, with tied scores sharing the mean of their ranks.
    Counts are halves of whole numbers in float64, so their sums are exact: nothing overflows, no AUROC exceeds 1.
    """
    positives, negatives = cases.rows
    of_positives, of_negatives = ranks[cases.truth], ranks[~cases.truth]
    negatives_below = of_positives - rankdata(of_positives)
    positives_below = of_negatives - rankdata(of_negatives)
    mean = float(negatives_below.sum() / (positives * negatives))
    positive_pull = (negatives_below / negatives - mean) / positives
    negative_pull = (1 - positives_below / positives - mean) / negatives
    return Placements(
        mean=mean,
        positive_pull=np.bincount(cases.positive_groups, positive_pull, cases.num_groups),
        negative_pull=np.bincount(cases.negative_groups, negative_pull, cases.num_groups),
    )


def covariance(cases: Cases, first: Placements, second: Placements) -> float:
    r"""Return the covariance of two AUROCs over drawn patients, :math:`S_{10} / M + S_{01} / N + 2 S_{11} / MN`.

    Obuchowski 1997, Biometrics 53:567, with the three sums over patients that have positives, negatives, and either.
    Where every row is a patient of its own the last is 0 and the rest is DeLong's (DeLong, DeLong and Clarke-Pearson
    1988, Biometrics 44:837).

    Returns:
        nan where a class has fewer than two patients.
    """
    with_positives, with_negatives = (
        int(np.count_nonzero(np.bincount(members))) for members in (cases.positive_groups, cases.negative_groups)
    )
    if min(with_positives, with_negatives) < 2:
        return float("nan")
    positive = float(first.positive_pull @ second.positive_pull) * with_positives / (with_positives - 1)
    negative = float(first.negative_pull @ second.negative_pull) * with_negatives / (with_negatives - 1)
    across = float(first.positive_pull @ second.negative_pull + first.negative_pull @ second.positive_pull)
    total = positive + negative + across * cases.num_groups / (cases.num_groups - 1)
    # where the positives and negatives of each patient cancel, only rounding is left, of either sign
    return total if abs(total) > _ROUNDING * (abs(positive) + abs(negative)) else 0.0
