"""A tree of DICOM files → one manifest."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lossassay.config.schema import DataConfig, VolumeConfig
from lossassay.data.dicom.belonging import asked_keywords, exams, patients, sources, times, values_of
from lossassay.data.dicom.extra import require_pydicom
from lossassay.data.dicom.files import has_dicom_name, has_other_name, is_dicom_file
from lossassay.data.dicom.findings import header_findings, ignored_findings, unreadable_findings
from lossassay.data.dicom.frames import chosen_frames
from lossassay.data.dicom.headers import Header, read_header
from lossassay.data.dicom.labels import Labelled, label
from lossassay.data.dicom.left_out import split_off
from lossassay.data.dicom.reasons import NOT_DICOM, UnreadableDicom
from lossassay.data.dicom.series import of_volumes, volumes
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding, Manifest, manifest_rows
from lossassay.data.names import join_path
from lossassay.data.visit_times import VisitTimes, moments_of, visit_times
from lossassay.errors import DataError


def scan_dicom(
    root: Path,
    data: DataConfig,
    names: Sequence[str],
    *,
    label_with: Callable[[Sequence[Header], DataConfig, Path], Labelled] = label,
) -> Manifest:
    """List every image, frame or series of a tree of DICOM files, with its label, patient and exam.

    Args:
        root: The folder.
        data: The study's data section.
        names: Posix paths of all files below the folder, as they are on disk.
        label_with: What gives the images their labels.

    Raises:
        DataError: If pydicom is missing, nothing says the labels, or no image is left.
    """
    require_pydicom()
    _refuse_keys(data)
    headers, findings = read_tree(
        root, [name for name in names if not _is_table_of_labels(root, name, data)], asked_keywords(data)
    )
    images, left_out = split_off(headers)
    if not images:
        reasons = " ".join(finding.message for finding in (*findings, *left_out))
        raise DataError(f"{root} holds no DICOM image that can be used. {reasons} Check data.path.")
    labelled = label_with(images, data, root)
    found = (*findings, *left_out, *labelled.findings, *header_findings(labelled.headers, data))
    return _manifest(root, data, labelled, found)


def _is_table_of_labels(root: Path, name: str, data: DataConfig) -> bool:
    return data.dicom.labels is not None and Path(join_path(root, name)) == Path(data.dicom.labels)


def _refuse_keys(data: DataConfig) -> None:
    """Keys that a tree of DICOM files cannot have must not be ignored silently."""
    if data.group_pattern is not None:
        raise DataError(
            "data.group_pattern cannot be used with DICOM files: patients are known by PatientID. Leave it out, or "
            "name another attribute, or a column of the table of labels, in data.group."
        )
    needs_table = ("label_separator", "label_bins", "finding_columns")
    given = [f"data.{key}" for key in needs_table if getattr(data, key) is not None]
    if given and data.dicom.labels is None and data.dicom.label_tag is None:
        raise DataError(f"{' and '.join(given)} cannot be used without data.dicom.labels or data.dicom.label_tag.")
    _refuse_volume_keys(data)


def _refuse_volume_keys(data: DataConfig) -> None:
    """Say which keys of volumes, or of images, have no meaning for what a row is."""
    if data.dicom.unit == "volume" and data.volume.form != "volume":
        raise DataError(
            f"data.volume.form = {data.volume.form!r} cannot be used with DICOM series. Expected 'volume'; for single "
            "slices as images, set data.dicom.unit = 'image' and data.exam = 'series'."
        )
    is_volume = data.dicom.unit == "volume"
    fit = ("spacing_mm", "window") if is_volume else ()
    plain = VolumeConfig()
    unfit = [key for key in VolumeConfig.model_fields if getattr(data.volume, key) != getattr(plain, key)]
    given = [f"data.volume.{key}" for key in unfit if key not in fit]
    given += ["data.preprocess"] if is_volume and data.preprocess else []
    if given:
        instead = "Expected spacing_mm or window" if is_volume else "Expected data.dicom.window and data.spacing_mm"
        raise DataError(f"{', '.join(given)} cannot be used with data.dicom.unit = {data.dicom.unit!r}. {instead}.")


def read_tree(root: Path, names: Sequence[str], asked: Sequence[str]) -> tuple[list[Header], tuple[Finding, ...]]:
    """Read the headers of all DICOM files, in the order of their paths.

    Returns:
        The objects, without directories, and findings on files that cannot be read or are something else.
    """
    headers: list[Header] = []
    problems: dict[tuple[str, str], list[str]] = {}
    others: list[str] = []
    for name in sorted(names, key=lambda name: (unicodedata.normalize("NFC", name), name)):
        path = join_path(root, name)
        if has_other_name(name) or not (has_dicom_name(name) or is_dicom_file(path)):
            others.append(name)
            continue
        try:
            header = read_header(path, name, asked)
        except UnreadableDicom as error:
            detail = error.detail if not error.detail or is_dicom_file(path) else NOT_DICOM
            problems.setdefault((error.problem, detail), []).append(name)
            continue
        if not header.is_directory:
            headers.append(header)
    return headers, (*unreadable_findings(problems, len(headers)), *ignored_findings(others))


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One row to be, and the labelled object that it comes from."""

    path: str
    files: tuple[str, ...]
    frame: int | None
    place: int


def _manifest(root: Path, data: DataConfig, labelled: Labelled, findings: Sequence[Finding]) -> Manifest:
    is_volume = data.dicom.unit == "volume"
    if is_volume:
        series, irregular = volumes(labelled)
        findings = (*findings, *irregular)
        if not series:
            raise DataError(
                f"{root} holds no DICOM series that can be stacked. {' '.join(one.message for one in irregular)} "
                "Set data.dicom.unit = 'image' to use single images."
            )
        labelled = of_volumes(labelled, series)
        rows = [
            _Row(path=_normal(min(one.files)), files=one.files, frame=None, place=k) for k, one in enumerate(series)
        ]
    else:
        rows = _frame_rows(labelled.headers, data)
    _refuse_doubles(root, [row.path for row in rows])
    rows.sort(key=lambda row: (_normal(row.files[0]) if row.frame is not None else row.path, row.frame or 0))
    identifiers, unknown = patients(labelled, data)
    return Manifest(
        kind="dicom",
        root=root,
        rows=_table(rows, labelled, data, identifiers),
        class_names=labelled.class_names,
        task=labelled.task,
        dimensions=3 if is_volume else 2,
        findings=(*findings, *unknown),
        files={row.path: row.files for row in rows if row.files != (row.path,)},
        columns=_further_columns(rows, labelled, data),
        visits=_visits(rows, labelled, data, identifiers),
    )


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _frame_rows(headers: Sequence[Header], data: DataConfig) -> list[_Row]:
    rows = []
    for place, header in enumerate(headers):
        for frame in chosen_frames(header.num_frames, data.dicom.frames):
            path = _normal(header.name) + ("" if frame is None else f"#{frame}")
            rows.append(_Row(path=path, files=(header.name,), frame=frame, place=place))
    return rows


def _refuse_doubles(root: Path, paths: Sequence[str]) -> None:
    doubles = [path for path, count in Counter(paths).items() if count > 1]
    if doubles:
        raise DataError(
            f"{root} holds {len(doubles)} names twice, in two Unicode encodings of the same characters: {doubles[0]}. "
            "Rename one of each."
        )


def _table(rows: Sequence[_Row], labelled: Labelled, data: DataConfig, groups: Sequence[str | None]) -> pl.DataFrame:
    hashed_groups, hashed_exams = hash_groups(groups), hash_groups(exams(labelled, data))
    stored_sources, ranks, parts = sources(labelled, data), times(labelled, data), labelled.parts
    places = [row.place for row in rows]
    return manifest_rows(
        [row.path for row in rows],
        [labelled.labels[place] for place in places],
        task=labelled.task,
        groups=[hashed_groups[place] for place in places],
        sources=None if stored_sources is None else [stored_sources[place] for place in places],
        parts=None if parts is None else [parts[place] for place in places],
        exams=[hashed_exams[place] for place in places],
        times=None if ranks is None else [ranks[place] for place in places],
        frames=[row.frame for row in rows],
    )


def _visits(
    rows: Sequence[_Row], labelled: Labelled, data: DataConfig, identifiers: Sequence[str | None]
) -> VisitTimes | None:
    """Return the times since each patient's first object; None where what data.time names is no date and no number."""
    moments = None if data.time is None else moments_of(values_of(labelled, data.time, "time"))
    if moments is None:
        return None
    return visit_times([moments[row.place] for row in rows], [identifiers[row.place] for row in rows])


def _further_columns(rows: Sequence[_Row], labelled: Labelled, data: DataConfig) -> pl.DataFrame | None:
    """Return the columns of the table of labels that the study says are numbers or text, for the audit."""
    kept = [name for name, kind in data.columns.items() if kind in ("text", "number", "integer")]
    cells = {name: [labelled.columns[name][row.place] for row in rows] for name in kept if name in labelled.columns}
    return pl.DataFrame(cells) if cells else None
