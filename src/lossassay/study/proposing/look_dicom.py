"""Looks at a tree of DICOM files and proposes the data section of a study."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossassay.config import DataConfig
from lossassay.data.decode import DecodeOptions, Item
from lossassay.data.dicom.extra import require_pydicom
from lossassay.data.dicom.files import has_dicom_name, has_other_name, is_dicom_file
from lossassay.data.dicom.headers import IDENTIFIERS, Header, read_header
from lossassay.data.dicom.label_table import label_cells
from lossassay.data.dicom.reasons import UnreadableDicom
from lossassay.data.manifest import Manifest
from lossassay.data.names import join_path
from lossassay.data.scan import scan
from lossassay.data.table import TABLE_SUFFIXES
from lossassay.errors import DataError

_LABEL_NAMES = ("label", "labels", "class", "diagnosis", "target", "finding", "findings", "category", "grade")
_LOOKED_AT = 200  # headers that say by which identifier a table names them
_SAMPLE = 12
_SAMPLE_PX = 64


def look_at_dicom(folder: Path, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    """Propose how to read a tree of DICOM files.

    Args:
        folder: Where it is.
        names: Posix paths of all files below it.

    Returns:
        The data section, the reason for each key, and notes.

    Raises:
        DataError: If the images cannot be read, or pydicom is missing.
    """
    require_pydicom()
    data: dict[str, Any] = {"path": str(folder.resolve())}
    reasons = {"path": "a tree of DICOM files; patients are kept together by PatientID"}
    notes: tuple[str, ...] = ("the folder holds DICOM files",)
    found = _table_of_labels(folder, names)
    if found is not None:
        table, join, column, label = found
        data["dicom"] = {"labels": str((folder / table).resolve()), "join": join, "join_column": column}
        data["label_column"] = label
        reasons |= {"dicom": f"its column {column!r} names images by {join}", "label_column": "by its name"}
    elif not _has_class_folders(names):
        data["dicom"] = {"label_tag": "Modality"}
        reasons["dicom"] = "nothing says the labels: name a table or the tag that holds them; till then this one"
    manifest = scan(DataConfig.model_validate(data))
    makers = scan(DataConfig.model_validate(data | {"source": "Manufacturer"})).rows["source"]
    if makers.n_unique() > 1:
        data["source"] = "Manufacturer"
        reasons["source"] = "shown in the report: a scanner that follows the label is a shortcut"
    data |= {"image_size": _SAMPLE_PX, "channels": 3 if _is_coloured(manifest) else 1}
    reasons |= {"image_size": "px. Small is fast: raise it when the study works", "channels": "as most images are"}
    return data, reasons, notes


def _has_class_folders(names: Sequence[str]) -> bool:
    """Whether two folders or more lie at the top; scanning says more about them."""
    return len({name.split("/", 1)[0] for name in names if "/" in name and not has_other_name(name)}) > 1


def _table_of_labels(folder: Path, names: Sequence[str]) -> tuple[str, str, str, str] | None:
    """Return table, identifier, its column and the label's column; None where no table fits."""
    tables = sorted(name for name in names if name.lower().endswith(TABLE_SUFFIXES))
    headers = _some_headers(folder, names) if tables else []
    for table in tables:
        try:
            columns = label_cells(folder / table)
        except DataError:
            continue
        by_lower = {column.lower(): column for column in columns}
        label = next((by_lower[name] for name in _LABEL_NAMES if name in by_lower), None)
        for identifier in IDENTIFIERS:
            there = {header.texts[identifier] for header in headers} - {None}
            for column, cells in columns.items():
                if label is not None and len(there & set(cells)) * 2 > len(there):
                    return table, identifier, column, label
    return None


def _some_headers(folder: Path, names: Sequence[str]) -> list[Header]:
    found: list[Header] = []
    for name in sorted(names):
        path = join_path(folder, name)
        if has_other_name(name) or not (has_dicom_name(name) or is_dicom_file(path)):
            continue
        try:
            header = read_header(path, name)
        except UnreadableDicom:
            continue
        found += [header] if header.has_pixels else []
        if len(found) == _LOOKED_AT:
            break
    return found


def _is_coloured(manifest: Manifest) -> bool:
    """Whether most of some images have colours."""
    from lossassay.data.dicom.read import read_item

    options = DecodeOptions(_SAMPLE_PX, 3, "stretch", 0, 0, reading={"dicom": {"window": "file"}})
    answers = []
    for row in np.linspace(0, len(manifest.rows) - 1, min(_SAMPLE, len(manifest.rows))).astype(int):
        name = manifest.files_of(manifest.rows["path"][int(row)])[0]
        frame = manifest.rows["frame"][int(row)]
        one = read_item(Item((join_path(manifest.root or Path(), name),), frame), options, deep=True)
        if one.pixels is not None:
            pixels = np.frombuffer(one.pixels, "<u2").reshape(-1, 3).astype(int)
            spread = pixels.max(axis=1) - pixels.min(axis=1)
            answers.append(float((spread > 16 * 257).mean()) > 0.02)
    return bool(answers) and float(np.mean(answers)) > 0.5
