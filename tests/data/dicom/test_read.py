"""One DICOM file or frame to pixels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import JPEG2000Lossless, RLELossless

from lossassay.data.decode import DecodeOptions, Item, NeedsSixteenBits, decode
from lossassay.data.dicom import data_set as opening
from lossassay.data.dicom.read import read_item
from tests.data.dicom.made import made, noise, save, write


def options(size: int = 32, channels: int = 1, **changes: Any) -> DecodeOptions:
    return DecodeOptions(size, channels, "pad", 0, 255)._replace(**changes)


def pixels(path: Path | str, told: DecodeOptions, *, frame: int | None = None, deep: bool = False) -> np.ndarray:
    one = read_item(Item((str(path),), frame), told, deep=deep)
    assert one.problem is None, one.detail
    return np.frombuffer(one.pixels or b"", "<u2" if deep else "u1").reshape(told.image_size, -1, told.channels)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (50, 31), (100, 200)])
@pytest.mark.parametrize("deep", [False, True])
def test_eight_bits_are_as_they_would_be_in_a_png(tmp_path: Path, shape: tuple[int, int], deep: bool) -> None:
    image = noise(1, shape, "uint8", 256)
    path = write(tmp_path / "one", image)
    expected = decode(png(image), options(), deep=deep).pixels
    assert read_item(Item((str(path),)), options(), deep=deep).pixels == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_as_they_would_be_in_a_png(tmp_path: Path, channels: int) -> None:
    image = noise(2, (40, 60, 3), "uint8", 256)
    path = write(tmp_path / "one", image)
    expected = decode(png(image), options(channels=channels), deep=False).pixels
    assert read_item(Item((str(path),)), options(channels=channels), deep=False).pixels == expected


def test_twelve_bits_ask_for_sixteen(tmp_path: Path) -> None:
    path = write(tmp_path / "one", noise(1), BitsStored=12, HighBit=11)
    with pytest.raises(NeedsSixteenBits):
        read_item(Item((str(path),)), options(), deep=False)
    one = read_item(Item((str(path),)), options(), deep=True)
    assert (one.mode, one.bits, one.size, one.format) == ("16-bit grey", 12, (32, 32), "DICOM")


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_files_give_the_same_pixels(tmp_path: Path, syntax: str) -> None:
    image = noise(4, (32, 32), "uint16", 4096)
    plain = write(tmp_path / "plain", image)
    name = "MR_small_RLE.dcm" if syntax == RLELossless else "MR_small_jp2klossless.dcm"
    if syntax == RLELossless:
        packed = made(image)
        packed.compress(RLELossless)
        assert np.array_equal(
            pixels(plain, options(), deep=True), pixels(save(packed, tmp_path / "rle"), options(), deep=True)
        )
    same = pixels(get_testdata_file("MR_small.dcm"), options(), deep=True)
    assert np.array_equal(same, pixels(get_testdata_file(name), options(), deep=True))


def test_every_frame_of_a_cine_is_its_own(tmp_path: Path) -> None:
    images = noise(5, (4, 32, 32), "uint8", 256)
    path = write(tmp_path / "cine", images)
    for frame in (0, 3, 1, 2):
        assert np.array_equal(pixels(path, options(), frame=frame)[..., 0], images[frame])


def test_frames_of_one_file_are_read_from_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "cine", noise(5, (4, 32, 32), "uint8", 256))
    looks = []
    opened = opening._open
    monkeypatch.setattr(opening, "_open", lambda name: looks.append(name) or opened(name))
    for frame in range(4):
        pixels(path, options(), frame=frame)
    assert len(looks) == 1
    write(path, noise(6, (4, 40, 32), "uint8", 256))
    assert pixels(path, options(), frame=0).shape == (32, 32, 1)
    assert len(looks) == 2


def test_ultrasound_in_ybr_becomes_rgb() -> None:
    path = get_testdata_file("examples_ybr_color.dcm")
    told = options(320, 3, resize="stretch")
    found = pixels(path, told, frame=7)
    expected = Image.fromarray(pixel_array(path, index=7, decoding_plugin="pillow")).resize((320, 320), 2)
    assert np.abs(found.astype(int) - np.asarray(expected)).mean() < 1.0


def test_a_palette_becomes_colours() -> None:
    told = options(64, 3)
    found = pixels(get_testdata_file("examples_palette.dcm"), told)
    assert found.std() > 10
    assert (found.max(axis=-1).astype(int) - found.min(axis=-1)).max() > 50


def test_big_endian_and_implicit_files_give_the_same() -> None:
    names = ("MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm")
    found = [pixels(get_testdata_file(name), options(64), deep=True) for name in names]
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_monochrome1_is_turned(tmp_path: Path) -> None:
    image = noise(1, kind="uint8", high=256)
    path = write(tmp_path / "one", image, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(pixels(path, options())[..., 0], 255 - image)


def test_pixels_that_are_not_square_come_to_be(tmp_path: Path) -> None:
    image = np.zeros((32, 16), np.uint8)
    image[:, 8:] = 200
    path = write(tmp_path / "one", image, PixelSpacing=[1, 2])
    assert pixels(path, options())[..., 0].min(axis=1).max() == 0
    found = pixels(path, options())[..., 0]
    assert (found[:, 2] == 0).all()
    assert (found[:, -3] == 200).all(), "16 columns of 2 mm are as wide as 32 rows of 1 mm are high"
    aspect = write(tmp_path / "two", image, PixelAspectRatio=[1, 2])
    assert np.array_equal(pixels(aspect, options())[..., 0], found)


def test_a_common_spacing_is_the_scale_of_the_study(tmp_path: Path) -> None:
    image = np.zeros((64, 64), dtype="uint8")
    image[24:40, 24:40] = 255
    at_2 = pixels(write(tmp_path / "a", image, PixelSpacing=[1, 1]), options(64, spacing_mm=2.0)).reshape(64, 64)
    same = pixels(write(tmp_path / "b", image, PixelSpacing=[2, 2]), options(64, spacing_mm=2.0)).reshape(64, 64)
    half = pixels(write(tmp_path / "c", image, PixelSpacing=[4, 4]), options(64, spacing_mm=2.0)).reshape(64, 64)
    assert [int((found > 127).sum()) for found in (at_2, same, half)] == [8 * 8, 16 * 16, 32 * 32]
    for found in (at_2, same, half):  # cut or padded at the centre
        bright = np.argwhere(found > 127)
        assert (bright.min(axis=0) + bright.max(axis=0)).tolist() == [63, 63]


def test_an_image_without_spacing_is_scaled_to_fit_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a", noise(1, (64, 64), "uint8", 256))
    one = read_item(Item((str(path),)), options(64, spacing_mm=2.0), deep=False)
    assert one.notes == ("no-pixel-spacing",)
    assert one.pixels == read_item(Item((str(path),)), options(64), deep=False).pixels
    known = write(tmp_path / "b", noise(1, (64, 64), "uint8", 256), PixelSpacing=[0.5, 0.25])
    assert read_item(Item((str(known),)), options(64), deep=False).spacing_mm == 0.5


def test_a_spacing_that_makes_gigapixels_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a", noise(1, (64, 64), "uint8", 256), PixelSpacing=[1, 1])
    one = read_item(Item((str(path),)), options(spacing_mm=1e-3), deep=False)
    assert (one.problem, one.detail) == ("cannot be read", "DICOM that would become too large at the common spacing")


def test_the_study_s_window_is_used(tmp_path: Path) -> None:
    image = noise(1, high=4096)
    path = write(tmp_path / "one", image, WindowCenter=10, WindowWidth=20)
    told = options(reading={"dicom": {"window": [2048, 4096]}})
    assert np.array_equal(pixels(path, told, deep=True)[..., 0], np.rint(image / 4096 * 65_535))


def test_sixteen_bit_colours_are_read_in_eight(tmp_path: Path) -> None:
    image = noise(1, (32, 32, 3), "uint16", 65_536)
    one = read_item(Item((str(write(tmp_path / "one", image)),)), options(channels=3), deep=False)
    assert one.mode == "16-bit RGB"
    assert one.pixels == (image >> 8).astype(np.uint8).tobytes()


def test_a_file_without_preamble_and_meta(tmp_path: Path) -> None:
    data_set = pydicom.dcmread(get_testdata_file("MR_small_implicit.dcm"))
    path = tmp_path / "bare"
    with path.open("wb") as file:
        bare = Dataset(data_set)
        bare.save_as(file, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(
        pixels(path, options(64), deep=True), pixels(get_testdata_file("MR_small.dcm"), options(64), deep=True)
    )


def test_several_frames_in_fragments(tmp_path: Path) -> None:
    images = noise(5, (3, 32, 32), "uint8", 256)
    data_set = made(images)
    data_set.compress(RLELossless)
    path = save(data_set, tmp_path / "rle")
    assert np.array_equal(pixels(path, options(), frame=2)[..., 0], images[2])


def test_the_grey_of_ybr_is_its_luma() -> None:
    path = get_testdata_file("examples_ybr_color.dcm")
    told = options(64, resize="stretch")
    found = pixels(path, told, frame=3)[..., 0].astype(int)
    coloured = pixels(path, options(64, 3, resize="stretch"), frame=3).astype(float)
    assert np.abs(found - coloured @ [0.299, 0.587, 0.114]).max() < 3
    assert found.std() > 10


def test_nothing_that_identifies_is_read_with_the_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "one", noise(1), PatientName="Kim^Minsu", PatientID="MRN1", StudyDate="20200101")
    data_set = opening.open_data_set(str(path))
    assert "Rows" in data_set
    assert not any(keyword in data_set for keyword in ("PatientName", "PatientID", "StudyDate", "SOPInstanceUID"))
