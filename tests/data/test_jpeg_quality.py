"""The quality that a JPEG file was written with is read back, in both ways through the decoder."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lossassay.data.decode import DecodeOptions, decode
from lossassay.data.jpeg_quality import jpeg_quality

GREY = Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8))
OPTIONS = DecodeOptions(image_size=32, channels=1, resize="pad", padding=0, background=255)


def written(image: Image.Image, quality: int, kind: str = "JPEG", **save: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=quality, **save)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("quality", [10, 30, 49, 50, 51, 75, 90, 95, 99, 100])
def test_the_quality_that_was_asked_for(quality: int, mode: str) -> None:
    assert jpeg_quality(written(GREY.convert(mode), quality)) == quality


@pytest.mark.parametrize("quality", range(5, 101))
def test_every_quality_is_told_apart_from_five_on(quality: int) -> None:
    assert jpeg_quality(written(GREY, quality)) == quality


def test_both_ways_through_the_decoder() -> None:
    plain = decode(written(GREY, 60), OPTIONS, deep=False)
    turned = Image.Exif()
    turned[0x0112] = 3  # orientation: only the general way reads it
    general = decode(written(GREY, 60, exif=turned), OPTIONS, deep=False)
    assert (plain.jpeg_quality, general.jpeg_quality) == (60, 60)
    assert plain.pixels != general.pixels


def test_tables_of_another_program() -> None:
    own = [[40] * 64]
    total, known = 40 * 64, jpeg_quality(written(GREY, 75, qtables=own))
    assert total == 2560
    assert 25 < known < 85


def test_no_jpeg_has_no_quality() -> None:
    assert jpeg_quality(written(GREY, 60, "PNG")) == 0
    assert decode(written(GREY, 60, "PNG"), OPTIONS, deep=False).jpeg_quality == 0
    assert jpeg_quality(b"") == 0


@given(content=st.binary(max_size=200))
def test_damaged_headers_raise_nothing(content: bytes) -> None:
    assert 0 <= jpeg_quality(b"\xff\xd8" + content) <= 100


@given(cut=st.integers(0, 400))
def test_truncated_files_raise_nothing(cut: int) -> None:
    assert jpeg_quality(written(GREY, 70)[:cut]) in (0, 70)
