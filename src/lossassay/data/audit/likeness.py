"""How alike images of different groups are, and which pairs are too alike to be two images.

A fixed limit does not do: unrelated X-rays correlate more than copies of X-rays that were cropped, and any two
handwritten minus signs are nearly the same. So a pair is judged by what surrounds it. Differences from an image to its
neighbours grow like ``distance ** d`` in ``d`` dimensions; the dimension is estimated once for the data set (Levina and
Bickel 2004, doi:10.5555/2976040.2976138), and the chance that the nearest of unrelated images comes ``difference`` near
where the third nearest is ``reference`` away is then about ``(difference / reference) ** half_dimension``.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lossassay.data.audit.alignment import differences
from lossassay.data.audit.fingerprints import Fingerprints, fingerprints
from lossassay.data.audit.nearest import nearest_pairs
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.grouping import group_numbers

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

NEIGHBOURS = 8  # looked at for each image
LARGEST_LOG_CHANCE = -10.5  # chosen on half of the originals of benchmarks/near_duplicates
_WORTH_A_SECOND_LOOK = -4.0
_REFERENCE = 2  # the third nearest: one or two copies of an image leave it alone
_REFERENCE_FLOOR = 0.01  # quantile of all references: some sets of many copies leave the others' references alone
_LARGEST_DIFFERENCE = 0.35  # whatever surrounds a pair
_SMALLEST_DIFFERENCE = 1e-5  # what rounding leaves
_SHARE_OF_FARTHEST = 0.03  # in a set of many copies: of the difference to the farthest of the neighbours
_HALF_DIMENSIONS = (1.5, 8.0)
_USUAL_REFERENCE = 0.1  # where there are too few images for a reference
_FORMAT = 1  # of the file, raised when differences are computed otherwise


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Pairs of images of different groups: each image with its likeliest ones. Equal pixels count as one image.

    Args:
        first: [P] rows of the manifest.
        second: [P] rows of the manifest.
        difference: [P] 0 for a copy, near 1 for images that have nothing in common.
        count: N, rows of the manifest.
    """

    first: Rows
    second: Rows
    difference: Floats
    count: int

    def nearest_differences(self) -> Floats:
        """Return [N neighbours] the smallest differences of each image, ascending; infinite where it has fewer."""
        rows = np.concatenate([self.first, self.second])
        both = np.maximum(np.concatenate([self.difference, self.difference]), _SMALLEST_DIFFERENCE)
        order = np.lexsort((both, rows))
        rows, both = rows[order], both[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        nearest = np.full((self.count, NEIGHBOURS), np.inf, dtype=np.float32)
        kept = place < NEIGHBOURS
        nearest[rows[kept], place[kept]] = both[kept]
        return nearest

    def half_dimension(self) -> float:
        """Return half the dimension in which the images lie, near an image, without the likely copies."""
        nearest = self.nearest_differences()
        whole = nearest[np.isfinite(nearest).all(axis=1)]
        if len(whole) == 0:
            return _HALF_DIMENSIONS[0]
        growth = np.log(whole[:, -1:] / whole[:, _REFERENCE:-1]).mean(axis=1)
        return float(np.clip(1 / max(float(np.median(growth)), 1e-6), *_HALF_DIMENSIONS))

    def log_chances(self) -> Floats:
        """Return [P] the logarithm of the chance that two unrelated images are as alike as this pair."""
        references = self._references()
        reference = np.minimum(references[self.first], references[self.second])
        difference = np.maximum(self.difference, _SMALLEST_DIFFERENCE)
        return np.asarray(self.half_dimension() * np.log(difference / reference), dtype=np.float32)

    def _references(self) -> Floats:
        references = self.nearest_differences()[:, _REFERENCE]
        known = np.isfinite(references)
        if not known.any():
            return np.full(self.count, _USUAL_REFERENCE, dtype=np.float32)
        floor = np.quantile(references[known], _REFERENCE_FLOOR, method="lower")
        return np.where(known, np.maximum(references, floor), _USUAL_REFERENCE).astype(np.float32)

    def copies(self) -> npt.NDArray[np.bool_]:
        """Return [P] which pairs are near duplicates."""
        farthest = self.nearest_differences()[:, -1]
        farthest = np.where(np.isfinite(farthest), farthest, 0)
        near_in_a_set = self.difference <= _SHARE_OF_FARTHEST * np.minimum(farthest[self.first], farthest[self.second])
        unlikely = self.log_chances() <= LARGEST_LOG_CHANCE
        found: npt.NDArray[np.bool_] = (unlikely | near_in_a_set) & (self.difference <= _LARGEST_DIFFERENCE)
        return found


def likeness(cache: ImageCache) -> Likeness:
    """Compare every image with its likeliest ones of other groups; look it up where that was done before.

    Args:
        cache: The decoded data; of a volume the middle slice counts.
    """
    kept = cache.folder / f"likeness.{_FORMAT}.{cache.digest}.parquet"
    known = _read(kept, len(cache.manifest.rows))
    if known is not None:
        return known
    found = _compare(cache)
    _write(kept, found)
    return found


def _compare(cache: ImageCache) -> Likeness:
    digests = np.array(pixel_digests(cache))
    _, rows = np.unique(digests, return_index=True)
    rows = np.sort(rows).astype(np.int64)  # the first of those with equal pixels
    prints = fingerprints(cache.images, rows)
    shown = np.flatnonzero(~prints.flat)
    groups = group_numbers(cache.manifest)[rows[shown]]
    first, second = (shown[part] for part in nearest_pairs(prints.vectors[shown], groups, NEIGHBOURS))
    turned = digests[rows[first]] > digests[rows[second]]  # which one is moved depends on content, not on order
    still, moved = np.where(turned, second, first), np.where(turned, first, second)
    difference = differences(prints.thumbnails, still, moved, refine=False)
    coarse = Likeness(first=rows[first], second=rows[second], difference=difference, count=len(digests))
    return _second_look(coarse, prints, (still, moved))


def _second_look(coarse: Likeness, prints: Fingerprints, positions: tuple[Rows, Rows]) -> Likeness:
    likely = np.flatnonzero(coarse.log_chances() <= _WORTH_A_SECOND_LOOK)
    difference = coarse.difference.copy()
    finer = differences(prints.thumbnails, positions[0][likely], positions[1][likely], refine=True)
    difference[likely] = np.minimum(difference[likely], finer)
    return Likeness(first=coarse.first, second=coarse.second, difference=difference, count=coarse.count)


def _read(path: Path, count: int) -> Likeness | None:
    try:
        table = pl.read_parquet(path)
        first, second, difference = (table[name].to_numpy() for name in ("first", "second", "difference"))
    except (OSError, pl.exceptions.PolarsError):
        return None
    return Likeness(first=first, second=second, difference=difference, count=count)


def _write(path: Path, found: Likeness) -> None:
    table = pl.DataFrame({"first": found.first, "second": found.second, "difference": found.difference})
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        table.write_parquet(partial)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # a cache that can only be read is a good cache
