"""A DICOM series, or the frames of one object, as one volume."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.decode import LARGEST_IMAGE_PX, Decoded, DecodeOptions, Item, NeedsSixteenBits
from lossassay.data.dicom.attributes import as_floats, as_int, as_text, of_frame
from lossassay.data.dicom.data_set import open_data_set, window_of
from lossassay.data.dicom.geometry import stack_of
from lossassay.data.dicom.pixels import check_image, num_frames, stored_pixels, to_eight_bits
from lossassay.data.dicom.reasons import TOO_FINE, UnreadableDicom
from lossassay.data.dicom.spacing import spacing_of
from lossassay.data.dicom.values import grey_rule, to_grey
from lossassay.data.volumes import fit_array, scale_axis

Array = npt.NDArray[Any]
Slices = list[tuple[Any, int | None]]  # data set and frame of each

UNEVEN = "DICOM series whose slices differ in size or colour"
LARGEST_VOLUME_PX = 8 * LARGEST_IMAGE_PX


def read_volume(item: Item, options: DecodeOptions, *, deep: bool) -> Decoded:
    """Stack slices in the order of their files, or frames in the order of their positions.

    All slices are shown with the rule (window, full range) that the middle one names: windows that follow each slice's
    own brightness would make a different volume of each. Axes are slice, row, column.

    Args:
        item: The files of a series in order, or one multi-frame object.
        options: As for `read_item`.
        deep: Whether pixels are stored in 16 bits.

    Raises:
        NeedsSixteenBits: If slices have more than 8 stored bits and ``deep`` is false.
        UnreadableDicom: If a slice cannot be read, or they do not fit together.
    """
    slices = _slices(item)
    middle, frame = slices[len(slices) // 2]
    bits = as_int(middle, "BitsStored") or as_int(middle, "BitsAllocated") or 8
    is_grey = (as_text(middle, "PhotometricInterpretation") or "").upper().startswith("MONOCHROME")
    if is_grey and bits > 8 and not deep:
        raise NeedsSixteenBits
    stored = [_stored(*one) for one in slices]
    if len({one.shape for one in stored}) > 1:
        raise UnreadableDicom(UNEVEN)
    values = np.stack(stored)
    if is_grey:
        volume = _grey(values, slices, len(slices) // 2, options)
    else:
        volume = to_eight_bits(values, bits)
    sides = _sides_mm(slices, middle, frame)
    volume = _evenly_spaced(volume, sides, options.spacing_mm or options.reading.get("volume", {}).get("spacing_mm"))
    fitted = fit_array(volume, options)
    if deep and fitted.dtype == np.uint8:
        fitted = fitted.astype(np.uint16) * 257
    words = ("16-bit " if bits > 8 else "") + ("grey" if is_grey else "RGB")
    size = stored[0].shape[1], stored[0].shape[0]
    return Decoded(b"", fitted.astype(fitted.dtype.newbyteorder("<")).tobytes(), words, size, format="DICOM", bits=bits)


def _slices(item: Item) -> Slices:
    """Return the data set and the frame of every slice."""
    data_sets = [open_data_set(name) for name in item.names]
    for data_set in data_sets:
        check_image(data_set, None)
    first = data_sets[0]
    slices: Slices = [(one, None) for one in data_sets] if len(data_sets) > 1 else _frames(first)
    pixels = (as_int(first, "Rows") or 0) * (as_int(first, "Columns") or 0) * len(slices)
    if pixels > LARGEST_VOLUME_PX:
        raise UnreadableDicom("", "too large")
    return slices


def _frames(data_set: Any) -> Slices:
    frames = range(num_frames(data_set))
    positions = [as_floats(of_frame(data_set, k, "PlanePositionSequence"), "ImagePositionPatient", 3) for k in frames]
    directions = [
        as_floats(of_frame(data_set, k, "PlaneOrientationSequence"), "ImageOrientationPatient", 6) for k in frames
    ]
    stack = stack_of(positions, directions)
    order = frames if stack is None or stack.doubles else stack.order
    return [(data_set, frame) for frame in order]


def _stored(data_set: Any, frame: int | None) -> Array:
    return stored_pixels(data_set, frame)


def _grey(values: Array, slices: Slices, middle: int, options: DecodeOptions) -> Array:
    """Return [D H W 1]: every slice by its own slope and intercept, all by one window."""
    window = options.reading.get("volume", {}).get("window") or window_of(options)
    rules = [grey_rule(data_set, frame, _as_window(window)) for data_set, frame in slices]
    same = {float(rule.modality(np.array([0.0]))[0]) for rule in rules} | {
        float(rule.modality(np.array([1.0]))[0]) - 1 for rule in rules
    }
    if len(same) <= 2:  # one slope and one intercept
        return to_grey(values, rules[middle])[..., None]
    rule = rules[middle]
    mapped = np.stack([own.modality(one) for own, one in zip(rules, values, strict=True)]).astype(np.float32)
    return to_grey(mapped, replace(rule, modality=lambda mapped: mapped, padding=None))[..., None]


def _as_window(window: Any) -> str | tuple[float, float]:
    return window if isinstance(window, str) else (float(window[0]), float(window[1]))


def _sides_mm(slices: Slices, middle: Any, frame: int | None) -> tuple[float, float, float] | None:
    """Return distance of slices, height and width of a pixel in mm; None where the files do not say."""
    spacing = spacing_of(middle, frame)
    if spacing is None:
        return None
    positions = [as_floats(of_frame(one, k, "PlanePositionSequence"), "ImagePositionPatient", 3) for one, k in slices]
    directions = [
        as_floats(of_frame(one, k, "PlaneOrientationSequence"), "ImageOrientationPatient", 6) for one, k in slices
    ]
    stack = stack_of(positions, directions)
    step = 0.0 if stack is None else stack.step_mm
    if step <= 0:
        source = of_frame(middle, frame, "PixelMeasuresSequence")
        told = as_floats(source, "SpacingBetweenSlices", 1) or as_floats(source, "SliceThickness", 1)
        step = abs(told[0]) if told else 0.0
    return (step, *spacing) if step > 0 else None


def _evenly_spaced(volume: Array, sides_mm: tuple[float, float, float] | None, target_mm: float | None) -> Array:
    """Scale a volume to voxels that are cubes: of ``target_mm``, else of the finest side."""
    if sides_mm is None:
        return volume
    side = target_mm or min(sides_mm)
    lengths = [max(1, round(length * own / side)) for length, own in zip(volume.shape[:3], sides_mm, strict=True)]
    if math.prod(lengths) > LARGEST_VOLUME_PX:
        raise UnreadableDicom(TOO_FINE)
    if tuple(lengths) == volume.shape[:3]:
        return volume
    values = volume.astype(np.float32)
    for axis, length in enumerate(lengths):
        values = scale_axis(values, axis, length)
    return np.clip(np.rint(values), 0, np.iinfo(volume.dtype).max).astype(volume.dtype)
