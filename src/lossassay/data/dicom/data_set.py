"""A DICOM file opened for its pixels, and the window that a study asks for."""

import os
from functools import lru_cache
from typing import Any

from lossassay.data.decode import DecodeOptions
from lossassay.data.dicom.attributes import tag_of
from lossassay.data.dicom.inflate import refuse_bomb
from lossassay.data.dicom.reasons import HEADER_DAMAGED, UnreadableDicom

# All that is ever read of a file besides its meta information: nothing here says whose image it is.
_READ = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelAspectRatio", "PixelSpacing"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("ImagerPixelSpacing", "NominalScannedPixelSpacing", "SequenceOfUltrasoundRegions"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SpacingBetweenSlices", "SliceThickness"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
)


def open_data_set(name: str, *, keep: bool = False) -> Any:
    """Read a whole file; ``keep`` it for the next call, because the frames of a row of rows are in one file.

    Raises:
        UnreadableDicom: If it is deflated and inflates to too much.
        OSError: If it cannot be opened.
    """
    if not keep:
        return _open(name)
    found = os.stat(name)
    return _kept(name, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1)
def _kept(name: str, _modified_ns: int, _size_bytes: int) -> Any:
    return _open(name)


def _open(name: str) -> Any:
    from pydicom import dcmread

    with open(name, "rb") as file:
        try:
            refuse_bomb(file)
            return dcmread(file, force=True, specific_tags=[tag_of(keyword) for keyword in _READ])
        except OSError:  # of a length that leads out of the file
            raise UnreadableDicom(HEADER_DAMAGED) from None


def window_of(options: DecodeOptions) -> str | tuple[float, float]:
    """Return the study's window: ``"file"``, ``"full"``, or (centre, width)."""
    window = options.reading.get("dicom", {}).get("window", "file")
    return window if isinstance(window, str) else (float(window[0]), float(window[1]))
