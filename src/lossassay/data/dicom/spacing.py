"""How large a pixel is, and images brought to square pixels of one size."""

from typing import Any

from PIL import Image

from lossassay.data.decode import LARGEST_IMAGE_PX
from lossassay.data.dicom.attributes import as_floats, as_texts, item_of, of_frame
from lossassay.data.dicom.reasons import TOO_FINE, UnreadableDicom

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_SAME = 1e-3  # sides of a pixel that differ by less count as equal


def spacing_of(data_set: Any, frame: int | None) -> tuple[float, float] | None:
    """Return height and width of a pixel in mm; None where the file says nothing that can be used."""
    source = of_frame(data_set, frame, "PixelMeasuresSequence")
    for keyword in _SPACINGS:
        spacing = as_floats(source, keyword, 2)
        if spacing and min(spacing) > 0:
            return spacing[0], spacing[1]
    region = item_of(data_set, "SequenceOfUltrasoundRegions")
    if region is not None and as_texts(region, "PhysicalUnitsXDirection") == ("3",):  # cm
        sides = (*as_floats(region, "PhysicalDeltaY", 1), *as_floats(region, "PhysicalDeltaX", 1))
        if len(sides) == 2 and min(abs(side) for side in sides) > 0:
            return 10 * abs(sides[0]), 10 * abs(sides[1])
    return None


def aspect_of(data_set: Any, frame: int | None) -> tuple[float, float]:
    """Return height and width of a pixel in any unit: from its spacing, else its aspect ratio, else square."""
    spacing = spacing_of(data_set, frame)
    if spacing is not None:
        return spacing
    ratio = as_floats(data_set, "PixelAspectRatio", 2)
    return (ratio[0], ratio[1]) if ratio and min(ratio) > 0 else (1.0, 1.0)


def with_square_pixels(image: Image.Image, data_set: Any, frame: int | None, spacing_mm: float | None) -> Image.Image:
    """Scale an image to square pixels: of ``spacing_mm`` where the file knows its spacing, else of its finer side.

    Raises:
        UnreadableDicom: If it would become larger than any image may be.
    """
    known = spacing_of(data_set, frame) if spacing_mm is not None else None
    height, width = known or aspect_of(data_set, frame)
    side = spacing_mm if known is not None and spacing_mm is not None else min(height, width)
    if abs(height / side - 1) < _SAME and abs(width / side - 1) < _SAME:
        return image
    size = max(1.0, image.width * width / side), max(1.0, image.height * height / side)
    if size[0] * size[1] > LARGEST_IMAGE_PX:
        raise UnreadableDicom(TOO_FINE)
    return image.resize((round(size[0]), round(size[1])), Image.Resampling.BILINEAR)
