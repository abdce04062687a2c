"""Columns of a table of text cells: what they hold, and which of their lines do not."""

import datetime
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.config.schema import ColumnType, DataConfig
from lossassay.data.names import first_few
from lossassay.errors import DataError, did_you_mean

Cells = list[str | None]

# What programs and people write where they have nothing to say; in lower case.
MISSING = frozenset({"nan", "null", "na", "n/a", "<na>", "nat", "none"}) | frozenset(
    {"#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#null!"}  # errors of spreadsheets
)
# The same, where a name is expected: nobody is the patient "unknown".
PLACEHOLDERS = MISSING | {"unknown", "-"}

_DATE_FORMATS = {r"\d{8}": "%Y%m%d", r"\d{1,2}\.\d{1,2}\.\d{4}": "%d.%m.%Y", r"\d{4}-\d{2}": "%Y-%m"}
_YEARS = (1850, 2150)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text cells that says which of its lines something is wrong with.

    Args:
        path: The file.
        frame: One row for each record; all columns are text but those of a Parquet file.
        lines: Where each record starts in the file, counted from 1.
        unit: What the file is counted in: ``"line"`` or ``"row"``.
        decimal_comma: Whether numbers may have a comma before their decimals, as where semicolons separate cells.
    """

    path: Path
    frame: pl.DataFrame
    lines: Sequence[int]
    unit: str
    decimal_comma: bool

    def column(self, name: str, key: str) -> Cells:
        """Return the stripped cells in Unicode normal form C; an empty cell is None.

        Args:
            name: Of the column.
            key: The key of the data section that named it.

        Raises:
            DataError: If there is no such column, or it holds lists.
        """
        return [cell and unicodedata.normalize("NFC", cell) for cell in self.raw_column(name, key)]

    def names(self, name: str, key: str) -> Cells:
        """Return a column of names (patients, places): placeholders such as ``"n/a"`` are None too."""
        return [None if is_placeholder(cell) else cell for cell in self.column(name, key)]

    def raw_column(self, name: str, key: str) -> Cells:
        """Return the stripped cells in the Unicode form in which they stand, as file names need them."""
        cells = self.frame[self.checked_name(name, key)]
        if isinstance(cells.dtype, pl.List | pl.Array | pl.Struct | pl.Binary):
            raise DataError(
                f"Column {name!r} of {self.path} holds {cells.dtype}, expected text or numbers. "
                "Join several labels into one cell, and name what joins them in data.label_separator."
            )
        return [cell or None for cell in cells.cast(pl.String).str.strip_chars().to_list()]

    def checked_name(self, name: str, key: str) -> str:
        """Return the name of a column in the table's spelling of Unicode, or refuse it.

        Raises:
            DataError: If there is no such column.
        """
        normal = normal_form(name)
        if normal not in self.frame.columns:
            raise DataError(
                f"{self.path} has no column {name!r} (data.{key}). Its columns: {', '.join(self.frame.columns)}."
                f"{did_you_mean(name, self.frame.columns)} Set data.{key} to the right one."
            )
        return normal

    def with_points(self, cells: Sequence[str | None]) -> Cells:
        """Write numbers with a decimal point where the table may have commas."""
        if not self.decimal_comma:
            return list(cells)
        return [cell.replace(",", ".") if cell and re.fullmatch(r"[+-]?\d*,\d+", cell) else cell for cell in cells]

    def where(self, rows: Sequence[int]) -> str:
        """Name the lines of some rows, as an editor or a spreadsheet counts them."""
        lines = sorted({self.lines[row] for row in rows})
        return f"{self.unit}{'s' if len(lines) > 1 else ''} {first_few(lines, 5)}"


def normal_form(name: str) -> str:
    """Return a column's name without spaces around it, in Unicode normal form C."""
    return unicodedata.normalize("NFC", name).strip()


def is_placeholder(cell: str | None) -> bool:
    """Whether a cell names nothing: it is empty, or a word such as ``"nan"`` or ``"unknown"``."""
    return cell is None or cell.lower() in PLACEHOLDERS


def ranks(moments: Sequence[Any]) -> list[int | None]:
    """Return the dense rank of each date or number, from 0; None stays None."""
    rank = {value: number for number, value in enumerate(sorted({value for value in moments if value is not None}))}
    return [None if value is None else rank[value] for value in moments]


def moments(cells: Sequence[str | None], table: Table, name: str) -> list[Any]:
    """Return cells as dates, or as numbers; a cell without one is None.

    Args:
        cells: Dates (``2024-01-31``, also with a time, ``20240131``, ``31.01.2024``, ``2024-01``) or numbers.
        table: For messages.
        name: Of the column.

    Raises:
        DataError: If cells are neither, or some are dates and some numbers.
    """
    filled = [None if is_placeholder(cell) else cell for cell in cells]
    best: tuple[list[int], list[Any]] | None = None
    for read in (as_date, as_number):
        values = [None if cell is None else read(cell) for cell in table.with_points(filled)]
        wrong = [row for row, value in enumerate(values) if value is None and filled[row] is not None]
        if best is None or len(wrong) < len(best[0]):
            best = (wrong, values)
    wrong, values = best or ([], [])
    if wrong:
        raise DataError(
            f"{table.path}: {len(wrong)} cells of {name!r} (data.time) are no dates like the others "
            f"({table.where(wrong)}). Expected one kind in the whole column: dates as 2024-01-31, 20240131 or "
            "31.01.2024, or numbers. Correct them, or leave them empty."
        )
    return values


def as_date(cell: str) -> datetime.datetime | None:
    """Read a date, with or without a time; None: it is none. Days and months of ``1/2/2024`` cannot be told apart."""
    form = next((form for pattern, form in _DATE_FORMATS.items() if re.fullmatch(pattern, cell, re.ASCII)), None)
    if form is None and not re.match(r"\d{4}-\d{2}-\d{2}(?!\d)", cell, re.ASCII):
        return None
    try:
        found = datetime.datetime.strptime(cell, form) if form else datetime.datetime.fromisoformat(cell)
    except ValueError:
        return None
    if found.tzinfo is not None:
        found = found.astimezone(datetime.UTC).replace(tzinfo=None)
    return found if _YEARS[0] <= found.year <= _YEARS[1] else None


def as_number(cell: str) -> float | None:
    """Read a finite number; None: it is none."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None


def _as_integer(cell: str) -> float | None:
    number = as_number(cell)
    return number if number is not None and number.is_integer() and abs(number) < 2**53 else None


_READERS: Mapping[str, Callable[[str], Any]] = {"number": as_number, "integer": _as_integer, "date": as_date}


def check_types(table: Table, data: DataConfig) -> None:
    """Refuse cells that are not what ``data.columns`` says of their column.

    Raises:
        DataError: With the lines; or if a column is not there.
    """
    for name, kind in data.columns.items():
        cells = table.column(name, "columns")
        wrong = [row for row, value in enumerate(typed(table, cells, kind)) if value is None and not _empty(cells[row])]
        if wrong:
            raise DataError(
                f"{table.path}: {len(wrong)} cells of {name!r} are no {kind} ({table.where(wrong)}), and data.columns "
                f"says it is one. Expected {_EXAMPLES[kind]}. Correct or empty these cells, or state another type: "
                "text, number, integer, date or ignore."
            )


_EXAMPLES = {"number": "63 or 63.5", "integer": "63", "date": "2024-01-31, 20240131 or 31.01.2024"}


def typed(table: Table, cells: Sequence[str | None], kind: ColumnType) -> list[Any]:
    """Return the cells as values of a type; None where they are empty or do not fit."""
    read = _READERS.get(kind, str)
    return [None if _empty(cell) else read(cell or "") for cell in table.with_points(cells)]


def _empty(cell: str | None) -> bool:
    return cell is None or cell.lower() in MISSING
