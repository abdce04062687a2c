"""An image beside its map: overlay with a colour bar, outlines that also work in black and white, and the score."""

import base64
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage
from lossassay.biomarkers.heatmaps.gallery_file import strongest_place
from lossassay.reporting.heatmap_colours import Array, viridis

_QUALITY = 85  # WebP
_PANEL_PX = 224
_GAP_PX = 8
_LINE_PX = 18
_BAR_PX = 14
_BAR_ROOM_PX = 86
_WIDE_BAR_ROOM_PX = 100  # beside larger letters
_WORDS_PX = 72  # beside the slices of a volume
_OPACITY = 0.55
_STRONGEST_SHARE = 0.1  # of the places, inside the outline
_SMOOTH_PX = 5
_INK, _PAPER = (21, 24, 28), (255, 255, 255)


def picture(image: ExplainedImage, method: str, title: str) -> Image.Image:
    """Draw one image with one of its maps: as it is, with the map in colours, with the strongest places outlined.

    The colour bar goes from 0 to the largest value of this map; what speaks against the class is drawn as 0. A volume
    has a row for each of its axes, the slice through the strongest place of the map (of a map that is nowhere above 0,
    the middle one), all with the same colours. Marked regions have dotted outlines.

    Args:
        image: The image.
        method: Which map.
        title: Of the method.
    """
    heatmap = np.maximum(image.maps[method].astype(np.float64), 0)
    largest = float(heatmap.max())
    rows = list(_slices(image, heatmap / largest if largest > 0 else heatmap))
    words_px = _WORDS_PX if heatmap.ndim == 3 else 0
    width = 3 * _PANEL_PX + 2 * _GAP_PX + _BAR_ROOM_PX + words_px
    top = 2 * _LINE_PX + 4
    sheet = Image.new("RGB", (width, top + len(rows) * (_PANEL_PX + _GAP_PX) - _GAP_PX), _PAPER)
    for line, words in enumerate(caption(image, title)):
        ImageDraw.Draw(sheet).text((0, line * _LINE_PX), words, fill=_INK, font=ImageFont.load_default(13))
    for number, (words, pixels, values, region) in enumerate(rows):
        for column, panel in enumerate(_panels(pixels, values, region)):
            place = (column * (_PANEL_PX + _GAP_PX), top + number * (_PANEL_PX + _GAP_PX))
            sheet.paste(Image.fromarray(panel), place)
        if words:
            place = (width - _WORDS_PX, top + number * (_PANEL_PX + _GAP_PX))
            ImageDraw.Draw(sheet).multiline_text(place, words, fill=_INK, font=ImageFont.load_default(12))
    _colour_bar(sheet, width - words_px - _BAR_ROOM_PX + _GAP_PX, top, largest)
    return sheet


def small_picture(image: ExplainedImage, method: str) -> Image.Image:
    """Draw one flat image beside its map, which is laid over it in colours, with the strongest places outlined.

    Args:
        image: The image.
        method: Which map.
    """
    heatmap = np.maximum(image.maps[method].astype(np.float64), 0)
    largest = float(heatmap.max())
    values = heatmap / largest if largest > 0 else heatmap
    plain, mixed, _ = _panels(image.pixels, values, image.region)
    _outline(mixed, _strongest(values))
    sheet = Image.new("RGB", (2 * (_PANEL_PX + _GAP_PX) + _WIDE_BAR_ROOM_PX, _PANEL_PX), _PAPER)
    sheet.paste(Image.fromarray(plain), (0, 0))
    sheet.paste(Image.fromarray(mixed), (_PANEL_PX + _GAP_PX, 0))
    _colour_bar(sheet, 2 * (_PANEL_PX + _GAP_PX), 0, largest, letters_px=20)
    return sheet


def as_uri(drawn: Image.Image) -> Markup:
    """Return a picture as an address that holds it."""
    stream = BytesIO()
    drawn.save(stream, format="WEBP", quality=_QUALITY, method=4)
    return Markup("data:image/webp;base64,{}").format(base64.b64encode(stream.getvalue()).decode("ascii"))


def caption(image: ExplainedImage, title: str) -> tuple[str, str]:
    """Return the two lines above a picture, in characters that the built-in font has."""
    name = f"row {image.row}" if image.row is not None else f"image {image.number}"
    truth = f", labelled {_plain(image.label)}" if image.label else ""
    says = f"class {_plain(image.of_class)}: score {image.score:.2f}, probability {image.probability:.3f}"
    return f"{name}{truth}; {title}", says


def _plain(name: str) -> str:
    """Return a name as far as the built-in font can write it."""
    return name if all(ord(letter) < 0x250 for letter in name) else ascii(name)[1:-1]


def _slices(image: ExplainedImage, heatmap: Array) -> Iterator[tuple[str, Array, Array, Array | None]]:
    """Yield words, [H W C], [H W] and region of what is drawn."""
    if heatmap.ndim == 2:
        yield "", image.pixels, heatmap, image.region
        return
    for axis, place in enumerate(strongest_place(heatmap)):
        words = f"axis {axis + 1}:\nslice {place + 1}\nof {heatmap.shape[axis]}"
        yield words, np.take(image.pixels, place, axis), np.take(heatmap, place, axis), None


def _panels(pixels: Array, values: Array, region: Array | None) -> tuple[Array, Array, Array]:
    plain, fine = _enlarged(pixels), _fine(values)
    mixed = np.rint((1 - _OPACITY) * plain + _OPACITY * viridis(fine)).astype(np.uint8)
    outlined = plain.copy()
    _outline(outlined, _strongest(values))
    for panel in (mixed, outlined):
        if region is not None:
            _dotted(panel, _enlarged(region[..., None].astype(np.uint8))[..., 0] > 0)
    return plain, mixed, outlined


def _fine(values: Array) -> Array:
    enlarged = Image.fromarray(values.astype(np.float32)).resize((_PANEL_PX, _PANEL_PX), Image.Resampling.BILINEAR)
    return np.asarray(enlarged)


def _strongest(values: Array) -> Array:
    """Return the strongest places of a map [P P]; none of one that is nowhere above 0."""
    smooth = gaussian_filter(_fine(values), _SMOOTH_PX)  # else maps of single px have hundreds of outlines
    found: Array = (smooth >= np.quantile(smooth, 1 - _STRONGEST_SHARE)) & (smooth > 0)
    return found


def _enlarged(pixels: Array) -> Array:
    """Return [P P 3]; every px of the image stays visible where the panel is larger."""
    flat = np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    larger = max(flat.shape[:2]) <= _PANEL_PX
    way = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
    return np.array(Image.fromarray(flat).resize((_PANEL_PX, _PANEL_PX), way).convert("RGB"))


def _outline(panel: Array, mask: Array) -> None:
    """Draw a white line inside a black one around a mask: visible on any grey."""
    panel[binary_dilation(mask, iterations=2) & ~mask] = 0
    panel[mask & ~binary_erosion(mask, iterations=2, border_value=1)] = 255


def _dotted(panel: Array, mask: Array) -> None:
    edge = mask & ~binary_erosion(mask, iterations=2, border_value=1)
    down, along = np.indices(mask.shape)
    panel[edge] = np.where(((down + along) // 4 % 2 == 0)[edge][:, None], 255, 0)


def _colour_bar(sheet: Image.Image, left: int, top: int, largest: float, *, letters_px: int = 12) -> None:
    """Draw the colours with the values at both ends and in the middle."""
    ramp = viridis(np.linspace(1, 0, _PANEL_PX))[:, None, :].repeat(_BAR_PX, axis=1)
    sheet.paste(Image.fromarray(ramp), (left, top))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(letters_px)
    words = ((0.0, f"{largest:.3g}"), (0.5, f"{largest / 2:.3g}"), (1.0, "0"))
    for share, value in words:
        y = top + round(share * (_PANEL_PX - letters_px - 2))
        draw.text((left + _BAR_PX + 4, y), value, fill=_INK, font=font)
