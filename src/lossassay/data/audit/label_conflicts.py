"""Labels that an image's nearest ones of other groups do not believe."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.likeness import NEIGHBOURS, Likeness, likeness
from lossassay.data.audit.texts import counted
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_FEWEST_IMAGES = 50
_FEWEST_OF_A_CLASS = 5
_LISTED = 50
_LEAST_SKILL = 0.5  # of balanced accuracy, from 0 at chance to 1; below, the doubts mean nothing
_SMALLEST_VOTE = 0.02
_POWER = 3  # of a neighbour's correlation: its vote
_PRIOR_VOTES = 0.5  # shared by all classes


def label_conflicts(cache: ImageCache, found: Likeness | None = None) -> Iterator[Finding]:
    """List the labels that confident learning doubts most.

    The probabilities are votes of an image's nearest ones, which are never of its own group, so each is out of sample;
    which labels to doubt is the off-diagonal of the confident joint of Northcutt et al. 2021 (arXiv:1911.00068).

    Args:
        cache: The decoded data. Images with several labels, and small data sets, are passed over.
        found: What `likeness` returned, where the caller has it already.
    """
    manifest = cache.manifest
    if manifest.task == "multi_label" or len(manifest.rows) < _FEWEST_IMAGES:
        return
    labels = np.asarray(manifest.rows["label"].to_numpy(), dtype=np.int64)
    if np.bincount(labels, minlength=len(manifest.class_names)).min() < _FEWEST_OF_A_CLASS:
        return
    rows, probabilities = neighbour_votes(found or likeness(cache), labels, len(manifest.class_names))
    if _skill(probabilities, labels[rows]) < _LEAST_SKILL:
        return
    suspects = rows[confident_suspects(labels[rows], probabilities)]
    if len(suspects) == 0:
        return
    right = float((probabilities.argmax(axis=1) == labels[rows]).mean())
    listed = suspects[:_LISTED].tolist()
    paths = manifest.rows["path"]
    yield Finding(
        code="label-suspects",
        severity="note",
        message=f"The nearest images, whose labels name the class of {right:.0%} of all images rightly, contradict "
        f"{counted(len(suspects), 'label')} of {len(rows):,}; the {len(listed)} most doubtful are listed.",
        advice="Look at them. The neighbours are no judge: most of these labels can be right.",
        rows=tuple(listed),
        paths=tuple(paths[row] for row in listed),
    )


def neighbour_votes(found: Likeness, labels: Rows, num_classes: int) -> tuple[Rows, Floats]:
    """Let the nearest images of other groups vote on each image's class.

    Args:
        found: Pairs of images.
        labels: [N].
        num_classes: K.

    Returns:
        [M] rows that have all their neighbours, and [M K] probabilities.
    """
    rows = np.concatenate([found.first, found.second])
    others = np.concatenate([found.second, found.first])
    difference = np.concatenate([found.difference, found.difference])
    order = np.lexsort((others, difference, rows))
    rows, others, difference = rows[order], others[order], difference[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = place < NEIGHBOURS
    votes = np.full((found.count, num_classes), _PRIOR_VOTES / num_classes)
    weights = np.maximum(1 - difference[kept].astype(np.float64), _SMALLEST_VOTE) ** _POWER
    np.add.at(votes, (rows[kept], labels[others[kept]]), weights)
    whole = np.flatnonzero(np.bincount(rows[kept], minlength=found.count) == NEIGHBOURS)
    return whole, votes[whole] / votes[whole].sum(axis=1, keepdims=True)


def confident_suspects(labels: Rows, probabilities: Floats) -> Rows:
    """Return the examples off the diagonal of the confident joint, the most doubtful first.

    Args:
        labels: [N] given labels.
        probabilities: [N K] out of sample.

    Returns:
        Positions of those whose likeliest class, among those at least as likely as they are on average where they are
        given (Northcutt et al. 2021, equation 1), is not the given one; by the given class's lead over the best other.
    """
    classes = np.arange(probabilities.shape[1])
    thresholds = np.array([probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in classes])
    confident = probabilities >= thresholds - 1e-6
    choice = np.where(confident, probabilities, -1.0).argmax(axis=1)
    doubted = confident.any(axis=1) & (choice != labels) & (probabilities.argmax(axis=1) != labels)
    given = probabilities[np.arange(len(labels)), labels]
    others = np.where(classes == labels[:, None], -1.0, probabilities).max(axis=1)
    suspects = np.flatnonzero(doubted)
    return suspects[np.argsort((given - others)[suspects], kind="stable")]


def _skill(probabilities: Floats, labels: Rows) -> float:
    right = probabilities.argmax(axis=1) == labels
    classes = np.unique(labels)
    if len(classes) < 2:
        return 0.0
    chance = 1 / len(classes)
    return float((np.mean([right[labels == k].mean() for k in classes]) - chance) / (1 - chance))
