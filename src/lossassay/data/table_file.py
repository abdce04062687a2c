"""Reads a table file of any dialect into cells of text, with the line on which each row starts."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import polars as pl

from lossassay.data.names import first_few
from lossassay.data.table_columns import Table, normal_form
from lossassay.errors import DataError, did_you_mean

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx")

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 100  # records by which the delimiter is found
_LOOKED_AT_CHARACTERS = 1_000_000
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # starts like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FILES = {
    b"PK\x03\x04": "a zip or Excel file. Give it the ending .xlsx if Excel wrote it",
    b"\xd0\xcf\x11\xe0": "an old Excel file. Save it as .xlsx or as CSV in UTF-8",
    b"PAR1": "a Parquet file. Give it the ending .parquet",
    b"\x1f\x8b": "a gzip file. Unpack it first",
}


def read_table(path: Path, *, encoding: str | None = None, sheet: str | None = None) -> Table:
    """Read every cell as text, so that nothing depends on guessed types.

    Args:
        path: A .csv, .tsv, .parquet or .xlsx file.
        encoding: Of a text file; None: by its byte order mark, else UTF-8, else CP949 where it fits.
        sheet: Of an .xlsx file; None: the first.

    Raises:
        DataError: If the file cannot be read, or is no table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            table = _from_parquet(path)
        elif suffix == ".xlsx":
            from lossassay.data.excel_file import read_excel

            table = _from_records(path, read_excel(path, sheet), unit="row", decimal_comma=False)
        else:
            table = _from_text(path, encoding)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Check the file and its rights.") from None
    if table.frame.is_empty():
        raise DataError(f"{path} has a header but no rows. Expected one for each image.")
    return table


def _from_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a PARQUET table: {reason}. Write it again, or as CSV.") from None
    names = _unique_names(path, frame.columns)
    frame.columns = names
    return Table(path=path, frame=frame, lines=tuple(range(1, len(frame) + 1)), unit="row", decimal_comma=False)


def _from_text(path: Path, encoding: str | None) -> Table:
    text = decode_text(path.read_bytes(), path, encoding)
    named = re.match(r'"?sep=(.)"?\r?\n', text)  # how Excel is told, and then tells others
    delimiter = named.group(1) if named else "\t" if path.suffix.lower() == ".tsv" else find_delimiter(text)
    records = _records(path, text, delimiter)
    if named:
        next(records, None)
    return _from_records(path, records, unit="line", decimal_comma=delimiter == ";")


def decode_text(content: bytes, path: Path, encoding: str | None) -> str:
    """Decode a text table.

    Latin-1 and its kin fit every file, so they are never guessed: wrong letters would split one patient into two.

    Args:
        content: All of the file.
        path: For messages.
        encoding: As the study says; None: found.

    Raises:
        DataError: If the bytes are no text in that encoding.
    """
    other = next((what for start, what in _OTHER_FILES.items() if content.startswith(start)), None)
    if other:
        raise DataError(f"{path} is no text table but {other}.")
    text = _decode(content, path, encoding or _found_encoding(content))
    if "\0" in text:
        raise DataError(
            f"{path} holds zero bytes, so it is no text table in the encoding tried. Save it as CSV in UTF-8, "
            'or name its encoding, for example data.encoding = "utf-16-le".'
        )
    return text.removeprefix("\ufeff")


def _found_encoding(content: bytes) -> str:
    return next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "")


def _decode(content: bytes, path: Path, encoding: str) -> str:
    try:
        return content.decode(encoding or "utf-8")
    except LookupError:
        known = ("utf-8", "utf-16", "cp949", "euc-kr", "latin-1", "cp1252", "shift_jis", "gb18030", "big5")
        raise DataError(
            f"data.encoding {encoding!r} is no encoding that Python knows. Usual ones: {', '.join(known)}."
            f"{did_you_mean(encoding, known)}"
        ) from None
    except UnicodeError as error:
        if not encoding and (korean := _korean(content)) is not None:
            return korean
        place = getattr(error, "start", 0)
        line = content[:place].count(b"\n") + 1
        tried = encoding.upper() if encoding else "UTF-8 or CP949 (Korean)"
        raise DataError(
            f"{path} is no text in {tried}: the first wrong byte is {content[place : place + 1].hex()} in line {line}. "
            'Save it as CSV in UTF-8, or name its encoding, for example data.encoding = "latin-1".'
        ) from None


def _korean(content: bytes) -> str | None:
    """Decode as CP949 where that gives common Korean text; western letters with accents can fit it by chance."""
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return None
    letters = [sign for sign in text if ord(sign) > 127]
    common = sum(len(sign.encode("euc_kr", errors="ignore")) == 2 for sign in letters)  # rare syllables take eight
    return text if 2 * common > len(letters) else None


def find_delimiter(text: str) -> str:
    """Find what separates the cells: comma, semicolon, tab or bar, outside quotes, as often in the rows as above them.

    Args:
        text: The decoded table, with its header.
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = list(islice(_widths(text[:_LOOKED_AT_CHARACTERS], delimiter), _LOOKED_AT))
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _widths(text: str, delimiter: str) -> Iterator[int]:
    with suppress(csv.Error):  # a quote that is never closed: the records before it count
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
            if cells:
                yield len(cells)


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the cells of each record and the line on which it starts, as an editor counts lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}: the record that starts in line {line} is no CSV: {error}. Expected a quote that opens a cell to "
            "be closed, with nothing between it and the next separator; inside quotes write two quotes for one."
        ) from None


def _from_records(path: Path, records: Iterable[tuple[int, Sequence[str]]], *, unit: str, decimal_comma: bool) -> Table:
    filled = [(line, cells) for line, cells in records if any(cell.strip() for cell in cells)]
    if not filled:
        raise DataError(f"{path} is empty. Expected a header and one line for each image.")
    (_, header), rows = filled[0], filled[1:]
    width = max(len(header), 1)
    long = [line for line, cells in rows if any(cell.strip() for cell in cells[width:])]
    if long:
        raise DataError(
            f"{path}: {len(long)} rows have more cells than the header has names ({unit}{'s' if len(long) > 1 else ''} "
            f"{first_few(long, 5)}; the header has {width}). Put quotes around cells that hold the separator."
        )
    padded = [[*cells[:width], *[""] * (width - len(cells))] for _, cells in rows]
    names = _unique_names(path, header)
    columns = [list(column) for column in zip(*padded, strict=True)] or [[] for _ in names]
    frame = pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))
    return Table(path=path, frame=frame, lines=tuple(line for line, _ in rows), unit=unit, decimal_comma=decimal_comma)


def _unique_names(path: Path, header: Sequence[str]) -> list[str]:
    """Strip names, bring them to normal form C, and number those that are empty."""
    names = [normal_form(name) or f"column {i}" for i, name in enumerate(header, start=1)]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise DataError(
            f"{path} has {len(doubles)} column names more than once: {first_few(doubles)}. "
            "Rename or remove one of each."
        )
    return names
