"""Reads a sheet of an Excel workbook into cells of text, after a look at how large it says it is."""

import datetime
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from lossassay.errors import DataError, did_you_mean

LARGEST_WORKBOOK_BYTES = 256 * 2**20  # of all members, unpacked: a few kilobytes can unpack to gigabytes
_LARGEST_COLUMNS = 2_000
_LARGEST_ROWS = 1_048_576  # what Excel can hold
_CHUNK_BYTES = 2**20
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]+[0-9]+:[A-Z]+[0-9]+)\"")
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")


def read_excel(path: Path, sheet: str | None) -> list[tuple[int, list[str]]]:
    """Read a sheet: each row's number and its cells as text. Hidden rows and columns count like others.

    Dates become ISO text, whole numbers lose a trailing ``.0``, and a formula is what it last came to.

    Args:
        path: The .xlsx file.
        sheet: Its name; None: the first.

    Raises:
        DataError: If openpyxl is missing, the file is no workbook or too large, the sheet is not there, cells are
            merged, or formulas were never computed.
    """
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f"{path} is an Excel file, and openpyxl, which reads them, is not installed. "
            'Install it with `pip install "lossassay[excel]"`, or save the table as CSV in UTF-8.'
        ) from None
    _check_archive(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what openpyxl does not support is styling, and of no use here
        try:
            rows = _read_sheet(path, sheet, openpyxl.load_workbook)
        except DataError:
            raise
        except Exception as error:  # openpyxl raises whatever the XML inside leads to
            raise DataError(
                f"{path} cannot be read as an Excel workbook: {type(error).__name__}: {str(error)[:200]}. "
                "Open it in a spreadsheet and save it again, or save it as CSV in UTF-8."
            ) from None
    return [(number, [_text(value) for value in values]) for number, values in rows]


def _read_sheet(path: Path, sheet: str | None, load: Callable[..., Any]) -> list[tuple[int, list[Any]]]:
    with closing(load(path, read_only=True, data_only=True)) as workbook:
        name = _sheet_name(path, workbook, sheet)
        has_formulas = _check_sheet(path, workbook[name]._worksheet_path, name)  # its place in the archive
        rows = list(_rows(path, workbook[name]))
    if has_formulas:
        with closing(load(path, read_only=True, data_only=False)) as workbook:
            _refuse_uncomputed(path, name, rows, list(_rows(path, workbook[name])))
    return rows


def _check_archive(path: Path) -> None:
    """Refuse what is no archive, what unpacks to too much, and what defines XML entities."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{path} is an old or an encrypted Excel file. Save it as .xlsx without a password.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)  # no member can be read beyond what it declares
            if unpacked > LARGEST_WORKBOOK_BYTES:
                raise DataError(
                    f"{path} unpacks to {unpacked / 2**20:,.0f} MiB, expected {LARGEST_WORKBOOK_BYTES // 2**20} MiB at "
                    "most. Remove other sheets and pictures, or save the table as CSV in UTF-8."
                )
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    with archive.open(member) as file:
                        _refuse_entities(path, file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{path} is no Excel workbook: {error}. Open it in a spreadsheet and save it as .xlsx or as CSV in UTF-8."
        ) from None


def _refuse_entities(path: Path, file: IO[bytes]) -> None:
    if b"<!DOCTYPE" in file.read(2048):
        raise DataError(f"{path} defines XML entities, which no spreadsheet writes. Save the table as CSV in UTF-8.")


def _sheet_name(path: Path, workbook: Any, sheet: str | None) -> str:
    names = [one.title for one in workbook.worksheets]  # without sheets that are charts
    if not names:
        raise DataError(f"{path} has no sheet with cells. Expected a table with a header.")
    if sheet is None:
        return str(names[0])
    if sheet not in names:
        raise DataError(
            f"{path} has no sheet {sheet!r} (data.sheet). Its sheets: {', '.join(names)}.{did_you_mean(sheet, names)}"
        )
    return sheet


def _check_sheet(path: Path, member: str, name: str) -> bool:
    """Refuse merged cells, whose values stand in one place only; return whether there are formulas."""
    merged: list[str] = []
    formulas = False
    with zipfile.ZipFile(path) as archive, archive.open(member.lstrip("/")) as file:
        before = b""
        while chunk := file.read(_CHUNK_BYTES):
            text = before + chunk
            merged += [match.decode() for match in _MERGED.findall(text)]
            formulas = formulas or _FORMULA.search(text) is not None
            before = text[text.rfind(b"<") :]  # a tag that goes on in the next chunk, and one seen twice is one
            if len(before) > _CHUNK_BYTES:
                before = b""
    if merged:
        listed = ", ".join(dict.fromkeys(merged[:5])) + (", …" if len(merged) > 5 else "")
        raise DataError(
            f"{path}: the sheet {name!r} has merged cells ({listed}), and only the first cell of each has the value. "
            "Undo the merging and write the value into every cell."
        )
    return formulas


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    sheet.reset_dimensions()  # what the file claims; rows are as long as they are
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        if len(values) > _LARGEST_COLUMNS or number > _LARGEST_ROWS:
            raise DataError(
                f"{path}: row {number} has {len(values)} columns; expected {_LARGEST_COLUMNS} columns and "
                f"{_LARGEST_ROWS:,} rows at most. Remove what does not belong to the table."
            )
        if any(value is not None for value in values):
            yield number, list(values)


def _refuse_uncomputed(
    path: Path, name: str, rows: Sequence[tuple[int, list[Any]]], formulas: Sequence[tuple[int, list[Any]]]
) -> None:
    """A program that writes formulas need not compute them; a formula that comes to nothing is one among others."""
    values = dict(rows)
    cells = [
        (number, values.get(number, [])[column : column + 1])
        for number, row in formulas
        for column, cell in enumerate(row)
        if isinstance(cell, str) and cell.startswith("=")
    ]
    if cells and all(not value or value[0] is None for _, value in cells):
        raise DataError(
            f"{path}: none of the {len(cells)} formulas in the sheet {name!r} was ever computed (the first is in row "
            f"{cells[0][0]}), so their values are unknown. Open the file in a spreadsheet and save it."
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
