"""A decoded data set made of arrays, with whatever facts a test needs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Manifest, manifest_rows

Build = Callable[..., ImageCache]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Make an `ImageCache` without files; facts of files may be given by name."""

    def make(
        images: np.ndarray,
        labels: Sequence[Any],
        *,
        columns: dict[str, Sequence[Any]] | None = None,
        facts: dict[str, Sequence[Any]] | None = None,
        kind: str = "files",
        **of_rows: Any,
    ) -> ImageCache:
        several = isinstance(labels[0], list)
        number, classes = len(labels), len(labels[0]) if several else max(labels) + 1
        task = "multi_label" if several else "single_label"
        plain = {
            "pixels": [str(row) for row in range(number)],
            "mode": ["grey"] * number,
            "width_px": [64] * number,
            "height_px": [64] * number,
            "format": ["PNG"] * number,
            "jpeg_quality": [0] * number,
            "bits": [8] * number,
            "file_bytes": [1000] * number,
            "spacing_mm": [0.0] * number,
        }
        pl.DataFrame(plain | (facts or {})).write_parquet(tmp_path / "file_facts.parquet")
        manifest = Manifest(
            kind=kind,  # type: ignore[arg-type]
            root=tmp_path,
            rows=manifest_rows([f"{i:05}" for i in range(number)], labels, task=task, **of_rows),
            class_names=tuple(f"class {k}" for k in range(classes)),
            task=task,
            dimensions=3 if images.ndim == 5 else 2,
            columns=None if columns is None else pl.DataFrame(columns),
        )
        return ImageCache(images=images, manifest=manifest, digest="", folder=tmp_path)  # type: ignore[arg-type]

    return make


def noise(number: int, *, side: int = 32, seed: int = 0) -> np.ndarray:
    """Images without any meaning, [N S S 1]."""
    return np.random.default_rng(seed).integers(0, 256, (number, side, side, 1), dtype=np.uint8)
