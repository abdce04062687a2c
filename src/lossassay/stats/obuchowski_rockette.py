"""Arms on one fixed test part, replicates as readers: both the replicate and the test cases are a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.stats import chi2, rankdata
from scipy.stats import f as fisher_f
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.paired import check_alpha

_ROUNDING = 1e-12  # of the estimates: a spread below it is none
_METHOD = "Obuchowski-Rockette with Hillis' degrees of freedom, replicates as readers, one fixed test part"
Covariance = Float[Array, "replicates arms replicates arms"]


@dataclass(frozen=True, kw_only=True)
class FixedTestEstimate:
    """An arm's mean, or the difference of two, for new replicates and new cases alike.

    Args:
        estimate: In the metric's unit.
        low: Lower limit; infinite where nothing varies and so nothing is known.
        high: Upper limit.
        level: At which the intervals hold; of differences, together.
        error: Standard error.
        freedom: Degrees of freedom (Hillis 2007); infinite where arms differ alike in all replicates.
        p_value: Two-sided, of this difference alone; nan for an arm.
        p_adjusted: At most 1 - level exactly where the interval leaves out 0; nan for an arm.
        num_replicates: Readers.
        num_cases: Of the test part.
        unit: What was repeated.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    error: float
    freedom: float
    p_value: float
    p_adjusted: float
    num_replicates: int
    num_cases: int
    unit: Literal["replicate and case"]
    method: str


@dataclass(frozen=True, kw_only=True)
class ObuchowskiRockette:
    """The analysis of variance, its parts, and what follows from it.

    Args:
        f: Of the hypothesis that all arms are equal; nan where nothing varies.
        arms_freedom: Numerator degrees of freedom, arms - 1.
        error_freedom: Denominator degrees of freedom (Hillis 2007).
        p_value: Of all arms at once.
        ms_arms: Mean square of arms, MS(T) in the papers.
        ms_interaction: Mean square of arms by replicates, MS(T*R).
        variance: Of one estimate over test parts, mean over arms and replicates.
        cov1: Covariance over test parts of different arms in one replicate.
        cov2: Of one arm in different replicates.
        cov3: Of different arms in different replicates.
        arms: One record per arm, from its own replicates and covariances alone.
        differences: One record per pair.
    """

    f: float
    arms_freedom: int
    error_freedom: float
    p_value: float
    ms_arms: float
    ms_interaction: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    arms: tuple[FixedTestEstimate, ...]
    differences: tuple[FixedTestEstimate, ...]


def obuchowski_rockette(
    estimates: Real[Array, "replicates arms"],
    covariance: Covariance,
    pairs: Sequence[tuple[int, int]],
    *,
    alpha: float,
    family_size: int,
    test_rows: Sequence[Int[Array, " cases"]],
) -> ObuchowskiRockette:
    r"""Compare arms that were tested on the same cases in every replicate.

    :math:`F = MS(T) / [MS(T{*}R) + R \max(Cov_2 - Cov_3, 0)]` on :math:`A - 1` and
    :math:`ddf = [MS(T{*}R) + R \max(Cov_2 - Cov_3, 0)]^2 / (MS(T{*}R)^2 / [(A - 1)(R - 1)])` degrees of freedom, for A
    arms and R replicates; a difference has the variance 2 / R times that denominator (Obuchowski and Rockette 1995,
    Commun Stat Simul 24:285; Hillis 2007, Stat Med 26:596; Hillis, Obuchowski and Berbaum 2011, Acad Radiol 18:129).

    The claim is about new cases and new replicates that are trained on the same data. Where the split is redrawn, the
    test cases differ between replicates, the covariances do not exist, and this analysis is refused.

    Args:
        estimates: The metric of each replicate and arm; none may be missing.
        covariance: Of these over test parts; from `delong_covariance` or `jackknife_covariance`.
        pairs: Columns a and b of each pair.
        alpha: Chance of any wrong rejection among the differences, between 0 and 1.
        family_size: Number of comparisons made together; 1 gives each interval by itself, as the papers print them.
        test_rows: For each replicate, the identities of its test cases in the order of the scores.

    Raises:
        DataError: If the test cases differ, a number is missing, or there are fewer than two arms or replicates.

    >>> labels, cases = np.repeat([0, 1], 20), np.arange(40)
    >>> auroc, covariance = delong_covariance(np.random.default_rng(0).normal(size=(3, 2, 40)) + labels, labels)
    >>> found = obuchowski_rockette(auroc, covariance, [(0, 1)], alpha=0.05, family_size=1, test_rows=[cases] * 3)
    >>> found.arms_freedom, found.differences[0].num_cases
    (1, 40)
    """
    check_alpha(alpha)
    scores = np.asarray(estimates, dtype=float)
    num_cases = _check(scores, covariance, family_size, test_rows)
    replicates, arms = scores.shape
    parts = _covariances(np.asarray(covariance, dtype=float))
    ms_arms, ms_interaction = _mean_squares(scores)
    between = _nothing_if_rounding(ms_interaction + replicates * max(parts[2] - parts[3], 0.0), scores)
    degrees = _freedom(between, ms_interaction, (arms - 1) * (replicates - 1))
    f = ms_arms / between if between > 0 else float("nan")
    interval = _Interval(alpha=alpha, family_size=family_size, replicates=replicates, cases=num_cases)
    error = (2 / replicates * between) ** 0.5
    return ObuchowskiRockette(
        f=f,
        arms_freedom=arms - 1,
        error_freedom=degrees,
        p_value=_f_tail(f, arms - 1, degrees),
        ms_arms=ms_arms,
        ms_interaction=ms_interaction,
        variance=parts[0],
        cov1=parts[1],
        cov2=parts[2],
        cov3=parts[3],
        arms=tuple(interval.arm(scores[:, arm], covariance[:, arm, :, arm]) for arm in range(arms)),
        differences=tuple(
            interval.difference(float(np.mean(scores[:, a] - scores[:, b])), error, degrees) for a, b in pairs
        ),
    )


def delong_covariance(
    scores: Real[Array, "replicates arms cases"], labels: Int[Array, " cases"]
) -> tuple[Float[Array, "replicates arms"], Covariance]:
    r"""Return every AUROC and their covariance over test parts (DeLong et al. 1988, Biometrics 44:837).

    Covariances of the positives' placements over their number, plus the same of the negatives; placements by ranks
    (Sun and Xu 2014, IEEE Signal Process Lett 21:1389).

    Args:
        scores: Of the positive class; higher means more likely positive.
        labels: 1 positive, 0 negative; two or more of each.

    Raises:
        DataError: If a score is missing, a label is neither 0 nor 1, or a class has fewer than two cases.

    >>> delong_covariance(np.array([[[0.1, 0.4, 0.35, 0.8]]]), np.array([0, 0, 1, 1]))[0].item()
    0.75
    """
    _check_labels(scores, labels)
    replicates, arms, cases = scores.shape
    flat = np.asarray(scores, dtype=float).reshape(-1, cases)
    positive = np.asarray(labels) == 1
    ranks = rankdata(flat, axis=1)
    of_positives = (ranks[:, positive] - rankdata(flat[:, positive], axis=1)) / (~positive).sum()
    of_negatives = 1 - (ranks[:, ~positive] - rankdata(flat[:, ~positive], axis=1)) / positive.sum()
    covariance = _covariance(of_positives) / positive.sum() + _covariance(of_negatives) / (~positive).sum()
    auroc = of_positives.mean(axis=1).reshape(replicates, arms)
    return auroc, covariance.reshape(replicates, arms, replicates, arms)


def jackknife_covariance(left_out: Real[Array, "cases replicates arms"]) -> Covariance:
    r"""Return the covariance of any metric over test parts, from its values with one case left out.

    :math:`\frac{n-1}{n} \sum_i (\theta_{(i)} - \bar\theta_{(\cdot)}) (\theta_{(i)} - \bar\theta_{(\cdot)})^T`
    (Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 3).

    Args:
        left_out: Entry i is the metric of every replicate and arm without case i. Where cases come in groups, leave
            out group by group.

    Raises:
        DataError: If there are fewer than two cases, or a number is missing.

    >>> accuracy_without_each = np.array([0.75, 0.5, 0.75, 0.75, 0.75]).reshape(5, 1, 1)  # of right, wrong, right, ...
    >>> round(jackknife_covariance(accuracy_without_each).item(), 4)
    0.04
    """
    values = np.asarray(left_out, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise DataError(
            f"Jackknife values of shape {values.shape} with {int((~np.isfinite(values)).sum())} missing came; expected "
            "two or more cases and no gaps: the metric must be defined without any one case."
        )
    flat = values.reshape(len(values), -1).T
    covariance = _covariance(flat) * (len(values) - 1) ** 2 / len(values)
    return np.asarray(covariance.reshape(values.shape[1:] * 2))


@dataclass(frozen=True, kw_only=True)
class _Interval:
    alpha: float
    family_size: int
    replicates: int
    cases: int

    def difference(self, estimate: float, error: float, freedom: float) -> FixedTestEstimate:
        """Return the record of a difference; without any spread nothing is known."""
        p_value = float(2 * student_t.sf(abs(estimate) / error, freedom)) if error > 0 else 1.0
        chance = self.alpha / self.family_size
        return self._record(estimate, error, freedom, chance, (p_value, min(1.0, self.family_size * p_value)))

    def arm(
        self, scores: Float[Array, " replicates"], covariance: Real[Array, "replicates replicates"]
    ) -> FixedTestEstimate:
        """Return the record of an arm from itself alone."""
        ms_replicates = float(scores.var(ddof=1))
        cov2 = _mean_off_diagonal(np.asarray(covariance, dtype=float))
        between = _nothing_if_rounding(ms_replicates + self.replicates * max(cov2, 0.0), scores)
        degrees = _freedom(between, ms_replicates, self.replicates - 1)
        nan = float("nan")
        error = (between / self.replicates) ** 0.5
        return self._record(float(scores.mean()), error, degrees, self.alpha, (nan, nan))

    def _record(
        self, estimate: float, error: float, freedom: float, chance: float, p_values: tuple[float, float]
    ) -> FixedTestEstimate:
        half = float(student_t.isf(chance / 2, freedom)) * error if error > 0 else float("inf")
        joint = self.family_size > 1 and not np.isnan(p_values[0])
        return FixedTestEstimate(
            estimate=estimate,
            low=estimate - half,
            high=estimate + half,
            level=1 - self.alpha,
            error=error,
            freedom=freedom,
            p_value=p_values[0],
            p_adjusted=p_values[1],
            num_replicates=self.replicates,
            num_cases=self.cases,
            unit="replicate and case",
            method=_METHOD + (f", Bonferroni over {self.family_size} comparisons" if joint else ""),
        )


def _mean_squares(scores: Float[Array, "replicates arms"]) -> tuple[float, float]:
    replicates, arms = scores.shape
    of_arms, of_replicates = scores.mean(axis=0), scores.mean(axis=1, keepdims=True)
    rest = scores - of_arms - of_replicates + scores.mean()
    ms_arms = replicates * np.square(of_arms - scores.mean()).sum() / (arms - 1)
    return float(ms_arms), float(np.square(rest).sum() / ((arms - 1) * (replicates - 1)))


def _covariances(covariance: Covariance) -> tuple[float, float, float, float]:
    """Return the variance and Cov1 to Cov3, each a mean over the entries of its kind."""
    replicates, arms = covariance.shape[:2]
    same_replicate = np.eye(replicates, dtype=bool)[:, None, :, None]
    same_arm = np.eye(arms, dtype=bool)[None, :, None, :]
    kinds = (
        same_replicate & same_arm,
        same_replicate & ~same_arm,
        ~same_replicate & same_arm,
        ~same_replicate & ~same_arm,
    )
    variance, cov1, cov2, cov3 = (float(covariance[np.broadcast_to(kind, covariance.shape)].mean()) for kind in kinds)
    return variance, cov1, cov2, cov3


def _mean_off_diagonal(matrix: Float[Array, "size size"]) -> float:
    return float(matrix[~np.eye(len(matrix), dtype=bool)].mean())


def _covariance(rows: Float[Array, "variables observations"]) -> Float[Array, "variables variables"]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred @ centred.T / (rows.shape[1] - 1))


def _nothing_if_rounding(mean_square: float, scores: Float[Array, "..."]) -> float:
    return mean_square if mean_square > (_ROUNDING * float(np.abs(scores).max())) ** 2 else 0.0


def _freedom(between: float, mean_square: float, freedom: int) -> float:
    return freedom * between**2 / mean_square**2 if mean_square > _ROUNDING * between else float("inf")


def _f_tail(f: float, numerator: int, denominator: float) -> float:
    if np.isnan(f):
        return 1.0
    tail = fisher_f.sf(f, numerator, denominator) if np.isfinite(denominator) else chi2.sf(numerator * f, numerator)
    return float(tail)


def _check(
    scores: Float[Array, "replicates arms"],
    covariance: Covariance,
    family_size: int,
    test_rows: Sequence[Int[Array, " cases"]],
) -> int:
    replicates, arms = scores.shape
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")
    if replicates < 2 or arms < 2:
        raise DataError(
            f"{replicates} replicates of {arms} arms came; Obuchowski-Rockette expects two or more of each."
        )
    if not (np.isfinite(scores).all() and np.isfinite(covariance).all()):
        raise DataError(
            "Obuchowski-Rockette needs every arm in every replicate: leave out replicates that lack an arm."
        )
    if len(test_rows) != replicates:
        raise DataError(
            f"Test cases of {len(test_rows)} replicates came with estimates of {replicates}; expected both."
        )
    for replicate, rows in enumerate(test_rows):
        if not np.array_equal(rows, test_rows[0]):
            same = np.array_equal(np.sort(rows), np.sort(test_rows[0]))
            found = "the same test cases in another order" if same else "other test cases"
            advice = "Sort the cases." if same else "Use the scope population, whose variance is clustered by patient."
            raise DataError(
                f"Replicates 0 and {replicate} have {found}; Obuchowski-Rockette needs one fixed test part. {advice}"
            )
    return len(test_rows[0])


def _check_labels(scores: Real[Array, "replicates arms cases"], labels: Int[Array, " cases"]) -> None:
    kinds, counts = np.unique(np.asarray(labels), return_counts=True)
    if kinds.tolist() != [0, 1] or counts.min() < 2:
        found = ", ".join(f"{count} of {kind}" for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True))
        raise DataError(f"Labels came as {found or 'none'}; DeLong's covariance expects two or more of 0 and of 1.")
    if not np.isfinite(np.asarray(scores, dtype=float)).all():
        raise DataError("A score is nan or infinite; DeLong's covariance expects a number for every case.")
