"""Tables whose paths are DICOM files: rows of files become rows of frames, with patient and exam."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data.dicom.belonging import is_placeholder
from lossassay.data.dicom.extra import require_pydicom
from lossassay.data.dicom.files import has_dicom_name, has_other_name, is_dicom_file
from lossassay.data.dicom.findings import header_findings, unreadable_findings
from lossassay.data.dicom.frames import chosen_frames
from lossassay.data.dicom.headers import Header, read_header
from lossassay.data.dicom.reasons import NO_PIXELS, UnreadableDicom
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Manifest
from lossassay.data.names import join_path
from lossassay.errors import DataError


def as_dicom(manifest: Manifest, data: DataConfig) -> Manifest:
    """Return the manifest of a table with its DICOM files looked into; any other manifest as it is.

    Groups come from the table, or else from PatientID; exams likewise, or else every multi-frame file is one.

    Args:
        manifest: Of the paths in a table.
        data: The study's data section.

    Raises:
        DataError: If only some of the paths are DICOM, none can be read, or series are asked for.
    """
    if manifest.root is None or manifest.kind not in ("files", "dicom") or manifest.files:
        return manifest
    paths = manifest.rows["path"].to_list()
    is_dicom = [_is_dicom(manifest, path) for path in paths]
    if not any(is_dicom):
        return manifest
    if not all(is_dicom):
        raise DataError(
            f"The table names {sum(is_dicom)} DICOM files and {len(paths) - sum(is_dicom)} files of other kinds. "
            "Expected one kind. Convert the others, or make two studies."
        )
    if data.dicom.unit == "volume":
        raise DataError(
            "data.dicom.unit = 'volume' cannot be used with a table of paths. Name the folder in data.path, and the "
            "table in data.dicom.labels with data.dicom.join = 'SeriesInstanceUID'."
        )
    require_pydicom()
    return _expanded(manifest, data, paths)


def _is_dicom(manifest: Manifest, path: str) -> bool:
    if has_dicom_name(path):
        return True
    return not has_other_name(path) and is_dicom_file(_place(manifest, path))


def _place(manifest: Manifest, path: str) -> str:
    return join_path(manifest.root or Path(), manifest.files_of(path)[0])


def _expanded(manifest: Manifest, data: DataConfig, paths: Sequence[str]) -> Manifest:
    headers: list[Header | None] = []
    problems: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        try:
            headers.append(_image_header(manifest, path))
        except UnreadableDicom as error:
            headers.append(None)
            problems.setdefault((error.problem, error.detail), []).append(path)
    found = [header for header in headers if header is not None]
    findings = (*unreadable_findings(problems, len(found)), *header_findings(found, data))
    if not found:
        raise DataError(f"No DICOM file of the table can be read. {' '.join(one.message for one in findings)}")
    chosen = [
        (row, frame)
        for row, header in enumerate(headers)
        if header is not None
        for frame in chosen_frames(header.num_frames, data.dicom.frames)
    ]
    rows = _rows(manifest.rows, headers, chosen, data)
    files = {
        path: manifest.files_of(paths[row])
        for path, (row, frame) in zip(rows["path"].to_list(), chosen, strict=True)
        if frame is not None
    }
    taken = [row for row, _ in chosen]
    return replace(
        manifest,
        kind="dicom",
        rows=rows,
        files=files,
        columns=None if manifest.columns is None else manifest.columns[taken],
        visits=None if manifest.visits is None else manifest.visits.of(taken),
        findings=(*manifest.findings, *findings),
    )


def _image_header(manifest: Manifest, path: str) -> Header:
    header = read_header(_place(manifest, path), path)
    if not header.has_pixels:
        raise UnreadableDicom(NO_PIXELS)
    return header


def _rows(
    rows: pl.DataFrame, headers: Sequence[Header | None], chosen: Sequence[tuple[int, int | None]], data: DataConfig
) -> pl.DataFrame:
    frames = [frame for _, frame in chosen]
    many = rows[[row for row, _ in chosen]]
    paths = [
        path if frame is None else f"{path}#{frame}" for path, frame in zip(many["path"].to_list(), frames, strict=True)
    ]
    groups, exams = many["group"], many["exam"]
    if data.group is None and groups.null_count() == len(groups):
        groups = _of_headers([_patient(headers[row]) for row, _ in chosen])
    own = _of_headers([None if frame is None else f"row {row}" for row, frame in chosen])
    return many.with_columns(
        row=pl.int_range(len(many), dtype=pl.Int64),
        path=pl.Series(paths, dtype=pl.String),
        group=groups,
        exam=pl.select(pl.coalesce(exams, own)).to_series(),
        frame=pl.Series(frames, dtype=pl.Int64),
    )


def _patient(header: Header | None) -> str | None:
    patient = None if header is None else header.texts["PatientID"]
    return None if patient is None or is_placeholder(patient) else patient


def _of_headers(identifiers: Sequence[Any]) -> pl.Series:
    return pl.Series(hash_groups(identifiers), dtype=pl.String)
