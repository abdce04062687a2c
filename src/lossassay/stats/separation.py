"""How far classes lie apart in a feature space, how many directions it uses, how collapsed its classes are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real, Shaped
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats.feature_arrays import centred, feature_rows, same_rows
from lossassay.stats.intervals import Array
from lossassay.stats.proportions import check_level

_BLOCK = 512  # rows of the distance matrix at once
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class FeatureSpaceMeasure:
    """One number for a whole set of features.

    Args:
        estimate: nan where it is not defined.
        low: Lower limit; nan where there is no interval but that over replicates.
        high: Upper limit; nan where low is.
        level: Of the interval, for example 0.95.
        num_images: That were used.
        num_classes: That occur; 0 where labels play no part.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    num_images: int
    num_classes: int
    method: str


@dataclass(frozen=True, kw_only=True)
class NeuralCollapse:
    """How near the features are to one point per class, at the corners of a simplex; each is 0 at full collapse.

    Args:
        within_by_between: NC1, the trace of the within-class covariance times the pseudo-inverse of that between
            classes, by the number of classes.
        equinorm: NC2, spread of the lengths of the centred class means by their mean; nan with two classes.
        equiangular: NC2, mean distance of the cosines between class means to -1 / (K - 1); nan with two classes.
        num_images: That were used.
        num_classes: That occur.
        method: In words.
    """

    within_by_between: float
    equinorm: float
    equiangular: float
    num_images: int
    num_classes: int
    method: str


def class_separation(
    features: Real[Array, "images features"],
    labels: Int[Array, " _"],
    *,
    groups: Shaped[Array, " _"] | None = None,
    level: float = 0.95,
) -> FeatureSpaceMeasure:
    r"""Return the share of the cosine distance between images that lies between classes.

    .. math::
        R^2 = 1 - \frac{\sum_k \sum_{m,n} (1 - \cos(x_{km}, x_{kn})) / (K N_k^2)}
                       {\sum_{j,k} \sum_{m,n} (1 - \cos(x_{jm}, x_{kn})) / (K^2 N_j N_k)}

    Kornblith et al. 2021 (NeurIPS, arXiv:2010.16402), equation 11: each class counts alike. With the means of the
    images of length 1, m of each class and M of these, it is :math:`1 - (1 - \overline{|m|^2}) / (1 - |M|^2)`.

    The features may be rotated and scaled as a whole, and each image may be scaled, without a change; a shift changes
    it. An image whose features are all 0 has no direction: its cosine with any image is 0.

    Args:
        features: One row per image.
        labels: The class of each.
        groups: The patient of each image, for the interval. Without: each image by itself.
        level: Of the interval, between 0 and 1.

    Returns:
        0 (no separation) to 1 (one direction per class), with a t interval over patients by influence values. nan if
        all images have one direction. A few images per class make it too large, as each is compared with itself too.

    Raises:
        DataError: With fewer than two classes, different lengths, or values that are not finite.
    """
    check_level(level)
    values, class_of_row, num_classes = _labelled(features, labels)
    directions = _directions(values)
    own = _one_hot(class_of_row, num_classes)
    counts = own.sum(axis=0)
    means = own.T @ directions / counts[:, None]
    centre = means.mean(axis=0)
    within, total = 1 - float((means**2).sum(axis=1).mean()), 1 - float(centre @ centre)
    if total <= _ROUNDING:
        estimate, half_width = float("nan"), float("nan")
    else:
        estimate = 1 - within / total
        around = directions - means[class_of_row]
        of_within = -2 * (around * means[class_of_row]).sum(axis=1)
        of_total = -2 * around @ centre
        influences = (-of_within / total + of_total * within / total**2) / (num_classes * counts[class_of_row])
        half_width = _half_width(influences, groups, level)
    return FeatureSpaceMeasure(
        estimate=estimate,
        low=float(np.clip(estimate - half_width, 0, 1)),
        high=float(np.clip(estimate + half_width, 0, 1)),
        level=level,
        num_images=len(values),
        num_classes=num_classes,
        method="class separation R2 (Kornblith et al. 2021, eq. 11); t interval over patients by influence values",
    )


def silhouette(
    features: Real[Array, "images features"], labels: Int[Array, " _"], *, cosine: bool = False
) -> FeatureSpaceMeasure:
    r"""Return the mean silhouette of the classes.

    For each image :math:`(b - a) / \max(a, b)`: a is its mean distance to the other images of its class, b the smallest
    of its mean distances to the images of another class; 0 for an image alone in its class. Rousseeuw 1987, J. Comput.
    Appl. Math. 20:53. Each image counts alike. Time grows with the square of the images.

    Args:
        features: One row per image.
        labels: The class of each.
        cosine: Cosine distance in place of the Euclidean one.

    Returns:
        -1 to 1; no interval of its own.

    Raises:
        DataError: With fewer than two classes, different lengths, or values that are not finite.
    """
    values, class_of_row, num_classes = _labelled(features, labels)
    points = _directions(values) if cosine else centred(values)
    own = _one_hot(class_of_row, num_classes)
    counts = own.sum(axis=0)
    total = 0.0
    for first in range(0, len(points), _BLOCK):
        rows = slice(first, first + _BLOCK)
        sums = _distances(points, rows, cosine=cosine) @ own  # [block K]
        total += float(_silhouettes(sums, class_of_row[rows], counts).sum())
    name = "cosine" if cosine else "Euclidean"
    return _plain(total / len(points), len(points), num_classes, f"mean silhouette, {name} distance (Rousseeuw 1987)")


def effective_rank(features: Real[Array, "images features"]) -> FeatureSpaceMeasure:
    r"""Return how many directions a set of features uses.

    :math:`\exp(-\sum_i p_i \log p_i)`, p the singular values of the centred features by their sum. Roy and Vetterli
    2007 (EUSIPCO), who do not centre.

    Args:
        features: One row per image.

    Returns:
        1 to the number of features, or of images less one; nan where all features are constant. No interval of its own.

    Raises:
        DataError: With fewer than two images or values that are not finite.
    """
    values = centred(feature_rows(features))
    largest = np.abs(values).max(initial=0.0)
    estimate = float("nan")
    if largest > 0:
        singular = np.linalg.svd(values / largest, compute_uv=False)
        shares = singular[singular > 0] / singular.sum()
        shares = shares[shares > 0]
        estimate = float(np.exp(-(shares * np.log(shares)).sum()))
    return _plain(estimate, len(values), 0, "effective rank of the centred features (Roy and Vetterli 2007)")


def neural_collapse(features: Real[Array, "images features"], labels: Int[Array, " _"]) -> NeuralCollapse:
    r"""Return how far within-class variation has vanished (NC1) and class means form a simplex (NC2).

    NC1: :math:`\mathrm{tr}(\Sigma_W \Sigma_B^+) / K`; NC2 of the class means less their mean. Papyan, Han and Donoho
    2020, PNAS 117:24652. Each class counts alike, in the covariances and in the mean. With two classes NC2 is 0 for any
    features, so it is not given.

    Args:
        features: One row per image.
        labels: The class of each.

    Returns:
        0 or more each; nan where all class means are equal.

    Raises:
        DataError: With fewer than two classes, different lengths, or values that are not finite.
    """
    values, class_of_row, num_classes = _labelled(features, labels)
    values = centred(values)
    own = _one_hot(class_of_row, num_classes)
    counts = own.sum(axis=0)
    means = own.T @ values / counts[:, None]
    around = values - means[class_of_row]
    between = means - means.mean(axis=0)
    weights = 1 / (num_classes * counts[class_of_row])
    return NeuralCollapse(
        within_by_between=_within_by_between(around, weights, between),
        equinorm=_equinorm(between) if num_classes > 2 else float("nan"),
        equiangular=_equiangular(between) if num_classes > 2 else float("nan"),
        num_images=len(values),
        num_classes=num_classes,
        method="neural collapse NC1 and NC2 (Papyan, Han and Donoho 2020), each class counting alike",
    )


def _labelled(features: Array, labels: Array) -> tuple[Float[Array, "images features"], Int[Array, " _"], int]:
    values = feature_rows(features)
    same_rows(len(values), len(labels), what="labels")
    classes, class_of_row = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f"All {len(values)} images are of one class; separation needs two or more. Take labels that differ."
        )
    return values, class_of_row, len(classes)


def _one_hot(class_of_row: Array, num_classes: int) -> Array:
    own: Array = (class_of_row[:, None] == np.arange(num_classes)).astype(float)
    return own


def _directions(values: Array) -> Array:
    """Return each row at length 1; a row of zeros stays one."""
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    values = values / np.where(largest > 0, largest, 1.0)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    directions: Array = values / np.where(lengths > 0, lengths, 1.0)
    return directions


def _half_width(influences: Array, groups: Array | None, level: float) -> float:
    sums = influences
    if groups is not None:
        same_rows(len(influences), len(groups), what="groups")
        _, group_of_row = np.unique(groups, return_inverse=True)
        sums = np.bincount(group_of_row, weights=influences)
    count = len(sums)
    if count < 2:
        return float("nan")
    error = float(np.sqrt(count / (count - 1) * ((sums - sums.mean()) ** 2).sum()))
    return float(student_t.ppf((1 + level) / 2, count - 1)) * error


def _distances(points: Array, rows: slice, *, cosine: bool) -> Array:
    """Return the distances of some rows to all, exactly 0 to themselves."""
    block = points[rows]
    if cosine:
        distances = np.maximum(1 - block @ points.T, 0.0)
    else:
        squares = (points**2).sum(axis=1)
        distances = np.sqrt(np.maximum(squares[rows, None] + squares[None] - 2 * block @ points.T, 0.0))
    distances[np.arange(len(block)), np.arange(len(points))[rows]] = 0.0
    found: Array = distances
    return found


def _silhouettes(sums: Array, class_of_row: Array, counts: Array) -> Array:
    rows = np.arange(len(sums))
    alone = counts[class_of_row] == 1
    own = sums[rows, class_of_row] / np.where(alone, 1, counts[class_of_row] - 1)
    others = sums / counts
    others[rows, class_of_row] = np.inf
    nearest = others.min(axis=1)
    larger = np.maximum(own, nearest)
    values: Array = np.where(alone | (larger == 0), 0.0, (nearest - own) / np.where(larger > 0, larger, 1.0))
    return values


def _within_by_between(around: Array, weights: Array, between: Array) -> float:
    scale = np.abs(around).max(initial=0.0)
    if np.abs(between).max(initial=0.0) <= _ROUNDING * scale or not between.any():
        return float("nan")
    _, singular, right = np.linalg.svd(between, full_matrices=False)
    kept = singular > singular[0] * 1e-10  # class means less their mean span K - 1 directions at most
    # the covariance between classes is B'B / K, so its pseudo-inverse has K / s² on each right singular vector
    along = around @ right[kept].T / singular[kept]
    return float((weights[:, None] * along**2).sum())  # K of the inverse, 1 / K of NC1


def _equinorm(between: Array) -> float:
    lengths = np.linalg.norm(between, axis=1)
    mean = float(lengths.mean())
    return float(lengths.std()) / mean if mean > 0 else float("nan")


def _equiangular(between: Array) -> float:
    if not (np.abs(between).max(axis=1) > 0).all():
        return float("nan")
    directions = _directions(between)
    pairs = np.triu_indices(len(between), k=1)
    return float(np.abs((directions @ directions.T)[pairs] + 1 / (len(between) - 1)).mean())


def _plain(estimate: float, num_images: int, num_classes: int, method: str) -> FeatureSpaceMeasure:
    nothing = float("nan")
    return FeatureSpaceMeasure(
        estimate=estimate,
        low=nothing,
        high=nothing,
        level=nothing,
        num_images=num_images,
        num_classes=num_classes,
        method=method,
    )
