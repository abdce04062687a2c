"""Every way of storing an image gives the pixels that it shows; every broken file is told apart."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lossassay.data import decode as module
from lossassay.data.decode import Decoded, DecodeOptions, NeedsSixteenBits, decode

SIZE = 32
GREY = np.linspace(0, 255, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint8)
COLOURS = np.stack([GREY, GREY[::-1], GREY.T], axis=-1)
TO_GREY = np.array([299, 587, 114]) / 1000


def options(**changes: Any) -> DecodeOptions:
    return DecodeOptions(
        **{"image_size": SIZE, "channels": 1, "resize": "pad", "padding": 0, "background": 255} | changes
    )


def stored(image: Image.Image, kind: str = "PNG", **save: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def pixels(content: bytes, *, deep: bool = False, **changes: Any) -> np.ndarray:
    chosen = options(**changes)
    found = decode(content, chosen, deep=deep)
    assert found.problem is None, found.problem
    assert found.pixels is not None
    flat = np.frombuffer(found.pixels, "<u2" if deep else "u1")
    return flat.reshape(chosen.image_size, chosen.image_size, chosen.channels).astype(int)


def palette() -> Image.Image:
    image = Image.fromarray(GREY // 64, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255])
    return image


FILES = {
    "grey png": (stored(Image.fromarray(GREY)), GREY),
    "grey bmp": (stored(Image.fromarray(GREY), "BMP"), GREY),
    "grey tiff": (stored(Image.fromarray(GREY), "TIFF"), GREY),
    "grey tiff, white is zero": (stored(Image.fromarray(GREY), "TIFF", tiffinfo={262: 0}), GREY),
    "grey webp": (stored(Image.fromarray(GREY), "WEBP", lossless=True), GREY),
    "rgb png": (stored(Image.fromarray(COLOURS)), COLOURS @ TO_GREY),
    "rgb bmp": (stored(Image.fromarray(COLOURS), "BMP"), COLOURS @ TO_GREY),
    "rgb tiff": (stored(Image.fromarray(COLOURS), "TIFF"), COLOURS @ TO_GREY),
    "rgb webp": (stored(Image.fromarray(COLOURS), "WEBP", lossless=True), COLOURS @ TO_GREY),
    "1 bit png": (stored(Image.fromarray(GREY > 127)), (GREY > 127) * 255),
    "1 bit bmp": (stored(Image.fromarray(GREY > 127), "BMP"), (GREY > 127) * 255),
    "1 bit tiff": (stored(Image.fromarray(GREY > 127), "TIFF"), (GREY > 127) * 255),
    "palette png": (stored(palette()), np.array([0, 76, 150, 255])[GREY // 64]),
    "palette png with transparency": (stored(palette(), transparency=0), np.array([255, 76, 150, 255])[GREY // 64]),
    "grey with a transparent value": (
        stored(Image.fromarray(GREY // 64), transparency=0),
        np.where(GREY // 64 == 0, 255, GREY // 64),
    ),
    "cmyk tiff": (stored(Image.fromarray(COLOURS).convert("CMYK"), "TIFF"), COLOURS @ TO_GREY),
}


@pytest.mark.parametrize("name", FILES)
def test_every_mode_is_read_as_it_looks(name: str) -> None:
    content, expected = FILES[name]
    assert np.abs(pixels(content)[..., 0] - expected).max() <= 1.01
    assert np.abs(pixels(content, deep=True)[..., 0] - np.multiply(expected, 257.0)).max() <= 260


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_every_mode(mode: str) -> None:
    smooth = np.add.outer(np.arange(SIZE), np.arange(SIZE)).astype(np.uint8) * 4
    content = stored(Image.fromarray(smooth).convert("RGB").convert(mode), "JPEG", quality=98)
    assert np.abs(pixels(content)[..., 0] - smooth).max() <= 6
    assert np.abs(pixels(content, channels=3) - smooth[..., None]).max() <= 8


def test_three_channels() -> None:
    assert np.array_equal(pixels(FILES["rgb png"][0], channels=3), COLOURS)
    assert np.array_equal(pixels(FILES["grey png"][0], channels=3), GREY[..., None].repeat(3, -1))
    assert np.abs(pixels(FILES["cmyk tiff"][0], channels=3) - COLOURS).max() <= 1


@pytest.mark.parametrize("background", [0, 100, 255])
@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "TIFF"), ("LA", "TIFF"), ("RGBA", "WEBP")]
)
def test_transparency_shows_the_background(background: int, mode: str, kind: str) -> None:
    image = Image.fromarray(GREY).convert(mode)
    image.putalpha(Image.fromarray(GREY.T))
    save = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    alpha = GREY.T / 255
    expected = GREY * alpha + background * (1 - alpha)
    assert np.abs(pixels(stored(image, kind, **save), background=background)[..., 0] - expected).max() <= 1.5


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_stay(kind: str) -> None:
    deep = np.linspace(0, 65_535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    content = stored(Image.fromarray(deep), kind)
    assert np.array_equal(pixels(content, deep=True)[..., 0], deep)
    assert np.array_equal(pixels(content, deep=True, channels=3)[..., 2], deep)
    with pytest.raises(NeedsSixteenBits):
        decode(content, options(), deep=False)
    smaller = pixels(content, deep=True, image_size=16)[..., 0]
    assert np.abs(smaller - deep.reshape(16, 2, 16, 2).mean(axis=(1, 3))).max() <= 1


def test_sixteen_bit_tiff_with_white_as_zero_is_turned() -> None:
    deep = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 60
    content = stored(Image.fromarray(deep), "TIFF", tiffinfo={262: 0})  # Pillow writes the values as they are
    assert np.array_equal(pixels(content, deep=True)[..., 0], 65_535 - deep.astype(int))


def test_sixteen_bit_colour_is_named() -> None:
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + struct.pack(">6H", *[0x8000] * 6) for _ in range(2))
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    found = decode(content, options(), deep=False)
    assert (found.mode, found.problem) == ("16-bit RGB", None)
    assert np.abs(pixels(content) - 128).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation(orientation: int, kind: str) -> None:
    shown = np.zeros((SIZE, SIZE), np.uint8)
    shown[:16, :16] = 250  # a bright quarter at the upper left
    shown[:16, 16:] = 120
    undo: dict[int, Any] = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: np.transpose, 6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a.T, 2), 8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    image = Image.fromarray(np.ascontiguousarray(undo[orientation](shown)))
    exif = image.getexif()
    exif[0x0112] = orientation
    save = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    found = pixels(stored(image, kind, exif=exif, **save))[..., 0]
    assert np.abs(found - shown).mean() < 3


@pytest.mark.parametrize(("resize", "side"), [("pad", 32), ("crop", 32), ("stretch", 32)])
def test_resize_keeps_what_it_says(resize: str, side: int) -> None:
    image = np.zeros((64, 128), np.uint8)
    image[:, 32:96] = 200  # the middle half
    found = pixels(stored(Image.fromarray(image)), resize=resize, padding=77, image_size=side)[..., 0]
    expected = np.zeros((side, side))
    if resize == "pad":
        expected[:] = 77
        expected[8:24] = 0
        expected[8:24, 8:24] = 200
    elif resize == "crop":
        expected[:] = 200
    else:
        expected[:, 8:24] = 200
    assert np.array_equal(found, expected)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    side=st.integers(32, 64),
    resize=st.sampled_from(["pad", "crop", "stretch"]),
    kind=st.sampled_from(["PNG", "JPEG"]),
    deep=st.booleans(),
)
def test_one_grey_stays_one_grey_at_any_size(
    width: int, height: int, side: int, resize: str, kind: str, deep: bool
) -> None:
    content = stored(Image.new("L", (width, height), 90), kind)
    found = pixels(content, deep=deep, resize=resize, padding=90, image_size=side)
    assert np.abs(found - 90 * (257 if deep else 1)).max() <= (257 if deep else 1)


def test_shrinking_averages() -> None:
    board = np.indices((96, 96)).sum(axis=0) % 2 * 255
    found = pixels(stored(Image.fromarray(board.astype(np.uint8))))
    assert np.abs(found - 127.5).max() <= 20  # without antialiasing: 0 or 255


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    factor=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    mode=st.sampled_from(["L", "RGB", "F"]),
)
def test_whole_factors_give_what_the_general_resize_gives(
    size: tuple[int, int], factor: tuple[int, int], mode: str
) -> None:
    width, height = size[0] * factor[0], size[1] * factor[1]
    random = np.random.default_rng(width * 1000 + height)
    image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    general = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    assert module._resize(image, size).tobytes() == general.tobytes()


def only_the_general_way(content: bytes, chosen: DecodeOptions, deep: bool) -> Decoded:
    return module._decode_any(module.digest(content), content, chosen, deep)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    mode=st.sampled_from(["L", "RGB"]),
    kind=st.sampled_from(["PNG", "JPEG", "progressive"]),
    channels=st.sampled_from([1, 3]),
    resize=st.sampled_from(["pad", "crop", "stretch"]),
    deep=st.booleans(),
)
def test_the_short_way_gives_the_same_as_the_general_way(
    width: int, height: int, mode: str, kind: str, channels: int, resize: str, deep: bool
) -> None:
    random = np.random.default_rng(width * 1000 + height)
    image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    content = stored(image) if kind == "PNG" else stored(image, "JPEG", progressive=kind == "progressive")
    chosen = options(channels=channels, resize=resize)
    short = module._decode_plain(module.digest(content), content, chosen, deep)
    assert short is not None
    assert short == only_the_general_way(content, chosen, deep)


@pytest.mark.shared_data
def test_the_short_way_on_real_images(shared_data: Path) -> None:
    files = [*shared_data.glob("symbols/*/*.png"), *shared_data.glob("cxr/*/*.jpeg"), *shared_data.glob("nih1000/*/*")]
    short = 0
    for path in sorted(files)[::37]:
        content = path.read_bytes()
        plain = module._decode_plain(module.digest(content), content, options(), False)
        short += plain is not None
        assert plain in (None, only_the_general_way(content, options(), False))
    assert short >= 0.98 * len(sorted(files)[::37])  # the few others are transparent


PNG = stored(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)))
JPEG = stored(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)), "JPEG")


def png_that_claims(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + PNG[33:]


BROKEN = {
    "zero bytes": (b"", "empty"),
    "text": (b"this is a letter, not an image\n" * 20, "no image"),
    "a gif": (stored(Image.fromarray(GREY), "GIF"), "no image"),
    "truncated png": (PNG[: len(PNG) // 2], "damaged"),
    "truncated jpeg": (JPEG[: len(JPEG) // 2], "damaged"),
    "header only": (PNG[:33], "damaged"),
    "truncated tiff": (stored(Image.fromarray(GREY), "TIFF")[:200], "damaged"),
    "truncated bmp": (stored(Image.fromarray(GREY), "BMP")[:500], "damaged"),
    "bomb": (png_that_claims(60_000, 60_000), "too large"),
    "small bomb": (png_that_claims(10_000, 10_000), "too large"),
    "float tiff": (stored(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "unsupported pixels"),
    "32-bit tiff": (stored(Image.fromarray(GREY.astype(np.int32) * 9999), "TIFF"), "unsupported pixels"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:Truncated File Read")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_told_apart(name: str) -> None:
    content, problem = BROKEN[name]
    found = decode(content, options(), deep=False)
    assert (found.problem, found.pixels) == (problem, None)


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from([PNG, JPEG]),
    position=st.integers(0, 5000),
    byte=st.integers(0, 255),
    cut=st.integers(0, 5000) | st.none(),
)
@pytest.mark.filterwarnings("ignore")
def test_no_damage_stops_decoding(start: bytes, position: int, byte: int, cut: int | None) -> None:
    damaged = bytearray(start)
    damaged[position % len(damaged)] = byte
    found = decode(bytes(damaged[:cut]), options(), deep=True)
    assert (found.pixels is None) == (found.problem is not None)
    assert found.pixels is None or len(found.pixels) == 2 * SIZE * SIZE


def test_the_first_of_several_frames_is_read() -> None:
    content = stored(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[Image.fromarray(GREY.T)])
    assert decode(content, options(), deep=False).frames == 2
    assert np.array_equal(pixels(content)[..., 0], GREY)
