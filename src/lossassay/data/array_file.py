"""An .npy file that is filled row by row by several processes, and shortened where rows stayed empty."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 16 * 2**20  # how much of an array is in memory at once


def create(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    """Make an .npy file of full size without content; return where row 0 starts, in bytes."""
    header = _header(shape, np.dtype(dtype))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return len(header)


def open_array(path: Path) -> "np.memmap[Any, np.dtype[Any]]":
    """Map an .npy file into memory, read-only."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap):
        raise TypeError(f"{path} cannot be mapped into memory")
    return array


def drop_rows(path: Path, kept: Sequence[bool]) -> None:
    """Keep some rows of an .npy file, in their order, without holding more than a block in memory."""
    array = np.load(path, mmap_mode="r+", allow_pickle=False)
    rows = np.flatnonzero(kept)
    block = max(1, BLOCK_BYTES // max(1, array[:1].nbytes))
    for first in range(0, len(rows), block):
        source = rows[first : first + block]
        if source[0] != first or source[-1] != first + len(source) - 1:
            array[first : first + len(source)] = array[source]
    row_bytes, shape, dtype = array[:1].nbytes, (len(rows), *array.shape[1:]), array.dtype
    array.flush()
    del array  # Windows shortens no file that is mapped
    header = _header(shape, dtype)
    with path.open("r+b") as file:
        file.write(header)
        file.truncate(len(header) + len(rows) * row_bytes)


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The header of an .npy file; NumPy gives it the same length for any number of rows."""
    file = io.BytesIO()
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue()
