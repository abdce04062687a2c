"""Looks at a table and proposes which of its columns are paths, labels, patients and the rest."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lossassay.data.known_columns import (
    CASE_NAMES,
    EXAM_NAMES,
    LABEL_NAMES,
    PART_NAMES,
    PATIENT_NAMES,
    SOURCE_NAMES,
    TIME_NAMES,
    is_metadata,
    recognised,
)
from lossassay.data.manifest import PART_NAMES as KNOWN_PARTS
from lossassay.data.table_columns import MISSING, Cells, Table, as_number, is_placeholder, moments
from lossassay.data.table_file import read_table
from lossassay.errors import DataError
from lossassay.study.proposing.proposal import Proposal

_LOOKED_AT = 20  # cells of a column that tell whether it names files
_SEPARATORS = ("|", ";", ",")
_FINDING_VALUES = frozenset({1.0, 0.0, -1.0})


def lists_files(path: Path) -> bool:
    """Whether a file is a table that names files beside it."""
    try:
        return bool(_path_keys(read_table(path)))
    except DataError:
        return False


def look_at_table(path: Path) -> Proposal:
    """Propose how to read a table.

    Args:
        path: The table.

    Raises:
        DataError: If it cannot be read, or no columns look like paths and labels.
    """
    table = read_table(path)
    paths = _path_keys(table) or _named_path(table)
    labels = _label_keys(table, _names_in(paths)) if paths else {}
    if not paths or not labels:
        missing = "labels" if paths else "file paths"
        raise DataError(
            f"{path.name} has no column that looks like {missing}; its columns are {', '.join(table.frame.columns)}. "
            "Write the study by hand and name the columns: path_column and label_column."
        )
    keys = paths | labels
    keys |= _other_keys(table, keys)
    data = {"path": str(path.resolve())} | {key: value for key, (value, _) in keys.items()}
    notes = () if "group" in data else ("no patient column was found: if patients have several images, name it",)
    return Proposal(data=data, reasons={key: reason for key, (_, reason) in keys.items()}, notes=notes)


Keys = dict[str, tuple[Any, str]]  # key of the data section: its value, and why


def _names_in(keys: Keys) -> set[str]:
    """The columns that keys name."""
    return {name for value, _ in keys.values() for name in (value if isinstance(value, list) else [value])}


def _path_keys(table: Table) -> Keys:
    """Return the keys for the columns most of whose first cells are files beside the table; else lists; else folders.

    Most, not all: where some files are missing, the one who reads the table says which.
    """
    names = _text_columns(table)
    folder = table.path.parent

    def mostly_there(name: str, there: Callable[[str], bool], separator: str | None = None) -> bool:
        cells = [cell for cell in table.raw_column(name, "path_column")[:_LOOKED_AT] if cell is not None]
        pieces = [piece.strip() for cell in cells for piece in (cell.split(separator) if separator else [cell])]
        found = sum(there(os.path.join(folder, piece.replace("\\", "/"))) for piece in pieces)
        return 2 * found > len(pieces)

    files = [name for name in names if mostly_there(name, os.path.isfile)]
    if len(files) > 1:
        return {"path_columns": (files, "their values are files; the images of a line are one exam")}
    if files:
        return {"path_column": (files[0], "its values are files")}
    for separator in _SEPARATORS:
        lists = [name for name in names if mostly_there(name, os.path.isfile, separator)]
        if lists:
            return {
                "path_column": (lists[0], "its values are lists of files"),
                "path_separator": (separator, "several images stand in one cell; they are one exam"),
            }
    label = recognised(names, LABEL_NAMES)  # class folders beside the table are called like labels
    folders = [name for name in names if name != label and mostly_there(name, os.path.isdir)]
    return {"path_column": (folders[0], "its values are folders; the images in one are one exam")} if folders else {}


def _named_path(table: Table) -> Keys:
    """Return the column called ``path``, whose files are not there: reading it says which, and what is near."""
    return {"path_column": ("path", "by its name")} if "path" in _text_columns(table) else {}


def _text_columns(table: Table) -> list[str]:
    return [name for name, kind in table.frame.schema.items() if not kind.is_nested()]


def _label_keys(table: Table, used: set[str]) -> Keys:
    names = [name for name in _text_columns(table) if name not in used]
    label = recognised(names, LABEL_NAMES)
    if label is None:
        findings = [name for name in names if _is_finding(table, name)]
        if len(findings) == 1 and {as_number(cell or "") for cell in table.column(findings[0], "label_column")} == {
            0,
            1,
        }:
            return {"label_column": (findings[0], "it holds only 1 and 0")}
        return {"finding_columns": (findings, "they hold only 1, 0, -1 or nothing")} if findings else {}
    keys: Keys = {"label_column": (label, "by its name")}
    texts = [cell or "" for cell in table.column(label, "label_column")]
    separator = next((sign for sign in ("|", ";") if any(sign in text for text in texts)), None)
    if separator:
        keys["label_separator"] = (separator, "several labels stand in one cell, so this is multi-label")
    return keys


def _is_finding(table: Table, name: str) -> bool:
    """Whether a column holds 1, 0 and -1 only, with a 1 among them, and is called like no other kind of column."""
    others = (*PATIENT_NAMES, *CASE_NAMES, *SOURCE_NAMES, *EXAM_NAMES, *TIME_NAMES, *PART_NAMES)
    if is_metadata(name) or recognised([name], others) or name.startswith("column "):
        return False
    cells = [cell for cell in table.column(name, "finding_columns") if cell and cell.lower() not in MISSING]
    values = {as_number(cell) for cell in cells}
    return 1.0 in values and values <= _FINDING_VALUES


def _other_keys(table: Table, keys: Keys) -> Keys:
    used = _names_in(keys)
    names = [name for name in _text_columns(table) if name not in used]
    found: Keys = {}
    for key, known, fits, reason in (
        ("group", (*PATIENT_NAMES, *CASE_NAMES), _names_something, "images of one patient stay in one part of a split"),
        (
            "source",
            SOURCE_NAMES,
            _names_something,
            "shown in the report: a source that follows the label is a shortcut",
        ),
        ("part_column", PART_NAMES, _names_parts, 'official parts; use them with split = "official"'),
        ("time", TIME_NAMES, _has_dates, 'an order for split = { kind = "time" }'),
    ):
        column = recognised(names, known)
        if column and fits(table, column):
            found[key] = (column, reason)
    exam = recognised(names, EXAM_NAMES)
    if exam and _is_exam(table, exam, found, keys):
        found["exam"] = (exam, "images of one exam are predicted together, by the mean of their scores")
    return found


def _names_something(table: Table, name: str) -> bool:
    return any(cell is not None for cell in table.names(name, "group"))


def _names_parts(table: Table, name: str) -> bool:
    cells = [cell for cell in table.names(name, "part_column") if cell is not None]
    return bool(cells) and all(cell.lower() in KNOWN_PARTS for cell in cells)


def _has_dates(table: Table, name: str) -> bool:
    try:
        return any(one is not None for one in moments(table.column(name, "time"), table, name))
    except DataError:
        return False


def _is_exam(table: Table, name: str, found: Keys, keys: Keys) -> bool:
    """Whether exams have several lines, and all lines of an exam the same labels."""
    exams = table.column(name, "exam")
    group = found.get("group")
    patients: Cells = table.names(group[0], "group") if group else [None] * len(exams)
    labels = _label_cells(table, keys)
    label_of: dict[tuple[str | None, str], Sequence[str | None]] = {}
    several = False
    for patient, exam, label in zip(patients, exams, labels, strict=True):
        if exam is None or is_placeholder(exam):
            continue
        several = several or (patient, exam) in label_of
        if label_of.setdefault((patient, exam), label) != label:
            return False
    return several


def _label_cells(table: Table, keys: Keys) -> list[tuple[str | None, ...]]:
    names = keys["finding_columns"][0] if "finding_columns" in keys else [keys["label_column"][0]]
    return list(zip(*(table.column(name, "label_column") for name in names), strict=True))
