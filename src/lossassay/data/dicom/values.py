"""Stored numbers of one grey frame to grey levels: modality, padding, window, and MONOCHROME1 turned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.dicom.attributes import as_floats, as_int, as_text, item_of, of_frame
from lossassay.data.dicom.window import FullRange, LookUp, Window, entries, voi_of

Values = npt.NDArray[Any]

_KEEPS_ITS_RANGE_BITS = 8  # up to here the full range is what the bits can hold, as in any image file


@dataclass(frozen=True, kw_only=True)
class GreyRule:
    """What a data set says of the numbers of one frame.

    Args:
        bits: That are stored.
        is_signed: Whether they are two's complement.
        modality: Stored numbers → values of the modality, float64.
        padding: Lowest and highest stored number that stands for "no image here"; None: none does.
        voi: What the file wants; None: the full range.
        is_inverted: Whether low values are white.
    """

    bits: int
    is_signed: bool
    modality: Callable[[Values], Values]
    padding: tuple[float, float] | None
    voi: Window | LookUp | None
    is_inverted: bool


def grey_rule(data_set: Any, frame: int | None, window: str | tuple[float, float]) -> GreyRule:
    """Read how a frame becomes grey.

    Args:
        data_set: Of the whole file.
        frame: Number of the frame; None: the only one.
        window: ``"file"``, ``"full"``, or (centre, width) in the units of the modality, LINEAR_EXACT.
    """
    if isinstance(window, str):
        voi = voi_of(data_set, frame) if window == "file" else None
    else:
        voi = Window(centre=window[0], width=window[1])
    return GreyRule(
        bits=as_int(data_set, "BitsStored") or as_int(data_set, "BitsAllocated") or 32,
        is_signed=as_int(data_set, "PixelRepresentation") == 1,
        modality=modality_of(data_set, frame),
        padding=_padding(data_set),
        voi=voi,
        is_inverted=(as_text(data_set, "PhotometricInterpretation") or "").upper() == "MONOCHROME1",
    )


def modality_of(data_set: Any, frame: int | None) -> Callable[[Values], Values]:
    """Return what makes values of the modality: the look-up table, else slope and intercept, else nothing."""
    item = item_of(data_set, "ModalityLUTSequence")
    descriptor = () if item is None else as_floats(item, "LUTDescriptor", 3)
    if item is not None and descriptor and item.get("LUTData") is not None:
        table = entries(item.LUTData, int(descriptor[0]) or 65_536).astype(np.float64)
        return lambda stored: table[np.clip(stored.astype(np.int64) - int(descriptor[1]), 0, len(table) - 1)]
    source = of_frame(data_set, frame, "PixelValueTransformationSequence")
    slope = (as_floats(source, "RescaleSlope") or (1.0,))[0] or 1.0  # a slope of 0 would leave nothing
    intercept = (as_floats(source, "RescaleIntercept") or (0.0,))[0]
    return lambda stored: stored * np.float64(slope) + intercept


def _padding(data_set: Any) -> tuple[float, float] | None:
    value = as_floats(data_set, "PixelPaddingValue", 1)
    if not value:
        return None
    limit = as_floats(data_set, "PixelPaddingRangeLimit", 1) or value
    return min(value[0], limit[0]), max(value[0], limit[0])


def to_grey(stored: Values, rule: GreyRule) -> Values:
    """Return uint8 (up to 8 stored bits) or uint16 [H W] of the numbers of one frame.

    Every different number is mapped once where that is less work than mapping every pixel. Padding is black. Without a
    window the range goes from the lowest to the highest value of the frame; numbers of up to 8 bits keep the range
    that their bits can hold, so that an image without a window is as it would be in a PNG file.
    """
    if stored.dtype.kind not in "iub":
        return _map(stored, rule, None)
    low, high = int(stored.min()), int(stored.max())
    if high - low >= stored.size:
        return _map(stored, rule, None)
    places = stored.astype(np.intp)
    places -= low
    present = None if rule.padding is None else _present(places, high - low + 1)
    return np.take(_map(np.arange(low, high + 1), rule, present), places)


def _present(places: Values, count: int) -> Values:
    found = np.zeros(count, dtype=bool)
    found[places] = True
    return found


def _map(numbers: Values, rule: GreyRule, present: Values | None) -> Values:
    values = rule.modality(numbers)
    is_padding = None if rule.padding is None else (numbers >= rule.padding[0]) & (numbers <= rule.padding[1])
    shown = rule.voi or _full_range(values, rule, is_padding, present)
    grey = shown.grey(values)
    if rule.is_inverted:
        grey = 1 - grey
    if is_padding is not None:
        grey = np.where(is_padding, 0.0, grey)
    highest, kind = (255, np.uint8) if rule.bits <= _KEEPS_ITS_RANGE_BITS else (65_535, np.uint16)
    return np.asarray(np.rint(np.nan_to_num(grey) * highest), dtype=kind)


def _full_range(values: Values, rule: GreyRule, is_padding: Values | None, present: Values | None) -> FullRange:
    if rule.bits <= _KEEPS_ITS_RANGE_BITS:
        lowest = -(2 ** (rule.bits - 1)) if rule.is_signed else 0
        ends = rule.modality(np.array([lowest, lowest + 2**rule.bits - 1]))
        return FullRange(low=float(ends.min()), high=float(ends.max()))
    counted = np.isfinite(values) if is_padding is None else np.isfinite(values) & ~is_padding
    counted = counted if present is None else counted & present
    kept = values[counted]
    return FullRange(low=float(kept.min()), high=float(kept.max())) if kept.size else FullRange(low=0, high=0)
