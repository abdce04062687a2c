"""Writes a table of any length in constant memory: block by block into parts, then into one file."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl

from lossassay.errors import DataError
from lossassay.study.folder.whole_files import explained

SUFFIXES = (".parquet", ".csv", ".npz")


class FeatureTable:
    """A table that is written block by block; use it as a context, then call `finish`.

    Args:
        path: The file; its ending says the format: .parquet, .csv or .npz.

    Raises:
        DataError: If the ending is another one.
    """

    def __init__(self, path: Path) -> None:
        check_suffix(path)
        self.path = path
        self._parts = path.with_name(f".{path.name}.parts")
        self._count = 0

    def __enter__(self) -> "FeatureTable":
        with explained(self.path.parent):
            shutil.rmtree(self._parts, ignore_errors=True)
            self._parts.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._parts, ignore_errors=True)

    def add(self, block: pl.DataFrame) -> None:
        """Append rows; every block has the same columns."""
        with explained(self.path.parent):
            block.write_parquet(self._parts / f"{self._count:06d}.parquet", compression="uncompressed")
        self._count += 1

    def rows(self) -> pl.LazyFrame:
        """Return all rows so far, in their order."""
        return pl.scan_parquet(self._names())

    def blocks(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield some columns of what was appended, block by block.

        Args:
            columns: Their names.
        """
        for name in self._names():
            yield pl.read_parquet(name, columns=columns).select(columns)

    def finish(self) -> Path:
        """Write the file and return its path; a reader never sees half of it."""
        partial = self.path.with_name(f".{self.path.name}.partial")
        with explained(self.path.parent):
            if self.path.suffix == ".parquet":
                self.rows().sink_parquet(partial, maintain_order=True)
            elif self.path.suffix == ".csv":
                self.rows().sink_csv(partial, maintain_order=True)
            else:
                self._write_arrays(partial)
            partial.replace(self.path)
        return self.path

    def _names(self) -> list[Path]:
        return [self._parts / f"{number:06d}.parquet" for number in range(self._count)]

    def _write_arrays(self, target: Path) -> None:
        """Write one array for the features, one for the probabilities, and one for each other column."""
        schema = pl.read_parquet_schema(self._names()[0])
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, columns in _arrays(list(schema)).items():
                self._write_array(archive, name, columns, single=name in schema)

    def _write_array(self, archive: zipfile.ZipFile, name: str, columns: list[str], *, single: bool) -> None:
        first = True
        total = int(self.rows().select(pl.len()).collect().item())
        width = self._text_width(columns[0]) if single else 0
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            for block in self.blocks(columns):
                values = _plain(block[columns[0]], width) if single else block.to_numpy().astype("<f4")
                values = np.ascontiguousarray(values)
                if first:
                    header = np.lib.format.header_data_from_array_1_0(values)
                    header |= {"shape": (total, *values.shape[1:]), "fortran_order": False}
                    np.lib.format.write_array_header_2_0(file, header)
                first = False
                file.write(values.tobytes())

    def _text_width(self, column: str) -> int:
        if self.rows().collect_schema()[column] != pl.String():
            return 0
        longest = self.rows().select(pl.col(column).str.len_chars().max()).collect().item()
        return max(1, int(longest or 0))


def check_suffix(path: Path) -> None:
    """Refuse a format that is not written.

    Raises:
        DataError: With those that are.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{path.name} ends with {path.suffix!r}. Expected one of {', '.join(SUFFIXES)}. Change the name."
        )


def _arrays(columns: list[str]) -> dict[str, list[str]]:
    together = {"features": "feature_", "probabilities": "probability_"}
    found = {name: [one for one in columns if one.startswith(start)] for name, start in together.items()}
    alone = {one: [one] for one in columns if not one.startswith(tuple(together.values()))}
    return alone | {name: own for name, own in found.items() if own}


def _plain(column: pl.Series, width: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Texts of fixed width, "" for null; whole numbers, -1 for null: nothing that would have to be unpickled."""
    if column.dtype == pl.String():
        return np.array(column.fill_null("").to_list(), dtype=f"<U{width}")
    if column.dtype.is_integer():
        return column.fill_null(-1).to_numpy().astype("<i8")
    return column.to_numpy().astype("<f8")
