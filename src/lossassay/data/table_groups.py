"""Which lines of a table belong to one patient and to one exam."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lossassay.config.schema import DataConfig
from lossassay.data.groups import groups_from_paths, missing_group_findings
from lossassay.data.known_columns import PATIENT_NAMES, recognised
from lossassay.data.manifest import Finding
from lossassay.data.table_columns import Cells, Table, normal_form
from lossassay.data.table_paths import ImagePath


@dataclass(frozen=True, kw_only=True)
class Belonging:
    """Identifiers, not yet hashed, of each image.

    Args:
        groups: Patients, or what else the study names; None: nothing is known. Exams stay together besides.
        exams: What is predicted together; None: every image alone.
        findings: What was assumed.
    """

    groups: list[str | None] | None
    exams: list[str | None] | None
    findings: list[Finding] = field(default_factory=list)


def belonging(table: Table, data: DataConfig, images: Sequence[ImagePath]) -> Belonging:
    """Read patients and exams.

    A patient column with a usual name is the group unless the study says otherwise: images of one patient in training
    and in test make every result too good. Several images of one line are one exam.

    Args:
        table: The table.
        data: Names of its columns.
        images: What its lines name.

    Raises:
        DataError: If a column is missing, or a pattern does not fit.
    """
    of_lines, notes = _groups_of_lines(table, data)
    groups: list[str | None] | None = None
    if of_lines is not None:
        groups = [of_lines[image.line] for image in images]
    elif data.group_pattern:
        groups = groups_from_paths(data.group_pattern, [image.path for image in images])
    notes += missing_group_findings(groups or [])
    return Belonging(groups=groups, exams=_exams(table, data, images, groups), findings=notes)


def _groups_of_lines(table: Table, data: DataConfig) -> tuple[Cells | None, list[Finding]]:
    if isinstance(data.group, str):
        return table.names(data.group, "group"), []
    if isinstance(data.group, tuple):
        columns = [table.names(name, "group") for name in data.group]
        return [_joined(cells) for cells in zip(*columns, strict=True)], []
    column = patient_column(table, data)
    if column is None or data.group_pattern:
        return None, []
    cells = table.names(column, "group")
    if all(cell is None for cell in cells):
        return None, []
    if data.group is False:
        return None, [_unused(column)]
    return cells, [_assumed(column, len({cell for cell in cells if cell is not None}))]


def _joined(cells: Sequence[str | None]) -> str | None:
    """The identifier of an inner group within its outer ones; an empty inner cell is no group."""
    return None if cells[-1] is None else _identifier(*cells)


def _identifier(*cells: str | None) -> str:
    """One text of several, such that others give another."""
    return json.dumps([cell or "" for cell in cells])


def patient_column(table: Table, data: DataConfig) -> str | None:
    """Return the column that holds patients by its name, if it is used for nothing else."""
    used = {data.path_column, data.label_column, data.exam, data.source, data.time, data.part_column}
    used |= {*(data.path_columns or ()), *(data.finding_columns or ())}
    used |= {name for name, kind in data.columns.items() if kind == "ignore"}
    normal = {normal_form(name) for name in used if name}
    return recognised([name for name in table.frame.columns if name not in normal], PATIENT_NAMES)


def _assumed(column: str, count: int) -> Finding:
    return Finding(
        code="patients-assumed",
        severity="note",
        message=f"Images are kept together by column {column!r}, which names {count} patients.",
        advice=f'Write group = "{column}" into [data] to state it, name another column, or set data.group = false to '
        "split image by image.",
    )


def _unused(column: str) -> Finding:
    return Finding(
        code="patients-unused",
        severity="note",
        message=f"Column {column!r} names patients, and data.group = false lets images of one patient be in training "
        "and in test at once.",
        advice="Leave data.group out, unless the column does not name patients.",
    )


def _exams(
    table: Table, data: DataConfig, images: Sequence[ImagePath], groups: Sequence[str | None] | None
) -> list[str | None] | None:
    """Exams by their column, within a patient (two can have a visit 1); else several images of a line are an exam."""
    named = table.names(data.exam, "exam") if data.exam else [None] * len(table.lines)
    sizes = Counter(image.line for image in images)
    several = max(sizes.values()) > 1
    if data.exam is None and not several:
        return None
    patient = patient_column(table, data)
    patients = table.names(patient, "group") if patient else [None] * len(table.lines)
    first: dict[int, str] = {}  # the least path of a line is its name whatever the order of the table
    for image in images:
        first[image.line] = min(first.get(image.line, image.path), image.path)
    exams: list[str | None] = []
    for row, image in enumerate(images):
        cell = named[image.line]
        if cell is not None:
            exams.append(_identifier("exam", groups[row] if groups else None, patients[image.line], cell))
        else:
            exams.append(_identifier("line", first[image.line]) if sizes[image.line] > 1 else None)
    return exams
