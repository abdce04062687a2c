"""How many features say something of their own, and whether the same ones are chosen again on other patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Real, Shaped
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import norm

from lossassay.errors import DataError
from lossassay.stats.feature_arrays import centred, divided, feature_rows, same_rows
from lossassay.stats.intervals import Array
from lossassay.stats.proportions import check_level

_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class CorrelatedClusters:
    """Groups of features that say almost the same.

    Args:
        estimate: Clusters by features that are not constant: 1 if none is redundant; nan where all are constant.
        clusters: The cluster of each feature, counted from 0 in the order of the features; -1 for a constant one.
        minimal_set: One feature of each cluster, its medoid, in the order of the clusters.
        num_clusters: How many.
        num_constant: Features that never change.
        threshold: Every two features of a cluster have a correlation of this or more, with either sign.
        num_images: That were used.
        method: In words.
    """

    estimate: float
    clusters: Int[Array, " features"]
    minimal_set: Int[Array, " clusters"]
    num_clusters: int
    num_constant: int
    threshold: float
    num_images: int
    method: str


@dataclass(frozen=True, kw_only=True)
class SelectionStability:
    """How alike the sets of features are that were selected again and again.

    Args:
        estimate: 1: always the same; 0: as alike as by chance; nan where none or all features were selected throughout.
        low: Lower limit, over the selections.
        high: Upper limit, over the selections.
        level: Of the interval, for example 0.95.
        frequencies: How often each feature was selected, as a share.
        num_selections: Sets that were compared.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    level: float
    frequencies: Real[Array, " features"]
    num_selections: int
    method: str


def correlated_clusters(features: Real[Array, "images features"], *, threshold: float = 0.9) -> CorrelatedClusters:
    r"""Return the clusters of features whose Pearson correlations are all at least the threshold, with either sign.

    Agglomerative clustering with complete linkage of the distance :math:`1 - |r|`. The medoid of a cluster is the
    feature with the largest mean :math:`|r|` to the others, the first one of several.

    Args:
        features: One row per image.
        threshold: Between 0 and 1.

    Raises:
        DataError: With fewer than three images, values that are not finite, or a threshold that is none.
    """
    if not 0 < threshold < 1:
        raise DataError(f"A threshold of {threshold!r} came; it must lie between 0 and 1. Use 0.9.")
    values = centred(feature_rows(features, least=3))
    alive = np.flatnonzero(np.abs(values).max(axis=0, initial=0.0) > 0)
    correlations = _absolute_correlations(values[:, alive])
    found = _clusters(correlations, threshold)
    clusters = np.full(values.shape[1], -1)
    clusters[alive] = found
    num_clusters = int(found.max(initial=-1)) + 1
    medoids = [_medoid(correlations, np.flatnonzero(found == cluster)) for cluster in range(num_clusters)]
    return CorrelatedClusters(
        estimate=num_clusters / len(alive) if len(alive) else float("nan"),
        clusters=clusters,
        minimal_set=alive[np.array(medoids, dtype=int)],
        num_clusters=num_clusters,
        num_constant=values.shape[1] - len(alive),
        threshold=threshold,
        num_images=len(values),
        method=f"complete linkage of 1 - |r|, cut at |r| = {threshold:g}",
    )


def stability_of_selections(selected: Bool[Array, "selections features"], *, level: float = 0.95) -> SelectionStability:
    r"""Return how alike several selections of features are, corrected for chance, with its interval.

    With M selections of F features, of mean size :math:`\bar k`, and the share :math:`p_f` of them with feature f:

    .. math::
        \Phi = 1 - \frac{\frac{1}{F} \sum_f \frac{M}{M-1} p_f (1 - p_f)}{\frac{\bar k}{F} (1 - \frac{\bar k}{F})}

    Nogueira, Sechidis and Brown 2018, JMLR 18(174), definition 4 and theorem 7 for the interval.

    Args:
        selected: Whether a selection has a feature.
        level: Of the interval, between 0 and 1.

    Returns:
        At most 1 and at least -1 / (M - 1).

    Raises:
        DataError: With fewer than two selections, or at a level that is none.
    """
    check_level(level)
    selections = len(selected)
    if selections < 2:
        raise DataError(f"{selections} selection of features came; stability compares two or more. Select again.")
    taken = selected.astype(float)
    frequencies = taken.mean(axis=0)
    size = float(frequencies.mean())  # mean share of features selected
    by_chance = size * (1 - size)
    estimate = low = high = float("nan")
    if by_chance > 0:
        spread = float((frequencies * (1 - frequencies)).mean()) * selections / (selections - 1)
        estimate = 1 - spread / by_chance
        half_width = float(norm.ppf((1 + level) / 2)) * _error_of_stability(taken, estimate)
        low, high = max(estimate - half_width, -1.0), min(estimate + half_width, 1.0)
    return SelectionStability(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        frequencies=frequencies,
        num_selections=selections,
        method="stability of selected sets, corrected for chance (Nogueira et al. 2018)",
    )


def bootstrap_stability(
    features: Real[Array, "images features"],
    labels: Int[Array, " _"],
    *,
    num_selected: int,
    groups: Shaped[Array, " _"] | None = None,
    draws: int = 100,
    level: float = 0.95,
    seed: int = 0,
) -> SelectionStability:
    r"""Return how stable the choice of the best features is, one by one, if other patients had come.

    Each draw takes as many patients as there are, with return, and selects the features with the largest share of
    variance between classes (eta squared; it ranks as F of the analysis of variance, and as t² with two classes). The
    interval tells how far more draws would change the number, not how far other patients would.

    Args:
        features: One row per image.
        labels: The class of each.
        num_selected: Features that each draw selects, fewer than there are.
        groups: The patient of each image. Without: each image by itself.
        draws: How many.
        level: Of the interval, between 0 and 1.
        seed: Of the draws.

    Raises:
        DataError: With different lengths, one class, values that are not finite, or a size that is none.
    """
    values = centred(feature_rows(features))
    same_rows(len(values), len(labels), what="labels")
    same_rows(len(values), len(values) if groups is None else len(groups), what="groups")
    own = (labels[:, None] == np.unique(labels)).astype(float)
    if own.shape[1] < 2:
        raise DataError("All images are of one class; a selection by class needs two or more. Take labels that differ.")
    if not 0 < num_selected < values.shape[1]:
        raise DataError(
            f"{num_selected} features of {values.shape[1]} are to be selected; this must leave some and take some. "
            f"Choose 1 to {values.shape[1] - 1}."
        )
    shares = _between_shares(values, own, _drawn_weights(groups, len(values), draws, seed))
    selected = np.zeros(shares.shape, dtype=bool)
    best = np.argsort(-shares, axis=1, kind="stable")[:, :num_selected]
    np.put_along_axis(selected, best, True, axis=1)
    return stability_of_selections(selected, level=level)


def _absolute_correlations(values: Array) -> Array:
    directions = values / np.abs(values).max(axis=0, initial=0.0)
    directions = directions / np.linalg.norm(directions, axis=0)
    correlations: Array = np.minimum(np.abs(directions.T @ directions), 1.0)
    np.fill_diagonal(correlations, 1.0)
    return correlations


def _clusters(correlations: Array, threshold: float) -> Array:
    if len(correlations) < 2:
        return np.zeros(len(correlations), dtype=int)
    distances = 1 - (correlations + correlations.T) / 2
    tree = linkage(squareform(distances, checks=False), method="complete")
    found = fcluster(tree, 1 - threshold, criterion="distance")
    _, first, cluster = np.unique(found, return_index=True, return_inverse=True)
    by_appearance = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    renamed: Array = by_appearance[cluster]
    return renamed


def _medoid(correlations: Array, members: Array) -> int:
    return int(members[np.argmax(correlations[np.ix_(members, members)].mean(axis=1).round(12))])


def _error_of_stability(taken: Array, estimate: float) -> float:
    frequencies, sizes = taken.mean(axis=0), taken.mean(axis=1)  # sizes as shares of the features
    size = float(sizes.mean())
    own = (taken * frequencies).mean(axis=1) - sizes * size
    own = (own + estimate / 2 * (2 * sizes * size - sizes - size + 1)) / (size * (1 - size))
    return float(2 / len(taken) * np.sqrt(((own - own.mean()) ** 2).sum()))


def _drawn_weights(groups: Array | None, rows: int, draws: int, seed: int) -> Array:
    """Return how often each row is drawn, [draws rows]; patients in the order in which they come."""
    group_of_row = np.arange(rows)
    if groups is not None:
        _, first, by_value = np.unique(groups, return_index=True, return_inverse=True)
        group_of_row = np.argsort(np.argsort(first))[by_value]
    count = int(group_of_row.max()) + 1
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    weights: Array = times[:, group_of_row].astype(float)
    return weights


def _between_shares(values: Array, own: Array, weights: Array) -> Array:
    """Return the share of each feature's variance between classes, [draws features]; 0 where it is constant."""
    counts = weights.sum(axis=1, keepdims=True)
    by_mean = (weights @ values) ** 2 / counts
    squares = weights @ values**2
    between = -by_mean
    for member in own.T:
        drawn = weights * member
        of_class = drawn.sum(axis=1, keepdims=True)  # 0 where the draw has none of the class
        between += (drawn @ values) ** 2 / np.maximum(of_class, 1)
    total = squares - by_mean
    # what a draw of equal values leaves of its squares is rounding
    shares: Array = np.where(total > _ROUNDING * squares, divided(between, total), 0.0)
    return shares
