"""Columns of a table that could tell the class without an image: numbers and short categories, for the audit."""

import polars as pl

from lossassay.config.schema import ColumnType, DataConfig
from lossassay.data.known_columns import PATIENT_NAMES, identifies, is_metadata, normal_name
from lossassay.data.table_columns import Cells, Table, as_date, normal_form, typed

MOST_CATEGORIES = 50
_LONGEST_CATEGORY = 40  # characters; what is longer is a sentence


def further_columns(table: Table, data: DataConfig) -> pl.DataFrame:
    """Return the further columns as numbers (Float64) and categories (String), row for row.

    Dates, free text, paths and identifiers stay out, and so do all columns that are labels, groups or exams. Where
    ``data.columns`` states numbers or text, only stated columns and those with a usual name (age, sex, ...) count.

    Args:
        table: The table.
        data: Says which columns are used for something else, and what some hold.
    """
    used = _used(data)
    types = {normal_form(name): kind for name, kind in data.columns.items()}
    found = {}
    for name in table.frame.columns:
        stated = types.get(name)
        if name in used or stated in ("date", "ignore") or not _may_count(name, stated, data):
            continue
        if isinstance(table.frame[name].dtype, pl.List | pl.Array | pl.Struct | pl.Binary):
            continue
        series = _series(table, name, stated)
        if series is not None and series.n_unique() > 1:
            found[name] = series
    return pl.DataFrame(found)


def _used(data: DataConfig) -> set[str]:
    groups = (data.group,) if isinstance(data.group, str) else data.group or ()
    others = (data.label_column, data.source, data.exam, data.time, data.part_column)
    paths = data.path_columns if data.path_columns is not None else (data.path_column,)
    return {normal_form(name) for name in (*groups, *others, *paths, *(data.finding_columns or ())) if name}


def _may_count(name: str, stated: ColumnType | None, data: DataConfig) -> bool:
    if stated is not None:
        return True
    if is_metadata(name):
        return True
    chosen = any(kind in ("number", "integer", "text") for kind in data.columns.values())
    return not chosen and not identifies(name) and normal_name(name) not in PATIENT_NAMES


def _series(table: Table, name: str, stated: ColumnType | None) -> pl.Series | None:
    cells = table.names(name, "columns")
    filled = [cell for cell in cells if cell is not None]
    if stated in ("number", "integer"):
        return pl.Series(name, typed(table, cells, stated), dtype=pl.Float64)
    if stated is None:
        if filled and all(as_date(cell) for cell in filled):
            return None
        numbers = typed(table, cells, "number")
        if filled and sum(number is not None for number in numbers) == len(filled):
            return pl.Series(name, numbers, dtype=pl.Float64)
    return _categories(name, cells)


def _categories(name: str, cells: Cells) -> pl.Series | None:
    """Text with few different and short values, each of which comes back: not names, and no sentences."""
    filled = [cell for cell in cells if cell is not None]
    different = set(filled)
    if len(different) > MOST_CATEGORIES or 2 * len(different) > len(filled):
        return None
    if any(len(cell) > _LONGEST_CATEGORY for cell in different):
        return None
    return pl.Series(name, cells, dtype=pl.String)
