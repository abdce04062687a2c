"""Reads the cells of a table of scores, as text with the line in which each stands."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lossassay.data.names import first_few
from lossassay.errors import DataError, did_you_mean

COLUMNS = ("system", "dataset", "replicate", "metric", "value")
_EXPECTED = "Expected a CSV, TSV or Parquet table with the columns system, dataset, replicate, metric and value."
# What people call these columns, without spaces and signs.
_MEANT = {
    **dict.fromkeys(("model", "arm", "loss", "method", "algorithm", "approach", "network", "classifier"), "system"),
    **dict.fromkeys(("data", "task", "cohort", "datasets"), "dataset"),
    **dict.fromkeys(("seed", "run", "fold", "split", "rep", "repeat", "repetition", "trial", "iteration"), "replicate"),
    **dict.fromkeys(("measure", "yardstick", "metricname", "metrics"), "metric"),
    **dict.fromkeys(("score", "result", "performance", "values", "scores"), "value"),
}


@dataclass(frozen=True, kw_only=True)
class ScoresTable:
    """Cells as they were written.

    Args:
        path: Of the file.
        rows: Stripped text in those of `COLUMNS` that are there, empty cells as null, and ``line``, the place in the
            file. A file without ``dataset`` has that column with nulls.
        word: ``"line"`` as an editor counts them, or ``"row"`` of a Parquet file, from 1.
        problems: Of columns, lines and empty cells, in sentences.
    """

    path: Path
    rows: pl.DataFrame
    word: str
    problems: tuple[str, ...]

    def lines(self, wrong: pl.Series) -> str:
        """Name the lines of the rows that are marked."""
        places = self.rows["line"].filter(wrong.fill_null(False))
        return f"{self.word}{'s' if len(places) > 1 else ''} {first_few(places, 5)}"


def read_scores_table(path: Path) -> ScoresTable:
    """Read every cell as text, so that nothing depends on guessed types.

    Raises:
        DataError: If there is nothing to read.
    """
    content = _content(path)
    if content[:4] == b"PAR1":
        header, cells, lines, problems = _parquet(path, content)
        word = "row"
    else:
        header, cells, lines, problems = _text(path, content)
        word = "line"
    places, column_problems = _places(header)
    if places and not lines and not problems:
        problems.append("there are no rows below the header. Expected one for each score.")
    columns = {name: [row[place] or None for row in cells] for name, place in places.items()}
    types = {**dict.fromkeys(columns, pl.String), "line": pl.Int64}
    frame = pl.DataFrame({**columns, "line": lines}, schema=types)
    if "dataset" not in columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("dataset"))
    table = ScoresTable(path=path, rows=frame, word=word, problems=())
    found = (*column_problems, *problems, *_cell_problems(table, columns))
    return ScoresTable(path=path, rows=frame, word=word, problems=found)


_Cells = tuple[list[str], list[list[str]], list[int], list[str]]  # header, rows, their lines, problems


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path} is a folder. {_EXPECTED} Name a file in it.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path} is not there.{did_you_mean(path.name, beside)} {_EXPECTED}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)!r} cannot be read: {reason}. {_EXPECTED}") from None
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{path} is empty. {_EXPECTED}")
    return content


def _parquet(path: Path, content: bytes) -> _Cells:
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}. Write it again.") from None
    nested = [name for name in frame.columns if frame[name].dtype.is_nested() or frame[name].dtype == pl.Binary]
    problems = [f"column {name!r} holds {frame[name].dtype}. Expected text or numbers." for name in nested]
    kept = frame.drop(nested).cast(pl.String)
    cells = [[(cell or "").strip() for cell in row] for row in kept.iter_rows()]
    return kept.columns, cells, list(range(1, len(cells) + 1)), problems


def _text(path: Path, content: bytes) -> _Cells:
    rows = list(_lines(path, content))
    if rows[0][1][0].lower().startswith("sep="):  # a hint for spreadsheets
        del rows[0]
    header, rows = rows[0][1] if rows else [""], rows[1:]
    while len(header) > 1 and not header[-1]:  # separators at the end of the lines
        header.pop()
    rows = [(line, cells if any(cells[len(header) :]) else cells[: len(header)]) for line, cells in rows]
    fit = [(line, cells) for line, cells in rows if len(cells) == len(header)]
    uneven = [line for line, cells in rows if len(cells) != len(header)]
    problems = []
    if uneven:
        problems.append(
            f"{len(uneven)} line{'s have' if len(uneven) > 1 else ' has'} another number of cells than the header, "
            f"which has {len(header)} (line{'s' if len(uneven) > 1 else ''} {first_few(uneven, 5)}). Expected as many. "
            "Is there a decimal comma, or a separator in a name that is not in quotes?"
        )
    return header, [cells for _, cells in fit], [line for line, _ in fit], problems


def _lines(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank: number and stripped cells. Polars would not say which line is uneven."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(f"{path} is no table in UTF-8. {_EXPECTED} A spreadsheet saves one as 'CSV UTF-8'.")
    header = next(line for line in text.splitlines() if line.strip())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error} (line {reader.line_num}). {_EXPECTED}") from None


def _places(header: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return where each column of ours stands, and what is wrong with the header."""
    places: dict[str, int] = {}
    unknown, problems = [], []
    for place, name in enumerate(header):
        key = "".join(sign for sign in name.casefold() if sign.isalnum())
        if key not in COLUMNS:
            unknown.append(name)
        elif key in places:
            problems.append(f"two columns are called {key!r}. Expected one.")
        else:
            places[key] = place
    if not places and not problems:
        there = first_few(map(repr, header), 6)
        return places, [f"its first line names no known column (it has {there}). {_EXPECTED} Is the header missing?"]
    missing = [name for name in COLUMNS if name not in places and name != "dataset"]
    if missing:
        there = ", ".join(map(repr, header))
        problems.append(
            f"column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} missing. The header has {there}. "
            "Expected the columns system, replicate, metric and value, and dataset if there are several."
        )
    for name in unknown:
        problems.append(_unknown_column(name, [name for name in COLUMNS if name not in places]))
    return places, problems


def _unknown_column(name: str, free: list[str]) -> str:
    if not name:
        return "a column has no name. Leave it out (an index that a program wrote; in pandas: to_csv(index=False))."
    meant = _MEANT.get("".join(sign for sign in name.casefold() if sign.isalnum()))
    near = f" Did you mean {meant!r}?" if meant in free else did_you_mean(name.casefold(), free)
    return f"column {name!r} is not known.{near} Rename it or leave it out."


def _cell_problems(table: ScoresTable, columns: Iterable[str]) -> Iterator[str]:
    for name in columns:
        empty = table.rows[name].is_null()
        if empty.any():
            count = int(empty.sum())
            yield (
                f"{count} cell{'s' if count > 1 else ''} of {name!r} {'are' if count > 1 else 'is'} empty "
                f"({table.lines(empty)}). Expected {'a number' if name == 'value' else 'a name'} in each."
            )
    for name in (name for name in columns if name != "value"):
        cells = table.rows[name]
        unseen = pl.Series([not cell.isprintable() for cell in cells.fill_null("")], dtype=pl.Boolean)
        if unseen.any():
            yield (
                f"{int(unseen.sum())} name{'s' if unseen.sum() > 1 else ''} in {name!r} with signs that cannot be seen "
                f"({table.lines(unseen)}; the first is {cells.filter(unseen)[0]!a}). Expected plain names."
            )
