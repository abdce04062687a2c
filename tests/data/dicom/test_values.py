"""Stored numbers to grey, by the formulas of DICOM PS3.3."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from lossassay.data.dicom.values import grey_rule, to_grey
from lossassay.data.dicom.window import FullRange, Window, linear_window, voi_of
from tests.data.dicom.made import made, noise

RAMP = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)


def grey(data_set: Dataset, window: Any = "file") -> np.ndarray:
    return to_grey(data_set.pixel_array, grey_rule(data_set, None, window))


@pytest.mark.parametrize("form", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600, 1500), (0.5, 1), (100.25, 3)])
def test_windows_are_those_of_pydicom(form: str, centre: float, width: float) -> None:
    data_set = made(RAMP, WindowCenter=centre, WindowWidth=width, VOILUTFunction=form)
    with np.errstate(over="ignore"):
        theirs = apply_voi_lut(RAMP, data_set).astype(float)  # from -32768 to 32767
    assert np.abs(grey(data_set) - (theirs + 32768)).max() <= 1


def test_window_by_hand() -> None:
    found = Window(centre=100, width=201, form="linear").grey(np.array([-1.0, -0.5, 0.0, 99.5, 199.5, 200.0]))
    assert found == pytest.approx([0, 0, 0.0025, 0.5, 1, 1])
    assert Window(centre=5, width=1, form="linear").grey(np.array([4.5, 4.6])).tolist() == [0, 1]
    assert Window(centre=10, width=10).grey(np.array([5.0, 10.0, 15.0])).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowCenter": 40, "WindowWidth": 0},
        {"WindowCenter": 40, "WindowWidth": -5},
        {"WindowCenter": 40, "WindowWidth": 0.5},
        {"WindowCenter": [1, 2], "WindowWidth": 5},
        {"WindowCenter": 40},
        {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "CUBIC"},
    ],
)
def test_a_window_that_means_nothing_is_none(tags: dict[str, Any]) -> None:
    data_set = made(RAMP, **tags)
    assert linear_window(data_set) is None
    assert np.array_equal(grey(data_set), grey(data_set, "full"))


def test_of_several_windows_the_first() -> None:
    data_set = made(RAMP, WindowCenter=[40, 600], WindowWidth=[400, 1500])
    assert linear_window(data_set) == Window(centre=40, width=400, form="linear")


def test_rescale_comes_before_the_window() -> None:
    stored = RAMP + 1024
    exact = {"VOILUTFunction": "LINEAR_EXACT"}
    plain = made(RAMP, WindowCenter=40, WindowWidth=400, **exact)
    scaled = made(stored, WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-1024, **exact)
    assert np.array_equal(grey(plain), grey(scaled))
    steep = made(stored, WindowCenter=80, WindowWidth=800, RescaleSlope=2, RescaleIntercept=-2048, **exact)
    assert np.array_equal(grey(steep), grey(plain))


def test_a_slope_of_zero_is_taken_as_one() -> None:
    assert np.array_equal(grey(made(RAMP, RescaleSlope=0)), grey(made(RAMP)))


def test_full_range_is_that_of_the_image_and_of_the_bits() -> None:
    assert (grey(made(RAMP), "full").min(), grey(made(RAMP), "full").max()) == (0, 65_535)
    eight = noise(1, kind="uint8", high=100)
    assert np.array_equal(grey(made(eight), "full"), eight)
    signed = made((eight.astype(int) - 50).astype(np.int8))
    assert np.array_equal(grey(signed, "full"), eight.astype(int) - 50 + 128)


def test_a_window_of_the_study_goes_before_that_of_the_file() -> None:
    data_set = made(RAMP, WindowCenter=40, WindowWidth=400)
    expected = np.rint(np.clip((RAMP + 0.0) / 1000 + 0.5, 0, 1) * 65_535)
    assert np.array_equal(grey(data_set, (0.0, 1000.0)), expected)


def test_monochrome1_is_turned_and_padding_stays_black() -> None:
    image = noise(3, high=1000)
    image[0, :5] = 60_000
    tags = {"PixelPaddingValue": 60_000, "PhotometricInterpretation": "MONOCHROME1"}
    found = grey(made(image, **tags))
    assert (found[0, :5] == 0).all()
    inside = image[1:].astype(float)
    low, high = image[image < 60_000].min(), image[image < 60_000].max()
    assert np.array_equal(found[1:], np.rint((1 - (inside - low) / (high - low)) * 65_535))
    one, other = grey(made(image[1:])), grey(made(image[1:], PhotometricInterpretation="MONOCHROME1"))
    assert np.abs(65_535 - one.astype(int) - other).max() <= 1


def test_a_range_of_padding() -> None:
    image = np.array([[10, 11, 500, 600]], dtype=np.uint16)
    found = grey(made(image, PixelPaddingValue=10, PixelPaddingRangeLimit=400))
    assert found.tolist() == [[0, 0, 0, 65_535]]
    assert grey(made(image, PixelPaddingValue=700)).tolist() != [[0, 0, 0, 65_535]]


def lut_item(first: int, bits: int, data: list[int]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(data), first, bits]
    item["LUTDescriptor"].VR = "US" if first >= 0 else "SS"
    item.LUTData = data
    item["LUTData"].VR = "US"
    return item


def test_a_voi_table_goes_before_the_window() -> None:
    image = np.array([[0, 5, 6, 7, 9]], dtype=np.uint16)
    data_set = made(image, WindowCenter=3, WindowWidth=2, VOILUTSequence=[lut_item(5, 8, [10, 100, 255])])
    assert grey(data_set).tolist() == [[round(v / 255 * 65_535) for v in (10, 10, 100, 255, 255)]]


def test_a_modality_table() -> None:
    image = np.array([[0, 1, 2, 3]], dtype=np.uint16)
    data_set = made(image, ModalityLUTSequence=[lut_item(1, 16, [7, 1000, 40_000])])
    expected = apply_modality_lut(image, data_set).astype(float)
    low, high = expected.min(), expected.max()
    assert np.array_equal(grey(data_set), np.rint((expected - low) / (high - low) * 65_535))


@given(arrays.arrays(np.int16, (5, 7)), st.floats(0.01, 10), st.floats(-1000, 1000))
def test_the_table_of_numbers_and_the_pixels_give_the_same(image: np.ndarray, slope: float, intercept: float) -> None:
    """A small range goes through a table of its numbers, a wide one pixel by pixel."""
    data_set = made(image, RescaleSlope=f"{slope:.6g}", RescaleIntercept=f"{intercept:.6g}")
    rule = grey_rule(data_set, None, (intercept, 1000 * slope))
    assert np.array_equal(to_grey(image, rule), to_grey(image.astype(np.float64), rule))


def test_floats_and_not_a_number() -> None:
    data_set = made(noise(1), BitsStored=32)
    values = np.array([[np.nan, 1.0, 3.0]])
    assert to_grey(values, grey_rule(data_set, None, "full")).tolist() == [[0, 0, 65_535]]
    assert FullRange(low=2, high=2).grey(np.array([2.0, 5.0])).tolist() == [0, 0]


def test_windows_of_frames_lie_in_functional_groups() -> None:
    data_set = made(noise(1, (3, 4, 4)))
    groups = []
    for frame in range(3):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = 10 * frame, 100
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    data_set.PerFrameFunctionalGroupsSequence = groups
    assert [voi_of(data_set, frame).centre for frame in range(3)] == [0, 10, 20]  # type: ignore[union-attr]
