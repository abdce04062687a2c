"""Makes a manifest of a table of paths and labels: CSV, TSV, Parquet or Excel."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data.further_columns import further_columns
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import PART_NAMES, Finding, Manifest, manifest_rows
from lossassay.data.names import first_few
from lossassay.data.table_columns import Table, check_types, moments, ranks
from lossassay.data.table_file import TABLE_SUFFIXES, read_table
from lossassay.data.table_groups import Belonging, belonging
from lossassay.data.table_labels import Labels, table_labels
from lossassay.data.table_paths import ImagePath, image_paths, kind_of
from lossassay.data.visit_times import visit_times
from lossassay.errors import DataError

__all__ = ["TABLE_SUFFIXES", "read_table", "scan_table"]


def scan_table(path: Path, data: DataConfig) -> Manifest:
    """List the images of a table.

    Args:
        path: The table; relative paths in it start at its folder.
        data: Names of its columns.

    Raises:
        DataError: If a column is missing, a cell cannot be used, or a file is not there.
    """
    table = read_table(path, encoding=data.encoding, sheet=data.sheet)
    check_types(table, data)
    images = image_paths(table, data)
    images.sort(key=lambda image: image.path)
    labels = table_labels(table, data)
    own = belonging(table, data, images)
    columns = _Columns(table, data, images, labels, own)
    kept, repeated = _without_repeats(table, images, columns.facts())
    columns.refuse_exams_of_two_labels()
    return _manifest(table, data, columns, kept, (*repeated, *own.findings))


class _Columns:
    """What the table says of each image, in the order of paths."""

    def __init__(
        self, table: Table, data: DataConfig, images: Sequence[ImagePath], labels: Labels, own: Belonging
    ) -> None:
        self.table, self.data, self.images, self.own = table, data, images, own
        self.class_names, numbers, self.task = labels
        lines = [image.line for image in images]
        self.labels: list[Any] = [numbers[line] for line in lines]
        sources = table.names(data.source, "source") if data.source else None
        self.sources = [sources[line] for line in lines] if sources else None
        parts = _parts(table, data)
        self.parts = [parts[line] for line in lines] if parts else None
        taken = moments(table.column(data.time, "time"), table, data.time) if data.time else None
        self.moments = [taken[line] for line in lines] if taken else None
        times = ranks(taken) if taken else None
        self.times = [times[line] for line in lines] if times else None

    def facts(self) -> dict[str, Sequence[Any]]:
        """The columns in which two lines for one image must agree."""
        known = {
            "labels": self.labels,
            "spellings": [image.name for image in self.images],
            "groups": self.own.groups,
            "exams": self.own.exams,
            "sources": self.sources,
            "parts": self.parts,
            "times": self.times,
        }
        return {name: values for name, values in known.items() if values is not None}

    def refuse_exams_of_two_labels(self) -> None:
        """The images of an exam are predicted together, so they have one label."""
        rows_of: dict[str, list[int]] = {}
        for row, exam in enumerate(self.own.exams or ()):
            if exam is not None:
                rows_of.setdefault(exam, []).append(row)
        mixed = [rows for rows in rows_of.values() if any(self.labels[row] != self.labels[rows[0]] for row in rows)]
        if mixed:
            lines = self.table.where([self.images[row].line for row in mixed[0]])
            raise DataError(
                f"{self.table.path}: {len(mixed)} exams have images with different labels (the first: {lines}), and "
                "the images of an exam are predicted together. Give them one label, or leave data.exam out."
            )


def _manifest(
    table: Table, data: DataConfig, columns: _Columns, kept: Sequence[int], findings: Sequence[Finding]
) -> Manifest:
    images = [columns.images[row] for row in kept]

    def chosen(values: Sequence[Any] | None) -> list[Any] | None:
        return None if values is None else [values[row] for row in kept]

    further = further_columns(table, data)
    return Manifest(
        kind=kind_of(images, table.path.parent),
        root=table.path.parent,
        rows=manifest_rows(
            [image.path for image in images],
            chosen(columns.labels) or [],
            task=columns.task,
            groups=_hashed(chosen(columns.own.groups)),
            sources=chosen(columns.sources),
            parts=chosen(columns.parts),
            exams=_hashed(chosen(columns.own.exams)),
            times=chosen(columns.times),
        ),
        class_names=columns.class_names,
        task=columns.task,
        dimensions=2,  # whoever reads volumes or DICOM makes more of the rows
        findings=tuple(findings),
        names_on_disk={image.path: image.name for image in images if image.path != image.name},
        columns=further[pl.Series([image.line for image in images], dtype=pl.UInt32)] if further.width else None,
        visits=visit_times(chosen(columns.moments), chosen(columns.own.groups)),
    )


def _hashed(identifiers: list[Any] | None) -> list[str | None] | None:
    return None if identifiers is None else hash_groups(identifiers)


def _without_repeats(
    table: Table, images: Sequence[ImagePath], facts: dict[str, Sequence[Any]]
) -> tuple[list[int], list[Finding]]:
    """Keep one of the lines that say the same of one image; refuse those that differ."""
    counts = Counter(image.path for image in images)
    if len(counts) == len(images):
        return list(range(len(images))), []
    rows_of: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(image.path, []).append(row)
    repeated = {path: rows for path, rows in rows_of.items() if len(rows) > 1}
    for name, values in facts.items():
        differing = [rows for rows in repeated.values() if any(values[row] != values[rows[0]] for row in rows)]
        if differing:
            lines = table.where([images[row].line for rows in differing for row in rows])
            raise DataError(
                f"{table.path}: {len(differing)} paths stand in it more than once with different {name} ({lines}). "
                "Keep one line for each image; join several labels into one cell and name what joins them in "
                "data.label_separator."
            )
    cells = table.frame.rows()
    kept = [min(rows, key=lambda row: (str(cells[images[row].line]), row)) for rows in rows_of.values()]
    surplus = len(images) - len(kept)
    return kept, [
        Finding(
            code="duplicate-rows",
            severity="note",
            message=f"{surplus} rows of the table repeat an image with the same label; each image counts once.",
            advice="Nothing, unless the table should name other images there.",
            paths=tuple(repeated),
        )
    ]


def _parts(table: Table, data: DataConfig) -> list[str | None] | None:
    asked = data.part_column != DataConfig.model_fields["part_column"].default or data.split.official
    if data.part_column not in table.frame.columns and not asked:
        return None
    cells = table.names(data.part_column, "part_column")
    strange = [row for row, cell in enumerate(cells) if cell is not None and cell.lower() not in PART_NAMES]
    if strange:
        words = first_few((repr(word) for word in dict.fromkeys(cells[row] for row in strange)), 3)
        raise DataError(
            f"{table.path}: {len(strange)} cells of {data.part_column!r} name no part ({table.where(strange)}; found "
            f"{words}). Expected train, val, valid, validation or test."
        )
    return [PART_NAMES[cell.lower()] if cell is not None else None for cell in cells]
