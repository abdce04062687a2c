"""Images that are arrays already, brought to the study's size block by block."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lossassay.data import preprocess
from lossassay.data.array_file import BLOCK_BYTES, create
from lossassay.data.arrays import image_blocks, image_members, load_digits
from lossassay.data.decode import DecodeOptions, digest
from lossassay.data.manifest import Manifest
from lossassay.data.slices import AXES, slice_count, slice_position, take_slice

Images = npt.NDArray[Any]

_GREY = np.array([299, 587, 114]) / 1000  # ITU-R 601, as for files


def write_arrays(
    manifest: Manifest, target: Path, options: DecodeOptions, *, on_progress: Callable[[int, int], None]
) -> list[str]:
    """Write every image of an .npz file, or the digits, into a new .npy file.

    Args:
        manifest: Of kind ``"npz"`` or ``"digits"``.
        target: The .npy file.
        options: Size, channels and the rest.
        on_progress: Called with the images done and in all.

    Returns:
        The digest of each image's pixels; empty for a slice that has one value only.
    """
    total = len(manifest.rows)
    pixel_type = load_digits()[0].dtype if manifest.root is None else image_members(manifest.root)[0].dtype
    shape = (total, *(options.image_size,) * manifest.dimensions, options.channels)
    offset = create(target, shape, pixel_type.newbyteorder("<"))
    digests: list[str] = []
    with target.open("r+b") as file:
        file.seek(offset)
        for block in _blocks(manifest):
            for image in block:
                for row in _images_of(image, manifest, options):
                    pixels = fit_array(row, options).tobytes()
                    file.write(pixels)
                    digests.append("" if _is_blank_slice(row, manifest) else digest(pixels).hex())
            on_progress(len(digests), total)
    return digests


def _images_of(stored: Images, manifest: Manifest, options: DecodeOptions) -> Iterator[Images]:
    """What rows are made of: the image or volume as it is, or the slices that the study takes of it."""
    if not _is_sliced(manifest):
        yield stored
        return
    told = options.reading["volume"]
    turned = np.moveaxis(stored, AXES.index(told["axis"]), 0)
    count = slice_count(len(turned), told)
    for frame in range(count):
        yield np.ascontiguousarray(take_slice(turned, slice_position(len(turned), frame, count), told["form"]))


def _is_sliced(manifest: Manifest) -> bool:
    return manifest.kind == "npz" and manifest.rows["frame"].null_count() == 0


def _is_blank_slice(image: Images, manifest: Manifest) -> bool:
    return _is_sliced(manifest) and bool(image.min() == image.max())


def _blocks(manifest: Manifest) -> Iterator[Images]:
    if manifest.root is None:
        yield load_digits()[0]
        return
    for member in image_members(manifest.root):
        yield from image_blocks(manifest.root, member, BLOCK_BYTES)


def fit_array(image: Images, options: DecodeOptions, spacing_mm: Sequence[float] | None = None) -> Images:
    """Bring one image or volume to the study's size and channels.

    Every axis is scaled with antialiasing in float32; a volume is padded, cut or stretched to a cube.

    Args:
        image: [H W C] or [D H W C], uint8 or uint16, C of 1, 3 or 4 (the fourth is transparency).
        options: Size, channels and the rest.
        spacing_mm: Distance of neighbouring pixels along each axis, by which the aspect is kept; None: equal.

    Returns:
        [S S C] or [S S S C] of the same type, in C order.
    """
    scale_to_type = 1 if image.dtype == np.uint8 else 257
    extent = image.shape[:-1]
    side = options.image_size
    fitted = _fitted_shape(extent, options, spacing_mm)
    if image.shape[-1] == options.channels and extent == fitted == (side,) * len(extent) and not options.preprocess:
        return np.ascontiguousarray(image)
    values = _to_channels(image.astype(np.float32), options, scale_to_type)
    if options.preprocess:
        values = preprocess.apply(np.rint(values).astype(image.dtype), options.preprocess).astype(np.float32)
        fitted = _fitted_shape(values.shape[:-1], options, spacing_mm)
    for axis, length in enumerate(fitted):
        values = scale_axis(values, axis, length)
    for axis in range(len(fitted)):
        values = _centre(values, axis, side, options.padding * scale_to_type)
    return np.clip(np.rint(values), 0, 255 * scale_to_type).astype(image.dtype)


def _to_channels(values: Images, options: DecodeOptions, scale_to_type: int) -> Images:
    if values.shape[-1] == 4:
        alpha = values[..., 3:] / (255 * scale_to_type)
        values = values[..., :3] * alpha + options.background * scale_to_type * (1 - alpha)
    if values.shape[-1] == options.channels:
        return values
    if options.channels == 3:
        return np.repeat(values, 3, axis=-1)
    return (values @ _GREY.astype(np.float32))[..., None]


def _fitted_shape(
    extent: tuple[int, ...], options: DecodeOptions, spacing_mm: Sequence[float] | None
) -> tuple[int, ...]:
    side = options.image_size
    if options.resize == "stretch":
        return (side,) * len(extent)
    if spacing_mm is None or len(set(spacing_mm)) == 1:
        sides: Sequence[float] = extent
    else:
        sides = [length * own for length, own in zip(extent, spacing_mm, strict=True)]
    scale = side / (max(sides) if options.resize == "pad" else min(sides))
    return tuple(max(1, round(length * scale)) for length in sides)


def scale_axis(values: Images, axis: int, length: int) -> Images:
    """Scale one axis with antialiasing: as the height of a flat image, in which every other axis is the width."""
    if values.shape[axis] == length:
        return values
    moved = np.moveaxis(values, axis, 0)
    flat = np.ascontiguousarray(moved.reshape(moved.shape[0], -1), dtype=np.float32)
    scaled = Image.fromarray(flat).resize((flat.shape[1], length), Image.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(scaled).reshape(length, *moved.shape[1:]), 0, axis)


def _centre(values: Images, axis: int, side: int, padding: int) -> Images:
    """Cut an axis to ``side``, or pad it, both from its centre."""
    missing = side - values.shape[axis]
    if missing <= 0:
        return values.take(range(-missing // 2, -missing // 2 + side), axis=axis)
    margins = [(0, 0)] * values.ndim
    margins[axis] = (missing // 2, missing - missing // 2)
    return np.pad(values, margins, constant_values=padding)
