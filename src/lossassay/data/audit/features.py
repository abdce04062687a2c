"""What is known of an image besides its pixels, as categories that can be counted and numbers that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

_BINS = 8
_MOSTLY_NUMBERS = 0.95  # share of the filled cells of a text column


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One property of every row.

    Args:
        name: As a sentence calls it, for example ``"JPEG quality"``.
        codes: Category of each row, 0 … C - 1, [N]; numbers are cut at their eighths.
        numbers: The numbers themselves, [N], nan where there is none; None for categories.
    """

    name: str
    codes: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64] | None = None

    @property
    def varies(self) -> bool:
        """Whether there is anything to learn from it."""
        return bool((self.codes != self.codes[:1]).any())

    def of_rows(self, rows: npt.NDArray[np.int64]) -> "Feature":
        """Return the feature of some rows; numbers are cut anew."""
        if self.numbers is not None:
            return from_numbers(self.name, self.numbers[rows])
        return from_categories(self.name, self.codes[rows].tolist())


def from_categories(name: str, values: Sequence[Any]) -> Feature:
    """Number the values in the order of their first appearance, so that no spelling and no hash matters."""
    known: dict[Any, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    return Feature(name=name, codes=np.array(codes, dtype=np.int64))


def from_numbers(name: str, values: npt.ArrayLike) -> Feature:
    """Cut numbers at their eighths; few values keep a category each, and missing ones have their own."""
    numbers = np.asarray(values, dtype=np.float64)
    there = numbers[np.isfinite(numbers)]
    distinct = np.unique(there)
    edges = distinct[1:]
    if len(distinct) > _BINS:
        edges = np.unique(np.quantile(there, np.arange(1, _BINS) / _BINS, method="higher"))
    codes = np.searchsorted(edges, numbers, side="right")
    codes = np.where(np.isfinite(numbers), codes, len(edges) + 1)
    return Feature(name=name, codes=codes.astype(np.int64), numbers=np.where(np.isfinite(numbers), numbers, np.nan))


def from_column(name: str, column: pl.Series) -> Feature | None:
    """Read a column as numbers where nearly all of its cells are, else as categories.

    Returns:
        None for a column of lists, or of another type that has no order and no names.
    """
    if column.dtype.is_numeric():
        return from_numbers(name, column.cast(pl.Float64).to_numpy())
    if column.dtype.is_temporal():
        return from_numbers(name, column.to_physical().cast(pl.Float64).to_numpy())
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return None
    texts = column.cast(pl.String).str.strip_chars()
    numbers = texts.cast(pl.Float64, strict=False)
    filled = len(texts) - texts.null_count()
    if filled and len(numbers) - numbers.null_count() >= _MOSTLY_NUMBERS * filled and texts.n_unique() > _BINS:
        return from_numbers(name, numbers.to_numpy())
    return from_categories(name, texts.to_list())
