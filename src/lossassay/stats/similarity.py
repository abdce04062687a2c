"""How much two sets of features of the same images say the same: CKA, Procrustes, and prediction of one by the other.

None has an interval of its own. What varies is the training, so the interval is one over pairs of replicates that have
no replicate in common (`mean_interval`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Real, Shaped

from lossassay.errors import DataError
from lossassay.stats.feature_arrays import centred, feature_rows, same_rows
from lossassay.stats.intervals import Array

_PENALTIES = 10.0 ** np.arange(-7.0, 3.0)  # by the largest eigenvalue of the features' scatter
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How alike two sets of features are.

    Args:
        estimate: 1 for sets that say the same, about 0 for unrelated ones; nan where a set is constant.
        num_images: That both sets describe.
        widths: Features in each set.
        method: In words.
    """

    estimate: float
    num_images: int
    widths: tuple[int, int]
    method: str


@dataclass(frozen=True, kw_only=True)
class MappedAgreement(Similarity):
    """A `Similarity` by prediction.

    Args:
        forward: Share of the second set's variance that the first one predicts; below 0 if worse than its mean.
        backward: The other way round.
        folds: Of the cross-validation.
    """

    forward: float
    backward: float
    folds: int


def linear_cka(
    first: Real[Array, "images one"], second: Real[Array, "_ other"], *, unbiased: bool = True
) -> Similarity:
    r"""Return the linear centred kernel alignment of two sets of features.

    Biased, with centred features: :math:`\lVert X^T Y \rVert_F^2 / (\lVert X^T X \rVert_F \lVert Y^T Y \rVert_F)`
    (Kornblith et al. 2019, arXiv:1905.00414). It is large for unrelated sets where there are few images for so many
    features. Unbiased: each of the three is replaced by the estimate of HSIC of Song et al. 2012 (JMLR 13:1393), as in
    Nguyen et al. 2021 (arXiv:2010.15327); it is then about 0 for unrelated sets, and may be slightly below.

    The features may be rotated, mirrored, scaled as a whole and shifted without a change.

    Args:
        first: One row per image; the unbiased form needs four or more.
        second: The same images, in the same order; may have another number of features.
        unbiased: Which of the two.

    Returns:
        Biased 0 to 1, unbiased at most about 1; nan where a set is constant.

    Raises:
        DataError: For different numbers of rows, too few, or values that are not finite.
    """
    one, other = _pair(first, second, least=4 if unbiased else 2)
    inner = _unbiased_inner if unbiased else _biased_inner
    own = inner(one, one), inner(other, other)
    estimate = inner(one, other) / (own[0] ** 0.5 * own[1] ** 0.5) if min(own) > _ROUNDING else float("nan")
    method = "linear CKA, unbiased (Nguyen et al. 2021)" if unbiased else "linear CKA, biased (Kornblith et al. 2019)"
    return _similarity(estimate, first, second, method)


def procrustes_similarity(first: Real[Array, "images one"], second: Real[Array, "_ other"]) -> Similarity:
    r"""Return how much of one set of features is the other one, rotated.

    For sets X and Y, centred and scaled to a Frobenius norm of 1, the sum of the singular values of :math:`X^T Y`. The
    squared Procrustes distance is 2 less twice this (Ding et al. 2021, arXiv:2108.01661; Williams et al. 2021,
    arXiv:2110.14739, where its arc cosine is a metric).

    Args:
        first: One row per image.
        second: The same images, in the same order; may have another number of features.

    Returns:
        0 to 1; nan where a set is constant. Large for unrelated sets with few images for so many features.

    Raises:
        DataError: For different numbers of rows, fewer than two, or values that are not finite.
    """
    one, other = _pair(first, second, least=2)
    estimate = float("nan")
    if one.any() and other.any():
        estimate = float(np.linalg.svd(one.T @ other, compute_uv=False).sum())
    return _similarity(estimate, first, second, "orthogonal Procrustes, sum of singular values (Ding et al. 2021)")


def mapped_agreement(
    first: Real[Array, "images one"],
    second: Real[Array, "_ other"],
    *,
    groups: Shaped[Array, " _"] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> MappedAgreement:
    r"""Return how well each set of features is a linear map of the other, on images the map was not fitted to.

    Ridge regression, cross-validated: :math:`R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`, summed over images
    and features, with the mean of the images fitted to. The penalty of each fit is the one of ten, from 1e-7 to 1e2
    times the largest eigenvalue, with the least error of generalised cross-validation (Golub, Heath and Wahba 1979,
    Technometrics 21:215).

    Each set may be rotated, mirrored, scaled as a whole and shifted without a change.

    Args:
        first: One row per image.
        second: The same images, in the same order; may have another number of features.
        groups: The patient of each image; all images of one are in one fold. Without: each image by itself.
        folds: Parts of the cross-validation.
        seed: Of the draw of the folds.

    Returns:
        The mean of both directions; at most 1, about 0 for unrelated sets, nan where a set is constant.

    Raises:
        DataError: For different numbers of rows, fewer groups than folds, or values that are not finite.
    """
    one, other = _pair(first, second, least=4)
    fold_of_row = _folds(np.arange(len(one)) if groups is None else groups, len(one), folds, seed)
    forward = backward = float("nan")
    if one.any() and other.any():
        forward, backward = (_predicted_share(x, y, fold_of_row, folds) for x, y in ((one, other), (other, one)))
    return MappedAgreement(
        estimate=(forward + backward) / 2,
        num_images=len(one),
        widths=(first.shape[1], second.shape[1]),
        method=f"ridge-mapped agreement, R2 over {folds} folds, mean of both directions",
        forward=forward,
        backward=backward,
        folds=folds,
    )


def _pair(first: Array, second: Array, *, least: int) -> tuple[Array, Array]:
    same_rows(len(first), len(second), what="rows of other features")
    one, other = (_prepared(feature_rows(features, least=least)) for features in (first, second))
    return one, other


def _prepared(features: Array) -> Array:
    """Return features of the same inner products but for scale: centred, norm 1, no more columns than rows."""
    values = centred(features)
    largest = np.abs(values).max(initial=0.0)
    if largest == 0:
        return values[:, :1] * 0.0
    values = values / largest  # so that squares neither overflow nor vanish
    if values.shape[1] > len(values):
        values = np.transpose(np.linalg.qr(values.T)[1])
    found: Array = values / np.linalg.norm(values)
    return found


def _biased_inner(one: Array, other: Array) -> float:
    return float(((one.T @ other) ** 2).sum())


def _unbiased_inner(one: Array, other: Array) -> float:
    """Return HSIC without its factor n (n - 3); rows of centred kernels sum to 0, so only the diagonals remain."""
    n = len(one)
    diagonals = (one**2).sum(axis=1), (other**2).sum(axis=1)
    both = float(diagonals[0] @ diagonals[1])
    sums = float(diagonals[0].sum() * diagonals[1].sum())
    return _biased_inner(one, other) - both - 2 / (n - 2) * both + sums / ((n - 1) * (n - 2))


def _similarity(estimate: float, first: Array, second: Array, method: str) -> Similarity:
    return Similarity(estimate=estimate, num_images=len(first), widths=(first.shape[1], second.shape[1]), method=method)


def _folds(groups: Array, rows: int, folds: int, seed: int) -> Array:
    """Return the fold of each row; groups are told apart, and drawn in the order in which they come."""
    same_rows(rows, len(groups), what="groups")
    _, first_rows, group_of_row = np.unique(groups, return_index=True, return_inverse=True)
    if not 2 <= folds <= len(first_rows):
        raise DataError(
            f"{folds} folds of {len(first_rows)} groups came; there must be at least 2 folds, and a group for each. "
            "Use fewer folds or more images."
        )
    fold_of_group = np.empty(len(first_rows), dtype=int)
    by_appearance = np.argsort(first_rows, kind="stable")
    fold_of_group[by_appearance] = np.random.default_rng(seed).permutation(len(first_rows)) % folds
    found: Array = fold_of_group[group_of_row]
    return found


def _predicted_share(features: Array, targets: Array, fold_of_row: Array, folds: int) -> float:
    missed = total = 0.0
    for fold in range(folds):
        fitted, tested = fold_of_row != fold, fold_of_row == fold
        means = features[fitted].mean(axis=0), targets[fitted].mean(axis=0)
        weights = _ridge(features[fitted] - means[0], targets[fitted] - means[1])
        aims = targets[tested] - means[1]
        missed += float(((aims - (features[tested] - means[0]) @ weights) ** 2).sum())
        total += float((aims**2).sum())
    return 1 - missed / total if total > 0 else float("nan")


def _ridge(features: Array, targets: Array) -> Array:
    """Return the weights with the penalty of the least generalised cross-validation error; both are centred."""
    eigenvalues, directions = np.linalg.eigh(features.T @ features)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    along = directions.T @ (features.T @ targets)
    if eigenvalues[-1] == 0:
        return np.zeros((features.shape[1], targets.shape[1]))
    explained, scatter = (along**2).sum(axis=1), float((targets**2).sum())

    def error(penalty: float) -> float:
        inverse = 1 / (eigenvalues + penalty)
        missed = scatter - float((explained * (2 * inverse - eigenvalues * inverse**2)).sum())
        freedom = 1 + float((eigenvalues * inverse).sum())  # 1 for the mean
        return max(missed, 0.0) / max(1 - freedom / len(features), _ROUNDING) ** 2

    penalties = _PENALTIES * float(eigenvalues[-1])
    penalty = penalties[int(np.argmin([error(float(penalty)) for penalty in penalties]))]
    weights: Array = directions @ (along / (eigenvalues + penalty)[:, None])
    return weights
