"""One NIfTI file → a volume or a slice as the study wants it, inflating no more than the header says."""

import gzip
import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import VolumeConfig
from lossassay.data.array_file import BLOCK_BYTES
from lossassay.data.decode import Decoded, DecodeOptions, Item, NeedsSixteenBits
from lossassay.data.manifest import Manifest
from lossassay.data.names import join_path
from lossassay.data.nifti.header import Header, open_inflated, read_header
from lossassay.data.nifti.planes import in_planes
from lossassay.data.slices import slice_count
from lossassay.data.volume_steps import (
    Prepared,
    VolumeProblem,
    prepare_volume,
    slice_pixels,
    volume_pixels,
)

_SURPLUS_BYTES = 2**20  # what may stand behind the voxels; more is no NIfTI file but a trap


class _Volume(NamedTuple):
    """A prepared volume and what its file is."""

    prepared: Prepared
    header: Header
    plane_px: tuple[int, int]
    notes: tuple[str, ...]


def read_item(item: Item, options: DecodeOptions, *, deep: bool) -> Decoded:
    """Read one row: a whole volume, or one of its slices.

    Args:
        item: One file, and which of the study's slices.
        options: As for images; ``reading["volume"]`` is the study's section.
        deep: Whether pixels are stored in 16 bits.

    Returns:
        The pixels, or why there are none; a damaged file raises nothing.

    Raises:
        NeedsSixteenBits: If ``deep`` is false: volumes are always stored in 16 bits.
    """
    if not deep:
        raise NeedsSixteenBits
    section = tuple((key, _hashable(value)) for key, value in sorted(options.reading["volume"].items()))
    if item.frame is None and options.dimensions == 3:
        volume = _open(item.names[0], section)
        return volume if isinstance(volume, Decoded) else _decoded(volume, volume_pixels(volume.prepared, options))
    volume = _open_again(item.names[0], section, _stamp(item.names[0]))
    if isinstance(volume, Decoded):
        return volume
    count = slice_count(volume.prepared.stored_depth, options.reading["volume"])
    if item.frame is None or item.frame >= count:
        return Decoded(b"", problem="cannot be read", detail="it changed after it was listed", format="NIfTI")
    if item.frame + 1 == count:
        _open_again.cache_clear()  # that was the last slice: its memory is free for the next volume
    return _decoded(volume, slice_pixels(volume.prepared, options, item.frame))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _stamp(name: str) -> tuple[int, int]:
    try:
        found = os.stat(name)
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1)  # slices of one volume follow each other
def _open_again(name: str, section: tuple[tuple[str, Any], ...], stamp: tuple[int, int]) -> "_Volume | Decoded":
    """Open a volume unless it was the last one; ``stamp`` tells a file that was changed since."""
    return _open(name, section)


def _open(name: str, section: tuple[tuple[str, Any], ...]) -> "_Volume | Decoded":
    """Read a volume and take the steps that its slices share, or say why that cannot be done."""
    told = dict(section)
    try:
        values, header, notes = read_volume(name)
        planes, spacing_mm = in_planes(values, header, told["axis"])
        prepared = prepare_volume(planes[..., None], spacing_mm, told)
    except VolumeProblem as problem:
        return Decoded(b"", problem="cannot be read", detail=str(problem), format="NIfTI")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return Decoded(b"", problem="damaged", format="NIfTI")
    except OSError:
        return Decoded(b"", problem="not readable", format="NIfTI")
    return _Volume(prepared, header, (planes.shape[2], planes.shape[1]), notes)


def _decoded(volume: _Volume, pixels: bytes | None) -> Decoded:
    return Decoded(
        b"",
        pixels,
        f"NIfTI volume of {volume.header.dtype.name}",
        volume.plane_px,
        problem="blank slice" if pixels is None else None,
        format="NIfTI",
        bits=8 * volume.header.dtype.itemsize,
        notes=volume.notes,
    )


def read_volume(name: str) -> tuple[npt.NDArray[np.float32], Header, tuple[str, ...]]:
    """Read the values of a file, with its slope and intercept.

    Returns:
        float32 [X Y Z] as stored, all finite; the header; codes of what is worth a note.

    Raises:
        VolumeProblem: If the file cannot be used.
        OSError: If it cannot be opened.
        EOFError: If it is shorter than a compressed file may be.
        zlib.error: If its compressed content is damaged.
    """
    with open_inflated(name) as stream:
        header = read_header(stream)
        content = _voxels(stream, header)
    stored = np.frombuffer(content, dtype=header.dtype).reshape(header.shape, order="F")
    precise = header.dtype.itemsize > 2 and header.dtype != np.dtype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        values: npt.NDArray[Any] = stored.astype(np.float64 if precise else np.float32)
        if (header.slope, header.intercept) != (1.0, 0.0):
            values = values * values.dtype.type(header.slope) + values.dtype.type(header.intercept)
        single = values.astype(np.float32, copy=False)
    return _finite(single, header)


def _finite(values: npt.NDArray[np.float32], header: Header) -> tuple[npt.NDArray[np.float32], Header, tuple[str, ...]]:
    """Replace what is no number by the lowest that is one."""
    notes = [] if header.affine is not None else ["no-orientation"]
    notes += [] if header.spacing_mm is not None else ["no-spacing"]
    finite = np.isfinite(values)
    if not finite.any():
        raise VolumeProblem("no voxel has a finite value")
    if not finite.all():
        values = np.where(finite, values, values[finite].min())
        notes.append("not-finite")
    return values, header, tuple(notes)


def _voxels(stream: IO[bytes], header: Header) -> bytearray:
    """Read what the header says and no more, block by block; then the rest of the file must be short.

    Reading to the end also checks the sum at the end of a compressed file.
    """
    _read_exactly(stream, header.offset - stream.tell())
    content = _read_exactly(stream, header.end - header.offset)
    surplus = len(stream.read(_SURPLUS_BYTES + 1))
    if surplus > _SURPLUS_BYTES:
        raise VolumeProblem(f"more than {_SURPLUS_BYTES} bytes stand behind the voxels that its header names")
    return content


def _read_exactly(stream: IO[bytes], wanted: int) -> bytearray:
    content = bytearray()
    while len(content) < wanted:
        block = stream.read(min(BLOCK_BYTES, wanted - len(content)))
        if not block:
            raise EOFError
        content += block
    return content


def middle_slices(manifest: Manifest, count: int = 12) -> list[npt.NDArray[np.uint8]]:
    """Return the middle axial slices of some volumes in 8 bits, [H W], for a first look.

    Args:
        manifest: Of kind ``"nifti"``.
        count: How many at most, evenly spread; files that cannot be read are left to the audit.
    """
    told = VolumeConfig().model_dump(mode="json")
    section = tuple((key, _hashable(value)) for key, value in sorted(told.items()))
    rows = np.linspace(0, len(manifest.rows) - 1, min(count, len(manifest.rows))).astype(int)
    found = []
    for path in manifest.rows["path"].gather(rows).to_list():
        volume = _open(join_path(manifest.root or Path(), manifest.files_of(path)[0]), section)
        if isinstance(volume, _Volume):
            values = volume.prepared.values
            found.append((values[len(values) // 2, ..., 0] >> 8).astype(np.uint8))
    return found
