"""A volume of any numeric type → the study's pixels: grey levels, voxel size, crop, slices, size."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lossassay.data.decode import DecodeOptions
from lossassay.data.slices import slice_count, slice_position, take_slice
from lossassay.data.volumes import fit_array, scale_axis

Values = npt.NDArray[Any]
Spacing = tuple[float, float, float]

DEEPEST = 65_535  # volumes are stored in 16 bits, whatever their files hold
LARGEST_VOXELS = 2**28  # 1 GiB as float32: a computed tomography of 512 x 512 x 1024
_CROP_MARGIN = 0.05  # of the foreground's box, on each side
_HISTOGRAM_BINS = 256


class VolumeProblem(ValueError):
    """A volume that cannot be used; its text is the reason, without the file's name."""


class Prepared(NamedTuple):
    """A volume whose grey levels, voxels and extent are the study's, before its slices are taken.

    Args:
        values: uint16 [D H W C].
        spacing_mm: Of D, H and W; None: not known, and taken as equal.
        stored_depth: How many slices it had before; the study's slices are spread over as many.
    """

    values: Values
    spacing_mm: Spacing | None
    stored_depth: int


def finish_volume(
    values: Values, spacing_mm: Spacing | None, options: DecodeOptions, *, frame: int | None = None
) -> bytes | None:
    """Bring a volume, or one of its slices, to the study's pixels.

    Args:
        values: [D H W C] of any numeric type, slices along D.
        spacing_mm: Distance of neighbouring voxels along D, H and W; None: not known.
        options: With the study's ``volume`` section in ``reading["volume"]``.
        frame: Which of the slices that the study takes; None: the whole volume.

    Returns:
        Little-endian uint16 in C order, [S S S C] or [S S C]; None for a slice that has one value only.

    Raises:
        VolumeProblem: If there is nothing to see, or the voxel size that the study asks for cannot be reached.
    """
    prepared = prepare_volume(values, spacing_mm, options.reading["volume"])
    return volume_pixels(prepared, options) if frame is None else slice_pixels(prepared, options, frame)


def prepare_volume(values: Values, spacing_mm: Spacing | None, told: Mapping[str, Any]) -> Prepared:
    """Turn values into 16-bit grey levels, resample, crop; the steps that all slices of a volume share.

    Args:
        values: [D H W C].
        spacing_mm: Of D, H and W; None: not known.
        told: The study's ``volume`` section as plain data.

    Raises:
        VolumeProblem: As for `finish_volume`.
    """
    levels = _levels(values, told)
    if told["spacing_mm"] is not None:
        levels, spacing_mm = _resampled(levels, spacing_mm, float(told["spacing_mm"]))
    stored = np.rint(levels).astype("<u2")
    if stored.min() == stored.max():
        raise VolumeProblem("all its values are one grey level of the study")
    if told["crop"] == "foreground":
        stored = np.ascontiguousarray(stored[foreground_box(stored)])
    return Prepared(stored, spacing_mm, len(values))


def volume_pixels(prepared: Prepared, options: DecodeOptions) -> bytes:
    """Return the whole volume as a cube, [S S S C]."""
    return fit_array(prepared.values, options, prepared.spacing_mm).astype("<u2").tobytes()


def slice_pixels(prepared: Prepared, options: DecodeOptions, frame: int) -> bytes | None:
    """Return one of the slices that the study takes, [S S C]; None if it has one value only.

    Args:
        prepared: The volume.
        options: With the number of slices in ``reading["volume"]``; None there: all that are stored.
        frame: From 0.
    """
    told = options.reading["volume"]
    position = slice_position(len(prepared.values), frame, slice_count(prepared.stored_depth, told))
    image = take_slice(prepared.values, position, told["form"])
    if image.min() == image.max():
        return None
    in_plane = None if prepared.spacing_mm is None else prepared.spacing_mm[1:]
    return fit_array(image, options, in_plane).astype("<u2").tobytes()


def _levels(values: Values, told: Mapping[str, Any]) -> Values:
    """Clip to the window or to percentiles, and stretch to 0 … 65535 in float32."""
    values = np.asarray(values, dtype=np.float32)
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        raise VolumeProblem(f"every voxel has the value {lowest:g}")
    if told["window"] is not None:
        centre, width = told["window"]
        low, high = centre - width / 2, centre + width / 2
        if lowest >= high or highest <= low:
            raise VolumeProblem(f"all values, {lowest:g} to {highest:g}, are outside the window {low:g} to {high:g}")
    else:
        low, high = (float(limit) for limit in np.percentile(values, told["clip"]))
        if low >= high:  # a mask, whose few voxels the percentiles would cut off
            low, high = lowest, highest
    levels = np.clip(values, low, high)
    levels -= np.float32(low)
    stretch = DEEPEST / (high - low)
    if stretch > float(np.finfo(np.float32).max):  # all values lie within 2e-34
        return np.asarray(levels * np.float64(stretch), dtype=np.float32)
    levels *= np.float32(stretch)
    return np.clip(levels, 0, DEEPEST, out=levels)


def _resampled(levels: Values, spacing_mm: Spacing | None, wanted_mm: float) -> tuple[Values, Spacing]:
    """Scale every axis to voxels of one size; shrinking averages."""
    if spacing_mm is None:
        raise VolumeProblem("its voxel size is not known, and data.volume.spacing_mm asks for one")
    lengths = [
        max(1, round(length * own / wanted_mm)) for length, own in zip(levels.shape[:3], spacing_mm, strict=True)
    ]
    if np.prod(lengths, dtype=np.float64) * levels.shape[-1] > LARGEST_VOXELS:
        extent = " x ".join(map(str, lengths))
        raise VolumeProblem(f"at {wanted_mm:g} mm it would have {extent} voxels, more than {LARGEST_VOXELS}")
    for axis, length in enumerate(lengths):
        levels = scale_axis(levels, axis, length)
    return levels, (wanted_mm, wanted_mm, wanted_mm)


def foreground_box(stored: Values) -> tuple[slice, slice, slice]:
    """Return the box around all voxels above Otsu's threshold, with a margin of 5 % of its sides.

    This is simple on purpose: a bright table or a label in the picture is foreground, too.

    Args:
        stored: uint16 [D H W C].
    """
    above: npt.NDArray[np.bool_] = np.asarray((stored > otsu_threshold(stored)).any(axis=-1))
    box = []
    for axis in range(3):
        found = np.flatnonzero(np.moveaxis(above, axis, 0).reshape(above.shape[axis], -1).any(axis=1))
        first, last = int(found[0]), int(found[-1]) + 1
        margin = round(_CROP_MARGIN * (last - first))
        box.append(slice(max(0, first - margin), min(above.shape[axis], last + margin)))
    return (box[0], box[1], box[2])


def otsu_threshold(stored: Values) -> int:
    """Return the grey level that parts dark from bright with the largest variance between the two.

    Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9 (1979), equation 18, on 256 bins.

    Args:
        stored: uint16, with two different values or more.

    Returns:
        The largest grey level that counts as dark; some voxel is above it.
    """
    bin_width = (DEEPEST + 1) // _HISTOGRAM_BINS
    counts = np.bincount((stored // bin_width).ravel(), minlength=_HISTOGRAM_BINS).astype(np.float64)
    dark = np.cumsum(counts)
    dark_sum = np.cumsum(counts * np.arange(_HISTOGRAM_BINS))
    bright = dark[-1] - dark
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (dark_sum[-1] * dark - dark_sum * dark[-1]) ** 2 / (dark * bright)
    chosen = int(np.nanargmax(np.where((dark > 0) & (bright > 0), between, -1.0)))
    threshold = (chosen + 1) * bin_width - 1
    return min(threshold, int(stored.max()) - 1)
