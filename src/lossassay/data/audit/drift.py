"""Whether the official test part looks different from the training part."""

from collections.abc import Iterator

import numpy as np

from lossassay.data.audit.features import Feature, from_categories, from_numbers
from lossassay.data.audit.pixels import PixelFacts, pixel_facts
from lossassay.data.audit.source_tells import column_features, source_features
from lossassay.data.audit.storage_tells import file_features
from lossassay.data.audit.tells import Target, Tell, find_tells
from lossassay.data.cache import ImageCache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Finding, Manifest

_SMALLEST_DRIFT = 0.1  # total variation distance beyond chance: a tenth of the test images


def drift_findings(cache: ImageCache, facts: PixelFacts | None = None) -> Iterator[Finding]:
    """Name what is distributed differently in the official training and test part.

    The measure is the total variation distance of the two distributions, less its mean when parts are handed from group
    to group; all properties are judged together, as in `tells`. Without official parts there is nothing to say.

    Args:
        cache: The decoded data.
        facts: How its images look as a whole, if that is known already.
    """
    parts = cache.manifest.rows["part"].to_numpy()
    rows = np.flatnonzero((parts == "train") | (parts == "test"))
    if len(np.unique(parts[rows].astype(str))) < 2:
        return
    is_test = (parts[rows] == "test")[:, None]
    target = Target(
        hot=is_test, known=np.ones_like(is_test), groups=group_numbers(cache.manifest)[rows], names=("test",)
    )
    features = [feature.of_rows(rows) for feature in _features(cache, facts or pixel_facts(cache))]
    tells = find_tells(features, target)
    drifting = sorted((tell for tell in tells if tell.tells(excess=_SMALLEST_DRIFT)), key=lambda tell: -tell.excess)
    if drifting:
        yield Finding(
            code="drift-between-parts",
            severity="note",
            message=f"The official test part differs from the training part: {_listed(drifting)}.",
            advice="Scores on such a test part say how a model fares on other data than it learnt from. Say so, or "
            'draw the parts anew by giving shares in place of split = "official".',
        )


def _features(cache: ImageCache, facts: PixelFacts) -> list[Feature]:
    return [
        *_label_features(cache.manifest),
        *source_features(cache.manifest.rows),
        *column_features(cache.manifest),
        *file_features(cache),
        from_numbers("mean brightness", facts.means.round(3)),
        from_numbers("contrast", facts.spreads.round(3)),
    ]


def _label_features(manifest: Manifest) -> list[Feature]:
    labels = manifest.rows["label"]
    if manifest.task != "multi_label":
        return [from_categories("class", labels.to_list())]
    each = zip(*labels.to_list(), strict=True)
    return [from_categories(f"label {name}", own) for name, own in zip(manifest.class_names, each, strict=True)]


def _listed(tells: list[Tell]) -> str:
    return "; ".join(
        f"by {tell.feature}, {tell.youden:.0%} of the images would have to change ({tell.expected:.0%} by chance)"
        for tell in tells
    )
