"""How far the simplest rules get: thumbnails, the rim of the image, and what is known of a file besides its pixels.

A model that scores little above these may read the same things. A high score is no fault by itself: some diseases show
in a thumbnail. It is a number to keep beside that of the trained model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.chance import AgainstChance, Score, against_chance, score
from lossassay.data.audit.features import Feature
from lossassay.data.audit.labels import Judged, judged
from lossassay.data.audit.nearest_rows import Votes, folds_of, nearest
from lossassay.data.audit.pixels import SIDE_PX, PixelFacts, pixel_facts
from lossassay.data.audit.source_tells import column_features, source_features
from lossassay.data.audit.storage_tells import file_features
from lossassay.data.cache import ImageCache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest

LARGEST_NUMBER_OF_IMAGES = 10_000  # all pairs are compared
MASK_PX = 22  # side of the square that is cut out of a thumbnail: 47 % of its area, the nearest even side to half

_METADATA_NEIGHBOURS = 25  # or a fortieth of the images, where that is fewer
_IMAGES_PER_NEIGHBOUR = 40
_LARGEST_NUMBER_OF_CATEGORIES = 20
_TIE_NOISE = 1e-3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one simple rule reaches.

    Args:
        name: ``"thumbnails"``, ``"masked-centre"`` or ``"metadata"``.
        score: Balanced accuracy; of several labels the mean over labels of that against the absence.
        low: Lower limit of the 95 % interval, by groups.
        high: Upper limit.
        chance: What a rule that sees nothing reaches.
        p: Share of label permutations over groups that score as high.
        num_images: Judged.
        num_groups: They belong to.
        method: How it was computed, in one sentence.
        words: What it reached, in one sentence.
    """

    name: str
    score: float
    low: float
    high: float
    chance: float
    p: float
    num_images: int
    num_groups: int
    method: str
    words: str

    @property
    def above_chance(self) -> bool:
        """Whether chance does not explain it and it is worth a word."""
        return self.p <= 0.01 and self.low > self.chance + 0.05


def probes(cache: ImageCache, facts: PixelFacts | None = None) -> tuple[Probe, ...]:
    """Let the simple rules predict each image from images of other groups, in five folds.

    Args:
        cache: The decoded data.
        facts: Their thumbnails, if they are there already.

    Returns:
        One record for each rule that can be tried; none if fewer than two classes have enough groups, see
        `no_probe_reason`.
    """
    labels = judged(cache.manifest, chosen=_subset(cache.manifest))
    if _too_few(labels):
        return ()
    facts = facts or pixel_facts(cache)
    folds = folds_of(labels)
    thumbnails = facts.thumbnails[labels.rows].astype(np.float32)
    rules = [
        ("thumbnails", thumbnails.reshape(len(thumbnails), -1), 1),
        ("masked-centre", thumbnails[:, _rim()], 1),
        ("metadata", _metadata_points(cache, labels), _metadata_neighbours(len(labels.rows))),
    ]
    return tuple(
        _probe(name, Votes(nearest(points, folds, count), folds, several=labels.several), labels, cache.manifest)
        for name, points, count in rules
        if points.shape[1]
    )


def no_probe_reason(manifest: Manifest) -> str | None:
    """Say why `probes` returns nothing, or None where it returns something."""
    labels = judged(manifest)
    if not _too_few(labels):
        return None
    what = "no label is in enough groups" if labels.several else "fewer than two classes are in enough groups"
    return f"No simple rule was tried: {what} (five or more) to be judged."


def _too_few(labels: Judged) -> bool:
    return len(labels.names) < (1 if labels.several else 2)


def _subset(manifest: Manifest) -> npt.NDArray[np.bool_] | None:
    """Whole groups, drawn with a fixed seed, where there are too many images to compare all pairs."""
    groups = group_numbers(manifest)
    if len(groups) <= LARGEST_NUMBER_OF_IMAGES:
        return None
    order = np.random.default_rng(0).permutation(int(groups.max()) + 1)
    filled = np.cumsum(np.bincount(groups)[order])
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[filled <= LARGEST_NUMBER_OF_IMAGES]] = True
    kept: npt.NDArray[np.bool_] = chosen[groups]
    return kept


def _rim() -> npt.NDArray[np.bool_]:
    """Which pixels of a thumbnail are left when its centre is masked, [32 32]."""
    margin = (SIDE_PX - MASK_PX) // 2
    rim = np.ones((SIDE_PX, SIDE_PX), dtype=np.bool_)
    rim[margin:-margin, margin:-margin] = False
    return rim


def _metadata_neighbours(num_images: int) -> int:
    return min(_METADATA_NEIGHBOURS, max(1, num_images // _IMAGES_PER_NEIGHBOUR))


def _metadata_points(cache: ImageCache, labels: Judged) -> Floats:
    """Place rows so that two categories are one apart, and the lowest and highest number too, [N D]."""
    features = (*file_features(cache), *source_features(cache.manifest.rows), *column_features(cache.manifest))
    own = [feature.of_rows(labels.rows) for feature in features]
    columns = [column for feature in own if feature.varies for column in _axes(feature)]
    if not columns:
        return np.empty((len(labels.rows), 0), dtype=np.float32)
    points = np.stack(columns, axis=1).astype(np.float32)
    noise = np.random.default_rng(0).random(points.shape, dtype=np.float32)  # equal rows in random order, not by path
    return points + np.float32(_TIE_NOISE) * noise


def _axes(feature: Feature) -> list[npt.NDArray[np.float64]]:
    if feature.numbers is not None and np.isfinite(feature.numbers).all():
        distinct, ranks, counts = np.unique(feature.numbers, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        return [middle[ranks] / len(ranks)] if len(distinct) > 1 else []
    common = np.argsort(-np.bincount(feature.codes), kind="stable")[:_LARGEST_NUMBER_OF_CATEGORIES]
    return [(feature.codes == code) / np.sqrt(2) for code in common]


def _probe(name: str, votes: Votes, labels: Judged, manifest: Manifest) -> Probe:
    def scored(rows: npt.NDArray[np.int64]) -> Score:
        handed = replace(labels, hot=labels.hot[rows], known=labels.known[rows])
        return score(handed.cells(), votes.right(handed.hot & handed.known), labels.groups)

    found = against_chance(scored, labels.groups, labels.fewest_groups, labels.chance)
    return Probe(
        name=name,
        score=found.estimate,
        low=found.low,
        high=found.high,
        chance=labels.chance,
        p=found.p,
        num_images=len(labels.rows),
        num_groups=int(labels.groups.max()) + 1,
        method=_METHODS[name] + _HOW,
        words=_words(name, found, labels, len(labels.rows) < len(manifest.rows) and _subset(manifest) is not None),
    )


_HOW = (
    " Balanced accuracy over five folds of whole groups; t interval over groups, stretched by the spread under "
    "permuted labels."
)
_METHODS = {
    "thumbnails": f"The nearest neighbour of each {SIDE_PX}x{SIDE_PX} thumbnail.",
    "masked-centre": f"The same without the central {MASK_PX}x{MASK_PX} pixels.",
    "metadata": f"Up to {_METADATA_NEIGHBOURS} nearest neighbours by file properties, source and columns.",
}
_SUBJECTS = {
    "thumbnails": f"{SIDE_PX}x{SIDE_PX} thumbnails with one nearest neighbour reach",
    "masked-centre": f"The same thumbnails with their centre masked ({MASK_PX**2 / SIDE_PX**2:.0%} of the area) reach",
    "metadata": "What is known of the files besides their pixels (format, size, source, columns) reaches",
}


def _words(name: str, found: AgainstChance, labels: Judged, is_subset: bool) -> str:
    measure = "a mean balanced accuracy over labels of" if labels.several else "a balanced accuracy of"
    said = (
        f"{_SUBJECTS[name]} {measure} {found.estimate:.2f} ({found.low:.2f} to {found.high:.2f}), "
        f"chance {labels.chance:.2f}."
    )
    if labels.left_out:
        said += f" Left out, with fewer than five groups: {_listed(labels.left_out)}."
    if is_subset:
        said += f" Judged on {len(labels.rows)} images of randomly drawn groups."
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
