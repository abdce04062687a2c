"""What the audit looked at: counts of images, patients, parts and sources, and what could not be looked at."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import PARTS, Manifest
from lossassay.data.split import one_hot
from lossassay.engine.spec import Array

_MOST_SOURCES = 6  # with columns of their own; smaller ones are taken together


def data_facts(cache: ImageCache, split: SplitConfig) -> dict[str, Any]:
    """Return counts in plain data, without file names and group ids.

    Args:
        cache: The decoded data.
        split: How the data will be split.

    Returns:
        ``digest``, ``images``, ``patients`` (None: not known), ``class_names``, ``task``, ``kind``, ``image_shape``,
        ``pixel_type``, ``official`` (whether the study uses the parts that the data name), ``parts`` and ``sources``
        (images by name; empty where not known), ``classes`` (for each class ``name``, ``images``, ``patients``,
        ``parts``, ``sources``).
    """
    manifest = cache.manifest
    return {
        "digest": cache.digest,
        "images": len(manifest.rows),
        "patients": _patients(manifest.rows),
        "class_names": list(manifest.class_names),
        "task": manifest.task,
        "kind": manifest.kind,
        "image_shape": list(cache.images.shape[1:]),
        "pixel_type": str(cache.images.dtype),
        "official": split.official,
        "parts": _parts(manifest.rows),
        "sources": _sources(manifest.rows, _source_names(manifest.rows)),
        "classes": _classes(manifest),
    }


def _classes(manifest: Manifest) -> list[dict[str, Any]]:
    hot: Array = one_hot(manifest)
    named = _source_names(manifest.rows)
    counted = []
    for number, name in enumerate(manifest.class_names):
        rows = manifest.rows.filter(pl.Series(hot[:, number] == 1))
        counted.append(
            {
                "name": name,
                "images": len(rows),
                "patients": _patients(rows),
                "parts": _parts(rows) if manifest.rows["part"].null_count() < len(manifest.rows) else {},
                "sources": _sources(rows, named),
            }
        )
    return counted


def _patients(rows: pl.DataFrame) -> int | None:
    """Patients; images without one count as one patient each, as they do in a split."""
    missing = rows["group"].null_count()
    if missing == len(rows) and len(rows):
        return None
    return rows["group"].drop_nulls().n_unique() + missing


def _parts(rows: pl.DataFrame) -> dict[str, int]:
    if rows["part"].null_count() == len(rows) and len(rows):
        return {}
    return {part: int(np.count_nonzero((rows["part"] == part).fill_null(value=False))) for part in PARTS}


def _source_names(rows: pl.DataFrame) -> list[str]:
    counts = rows.filter(pl.col("source").is_not_null()).group_by("source").len().sort("len", "source", descending=True)
    return counts["source"].to_list()


def _sources(rows: pl.DataFrame, named: list[str]) -> dict[str, int]:
    """Images by source, largest first; where there are many, the smaller ones together as an empty name."""
    counts = dict(rows.filter(pl.col("source").is_not_null()).group_by("source").len().iter_rows())
    kept = named if len(named) <= _MOST_SOURCES else named[: _MOST_SOURCES - 1]
    found = {name: counts.get(name, 0) for name in kept}
    rest = sum(counts.values()) - sum(found.values())
    return found if len(kept) == len(named) else found | {"": rest}


def not_looked_at(cache: ImageCache) -> list[dict[str, str]]:
    """Say what could not be looked at, and why."""
    return [{"what": what, "why": why} for what, why in _gaps(cache.manifest)]


def _gaps(manifest: Manifest) -> Iterator[tuple[str, str]]:
    rows = manifest.rows
    if rows["group"].null_count() == len(rows):
        yield (
            "Whether one patient is in two parts.",
            "Nothing says which images belong to one patient (data.group, data.group_pattern).",
        )
    if rows["source"].null_count() == len(rows):
        yield "Whether the source of an image tells its class.", "No source is named (data.source)."
    if rows["part"].null_count() == len(rows):
        yield (
            "Leaks and drift between parts.",
            "The data name no parts. A study draws them, and keeps groups whole.",
        )
    if manifest.columns is None:
        yield "Whether further columns tell the class.", "There is no table with further columns."
    if manifest.kind in ("npz", "digits"):
        yield "How files are stored: format, size, JPEG quality.", "The images are arrays and have no files."
    if manifest.dimensions == 3:
        yield "Every slice of a volume.", "Pictures here show the middle slice."
    yield (
        "Whether a label is right, and whether an image shows what it should.",
        "Only somebody who can read these images can tell. Look at the pictures.",
    )
