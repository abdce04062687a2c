"""Cells of a table → the image files they name: one, several, or all in a folder."""

import difflib
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lossassay.config.schema import DataConfig
from lossassay.data.folder_files import files_below
from lossassay.data.manifest import Kind
from lossassay.data.names import IMAGE_SUFFIXES, join_path, natural_order
from lossassay.data.table_columns import Table
from lossassay.errors import DataError

_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_LARGEST_SEARCH = 200_000  # files looked at for names near to one that is not there
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ImagePath:
    """One image that a line of a table names.

    Args:
        line: Row of the table, from 0.
        path: Posix, relative to the table's folder where it lies in it, in Unicode normal form C.
        name: The same as it is on disk.
    """

    line: int
    path: str
    name: str


def image_paths(table: Table, data: DataConfig) -> list[ImagePath]:
    """Find every image that the table names, in the order of its lines.

    Args:
        table: With paths in ``data.path_column`` or ``data.path_columns``; where ``data.path_separator`` is set, a cell
            holds several. A path of a folder stands for all images below it.
        data: Names of the columns.

    Raises:
        DataError: If a line names no image, a path leaves the table's folder, or a file is not there.
    """
    pieces = _pieces(table, data)
    folder = table.path.parent
    above = folder.absolute().as_posix().rstrip("/") + "/"
    wanted = [(line, posixpath.normpath(cell.replace("\\", "/")).removeprefix(above)) for line, cell in pieces]
    if not data.allow_paths_outside:
        _refuse_outside(table, wanted)
    return _found(table, wanted)


def _pieces(table: Table, data: DataConfig) -> list[tuple[int, str]]:
    """Every path with the row of its line."""
    if data.path_columns is not None:
        columns = [table.raw_column(name, "path_columns") for name in data.path_columns]
        called = ", ".join(repr(name) for name in data.path_columns)
    else:
        columns = [table.raw_column(data.path_column, "path_column")]
        called = repr(data.path_column)
    pieces = [
        (line, piece)
        for line, cells in enumerate(zip(*columns, strict=True))
        for cell in cells
        for piece in _split(cell, data.path_separator)
    ]
    named = {line for line, _ in pieces}
    empty = [line for line in range(len(table.lines)) if line not in named]
    if empty:
        raise DataError(
            f"{table.path}: {len(empty)} cells of {called} are empty ({table.where(empty)}). "
            "Expected the path of an image in each line. Fill them in, or drop those lines."
        )
    return pieces


def _split(cell: str | None, separator: str | None) -> list[str]:
    if cell is None:
        return []
    return [cell] if separator is None else [piece.strip() for piece in cell.split(separator) if piece.strip()]


def _refuse_outside(table: Table, wanted: Sequence[tuple[int, str]]) -> None:
    outside = [
        (line, path)
        for line, path in wanted
        if path.startswith("/") or path.split("/", 1)[0] == ".." or re.match("[A-Za-z]:", path)
    ]
    if outside:
        raise DataError(
            f"{table.path}: {len(outside)} paths leave the table's folder ({table.where([line for line, _ in outside])}"
            f"; the first is {outside[0][1]!r}). Expected paths below {table.path.parent}. Correct them, or set "
            "data.allow_paths_outside = true if the table is your own."
        )


def _found(table: Table, wanted: Sequence[tuple[int, str]]) -> list[ImagePath]:
    folder = table.path.parent
    on_disk = _OnDisk(folder)
    found: list[ImagePath] = []
    missing: list[tuple[int, str]] = []
    hollow: list[tuple[int, str]] = []
    for line, path in wanted:
        if os.path.isfile(join_path(folder, path)):  # the usual case
            found.append(_image(line, path))
            continue
        name = on_disk.name_of(path)
        if name is None:
            missing.append((line, path))
        elif os.path.isfile(join_path(folder, name)):
            found.append(_image(line, name))
        elif inside := on_disk.images_in(name):
            found += [_image(line, one) for one in inside]
        else:
            hollow.append((line, path))
    if missing:
        raise DataError(_not_there(table, missing, len(wanted)))
    if hollow:
        lines = table.where([line for line, _ in hollow])
        raise DataError(
            f"{table.path}: {len(hollow)} cells name folders without images ({lines}; the first is {hollow[0][1]!r}). "
            "Expected PNG, JPEG, BMP, TIFF, WebP, DICOM or NIfTI files below them."
        )
    return found


def _image(line: int, name: str) -> ImagePath:
    return ImagePath(line=line, path=unicodedata.normalize("NFC", name), name=name)


class _OnDisk:
    """Names as the disk has them, for names in any Unicode form. Each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[str, dict[str, str]] = {}
        self._images: dict[str, tuple[str, ...]] = {}

    def name_of(self, path: str) -> str | None:
        """Return a path as it is on disk, or None."""
        if os.path.exists(join_path(self._root, path)):
            return path
        if path.isascii():
            return None
        folder, name = posixpath.split(path)
        above = self.name_of(folder) if folder not in ("", "/") else folder
        if above is None:
            return None
        real = self._list(above).get(unicodedata.normalize("NFC", name))
        return None if real is None else posixpath.join(above, real)

    def _list(self, folder: str) -> dict[str, str]:
        if folder not in self._listed:
            try:
                names = sorted(os.listdir(join_path(self._root, folder) if folder else self._root))
            except OSError:
                names = []
            self._listed[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._listed[folder]

    def images_in(self, folder: str) -> tuple[str, ...]:
        """All images below a folder, in natural order: pictures, else NIfTI volumes, else DICOM files."""
        if folder not in self._images:
            root = Path(join_path(self._root, folder))
            files = sorted(files_below(root), key=natural_order)
            suffixes: tuple[tuple[str, ...], ...] = (IMAGE_SUFFIXES, _NIFTI_SUFFIXES, _DICOM_SUFFIXES)
            kinds = [[file for file in files if file.lower().endswith(endings)] for endings in suffixes]
            kinds.append([file for file in files if is_dicom(root / file)] if not any(kinds) else [])
            chosen: list[str] = next((kind for kind in kinds if kind), [])
            self._images[folder] = tuple(posixpath.normpath(posixpath.join(folder, file)) for file in chosen)
        return self._images[folder]


def is_dicom(path: Path) -> bool:
    """Whether a file without an ending starts as DICOM files do."""
    if path.suffix and not path.suffix[1:].isdigit():  # a last part of numbers is that of a UID
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def kind_of(images: Sequence[ImagePath], folder: Path) -> Kind:
    """Tell pictures, NIfTI volumes and DICOM files apart; a mixture counts as pictures, and its readers refuse it.

    Args:
        images: What a table names.
        folder: Where their names start.
    """
    kinds = {_kind(image.name, folder) for image in images}
    return kinds.pop() if len(kinds) == 1 else "files"


def _kind(name: str, folder: Path) -> Kind:
    lower = name.lower()
    if lower.endswith(IMAGE_SUFFIXES):
        return "files"
    if lower.endswith(_NIFTI_SUFFIXES):
        return "nifti"
    return "dicom" if lower.endswith(_DICOM_SUFFIXES) or is_dicom(folder / name) else "files"


def _not_there(table: Table, missing: Sequence[tuple[int, str]], total: int) -> str:
    lines = table.where([line for line, _ in missing])
    found = [(path, near) for path, near in zip(*_near(table, missing[:_SHOWN]), strict=True) if near]
    hints = "; ".join(f"{path!r} is near to {', '.join(map(repr, near))}" for path, near in found)
    there = f" What is there: {hints}." if hints else ""
    return (
        f"{table.path}: {len(missing)} of {total} files are not there ({lines}; the first is {missing[0][1]!r})."
        f"{there} Paths start at the table's folder {table.path.parent}, and need their folders and endings."
    )


def _near(table: Table, missing: Sequence[tuple[int, str]]) -> tuple[list[str], list[list[str]]]:
    """For each path the files with the same name elsewhere or with an ending, or else those spelled alike."""
    files = sorted(islice(_quietly(table.path.parent), _LARGEST_SEARCH))
    paths = [path for _, path in missing]
    return paths, [_alike(path, files) for path in paths]


def _quietly(root: Path) -> Iterator[str]:
    try:
        yield from files_below(root)
    except OSError:
        return


def _alike(path: str, files: Sequence[str]) -> list[str]:
    base = posixpath.basename(path).lower()
    stem = posixpath.splitext(base)[0]
    same = [file for file in files if posixpath.basename(file).lower() == base]
    same = same or [file for file in files if posixpath.splitext(posixpath.basename(file).lower())[0] in (base, stem)]
    if same:
        return same[:_SHOWN]
    folder = posixpath.dirname(path)
    beside = [file for file in files if posixpath.dirname(file) == folder] or list(files)
    return difflib.get_close_matches(path, beside[:20_000], n=_SHOWN)
