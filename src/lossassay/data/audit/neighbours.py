"""Slices of one volume, frames of one film, images of one patient: alike, one after the other, and no group says so."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from lossassay.data.audit.likeness import Likeness, likeness
from lossassay.data.audit.texts import counted
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding

Rows = npt.NDArray[np.int64]

_FEWEST_IMAGES = 50  # among fewer, the next file is near by chance
_NEAREST = 3  # one is among so many nearest ones of the other
_FARTHEST_STEP = 2  # files, in the order of their paths
_SMALLEST_SEQUENCE = 4  # images


def neighbour_images(cache: ImageCache, found: Likeness | None = None) -> Iterator[Finding]:
    """Find sequences of images without groups that follow each other and are each other's nearest.

    An image and the next but one file are by chance among the three nearest of one another once in some hundred images;
    four in a row never are. Sequences whose names do not keep their order are not found.

    Args:
        cache: The decoded data.
        found: What `likeness` returned, where the caller has it already.
    """
    rows = cache.manifest.rows
    if len(rows) < _FEWEST_IMAGES or rows["group"].null_count() < len(rows):
        return
    sequences = _sequences(found or likeness(cache))
    if not sequences:
        return
    parts = rows["part"].fill_null("").to_numpy()
    across = [own for own in sequences if len(set(parts[own]) - {""}) > 1]
    if across:
        yield _finding(
            cache,
            "neighbour-across-parts",
            across,
            "They lie in several official parts, so results on the test part will be too good.",
            'Put all images of a sequence into one part, or give shares in place of split = "official" and name the '
            "patient's column in data.group.",
        )
    within = [own for own in sequences if len(set(parts[own]) - {""}) <= 1]
    if within:
        yield _finding(
            cache,
            "neighbour-images",
            within,
            "Without groups they can be in training and test at once.",
            "Name the patient's column in data.group, or a pattern for the path in data.group_pattern.",
        )


def _finding(cache: ImageCache, code: str, sequences: list[Rows], consequence: str, advice: str) -> Finding:
    members = np.concatenate(sequences).tolist()
    paths = cache.manifest.rows["path"]
    return Finding(
        code=code,
        severity="issue",
        message=f"{counted(len(sequences), 'sequence')} of images look like slices of one volume, frames of one film "
        f"or images of one patient: {len(members):,} images, {max(map(len, sequences))} in the largest. "
        f"{consequence}",
        advice=advice,
        rows=tuple(members),
        paths=tuple(paths[row] for row in members),
    )


def _sequences(found: Likeness) -> list[Rows]:
    """Return the rows of each sequence, ascending, in the order of their first rows."""
    limits = found.nearest_differences()[:, _NEAREST - 1]
    near = found.difference <= np.minimum(np.maximum(limits[found.first], limits[found.second]), 1)
    edges = near & (found.second - found.first <= _FARTHEST_STEP)
    shape = (found.count, found.count)
    graph = scipy.sparse.coo_array((np.ones(int(edges.sum())), (found.first[edges], found.second[edges])), shape=shape)
    _, member_of = connected_components(graph, directed=False)
    order = np.argsort(member_of, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(member_of[order])) + 1)
    return sorted((rows for rows in sets if len(rows) >= _SMALLEST_SEQUENCE), key=lambda rows: int(rows[0]))
