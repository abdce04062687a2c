"""Boxes and masks that people drew, from a table, brought to where the network sees them."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data.cache import ImageCache, decode_options, file_facts
from lossassay.data.decode import DecodeOptions, fit_image
from lossassay.data.table_columns import Cells
from lossassay.data.table_file import read_table
from lossassay.engine.spec import Array
from lossassay.errors import DataError, did_you_mean

BOX = ("x_min", "y_min", "x_max", "y_max")
_CROPS = ("foreground_crop", "lung_crop")


@dataclass(frozen=True, kw_only=True)
class MarkedRegions:
    """What was marked.

    Args:
        masks: Row of the study → bool [H W], the union of what was marked in it.
        classes: Row → number of the class that its region belongs to; only where the table says it.
    """

    masks: Mapping[int, Array]
    classes: Mapping[int, int]


def read_regions(path: Path, run: LoadedRun, cache: ImageCache) -> MarkedRegions:
    """Read a table of boxes or masks.

    Args:
        path: With a column ``row`` (of the study) or ``path`` (as in its data); then ``x_min``, ``y_min``, ``x_max``,
            ``y_max`` in px of the original image, from its left upper corner, or ``mask``, an image file of the size
            of the original (its place relative to the table); and ``class``, if maps shall be about it and not about
            the label. Several lines of one image count together; a line without box and mask marks nothing.
        run: The run.
        cache: The images of its study.

    Raises:
        DataError: If the table cannot be used, with the line; or the study cuts its images, so that no box can be
            followed.
    """
    _check_followable(run)
    table = read_table(path)
    names = table.frame.columns
    key = next((one for one in ("row", "path") if one in names), None)
    boxes = [one for one in BOX if one in names]
    if key is None or (len(boxes) < 4 and "mask" not in names):
        raise DataError(
            f"{path} has the columns {', '.join(names)}. Expected row or path, and x_min, y_min, x_max, y_max (px of "
            "the original image) or mask (an image file)."
        )
    columns = {name: table.column(name, "regions") for name in (key, *boxes, "mask", "class") if name in names}
    options = decode_options(run.study.data, cache.manifest)._replace(
        padding=0, background=0, channels=1, preprocess=()
    )
    reader = _Reader(path, columns, key, run, cache, options)
    for position, line in enumerate(table.lines):
        reader.add(position, f"{path}, {table.unit} {line}")
    return MarkedRegions(masks=reader.masks, classes=reader.classes)


def _check_followable(run: LoadedRun) -> None:
    data = run.study.data
    crops = [name for name in data.preprocess if name in _CROPS]
    if run.plan["data"]["dimensions"] != 2 or crops or data.spacing_mm is not None:
        why = f"data.preprocess has {crops[0]}" if crops else "data.spacing_mm is set" if data.spacing_mm else "volumes"
        raise DataError(
            f"Regions in px of the original cannot be followed into the images of this study ({why}). Expected flat "
            "images without crops and without spacing. Leave --regions out."
        )


class _Reader:
    """Collects the regions of a table, line by line."""

    def __init__(
        self, path: Path, columns: dict[str, Cells], key: str, run: LoadedRun, cache: ImageCache, options: DecodeOptions
    ) -> None:
        self._path, self._columns, self._key, self._options = path, columns, key, options
        self._class_names = list(run.class_names)
        facts = file_facts(cache)
        self._sizes = list(zip(facts["width_px"].to_list(), facts["height_px"].to_list(), strict=True))
        paths = cache.manifest.rows["path"].to_list()
        self._row_of = {name: row for row, name in enumerate(paths)}
        self._count = len(paths)
        self.masks: dict[int, Array] = {}
        self.classes: dict[int, int] = {}

    def add(self, position: int, where: str) -> None:
        """Add one line of the table."""
        row = self._row(self._columns[self._key][position], where)
        marked = self._marked(position, row, where)
        if marked is None:
            return
        mask = _fitted(marked, self._options)
        self.masks[row] = mask | self.masks.get(row, np.zeros_like(mask))
        name = self._columns["class"][position] if "class" in self._columns else None
        if name is not None:
            if name not in self._class_names:
                known = ", ".join(self._class_names)
                raise DataError(f"{where}: no class {name!r}. Known: {known}.{did_you_mean(name, self._class_names)}")
            number = self._class_names.index(name)
            if self.classes.setdefault(row, number) != number:
                raise DataError(f"{where}: regions of two classes in one image. Expected one class for each image.")

    def _row(self, cell: str | None, where: str) -> int:
        if self._key == "path":
            if cell not in self._row_of:
                near = did_you_mean(cell or "", self._row_of)
                raise DataError(f"{where}: the study has no image {cell!r}. Expected a path as in its data.{near}")
            return self._row_of[cell]
        if cell is None or not re.fullmatch("[0-9]+", cell) or int(cell) >= self._count:
            raise DataError(f"{where}: no row {cell!r}. Expected a row of the study, 0 to {self._count - 1}.")
        return int(cell)

    def _marked(self, position: int, row: int, where: str) -> Image.Image | None:
        box = [self._columns[name][position] for name in BOX if name in self._columns]
        if any(cell is not None for cell in box):
            return _box(box, self._sizes[row], where)
        mask = self._columns["mask"][position] if "mask" in self._columns else None
        return None if mask is None else _mask(self._path.parent / mask, self._sizes[row], where)


def _box(cells: list[str | None], size: tuple[int, int], where: str) -> Image.Image:
    try:
        left, top, right, bottom = (float((cell or "").replace(",", ".")) for cell in cells)
    except ValueError:
        raise DataError(f"{where}: the box {cells} is not four numbers. Expected px of the original image.") from None
    if 0 in size:
        raise DataError(f"{where}: the original size of this image is not known (arrays). Expected masks for it.")
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise DataError(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} does not lie in the image of "
            f"{size[0]} x {size[1]} px. Expected 0 <= x_min < x_max <= width, and the same for y."
        )
    image = Image.new("L", size)
    last = max(round(right) - 1, round(left)), max(round(bottom) - 1, round(top))
    ImageDraw.Draw(image).rectangle((min(round(left), size[0] - 1), min(round(top), size[1] - 1), *last), fill=255)
    return image


def _mask(path: Path, size: tuple[int, int], where: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                found = opened.convert("L").point(lambda grey: 255 if grey else 0)
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{where}: the mask {path.name!r} cannot be read as an image. Check the file.") from None
    if 0 not in size and found.size != size:
        raise DataError(
            f"{where}: the mask has {found.width} x {found.height} px, and its image {size[0]} x {size[1]}. "
            "Expected one size."
        )
    return found


def _fitted(marked: Image.Image, options: DecodeOptions) -> Array:
    side = options.image_size
    grey = np.frombuffer(fit_image(marked, options, deep=False), dtype=np.uint8).reshape(side, side)
    return grey >= min(128, max(int(grey.max()), 1))  # a region below one px keeps the place that has most of it
