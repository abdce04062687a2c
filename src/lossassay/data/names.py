"""Small things that every form of data shares: endings, class names, lists in messages."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp")
VOLUME_SUFFIXES = (".nii", ".nii.gz")
READ_SUFFIXES = IMAGE_SUFFIXES + VOLUME_SUFFIXES  # what class folders and folders in tables hold


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which ``"2"`` comes before ``"10"``."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(piece), piece) if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces)


def class_numbers(names: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Return the sorted class names and the number of each given name."""
    class_names = tuple(sorted(set(names), key=natural_order))
    number = {name: position for position, name in enumerate(class_names)}
    return class_names, [number[name] for name in names]


def first_few(items: Iterable[object], count: int = 3) -> str:
    """Join the first few items and say whether there are more."""
    every = [str(item) for item in items]
    return ", ".join(every[:count]) + (", …" if len(every) > count else "")


def join_path(root: Path, path: str) -> str:
    """Join with the system's separator; much faster than `pathlib` for 100,000 files."""
    return f"{root}/{path}" if path[:1] != "/" and path[1:2] != ":" else path
