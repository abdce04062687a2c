"""The images that an audit shows: examples of findings, some of every class, and what preprocessing does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from lossassay.config.schema import DataConfig
from lossassay.data.cache import ImageCache, decode_options
from lossassay.data.decode_again import decode_rows
from lossassay.data.manifest import Finding, Manifest
from lossassay.data.split import one_hot
from lossassay.engine.spec import Array

_EXAMPLES = 12  # of one finding
_EXAMPLE_PX = 96
_PER_CLASS, _COMPARED = 5, 3  # images of a class, drawn at the study's size; before and after preprocessing
_MOST_IN_SHEETS = 100  # images of all classes together, so that the page stays small
_LARGEST_PX = 320  # side of an image in a sheet
_SEED = 0
_SAMPLE = 64  # images by which the shades of 16-bit images are chosen
PAIRED = ("near-duplicate", "near-duplicate-across-classes", "near-duplicate-across-parts")


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditImage:
    """One picture.

    Args:
        row: Of the manifest.
        label: Class name (multi-label: joined).
        part: Of those that the data name, or None.
        path: Its file, which is shown only where names are asked for.
        pixels: [H W] or [H W 3] uint8.
    """

    row: int
    label: str
    part: str | None
    path: str
    pixels: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditPictures:
    """All pictures of an audit.

    Args:
        findings: For each finding its examples; pairs stand beside each other for the codes in `PAIRED`.
        classes: Some images of each class, drawn at random, at the study's size.
        shrunk: Whether these are smaller than the study's images.
        presets: Names of ``data.preprocess``.
        compared: Class → pairs of the same image without and with the presets.
    """

    findings: tuple[tuple[AuditImage, ...], ...]
    classes: dict[str, tuple[AuditImage, ...]]
    shrunk: bool
    presets: tuple[str, ...] = ()
    compared: dict[str, tuple[tuple[AuditImage, AuditImage], ...]] = field(default_factory=dict)


def audit_pictures(cache: ImageCache, data: DataConfig, findings: Sequence[Finding]) -> AuditPictures:
    """Choose and scale the pictures of an audit.

    Args:
        cache: The decoded data.
        data: The study's data section.
        findings: As the audit ordered them.
    """
    album = _Album(cache)
    drawn = _drawn(cache.manifest)
    return AuditPictures(
        findings=tuple(album.of(finding.rows[:_EXAMPLES], _EXAMPLE_PX) for finding in findings),
        classes={name: album.of(rows, _LARGEST_PX) for name, rows in drawn.items()},
        shrunk=data.image_size > _LARGEST_PX,
        presets=data.preprocess,
        compared=_compared(cache, data, album, drawn) if data.preprocess else {},
    )


class _Album:
    """Makes pictures of rows; all 16-bit images share one range of shades."""

    def __init__(self, cache: ImageCache) -> None:
        self.cache = cache
        self.labels = _labels(cache.manifest)
        self.range = _shown_range(cache.images)

    def of(self, rows: Sequence[int], side_px: int, pixels: Array | None = None) -> tuple[AuditImage, ...]:
        """Return pictures of rows, of the cached pixels or of the given ones."""
        table = self.cache.manifest.rows
        return tuple(
            AuditImage(
                row=row,
                label=self.labels[row],
                part=table["part"][row],
                path=table["path"][row],
                pixels=_small(self.cache.images[row] if pixels is None else pixels[place], self.range, side_px),
            )
            for place, row in enumerate(rows)
        )


def _labels(manifest: Manifest) -> list[str]:
    hot: Array = one_hot(manifest)
    return [", ".join(manifest.class_names[k] for k in np.flatnonzero(row == 1)) for row in hot]


def _drawn(manifest: Manifest) -> dict[str, list[int]]:
    """Some rows of every class: the same ones in every audit of the same data."""
    generator = np.random.default_rng(_SEED)
    hot: Array = one_hot(manifest)
    number = max(1, min(_PER_CLASS, _MOST_IN_SHEETS // len(manifest.class_names)))
    chosen = {}
    for k, name in enumerate(manifest.class_names):
        members = np.flatnonzero(hot[:, k] == 1)
        picked = generator.choice(members, size=min(number, len(members)), replace=False)
        chosen[name] = sorted(int(row) for row in picked)
    return chosen


def _compared(
    cache: ImageCache, data: DataConfig, album: _Album, drawn: dict[str, list[int]]
) -> dict[str, tuple[tuple[AuditImage, AuditImage], ...]]:
    plain = decode_options(data, cache.manifest)._replace(preprocess=())
    deep = cache.images.dtype == np.uint16
    pairs = {}
    for name, rows in drawn.items():
        picked = rows[:_COMPARED]
        without = album.of(picked, _LARGEST_PX, decode_rows(cache.manifest, picked, plain, deep=deep))
        pairs[name] = tuple(zip(without, album.of(picked, _LARGEST_PX), strict=True))
    return pairs


def _shown_range(images: Array) -> tuple[float, float]:
    """Darkest and brightest shade: those of the type for 8 bits; of some images for 16, whose top may be unused."""
    if images.dtype == np.uint8:
        return 0.0, 255.0
    sample = images[np.unique(np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(int))]
    low, high = np.percentile(sample, (0.1, 99.9))
    return float(low), float(max(high, low + 1))


def _small(image: Array, shown: tuple[float, float], side_px: int) -> Array:
    """Return [H W] or [H W 3] uint8 of at most ``side_px`` a side; the middle slice of a volume."""
    if image.ndim == 4:
        image = image[image.shape[0] // 2]
    if image.dtype != np.uint8:
        scaled: Any = (image.astype(np.float32) - shown[0]) * (255 / (shown[1] - shown[0]))
        image = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))
    picture.thumbnail((side_px, side_px))
    return np.asarray(picture)
