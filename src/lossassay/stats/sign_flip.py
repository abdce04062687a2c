"""Tests of one row of paired differences that assume nothing but symmetry: sign flips and signed ranks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.special import ndtri
from scipy.stats import rankdata

from lossassay.errors import DataError
from lossassay.stats.intervals import Array
from lossassay.stats.paired import check_alpha

EXACT_UP_TO = 16  # differences: 2^16 flips are all tried
TIE = 1e-9  # relative: sums that are equal on paper differ by rounding
_RANKS_UP_TO = 400  # differences whose rank sums are counted exactly
_ROWS = 2_048  # flips at a time
_HYPOTHESIS: Literal["symmetry of the differences about 0"] = "symmetry of the differences about 0"


@dataclass(frozen=True, kw_only=True)
class SymmetryTest:
    """A test of whether paired differences lie symmetrically about 0, with the centre's interval.

    Args:
        estimate: Of the centre, in the unit of the differences; nan without any.
        low: Lower limit of the centre; infinite where no shift could be refused, nan where nothing is known.
        high: Upper limit of the centre.
        level: Of the interval.
        p_value: Two-sided; nan without differences.
        num_pairs: Differences that were used, zeros included; nan and infinite ones are left out.
        num_zeros: Differences that are 0. They were kept.
        tests: The hypothesis. A small p speaks against it: the centre is not 0, or the differences are lopsided.
        flips: Patterns of signs behind the p-value.
        exact: Whether these are all there are; else a random sample of them.
        unit: What was repeated.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    num_pairs: int
    num_zeros: int
    tests: Literal["symmetry of the differences about 0"]
    flips: int
    exact: bool
    unit: Literal["pair"]
    method: str


def sign_flip_test(
    differences: Real[Array, " pairs"], *, alpha: float = 0.05, flips: int = 10_000, seed: int = 0
) -> SymmetryTest:
    r"""Return the sign-flip test of paired differences (Fisher 1935, The Design of Experiments, section 21).

    p is the share of sign patterns s with :math:`|\sum s_i d_i| \ge |\sum d_i|`, the observed one among them. The
    studentised mean would give the same p: flips leave :math:`\sum d_i^2` as it is, so \|t\| rises with \|mean\|.
    Zeros are kept: a flip does not move them.

    The interval holds every shift that the same flips would not refuse at ``alpha``. Its limits are means of subsets
    of the differences (Hartigan 1969, JASA 64:1303), and it leaves out 0 exactly where p is at most alpha. Of
    differences that are all equal it is not known (nan): they show no spread.

    Args:
        differences: Arm a minus arm b; nan and infinite ones are left out.
        alpha: 1 minus the level of the interval.
        flips: Sampled for more than 16 differences, beside the observed one; below that all are tried.
        seed: Of the sample.

    Raises:
        DataError: If alpha or the number of flips make no sense.

    >>> sign_flip_test(np.array([0.02, 0.01, 0.03, 0.02, 0.01, 0.04])).p_value
    0.03125
    """
    check_alpha(alpha)
    used, num_zeros = _usable(differences)
    count, exact = len(used), len(used) <= EXACT_UP_TO
    if not count:
        return _record(used, np.full(3, np.nan), (float("nan"), 0, True), alpha, "no differences")
    parts = [_means_of_parts(used, signs) for signs in sign_patterns(count, flips=flips, seed=seed)]
    low, high = np.sort(np.concatenate(parts, axis=1), axis=1)
    p_value = float(np.mean(low <= 0) if used.mean() >= 0 else np.mean(high >= 0))
    refused = most_refused(len(low), alpha)
    limits = np.array([used.mean(), low[refused], high[-1 - refused]])
    if count > 1 and np.ptp(used) <= TIE * np.abs(used).max():
        limits[1:] = np.nan
    tried = 2**count if exact else len(low)
    method = f"sign-flip test of the mean, {'all' if exact else 'a sample of'} {tried:,} flips"
    return _record(used, limits, (p_value, tried, exact), alpha, method, num_zeros)


def wilcoxon_test(
    differences: Real[Array, " pairs"], *, alpha: float = 0.05, flips: int = 10_000, seed: int = 0
) -> SymmetryTest:
    r"""Return the signed-rank test of paired differences (Wilcoxon 1945, Biometrics Bulletin 1:80).

    The statistic is the sum of the ranks of \|d\| over positive d. Zeros are ranked with the others and their ranks
    then left out (Pratt 1959, JASA 54:655), ties share their mean rank, and p counts the sign patterns of just these
    ranks that give a sum as far from its centre: exact with ties and zeros too.

    The estimate is the median of all pairwise means (Hodges and Lehmann 1963, Ann Math Statist 34:598), and the limits
    are two of them. With ties or zeros they are approximate: then trust p where the two disagree about 0.

    Args:
        differences: Arm a minus arm b; nan and infinite ones are left out.
        alpha: 1 minus the level of the interval.
        flips: Sampled for more than 400 differences, beside the observed one; below that all are counted.
        seed: Of the sample.

    Raises:
        DataError: If alpha or the number of flips make no sense.

    >>> wilcoxon_test(np.array([0.02, 0.01, 0.03, 0.02, 0.01, -0.04])).p_value
    0.375
    """
    check_alpha(alpha)
    used, num_zeros = _usable(differences)
    if not len(used):
        return _record(used, np.full(3, np.nan), (float("nan"), 0, True), alpha, "no differences")
    size = np.abs(used) / max(float(np.abs(used).max()), np.finfo(float).tiny)
    ranks = np.rint(2 * rankdata(np.round(size, 12))).astype(int)  # twice the rank is whole, with ties too
    signed = (ranks * np.sign(used).astype(int))[used != 0]
    exact = len(signed) <= _RANKS_UP_TO
    if exact:
        p_value, tried = _share_as_far(signed), 2 ** len(signed)
    else:
        p_value, tried = _sampled_share(signed, flips, seed), flips + 1
    limits = _walsh_limits(used, alpha)
    words = f"all 2^{len(signed)}" if exact else f"a sample of {tried:,}"
    method = f"signed-rank test, {words} flips, zeros by Pratt's rule"
    return _record(used, limits, (p_value, tried, exact), alpha, method, num_zeros)


def fewest_replicates(
    method: Literal["t", "sign_flip_bonferroni", "sign_flip_holm", "sign_flip_max_t"], alpha: float, family_size: int
) -> int:
    r"""Return the fewest replicates with which a method can find anything, however large the effect.

    R flips give no p below :math:`2^{1-R}`. Bonferroni's and Holm's rule ask for alpha / m of the first of m
    comparisons; max-T asks for alpha, as one flip serves all pairs. t has no such floor: two replicates show a spread.

    Args:
        method: Of the verdicts.
        alpha: Of the whole family.
        family_size: Number m of comparisons made together.

    Raises:
        DataError: If alpha or the family size make no sense.

    >>> fewest_replicates("sign_flip_holm", 0.05, 8), fewest_replicates("sign_flip_max_t", 0.05, 8)
    (9, 6)
    """
    check_alpha(alpha)
    if family_size < 1:
        raise DataError(f"A family of {family_size} comparisons came; expected 1 or more: the pairs judged together.")
    replicates = 2
    needed = alpha if method == "sign_flip_max_t" else alpha / family_size
    while method != "t" and 2.0 ** (1 - replicates) > needed:
        replicates += 1
    return replicates


def sign_patterns(count: int, *, flips: int, seed: int) -> Iterator[Float[Array, "rows count"]]:
    """Yield patterns of signs in blocks of rows, the observed one (all +1) first.

    Up to 16 differences all patterns come, by halves: a pattern and its negative give the same two-sided statistic, so
    the first sign stays +1 and shares of the rows are shares of all. Above, ``flips`` random ones come.

    Args:
        count: Differences, 1 or more.
        flips: To be sampled for more than 16.
        seed: Of the sample.

    Raises:
        DataError: If fewer than one flip is asked for.
    """
    if flips < 1:
        raise DataError(f"{flips} flips came; expected 1 or more. The usual number is 10000.")
    rng = np.random.default_rng(seed)
    rows = 2 ** (count - 1) if count <= EXACT_UP_TO else flips + 1
    for start in range(0, rows, _ROWS):
        block = np.arange(start, min(start + _ROWS, rows))
        if count <= EXACT_UP_TO:
            flipped = (block[:, None] << 1 >> np.arange(count)) & 1
        else:
            flipped = rng.integers(0, 2, size=(len(block), count))
            flipped[block == 0] = 0
        yield 1.0 - 2.0 * flipped


def most_refused(rows: int, alpha: float) -> int:
    """Return the largest number k of rows with k / rows at most alpha, compared as floats as p-values are."""
    return int(np.searchsorted(np.arange(1, rows + 1) / rows, alpha, side="right"))


def _usable(differences: Real[Array, " pairs"]) -> tuple[Float[Array, " used"], int]:
    used = np.asarray(differences, dtype=float)
    used = used[np.isfinite(used)]
    if used.size:
        used = np.where(np.abs(used) <= 1e-12 * np.abs(used).max(), 0.0, used)
    return used, int(np.count_nonzero(used == 0))


def _means_of_parts(used: Float[Array, " used"], signs: Float[Array, "rows used"]) -> Float[Array, "2 rows"]:
    """Return the lower and the upper of the means of the flipped part and of the rest; infinite if a part is empty.

    A shift below the mean of all is refused by a flip's count exactly as long as it lies below the lower of the two.
    """
    flipped = (1 - signs) / 2
    size, total = flipped.sum(axis=1), flipped @ used
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.stack([total / size, (used.sum() - total) / (len(used) - size)])
    means = np.where(np.abs(means) <= TIE * float(np.abs(used).mean()), 0.0, means)
    whole = (size == 0) | (size == len(used))
    return np.stack([np.where(whole, -np.inf, means.min(axis=0)), np.where(whole, np.inf, means.max(axis=0))])


def _share_as_far(signed: Int[Array, " ranked"]) -> float:
    """Return the exact chance that random signs give the ranks a sum as far from 0 as theirs."""
    total = int(np.abs(signed).sum())
    chance = _chance_of_sums(np.abs(signed))
    far = np.abs(2 * np.arange(total + 1) - total) >= abs(int(signed.sum()))
    return min(1.0, float(chance[far].sum()))


def _chance_of_sums(ranks: Int[Array, " ranked"]) -> Float[Array, " sums"]:
    """Return the chance of each sum over a part of the ranks in which each is with a chance of one half."""
    chance = np.zeros(int(ranks.sum()) + 1)
    chance[0] = 1.0
    for rank in ranks:
        with_it = np.zeros_like(chance)
        with_it[rank:] = chance[: len(chance) - rank]
        chance = (chance + with_it) / 2
    return chance


def _sampled_share(signed: Int[Array, " ranked"], flips: int, seed: int) -> float:
    far = abs(int(signed.sum()))
    blocks = sign_patterns(len(signed), flips=flips, seed=seed)
    return sum(int(np.count_nonzero(np.abs(signs @ signed) >= far)) for signs in blocks) / (flips + 1)


def _walsh_limits(used: Float[Array, " used"], alpha: float) -> Float[Array, "3"]:
    """Return the median of all pairwise means, and the two that the untied test at ``alpha`` just does not refuse."""
    count = len(used)
    first, second = np.triu_indices(count)
    walsh = np.sort((used[first] + used[second]) / 2)
    if count <= _RANKS_UP_TO:
        below = np.cumsum(_chance_of_sums(np.arange(1, count + 1)))
        outside = int(np.searchsorted(below, alpha / 2, side="right"))
    else:  # the normal approximation of the rank sum
        spread = (count * (count + 1) * (2 * count + 1) / 24) ** 0.5
        outside = max(0, int(count * (count + 1) / 4 + ndtri(alpha / 2) * spread))
    limits = (walsh[outside - 1], walsh[-outside]) if outside else (-np.inf, np.inf)
    return np.array([np.median(walsh), *limits])


def _record(
    used: Float[Array, " used"],
    limits: Float[Array, "3"],
    test: tuple[float, int, bool],
    alpha: float,
    method: str,
    num_zeros: int = 0,
) -> SymmetryTest:
    estimate, low, high = limits.tolist()
    p_value, flips, exact = test
    return SymmetryTest(
        estimate=estimate,
        low=low,
        high=high,
        level=1 - alpha,
        p_value=p_value,
        num_pairs=len(used),
        num_zeros=num_zeros,
        tests=_HYPOTHESIS,
        flips=flips,
        exact=exact,
        unit="pair",
        method=method,
    )
