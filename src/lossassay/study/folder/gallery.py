"""Small copies of some images for the report, kept in the out folder so that it can be drawn without the data."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from lossassay.engine.spec import Array
from lossassay.study.folder.whole_files import explained, replaced

_SIDE_PX = 64
_PER_CLASS = 8
_ERRORS = 24


def write_gallery(folder: Path, images: Array, tables: dict[str, pl.DataFrame], class_names: list[str]) -> None:
    """Write gallery.npz: some images of each class, evenly spread over the rows, and the worst errors."""
    rows = pl.read_parquet(folder / "rows.parquet")
    chosen = _of_each_class(rows, class_names) + _worst(tables["worst_errors"])
    small = [_small(images[row]) for row, _, _ in chosen]
    with explained(folder), replaced(folder / "gallery.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            rows=np.array([row for row, _, _ in chosen], dtype=np.int64),
            images=np.stack(small) if small else np.zeros((0, 1, 1), dtype=np.uint8),
            kinds=np.array([kind for _, kind, _ in chosen], dtype=np.str_),
            labels=np.array([label for _, _, label in chosen], dtype=np.str_),
        )


def _of_each_class(rows: pl.DataFrame, class_names: list[str]) -> list[tuple[int, str, str]]:
    multi = rows["label"].dtype.is_nested()
    labels: Any = np.array(rows["label"].to_list())
    chosen = []
    for index, name in enumerate(class_names):
        members = np.flatnonzero(labels[:, index] == 1 if multi else labels == index)
        picks = members[np.linspace(0, len(members) - 1, min(_PER_CLASS, len(members))).astype(int)]
        chosen += [(int(row), "class", name) for row in picks]
    return chosen


def _worst(errors: pl.DataFrame) -> list[tuple[int, str, str]]:
    if errors.is_empty():
        return []
    first = errors.sort("probability_of_truth").unique("row", keep="first", maintain_order=True).head(_ERRORS)
    return [(row["row"], "error", row["label"]) for row in first.iter_rows(named=True)]


def _small(image: Array) -> Array:
    """Return [H W] or [H W 3] uint8 of at most 64 px; the middle slice of a volume."""
    if image.ndim == 4:
        image = image[image.shape[0] // 2]
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))
    picture.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(picture)
