"""Stored numbers of one frame, decompressed by whatever pydicom finds installed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.decode import LARGEST_IMAGE_PX
from lossassay.data.dicom.attributes import as_int, as_text, tag_of
from lossassay.data.dicom.reasons import (
    BAD_PALETTE,
    BAD_VALUE,
    HEADER_DAMAGED,
    NO_PIXELS,
    NO_SUCH_FRAME,
    PRIVATE_SYNTAX,
    TOO_FEW_BYTES,
    TOO_MANY_BYTES,
    UnreadableDicom,
    lacking,
    undecodable,
)

Array = npt.NDArray[Any]

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NEEDED = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PhotometricInterpretation")
_FASTER = {"1.2.840.10008.1.2.4.50": "pillow"}  # baseline JPEG: the library in Pillow needs a fraction of the time


def num_frames(data_set: Any) -> int:
    """Return how many frames a data set says it has."""
    return max(1, as_int(data_set, "NumberOfFrames") or 1)


def check_image(data_set: Any, frame: int | None) -> None:
    """Refuse by the header alone what is no image, or too large to be decoded.

    Raises:
        UnreadableDicom: With the reason.
    """
    there = data_set.keys()
    if not any(tag_of(keyword) in there for keyword in _PIXEL_KEYWORDS):
        raise UnreadableDicom(NO_PIXELS)
    missing = [keyword for keyword in _NEEDED if tag_of(keyword) not in there]
    if missing:
        raise UnreadableDicom(lacking(missing))
    rows, columns = as_int(data_set, "Rows") or 0, as_int(data_set, "Columns") or 0
    if rows < 1 or columns < 1:
        raise UnreadableDicom(BAD_VALUE)
    if rows * columns > LARGEST_IMAGE_PX:
        raise UnreadableDicom("", "too large")
    if (frame or 0) >= num_frames(data_set):
        raise UnreadableDicom(NO_SUCH_FRAME)


def stored_pixels(data_set: Any, frame: int | None, *, luma: bool = False) -> Array:
    """Return the numbers of one frame: [H W], or [H W 3] in RGB where it has colours.

    Args:
        data_set: That `check_image` let pass.
        frame: Number of the frame; None: the first.
        luma: Whether colours stored as YBR may come as [H W], their Y: it is the grey of ITU-R 601 that colours
            become, before rounding.

    Raises:
        UnreadableDicom: If no installed decoder can read them.
    """
    from pydicom.pixels.decoders.base import get_decoder

    syntax = _transfer_syntax(data_set)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        is_public = not syntax.is_private and syntax.name != syntax
        raise UnreadableDicom(_named(syntax) if is_public else PRIVATE_SYNTAX) from None
    faster = _FASTER.get(str(syntax))
    for plugin in ([faster] if faster in decoder.available_plugins else []) + [""]:
        try:
            pixels, told = decoder.as_array(data_set, index=frame or 0, decoding_plugin=plugin, raw=luma)
            if not syntax.is_compressed:
                _check_length(data_set)
            if luma and str(told.get("photometric_interpretation")).startswith("YBR_FULL"):
                return np.ascontiguousarray(pixels[..., 0])
            return _with_palette(pixels, data_set)
        except (UnreadableDicom, MemoryError):
            raise
        except BaseException as error:  # a damaged stream can raise anything inside a decoder
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise  # only decoders in Rust have panics, which are no Exception
            reason = _reason(error, syntax)
    raise UnreadableDicom(reason)


def _check_length(data_set: Any) -> None:
    """Refuse twice the bytes that the header says, or more: with too few rows or columns images come out sheared."""
    keywords = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    bits = num_frames(data_set)
    for keyword in keywords:
        bits *= as_int(data_set, keyword) or 1
    if tag_of("PixelData") in data_set.keys() and len(data_set.PixelData) >= max(2 * bits // 8, 4):
        raise UnreadableDicom(TOO_MANY_BYTES)


def _transfer_syntax(data_set: Any) -> Any:
    """Return the transfer syntax; of old files without one, what their bytes turned out to be."""
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    named = as_text(data_set.file_meta, "TransferSyntaxUID")
    if named is None:
        is_implicit, is_little_endian = data_set.original_encoding
        explicit = ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian
        named = data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return UID(named)


def _named(syntax: Any) -> str:
    return undecodable(str(syntax.name))


def _reason(error: BaseException, syntax: Any) -> str:
    if not syntax.is_compressed and "less than expected" in str(error):
        return TOO_FEW_BYTES
    return _named(syntax) if syntax.is_compressed else HEADER_DAMAGED


def _with_palette(pixels: Array, data_set: Any) -> Array:
    if (as_text(data_set, "PhotometricInterpretation") or "").upper() != "PALETTE COLOR":
        return pixels
    from pydicom.pixels.processing import apply_color_lut

    try:
        low = int(pixels.min())
        table = np.asarray(apply_color_lut(np.arange(low, int(pixels.max()) + 1), data_set))[..., :3]
        table = table if table.dtype == np.uint8 else (table >> 8).astype(np.uint8)
        return np.take(table, pixels.astype(np.intp) - low, axis=0)
    except Exception:  # descriptors that contradict their data
        raise UnreadableDicom(BAD_PALETTE) from None


def to_eight_bits(colours: Array, bits: int) -> Array:
    """Return [H W 3] colours in uint8, which is all that colour is read in."""
    if colours.dtype == np.uint8:
        return colours
    return np.asarray(np.clip(colours >> max(0, bits - 8), 0, 255), dtype=np.uint8)
