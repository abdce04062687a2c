"""Test images in the plane: two views of a feature space for the eye, which no number rests on."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from lossassay.biomarkers.quality.criteria import FeatureSet
from lossassay.engine.spec import Array

MOST_IMAGES = 300
_PERPLEXITY = 30.0
_STEPS = 500


def map_rows(
    found: FeatureSet, arm: str, classes: Sequence[str], sources: Sequence[str | None], *, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the place of each image by principal components and by t-SNE.

    Args:
        found: Features of one run.
        arm: Its name.
        classes: Of all rows of the data, in words.
        sources: Of all rows of the data.
        seed: Which images are taken where there are many, and t-SNE's start.
    """
    places = np.arange(len(found.rows))
    if len(places) > MOST_IMAGES:
        places = np.sort(np.random.default_rng(seed).choice(places, MOST_IMAGES, replace=False))
    if len(places) < 4:
        return
    components = _components(found.clean[places])
    drawn = {"pca": components[:, :2], "tsne": _tsne(components, seed)}
    for method, points in drawn.items():
        for place, (x, y) in zip(places, points, strict=True):
            row = int(found.rows[place])
            yield {
                "arm": arm,
                "method": method,
                "x": float(x),
                "y": float(y),
                "class": classes[row],
                "source": sources[row],
            }


def _components(features: Array) -> Array:
    """Return up to 30 principal components, [M 2 or more], each with a fixed sign."""
    values = features.astype(np.float64)
    values = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(values, full_matrices=False)
    kept = left[:, :30] * singular[:30]
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    kept = kept * np.where(signs == 0, 1.0, signs)
    return np.pad(kept, ((0, 0), (0, max(0, 2 - kept.shape[1]))))


def _tsne(components: Array, seed: int) -> Array:
    scale = components[:, 0].std()
    if not scale > 0:
        return np.zeros((len(components), 2))
    start = components[:, :2] / scale * 1e-4
    perplexity = min(_PERPLEXITY, (len(components) - 1) / 3)
    model = TSNE(init=start, perplexity=perplexity, random_state=seed, method="exact", max_iter=_STEPS, n_jobs=1)
    with threadpool_limits(1):
        points: Array = model.fit_transform(components)
    return points
