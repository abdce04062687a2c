"""The cells of a table of labels, as text."""

from pathlib import Path

import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data.table import read_table

_NOTHING = {"", "nan", "none", "null", "n/a"}


def label_cells(path: Path, data: DataConfig | None = None) -> dict[str, list[str | None]]:
    """Return the stripped cells of every column; empty ones, and words for nothing, are None.

    Args:
        path: A table that names images by an identifier.
        data: The study's data section; None: nothing is known of the table.

    Raises:
        DataError: If the file cannot be read.
    """
    told = {} if data is None else {"encoding": data.encoding, "sheet": data.sheet}
    return {name: _texts(column) for name, column in read_table(path, **told).frame.to_dict().items()}


def _texts(column: pl.Series) -> list[str | None]:
    if isinstance(column.dtype, pl.List | pl.Array | pl.Struct):
        return [None] * len(column)
    cells = column.cast(pl.String).str.strip_chars().to_list()
    return [None if cell is None or cell.lower() in _NOTHING else cell for cell in cells]
