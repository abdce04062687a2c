"""The bytes of one image file → its pixels at the study's size. Needs Pillow only, so that a worker starts at once."""

import hashlib
import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from PIL import Image, UnidentifiedImageError

from lossassay.data.jpeg_quality import jpeg_quality
from lossassay.data.quick import Plan, decode_jpeg, decode_png, plan_jpeg, plan_png

# Raised by any change that gives other pixels for the same file; part of every cache key.
DECODER_VERSION = 1

# What is larger is refused by its header alone: a few kilobytes can claim to be gigabytes of pixels.
LARGEST_IMAGE_PX = 89_478_485  # 256 MiB of RGB, as in Pillow

_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"RIFF")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")

Problem = Literal[
    "empty", "no image", "damaged", "too large", "unsupported pixels", "not readable", "cannot be read", "blank slice"
]

_MODE_NAMES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "RGB": "RGB",
    "RGBA": "RGB with transparency",
    "P": "palette",
    "PA": "palette",
    "CMYK": "CMYK",
    "I;16": "16-bit grey",
    "I;16B": "16-bit grey",
    "I;16L": "16-bit grey",
    "I": "16-bit grey",
}


class DecodeOptions(NamedTuple):
    """How every image becomes the same array; the meaning is that of the study's data section.

    Args:
        image_size: Side in px.
        channels: 1 or 3.
        resize: ``"pad"`` keeps the aspect and adds a border, ``"crop"`` keeps it and cuts, ``"stretch"`` does not;
            ``"keep"`` does not scale at all, and cuts or pads at the centre.
        padding: Grey value of the border, 0 to 255.
        background: Grey value behind transparent pixels, 0 to 255.
        dimensions: 2, or 3 for cubes.
        spacing_mm: To which pixels of known spacing are brought first; None: as stored.
        preprocess: Names of presets (`data.preprocess`), in their order.
        reading: What the reader of this kind of file is told besides, as plain data.
    """

    image_size: int
    channels: int
    resize: str
    padding: int
    background: int
    dimensions: int = 2
    spacing_mm: float | None = None
    preprocess: tuple[str, ...] = ()
    reading: Mapping[str, Any] = MappingProxyType({})

    def as_facts(self) -> dict[str, Any]:
        """Return what names the result: whatever is as it is for plain images stays out, so that old names hold."""
        plain = DecodeOptions(self.image_size, self.channels, self.resize, self.padding, self.background)._asdict()
        own = self._asdict() | {"reading": dict(self.reading), "preprocess": tuple(self.preprocess)}
        return {key: value for key, value in own.items() if key in self._fields[:5] or value != plain[key]}


class Item(NamedTuple):
    """What one row is read from.

    Args:
        names: Its files, as the system understands them; several for a series.
        frame: Which frame or slice; None: the whole.
    """

    names: tuple[str, ...]
    frame: int | None = None


class Decoded(NamedTuple):
    """One file after decoding.

    Args:
        content: BLAKE2b digest of the file's bytes.
        pixels: [H W C] in C order, uint8 or (deep) little-endian uint16; None: it cannot be read.
        mode: What the file holds, in words.
        size: Width and height in px, as stored.
        frames: How many images the file holds; the first one is read.
        problem: Why it cannot be read: a name of `decoding.PROBLEMS`.
        detail: The reason in words, where the problem has many.
        format: ``"PNG"``, ``"JPEG"``, ``"DICOM"`` ….
        jpeg_quality: 1 to 100, estimated from its tables; 0: no JPEG.
        bits: Of one channel, as stored.
        notes: Codes of what is worth a note though it can be read (`decoding.NOTES`).
        spacing_mm: Height of a pixel, as stored; 0: not known.
    """

    content: bytes
    pixels: bytes | None = None
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    frames: int = 1
    problem: Problem | None = None
    detail: str = ""
    format: str = ""
    jpeg_quality: int = 0
    bits: int = 8
    notes: tuple[str, ...] = ()
    spacing_mm: float = 0.0


class NeedsSixteenBits(Exception):
    """A 16-bit image came up while pixels were stored in 8 bits."""


def digest(content: bytes) -> bytes:
    """Return the 16-byte BLAKE2b digest that stands for a content."""
    return hashlib.blake2b(content, digest_size=16).digest()


def decode(content: bytes, options: DecodeOptions, *, deep: bool) -> Decoded:
    """Decode one image file.

    Transparent pixels are laid over the background, EXIF orientation is applied, colours become ITU-R 601 grey where
    one channel is asked for. Shrinking averages: by whole factors in the decoder (JPEG) and by area, then bilinearly.
    16-bit grey keeps its depth; 16-bit colour is read in 8 bits, which is all that Pillow gives.

    Args:
        content: The bytes of the file.
        options: Size, channels and the rest.
        deep: Whether pixels are stored in 16 bits; 8-bit values are then multiplied by 257.

    Returns:
        The pixels, or the problem: a damaged file raises nothing.

    Raises:
        NeedsSixteenBits: If the file has 16 bits and ``deep`` is false.
    """
    identity = digest(content)
    if not content:
        return Decoded(identity, problem="empty")
    plain = None if options.preprocess else _decode_plain(identity, content, options, deep)
    return plain or _decode_any(identity, content, options, deep)


def _decode_plain(identity: bytes, content: bytes, options: DecodeOptions, deep: bool) -> Decoded | None:
    """Decode a plain PNG or JPEG file; None if it is not that, or not intact."""
    target = "L" if options.channels == 1 else "RGB"
    try:
        plan = plan_png(content)
        if plan is not None and _is_allowed(plan.size):
            return _plain(identity, plan, decode_png(plan), options, deep)
        plan = plan_jpeg(content)
        if plan is not None and _is_allowed(plan.size):
            image = decode_jpeg(plan, target, _fitted_size(plan.size, options))
            return _plain(identity, plan, image, options, deep)
    except MemoryError:
        raise
    except Exception:  # the general way says what is wrong
        return None
    return None


def _is_allowed(size: tuple[int, int]) -> bool:
    return size[0] * size[1] <= LARGEST_IMAGE_PX


def _plain(identity: bytes, plan: Plan, image: Image.Image, options: DecodeOptions, deep: bool) -> Decoded:
    pixels = _fit(_flatten(image, options), options, options.padding).tobytes()
    pixels = _doubled(pixels) if deep else pixels
    quality = jpeg_quality(plan.content) if plan.format == "JPEG" else 0
    return Decoded(identity, pixels, _MODE_NAMES[plan.mode], plan.size, format=plan.format, jpeg_quality=quality)


def _decode_any(identity: bytes, content: bytes, options: DecodeOptions, deep: bool) -> Decoded:
    """Decode a file of any format, or say why it cannot be."""
    from PIL import (  # noqa: F401 - Image.open knows them once imported; plain files start faster without
        BmpImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if not _is_allowed(image.size):
                return Decoded(identity, problem="too large", size=image.size)
            found = _decode(identity, image, options, deep)
            return found._replace(jpeg_quality=jpeg_quality(content)) if found.format == "JPEG" else found
    except (NeedsSixteenBits, MemoryError):
        raise
    except UnidentifiedImageError:
        return Decoded(identity, problem="damaged" if content.startswith(_SIGNATURES) else "no image")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Decoded(identity, problem="too large")
    except Exception:  # a damaged file can raise anything inside a decoder
        return Decoded(identity, problem="damaged")


def _decode(identity: bytes, image: Image.Image, options: DecodeOptions, deep: bool) -> Decoded:
    mode, size, frames = _mode_name(image), image.size, getattr(image, "n_frames", 1)
    kind, bits = image.format or "", 16 if mode.startswith("16-bit") else 1 if image.mode == "1" else 8
    if image.format == "JPEG" and not options.preprocess:  # presets see a file at its own size
        image.draft("L" if options.channels == 1 else None, _fitted_size(size, options))
    image.load()
    if image.mode == "F" or (image.mode == "I" and not _fits_sixteen_bits(image)):
        return Decoded(identity, mode=mode, size=size, problem="unsupported pixels")
    sixteen_bits = image.mode.startswith("I")
    if sixteen_bits and not deep:
        raise NeedsSixteenBits
    if image.getexif().get(0x0112, 1) != 1:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    if sixteen_bits:
        pixels = _sixteen_bit_pixels(image, options)
    else:
        pixels = _fit(_preset(_flatten(image, options), options), options, options.padding).tobytes()
        pixels = _doubled(pixels) if deep else pixels
    return Decoded(identity, pixels, mode, size, frames, format=kind, bits=bits)


def _preset(image: Image.Image, options: DecodeOptions) -> Image.Image:
    """Apply the study's presets to grey or RGB in 8 bits, or to grey in 16 bits that stands in mode F."""
    if not options.preprocess:
        return image
    import numpy as np  # here, as below

    from lossassay.data import preprocess

    deep = image.mode == "F"
    values = np.asarray(image)
    values = np.clip(np.rint(values), 0, 65_535).astype(np.uint16) if deep else values
    found = preprocess.apply(values[..., None] if values.ndim == 2 else values, options.preprocess)
    flat = found[..., 0] if found.shape[-1] == 1 else found
    return Image.fromarray(flat.astype(np.float32) if deep else flat)


def _mode_name(image: Image.Image) -> str:
    name = _MODE_NAMES.get(image.mode, image.mode)
    tiles = getattr(image, "tile", None)
    deep_colour = image.mode in ("RGB", "RGBA", "LA") and tiles and "16" in str(tiles[0][3])
    return f"16-bit {name}" if deep_colour else name


def _fits_sixteen_bits(image: Image.Image) -> bool:
    low, high = image.getextrema()
    return isinstance(low, int | float) and isinstance(high, int | float) and low >= 0 and high <= 65_535


def _flatten(image: Image.Image, options: DecodeOptions) -> Image.Image:
    """Turn any 8-bit image into grey or RGB without transparency."""
    target = "L" if options.channels == 1 else "RGB"
    if image.mode == target and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = Image.new(target, image.size, (options.background,) * options.channels)
        flat.paste(image.convert(target), mask=image.getchannel("A"))
        return flat
    if image.mode in ("P", "PA", "CMYK"):
        image = image.convert("RGB")
    return image if image.mode == target else image.convert(target)


def _fitted_size(size: tuple[int, int], options: DecodeOptions) -> tuple[int, int]:
    """Width and height after scaling, before a border is added or cut."""
    side = options.image_size
    if options.resize == "keep":
        return size
    if options.resize == "stretch":
        return side, side
    scale = side / (max(size) if options.resize == "pad" else min(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fit(image: Image.Image, options: DecodeOptions, padding: int) -> Image.Image:
    """Scale an image and pad or cut it to a square."""
    side = options.image_size
    fitted = _fitted_size(image.size, options)
    if fitted != image.size:
        image = _resize(image, fitted)
    if fitted == (side, side):
        return image
    left, top = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    if options.resize == "crop":
        return image.crop((-left, -top, side - left, side - top))
    square = Image.new(image.mode, (side, side), (padding,) * len(image.getbands()))
    square.paste(image, (left, top))
    return square


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Average whole factors, then weigh bilinearly what remains: five times as fast as weights over all pixels."""
    factor = image.width // size[0], image.height // size[1]
    if (size[0] * factor[0], size[1] * factor[1]) == image.size:
        return image.reduce(factor)  # nothing remains; as below, without its copy
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)


def _doubled(pixels: bytes) -> bytes:
    """Multiply 8-bit values by 257: both bytes of the 16 are the value."""
    doubled = bytearray(2 * len(pixels))
    doubled[0::2] = pixels
    doubled[1::2] = pixels
    return bytes(doubled)


def _sixteen_bit_pixels(image: Image.Image, options: DecodeOptions) -> bytes:
    import numpy as np  # here, because workers seldom need it and start in half the time without it

    if getattr(image, "tag_v2", {}).get(262) == 0:  # TIFF with white as zero; Pillow turns 8-bit files only
        grey = Image.fromarray(np.float32(65_535) - np.asarray(image.convert("F")))
    else:
        grey = image.convert("F")
    values = np.asarray(_fit(_preset(grey, options), options, options.padding * 257))
    rounded = np.clip(np.rint(values), 0, 65_535).astype("<u2")
    return bytes(rounded.repeat(options.channels).tobytes())


def fit_image(image: Image.Image, options: DecodeOptions, *, deep: bool) -> bytes:
    """Return the pixels of an open image at the study's size and channels, as a file's are.

    Args:
        image: 8 bits in any mode, or floating point from 0 to 65,535, which needs ``deep``.
        options: Size, channels and the rest.
        deep: Whether pixels are stored in 16 bits; 8-bit values are then multiplied by 257.
    """
    if image.mode == "F":
        return _sixteen_bit_pixels(image, options)
    pixels = _fit(_flatten(image, options), options, options.padding).tobytes()
    return _doubled(pixels) if deep else pixels
