"""Tables and facts of biomarkers, written beside those of the study."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.study.folder.columns import LATER_TABLES, column_type
from lossassay.study.folder.results import BIOMARKER_FACTS
from lossassay.study.folder.whole_files import write_json

Table = Iterable[dict[str, Any]]


def write_tables(folder: Path, tables: Mapping[str, Table], facts: dict[str, Any]) -> dict[str, pl.DataFrame]:
    """Write tables/ and the facts of biomarkers.

    Args:
        folder: The out folder.
        tables: Rows of each, by the names of `LATER_TABLES`.
        facts: What the page says besides.

    Returns:
        The tables as frames; those without rows have their columns.
    """
    (folder / "tables").mkdir(exist_ok=True)
    frames = {name: _frame(rows, name) for name, rows in tables.items()}
    for name, frame in frames.items():
        frame.write_parquet(folder / "tables" / f"{name}.parquet")
        frame.write_csv(folder / "tables" / f"{name}.csv")
    write_json(folder / BIOMARKER_FACTS, facts)
    return frames


def _frame(rows: Table, name: str) -> pl.DataFrame:
    schema = {column: column_type(column) for column in LATER_TABLES[name]}
    frame = pl.DataFrame(
        [[row[column] for column in schema] for row in rows], schema=schema, orient="row", strict=False
    )
    return frame.with_columns(pl.selectors.float().fill_nan(None))
