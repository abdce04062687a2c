"""Copies that are not equal: resized, cropped a little, brighter or darker, stored as JPEG."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.likeness import Likeness, likeness
from lossassay.data.audit.texts import counted, label_texts
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding, Manifest

Pairs = npt.NDArray[np.int64]

_SHARE_OF_TEST_PART = 0.01  # fewer images with copies in another official part change no score that is reported


def near_duplicates(cache: ImageCache, found: Likeness | None = None) -> Iterator[Finding]:
    """Find pairs of images of different groups that are copies of each other without equal pixels.

    Args:
        cache: The decoded data; of a volume the middle slice counts.
        found: What `likeness` returned, where the caller has it already.

    Yields:
        Findings whose rows are pairs, 2 i and 2 i + 1, the most alike first.
    """
    found = found or likeness(cache)
    pairs = _ordered_pairs(found)
    labels = label_texts(cache.manifest).to_numpy()
    differ = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    leaks = _between_parts(cache.manifest, pairs)
    yield from _across_parts(cache.manifest, pairs[leaks])
    yield from _across_classes(cache.manifest, pairs[differ])
    yield from _across_groups(cache.manifest, pairs[~differ & ~leaks], pairs[~differ])


def _ordered_pairs(found: Likeness) -> Pairs:
    copies = np.flatnonzero(found.copies())
    order = np.lexsort((found.second[copies], found.first[copies], found.difference[copies]))
    chosen = copies[order]
    return np.stack([found.first[chosen], found.second[chosen]], axis=1)


def _across_classes(manifest: Manifest, pairs: Pairs) -> Iterator[Finding]:
    if len(pairs):
        yield _finding(
            manifest,
            "near-duplicate-across-classes",
            f"{counted(len(pairs), 'pair')} of images are all but the same and have different labels.",
            "One of the labels is wrong, or the pictures only look alike: look at them, and correct or remove them.",
            pairs,
        )


def _between_parts(manifest: Manifest, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return which pairs lie in two official parts; none where they touch too little of the test part to matter."""
    parts = manifest.rows["part"].fill_null("").to_numpy()
    first, second = parts[pairs[:, 0]], parts[pairs[:, 1]]
    between = (first != second) & (first != "") & (second != "")
    rows = np.unique(pairs[between])
    tested = int((parts[rows] == "test").sum())
    enough = tested >= _SHARE_OF_TEST_PART * max(1, int((parts == "test").sum()))
    return np.asarray(between & (tested > 0) & enough)


def _across_parts(manifest: Manifest, pairs: Pairs) -> Iterator[Finding]:
    if len(pairs):
        parts = manifest.rows["part"].fill_null("").to_numpy()
        tested, of = int((parts[np.unique(pairs)] == "test").sum()), int((parts == "test").sum())
        yield _finding(
            manifest,
            "near-duplicate-across-parts",
            f"{counted(len(pairs), 'pair')} of images are all but the same and lie in two official parts; they touch "
            f"{tested:,} of {counted(of, 'image')} of the test part.",
            "Look at them. Remove the copies from the training part, or give shares in place of "
            'split = "official" and the copies the same group.',
            pairs,
        )


def _across_groups(manifest: Manifest, pairs: Pairs, every: Pairs) -> Iterator[Finding]:
    if len(pairs):
        parts = manifest.rows["part"].fill_null("").to_numpy()
        first, second = parts[pairs[:, 0]], parts[pairs[:, 1]]
        in_two = int(((first != second) & (first != "") & (second != "")).sum())
        said = f" {counted(in_two, 'pair')} of them in two official parts." if in_two else ""
        more = (
            f" {counted(len(every) - len(pairs), 'pair')} more lie in two official parts."
            if len(every) > len(pairs)
            else ""
        )
        yield _finding(
            manifest,
            "near-duplicate",
            f"{counted(len(pairs), 'pair')} of images are all but the same and belong to different groups, so they can "
            f"be in training and test at once.{said}{more}",
            "Look at them. Remove the copies, or give them the same group.",
            pairs,
        )


def _finding(manifest: Manifest, code: str, message: str, advice: str, pairs: Pairs) -> Finding:
    rows = pairs.ravel().tolist()
    paths = manifest.rows["path"]
    return Finding(
        code=code,
        severity="issue",
        message=message,
        advice=advice,
        rows=tuple(rows),
        paths=tuple(paths[row] for row in rows),
    )
