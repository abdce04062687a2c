"""Labels that a simple model, which has not seen them, does not believe."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.fingerprints import fingerprints
from lossassay.data.audit.texts import counted
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Finding

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_FEWEST_IMAGES = 50
_FEWEST_OF_A_CLASS = 5
_FOLDS = 5
_MOST_IMAGES = 20_000  # looked at, in the order of their pixels' digests
_LISTED = 50
_LEAST_SKILL = 0.5  # of balanced accuracy, from 0 at chance to 1; below, its doubts mean nothing


def label_conflicts(cache: ImageCache) -> Iterator[Finding]:
    """List the labels that confident learning doubts most.

    Out-of-fold probabilities come from logistic regression on thumbnails, with groups kept whole; which labels to doubt
    is the off-diagonal of the confident joint of Northcutt et al. 2021 (arXiv:1911.00068).

    Args:
        cache: The decoded data. Images with several labels, and small data sets, are passed over.
    """
    rows = _looked_at(cache)
    if rows is None:
        return
    labels = np.asarray(cache.manifest.rows["label"].to_numpy(), dtype=np.int64)[rows]
    probabilities = _out_of_fold(cache, rows, labels)
    if probabilities is None or _skill(probabilities, labels) < _LEAST_SKILL:
        return
    suspects = confident_suspects(labels, probabilities)
    if len(suspects) == 0:
        return
    right = float((probabilities.argmax(axis=1) == labels).mean())
    sampled = "" if len(rows) == len(cache.manifest.rows) else f" Only {len(rows):,} images were looked at."
    listed = rows[suspects[:_LISTED]].tolist()
    paths = cache.manifest.rows["path"]
    yield Finding(
        code="label-suspects",
        severity="note",
        message=f"A simple model of thumbnails, right for {right:.0%} of images it had not seen, doubts "
        f"{counted(len(suspects), 'label')} of {len(rows):,}; the {len(listed)} most doubtful are listed.{sampled}",
        advice="Look at them. The model is no judge: it is wrong more often than a careful label.",
        rows=tuple(listed),
        paths=tuple(paths[row] for row in listed),
    )


def confident_suspects(labels: Rows, probabilities: Floats) -> Rows:
    """Return the examples off the diagonal of the confident joint, the most doubtful first.

    Args:
        labels: [N] given labels.
        probabilities: [N K] out of fold.

    Returns:
        Positions of those whose likeliest class, among those at least as likely as they are on average where they are
        given (Northcutt et al. 2021, equation 1), is not the given one; by the given class's lead over the best other.
    """
    count = len(labels)
    classes = np.arange(probabilities.shape[1])
    thresholds = np.array([probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in classes])
    confident = probabilities >= thresholds - 1e-6
    choice = np.where(confident, probabilities, -1.0).argmax(axis=1)
    doubted = confident.any(axis=1) & (choice != labels) & (probabilities.argmax(axis=1) != labels)
    given = probabilities[np.arange(count), labels]
    others = np.where(classes == labels[:, None], -1.0, probabilities).max(axis=1)
    found = np.flatnonzero(doubted)
    return found[np.argsort((given - others)[found], kind="stable")]


def _looked_at(cache: ImageCache) -> Rows | None:
    manifest = cache.manifest
    if manifest.task == "multi_label" or len(manifest.rows) < _FEWEST_IMAGES:
        return None
    counts = np.bincount(manifest.rows["label"].to_numpy(), minlength=len(manifest.class_names))
    if counts.min() < _FEWEST_OF_A_CLASS:
        return None
    order = np.argsort(
        np.array(pixel_digests(cache)), kind="stable"
    )  # nothing but content decides, not the file's name
    return order[:_MOST_IMAGES].astype(np.int64)


def _out_of_fold(cache: ImageCache, rows: Rows, labels: Rows) -> Floats | None:
    """Return [N K] probabilities for each image from models that saw no image of its group."""
    from sklearn.linear_model import LogisticRegression

    vectors = fingerprints(cache.images, rows).vectors
    scale = vectors.std(axis=0)
    vectors /= np.where(scale > 0, scale, np.float32(1))
    folds = _folds(group_numbers(cache.manifest)[rows])
    classes = len(cache.manifest.class_names)
    probabilities = np.full((len(rows), classes), 1 / classes)
    for fold in range(_FOLDS):
        held_out = folds == fold
        if held_out.any():
            if len(np.unique(labels[~held_out])) < classes:
                return None
            model = LogisticRegression(max_iter=300, C=0.1).fit(vectors[~held_out], labels[~held_out])
            probabilities[held_out] = model.predict_proba(vectors[held_out])
    return probabilities


def _folds(groups: Rows) -> Rows:
    """Deal groups to folds in the order in which they come."""
    _, first, member_of = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[member_of] % _FOLDS


def _skill(probabilities: Floats, labels: Rows) -> float:
    right = probabilities.argmax(axis=1) == labels
    classes = np.unique(labels)
    balanced = float(np.mean([right[labels == k].mean() for k in classes]))
    chance = 1 / len(classes)
    return (balanced - chance) / (1 - chance) if len(classes) > 1 else 0.0
