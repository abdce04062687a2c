"""One row of a DICOM study → its pixels at the study's size. Runs in the processes that decode."""

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lossassay.data.decode import Decoded, DecodeOptions, Item, NeedsSixteenBits, fit_image
from lossassay.data.dicom.attributes import as_int, as_text
from lossassay.data.dicom.data_set import open_data_set, window_of
from lossassay.data.dicom.extra import quietly, require_pydicom
from lossassay.data.dicom.pixels import check_image, num_frames, stored_pixels, to_eight_bits
from lossassay.data.dicom.reasons import HEADER_DAMAGED, UnreadableDicom
from lossassay.data.dicom.spacing import spacing_of, with_square_pixels
from lossassay.data.dicom.values import grey_rule, to_grey
from lossassay.data.dicom.volume import read_volume

Array = npt.NDArray[Any]


def read_item(item: Item, options: DecodeOptions, *, deep: bool) -> Decoded:
    """Read one image, one frame of an object, or one series as a volume.

    Args:
        item: Its file or files, and the frame.
        options: Size, channels and the rest; ``reading["dicom"]`` has `unit` and `window`.
        deep: Whether pixels are stored in 16 bits.

    Returns:
        The pixels, or the problem: a damaged file raises nothing.

    Raises:
        NeedsSixteenBits: If the image is grey with more than 8 stored bits and ``deep`` is false.
        DataError: If pydicom is not installed.
    """
    require_pydicom()
    read = read_volume if options.dimensions == 3 else _read_image
    try:
        with quietly():
            one: Decoded = read(item, options, deep=deep)
            return one
    except (NeedsSixteenBits, MemoryError):
        raise
    except UnreadableDicom as error:
        return Decoded(b"", problem=error.problem, detail=error.detail, format="DICOM")
    except OSError:
        return Decoded(b"", problem="not readable", format="DICOM")
    except Exception:  # a damaged file can raise anything inside a parser
        return Decoded(b"", problem="cannot be read", detail=HEADER_DAMAGED, format="DICOM")


def _read_image(item: Item, options: DecodeOptions, *, deep: bool) -> Decoded:
    data_set = open_data_set(item.names[0], keep=item.frame is not None)
    check_image(data_set, item.frame)
    is_grey = (as_text(data_set, "PhotometricInterpretation") or "").upper().startswith("MONOCHROME")
    bits = as_int(data_set, "BitsStored") or as_int(data_set, "BitsAllocated") or 8
    if is_grey and bits > 8 and not deep:
        raise NeedsSixteenBits
    stored = stored_pixels(data_set, item.frame, luma=options.channels == 1 and not options.preprocess)
    if is_grey and stored.ndim == 2:
        pixels = to_grey(stored, grey_rule(data_set, item.frame, window_of(options)))
    else:
        pixels = stored if stored.dtype == np.uint8 else to_eight_bits(stored, bits)
    image = as_image(_preprocessed(pixels, options))
    image = with_square_pixels(image, data_set, item.frame, options.spacing_mm)
    spacing = spacing_of(data_set, item.frame)
    at_scale = options.spacing_mm is not None and spacing is not None
    return Decoded(
        b"",
        fit_image(image, options._replace(resize="keep") if at_scale else options, deep=deep),
        _mode(data_set, bits, is_grey),
        (stored.shape[1], stored.shape[0]),
        frames=1 if item.frame is not None else num_frames(data_set),
        format="DICOM",
        bits=bits,
        notes=("no-pixel-spacing",) if options.spacing_mm is not None and spacing is None else (),
        spacing_mm=0.0 if spacing is None else spacing[0],
    )


def as_image(pixels: Array) -> Image.Image:
    """Return grey or RGB of 8 bits as it is, and 16 bits as floating point, which Pillow can scale."""
    return Image.fromarray(np.ascontiguousarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)))


def _preprocessed(pixels: Array, options: DecodeOptions) -> Array:
    if not options.preprocess:
        return pixels
    apply = import_module("lossassay.data.preprocess").apply  # needs an extra of its own
    image = apply(pixels if pixels.ndim == 3 else pixels[..., None], options.preprocess)
    return np.asarray(image[..., 0] if image.shape[-1] == 1 else image)


def _mode(data_set: Any, bits: int, is_grey: bool) -> str:
    if not is_grey and (as_text(data_set, "PhotometricInterpretation") or "").upper() == "PALETTE COLOR":
        return "palette"
    return ("16-bit " if bits > 8 else "") + ("grey" if is_grey else "RGB")
