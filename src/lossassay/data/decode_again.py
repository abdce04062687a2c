"""Decodes a few rows once more with other options, for pictures of what a setting does."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.array_file import BLOCK_BYTES
from lossassay.data.arrays import image_blocks, image_members, load_digits
from lossassay.data.decode import DecodeOptions, Item
from lossassay.data.decode_worker import decode_chunk
from lossassay.data.manifest import Manifest
from lossassay.data.names import join_path
from lossassay.data.volumes import fit_array

Images = npt.NDArray[Any]


def decode_rows(manifest: Manifest, rows: Sequence[int], options: DecodeOptions, *, deep: bool) -> Images:
    """Decode rows with the reader of their data; nothing is kept.

    Args:
        manifest: Of the readable rows.
        rows: Which ones, in ascending order.
        options: How.
        deep: Whether the pixels have 16 bits.

    Returns:
        [n S S C] or [n S S S C], uint8 or uint16. A file that can no longer be read stays black.
    """
    shape = (len(rows), *(options.image_size,) * manifest.dimensions, options.channels)
    found = np.zeros(shape, dtype=np.uint16 if deep else np.uint8)
    if manifest.kind in ("npz", "digits"):
        for place, image in _picked(manifest, rows):
            found[place] = fit_array(image, options)
        return found
    buffer = io.BytesIO(bytes(found.nbytes))
    items = [_item(manifest, row) for row in rows]
    decode_chunk(items, 0, buffer, options, kind=manifest.kind, deep=deep, offset=0)
    return np.frombuffer(buffer.getvalue(), dtype=found.dtype).reshape(shape)


def _item(manifest: Manifest, row: int) -> Item:
    path, frame = manifest.rows["path"][row], manifest.rows["frame"][row]
    folder = manifest.root or Path()
    return Item(tuple(join_path(folder, name) for name in manifest.files_of(path)), frame)


def _picked(manifest: Manifest, rows: Sequence[int]) -> Iterator[tuple[int, Images]]:
    """Yield the wanted images of an array with their place among the wanted ones."""
    first, places = 0, {row: place for place, row in enumerate(rows)}
    for block in _blocks(manifest):
        for row in range(first, first + len(block)):
            if row in places:
                yield places[row], block[row - first]
        first += len(block)
        if first > max(rows, default=-1):
            return


def _blocks(manifest: Manifest) -> Iterator[Images]:
    if manifest.root is None:
        yield load_digits()[0]
        return
    for member in image_members(manifest.root):
        yield from image_blocks(manifest.root, member, BLOCK_BYTES)
