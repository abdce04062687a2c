"""Labelled copies of real images: resized, stored as JPEG, cropped, brighter or darker, and all of it at once."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

DATA_SETS = ("cxr", "symbols")
# Pairs of originals that are copies of each other though nothing says so: looked at, one by one.
KNOWN = {
    "cxr": (),
    "symbols": (("mul", 7508, 7510), ("div", 6571, 6586), ("div", 6890, 6892), ("sub", 7647, 7997)),
}


def _resized(factor: float) -> Change:
    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        size = (round(image.width * factor), round(image.height * factor))
        return image.resize(size, Image.Resampling.BICUBIC)

    return change


def _jpeg(quality: int) -> Change:
    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        stored = io.BytesIO()
        image.save(stored, "JPEG", quality=quality)
        return Image.open(stored).convert("L")

    return change


def _cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Take away 5 % of each side, anywhere."""
    width, height = round(0.95 * image.width), round(0.95 * image.height)
    left = int(random.integers(0, image.width - width + 1))
    top = int(random.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _brighter(factor: float) -> Change:
    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        values = np.rint(np.asarray(image, dtype=np.float32) * factor)
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

    return change


def _all_at_once(image: Image.Image, random: np.random.Generator) -> Image.Image:
    brightness, size = float(random.choice([0.8, 1.2])), float(random.choice([0.5, 0.75, 1.5]))
    for change in (_brighter(brightness), _cropped, _resized(size), _jpeg(60)):
        image = change(image, random)
    return image


CHANGES: dict[str, Change] = {
    "resized to 0.5": _resized(0.5),
    "resized to 0.75": _resized(0.75),
    "resized to 1.5": _resized(1.5),
    "resized to 2": _resized(2.0),
    "JPEG quality 60": _jpeg(60),
    "JPEG quality 75": _jpeg(75),
    "JPEG quality 95": _jpeg(95),
    "5 % cropped away": _cropped,
    "brightness - 20 %": _brighter(0.8),
    "brightness + 20 %": _brighter(1.2),
    "all at once": _all_at_once,
}


@dataclass(frozen=True)
class Original:
    """One real image: its file, label, and who it is of."""

    path: Path
    label: str
    patient: str


def originals(data: Path, name: str) -> list[Original]:
    """Return the images of one of `DATA_SETS`, sorted by path."""
    if name == "symbols":
        paths = sorted((data / "symbols").glob("*/*.png"))
        return [Original(path, path.parent.name, path.stem + path.parent.name) for path in paths]
    table = pl.read_csv(data / "cxr" / "cxr3.csv", schema_overrides={"patient_id": pl.String}).sort("path")
    return [
        Original(data / "cxr" / path, label, patient)
        for path, label, patient in table.select("path", "label", "patient_id").iter_rows()
    ]


def write_mixture(data: Path, name: str, folder: Path, *, half: int, copies_of_a_kind: int) -> pl.DataFrame:
    """Write all originals as grey PNG files, and copies of some of them, with a table of what is what.

    Args:
        data: Folder of the real images.
        name: One of `DATA_SETS`.
        folder: Where to.
        half: 0 or 1: copies are made of every second original, from the first or from the second one.
        copies_of_a_kind: How many of each of `CHANGES`; no original is copied twice.

    Returns:
        Columns path, label, group (for the study), source (number of the original), patient, change (null: original).
    """
    images = originals(data, name)
    random = np.random.default_rng(half)
    chosen = random.permutation(np.arange(half, len(images), 2))[: copies_of_a_kind * len(CHANGES)]
    kinds = list(CHANGES)
    folder.mkdir(parents=True)
    rows: list[tuple[str, str, str, int, str, str | None]] = []
    for number, one in enumerate(images):
        Image.open(one.path).convert("L").save(folder / f"{number:06}.png", compress_level=1)
        rows.append((f"{number:06}.png", one.label, one.patient, number, one.patient, None))
    for turn, number in enumerate(chosen.tolist()):
        one, kind, path = images[number], kinds[turn % len(kinds)], f"{len(images) + turn:06}.png"
        changed = CHANGES[kind](Image.open(one.path).convert("L"), random)
        changed.save(folder / path, compress_level=1)
        rows.append((path, one.label, f"copy {turn}", number, one.patient, kind))
    table = pl.DataFrame(
        rows, schema=["path", "label", "group", "source", "patient", "change"], orient="row", infer_schema_length=None
    )
    table.select("path", "label", "group").write_csv(folder / "images.csv")
    return table
