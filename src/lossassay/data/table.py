"""Reads a CSV, TSV or Parquet table of paths and labels."""

import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lossassay.catalogue.loss_spec import Task
from lossassay.config.schema import DataConfig
from lossassay.data.finding_columns import findings
from lossassay.data.groups import groups_from_paths, hash_groups, missing_group_findings
from lossassay.data.manifest import PART_NAMES, Manifest, manifest_rows
from lossassay.data.names import class_numbers, first_few, join_path, natural_order
from lossassay.data.order import cut
from lossassay.errors import DataError, did_you_mean

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def scan_table(path: Path, data: DataConfig) -> Manifest:
    """List the images of a table.

    Args:
        path: The table; relative paths in it start at its folder.
        data: Names of its columns.

    Raises:
        DataError: If a column is missing, a cell cannot be used, or a file is not there.
    """
    table = _Table(path, read_table(path))
    names = _paths(table, data)
    paths = [unicodedata.normalize("NFC", name) for name in names]
    _refuse_doubles(table, paths)
    class_names, numbers, task = _labels(table, data)
    groups = _groups(table, data, paths)
    sources = table.column(data.source, "source") if data.source else [None] * len(paths)
    parts = _parts(table, data)
    order = sorted(range(len(paths)), key=paths.__getitem__)
    return Manifest(
        kind="files",
        root=path.parent,
        rows=manifest_rows(
            [paths[i] for i in order],
            [numbers[i] for i in order],  # type: ignore[arg-type]
            task=task,
            groups=hash_groups([groups[i] for i in order]) if groups else None,
            sources=[sources[i] for i in order],
            parts=[parts[i] for i in order] if parts else None,
        ),
        class_names=class_names,
        task=task,
        dimensions=2,
        findings=tuple(missing_group_findings(groups or [])),
        names_on_disk={path: name for path, name in zip(paths, names, strict=True) if path != name},
    )


class _Table:
    """A table of text cells that says which of its lines something is wrong with."""

    def __init__(self, path: Path, frame: pl.DataFrame) -> None:
        self.path = path
        self.frame = frame
        self._first_line = 1 if path.suffix.lower() == ".parquet" else 2  # the header is line 1 of a text file

    def column(self, name: str, key: str) -> list[str | None]:
        """Return the stripped cells; an empty cell is None."""
        if name not in self.frame.columns:
            raise DataError(
                f"{self.path} has no column {name!r} (data.{key}). Its columns: {', '.join(self.frame.columns)}."
                f"{did_you_mean(name, self.frame.columns)} Set data.{key} to the right one."
            )
        cells = self.frame[name]
        if isinstance(cells.dtype, pl.List | pl.Array | pl.Struct):
            raise DataError(
                f"Column {name!r} of {self.path} holds {cells.dtype}, expected text or numbers. "
                "Join several labels into one cell, and name what joins them in data.label_separator."
            )
        stripped = cells.cast(pl.String).str.strip_chars()
        return [cell or None for cell in stripped.to_list()]

    def lines(self, rows: Sequence[int]) -> str:
        """Name the lines of some rows, as an editor counts them."""
        word = "row" if self._first_line == 1 else "line"
        return f"{word}{'s' if len(rows) > 1 else ''} {first_few((row + self._first_line for row in rows), 5)}"


def read_table(path: Path) -> pl.DataFrame:
    """Read every cell of a text table as text, so that nothing depends on guessed types."""
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, separator=_separator(path), infer_schema_length=0)
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty. Expected a header and one line for each image.") from None
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a {path.suffix[1:].upper()} table in UTF-8: {reason}.") from None
    if frame.is_empty():
        raise DataError(f"{path} has a header but no rows. Expected one for each image.")
    return frame.rename({name: name.strip() for name in frame.columns})


def _separator(path: Path) -> str:
    """Spreadsheets write semicolons into .csv files where the comma is the decimal sign."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return max(",;\t", key=header.count)


def _paths(table: _Table, data: DataConfig) -> list[str]:
    """Return normal posix paths, relative to the table's folder where they lie in it."""
    cells = table.column(data.path_column, "path_column")
    empty = [row for row, cell in enumerate(cells) if cell is None]
    if empty:
        raise DataError(f"{table.path}: {len(empty)} cells of {data.path_column!r} are empty ({table.lines(empty)}).")
    folder = table.path.parent.absolute().as_posix().rstrip("/") + "/"
    paths = [posixpath.normpath((cell or "").replace("\\", "/")) for cell in cells]
    paths = [path.removeprefix(folder) for path in paths]
    outside = [row for row, path in enumerate(paths) if path.startswith(("/", "../")) or re.match("[A-Za-z]:", path)]
    if outside and not data.allow_paths_outside:
        raise DataError(
            f"{table.path}: {len(outside)} paths leave the table's folder ({table.lines(outside)}; the first is "
            f"{paths[outside[0]]!r}). Expected paths below {table.path.parent}. Correct them, or set "
            "data.allow_paths_outside = true if the table is your own."
        )
    missing = [row for row, path in enumerate(paths) if not os.path.isfile(join_path(table.path.parent, path))]
    if missing:
        raise DataError(
            f"{table.path}: {len(missing)} of {len(paths)} files are not there ({table.lines(missing)}; the first is "
            f"{paths[missing[0]]!r}). Paths start at the table's folder {table.path.parent}."
        )
    return paths


def _refuse_doubles(table: _Table, paths: Sequence[str]) -> None:
    counts = Counter(paths)
    doubles = [row for row, path in enumerate(paths) if counts[path] > 1]
    if doubles:
        raise DataError(
            f"{table.path}: {sum(count > 1 for count in counts.values())} paths stand in it more than once "
            f"({table.lines(doubles)}). Keep one line for each image; join several labels into one cell and name "
            "what joins them in data.label_separator."
        )


def _labels(table: _Table, data: DataConfig) -> tuple[tuple[str, ...], list[int] | list[list[int]], Task]:
    """Return class names, a number or a multi-hot list for each row, and what they are."""
    if data.finding_columns is not None:
        cells = [table.column(name, "finding_columns") for name in data.finding_columns]
        return (data.finding_columns, findings(cells, data, str(table.path)), "multi_label")
    labels = table.column(data.label_column, "label_column")
    if data.label_separator is not None:
        return (*_multi_hot(table, labels, data.label_separator), "multi_label")
    _refuse_missing_labels(table, labels, data)
    if data.label_bins is not None:
        return (*cut(labels, data.label_bins, f"{table.path}: {data.label_column!r}"), "ordinal")
    return (*class_numbers([label or "" for label in labels]), "single_label")


def _refuse_missing_labels(table: _Table, labels: Sequence[str | None], data: DataConfig) -> None:
    missing = [row for row, label in enumerate(labels) if label is None or label.lower() == "nan"]
    if missing:
        raise DataError(
            f"{table.path}: {len(missing)} of {len(labels)} labels in {data.label_column!r} are empty or NaN "
            f"({table.lines(missing)}). Expected a label for each image. Fill them in, drop those lines, or set "
            "data.label_separator if an image can have no label."
        )


def _multi_hot(table: _Table, labels: Sequence[str | None], separator: str) -> tuple[tuple[str, ...], list[list[int]]]:
    cells = [[piece.strip() for piece in (label or "").split(separator) if piece.strip()] for label in labels]
    not_a_number = [row for row, cell in enumerate(cells) if any(piece.lower() == "nan" for piece in cell)]
    if not_a_number:
        raise DataError(
            f"{table.path}: {len(not_a_number)} labels are NaN ({table.lines(not_a_number)}). "
            "Leave the cell empty where an image has none of the labels."
        )
    class_names = tuple(sorted({piece for cell in cells for piece in cell}, key=natural_order))
    if not class_names:
        raise DataError(f"{table.path}: no image has a label. Check data.label_column and data.label_separator.")
    return class_names, [[int(name in cell) for name in class_names] for cell in cells]


def _groups(table: _Table, data: DataConfig, paths: Sequence[str]) -> list[str | None] | None:
    if isinstance(data.group, str):
        return table.column(data.group, "group")
    return groups_from_paths(data.group_pattern, paths) if data.group_pattern else None


def _parts(table: _Table, data: DataConfig) -> list[str | None] | None:
    asked = data.part_column != DataConfig.model_fields["part_column"].default or data.split.official
    if data.part_column not in table.frame.columns and not asked:
        return None
    cells = table.column(data.part_column, "part_column")
    strange = [row for row, cell in enumerate(cells) if cell is not None and cell.lower() not in PART_NAMES]
    if strange:
        raise DataError(
            f"{table.path}: {len(strange)} cells of {data.part_column!r} name no part ({table.lines(strange)}; the "
            f"first is {cells[strange[0]]!r}). Expected train, val, valid, validation or test."
        )
    return [PART_NAMES[cell.lower()] if cell is not None else None for cell in cells]
