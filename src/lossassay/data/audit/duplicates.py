"""Images with the same pixels."""

from collections.abc import Iterator

import polars as pl

from lossassay.data.audit.texts import counted, label_texts
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import PARTS, Finding


def exact_duplicates(cache: ImageCache) -> Iterator[Finding]:
    """Find images whose decoded pixels are equal: with different labels, in different groups, in two official parts.

    Files with equal bytes are among them; so are copies that were stored in another format without loss.
    """
    rows = cache.manifest.rows.with_columns(
        pixels=pl.Series(pixel_digests(cache), dtype=pl.String),
        together=pl.Series(group_numbers(cache.manifest), dtype=pl.Int64),
        labels=label_texts(cache.manifest),
    )
    sets = rows.group_by("pixels", maintain_order=True).agg(
        pl.col("row"),
        pl.col("path"),
        pl.col("labels").n_unique(),
        pl.col("together").n_unique(),
        parts=pl.col("part").drop_nulls().n_unique(),
        size=pl.len(),
    )
    sets = sets.filter(pl.col("size") > 1)
    yield from _across_classes(sets.filter(pl.col("labels") > 1))
    yield from _across_parts(sets.filter(pl.col("parts") > 1), rows)
    yield from _across_groups(sets.filter(pl.col("labels") == 1, pl.col("together") > 1))


def _across_classes(sets: pl.DataFrame) -> Iterator[Finding]:
    if len(sets):
        yield _finding(
            "duplicate-across-classes",
            f"{_images_in_sets(sets)} have the same pixels and different labels.",
            "One of the labels is wrong, or both are: look at them, and correct or remove them.",
            sets,
        )


def _across_parts(sets: pl.DataFrame, rows: pl.DataFrame) -> Iterator[Finding]:
    if len(sets):
        sizes = dict(rows.group_by("part").len().iter_rows())
        shared = dict(
            rows.filter(pl.col("row").is_in(sets["row"].explode().implode())).group_by("part").len().iter_rows()
        )
        shares = ", ".join(f"{shared[part]:,} of {sizes[part]:,} {part}" for part in PARTS if part in shared)
        yield _finding(
            "duplicate-across-parts",
            f"{_images_in_sets(sets)} have the same pixels and are in more than one official part: {shares} images.",
            "Results on the official parts will be too good. Remove the copies from the training part, or give shares "
            'in place of split = "official".',
            sets,
        )


def _across_groups(sets: pl.DataFrame) -> Iterator[Finding]:
    if len(sets):
        yield _finding(
            "exact-duplicate",
            f"{_images_in_sets(sets)} have the same pixels and belong to different groups, so they can be in training "
            "and test at once.",
            "Remove the copies, or give them the same group.",
            sets,
        )


def _images_in_sets(sets: pl.DataFrame) -> str:
    return f"{counted(int(sets['size'].sum()), 'image')} in {counted(len(sets), 'set')}"


def _finding(code: str, message: str, advice: str, sets: pl.DataFrame) -> Finding:
    return Finding(
        code=code,
        severity="issue",
        message=message,
        advice=advice,
        rows=tuple(sets["row"].explode().to_list()),
        paths=tuple(sets["path"].explode().to_list()),
    )
