"""Images with nothing in them, and images whose light and dark are the other way round than in all others."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.pixels import PixelFacts, pixel_facts
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding

_LIKE_THE_MEAN = 0.2  # correlation with the mean thumbnail
_UNLIKE_THE_MEAN = -0.5
_SHARE_ALIKE = 0.9  # of all images; where they differ more, none can be called inverted
_FEWEST_IMAGES = 20
_BLOCK_ROWS = 4096


def blank_findings(cache: ImageCache, facts: PixelFacts | None = None) -> Iterator[Finding]:
    """Name blank images and inverted ones.

    An image is blank if its standard deviation is below 1 % of the range that the data set uses, and 99.9 % of its
    pixels lie within 2 % of their median. Outer slices of a volume may be blank and are a note.

    An image is inverted if it correlates below -0.5 with the mean thumbnail, to which more than 90 % of the images
    correlate above 0.2, and its border is brighter than its centre where theirs is darker, or the reverse.

    Args:
        cache: The decoded data.
        facts: How its images look as a whole, if that is known already.
    """
    facts = facts or pixel_facts(cache)
    blank = np.flatnonzero(facts.constant)
    if len(blank):
        are_frames = cache.manifest.rows["frame"][blank.tolist()].null_count() == 0
        yield _finding(
            cache,
            "blank",
            blank,
            f"{len(blank)} of {len(facts.constant)} images are blank: their pixels are all but equal.",
            "Outer slices can be empty; leave them out if they are many."
            if are_frames
            else "Look at them, and remove them or export them again.",
            is_issue=not are_frames,
        )
    inverted = inverted_rows(facts)
    if len(inverted):
        yield _finding(
            cache,
            "inverted",
            inverted,
            f"{len(inverted)} of {len(facts.constant)} images look inverted: dark where the others are bright.",
            "Look at them, and invert them in the files (DICOM: PhotometricInterpretation MONOCHROME1).",
            is_issue=True,
        )


def inverted_rows(facts: PixelFacts) -> npt.NDArray[np.int64]:
    """Return the rows whose light and dark are exchanged; none where images are too few or too different."""
    number = len(facts.constant)
    there = ~facts.constant
    none: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
    if there.sum() < _FEWEST_IMAGES:
        return none
    blocks = [slice(first, first + _BLOCK_ROWS) for first in range(0, number, _BLOCK_ROWS)]
    sums = [facts.thumbnails[rows][there[rows]].sum(axis=0, dtype=np.float64) for rows in blocks]
    mean = np.sum(sums, axis=0) / there.sum()
    alike = np.concatenate([_correlation(facts.thumbnails[rows], mean) for rows in blocks])
    if np.mean(alike[there] > _LIKE_THE_MEAN) <= _SHARE_ALIKE:
        return none
    inner = np.concatenate([_centre_minus_border(facts.thumbnails[rows]) for rows in blocks])
    usual = np.sign(np.median(inner[there]))
    rows: npt.NDArray[np.int64] = np.flatnonzero(there & (alike < _UNLIKE_THE_MEAN) & (np.sign(inner) == -usual))
    return rows


def _correlation(thumbnails: npt.NDArray[np.float16], mean: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    direction = mean.ravel() - mean.mean()
    lengths = np.linalg.norm(flat, axis=1) * np.linalg.norm(direction)
    found: npt.NDArray[np.float64] = np.where(lengths > 0, flat @ direction / np.where(lengths > 0, lengths, 1), 0.0)
    return found


def _centre_minus_border(thumbnails: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    values = thumbnails.astype(np.float64)
    quarter = values.shape[1] // 4
    centre = values[:, quarter:-quarter, quarter:-quarter].mean(axis=(1, 2))
    sides = [values[:, 0, :], values[:, -1, :], values[:, 1:-1, 0], values[:, 1:-1, -1]]
    difference: npt.NDArray[np.float64] = centre - np.concatenate(sides, axis=1).mean(axis=1)
    return difference


def _finding(
    cache: ImageCache, code: str, rows: npt.NDArray[np.int64], message: str, advice: str, *, is_issue: bool
) -> Finding:
    places = rows.tolist()
    return Finding(
        code=code,
        severity="issue" if is_issue else "note",
        message=message,
        advice=advice,
        rows=tuple(places),
        paths=tuple(cache.manifest.rows["path"][places].to_list()),
    )
