"""Grey levels, voxel size, crop and slices on arrays, whoever read them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config.schema import VolumeConfig
from lossassay.data.decode import DecodeOptions
from lossassay.data.slices import slice_count, slice_position, take_slice
from lossassay.data.volume_steps import (
    VolumeProblem,
    finish_volume,
    foreground_box,
    otsu_threshold,
    prepare_volume,
)


def told(**changes: Any) -> dict[str, Any]:
    return VolumeConfig(**changes).model_dump(mode="json")


def test_window_in_units_of_the_values() -> None:
    values = np.array([-1000.0, -160, 40, 240, 3000]).reshape(5, 1, 1, 1)
    got = prepare_volume(values, None, told(window=(40.0, 400.0))).values.ravel()
    assert got.tolist() == pytest.approx([0, 0, 32_767.5, 65_535, 65_535], abs=0.5)


def test_percentiles() -> None:
    values = np.arange(1001, dtype=np.int32).reshape(1, 7, 143, 1)
    got = prepare_volume(values, None, told(clip=(10.0, 90.0))).values.ravel()
    assert (got[:101] == 0).all()
    assert (got[900:] == 65_535).all()
    assert got[500] == pytest.approx(32_768, abs=1)


def test_a_small_mask_is_not_clipped_away() -> None:
    values = np.zeros((10, 20, 20, 1), np.uint8)
    values[5, 5, 5] = 1
    got = prepare_volume(values, None, told()).values
    assert got[5, 5, 5] == 65_535
    assert got.sum() == 65_535


@given(
    scale=st.floats(0.01, 1000),
    shift=st.floats(-1000, 1000),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_units_do_not_matter_to_percentiles(scale: float, shift: float, dtype: Any) -> None:
    values = np.random.default_rng(0).random((4, 5, 6, 1))
    one = prepare_volume(values, None, told()).values.astype(int)
    other = prepare_volume((values * scale + shift).astype(dtype), None, told()).values.astype(int)
    precision = max(2.0, 65_535 * 4e-7 * (abs(shift) + scale) / scale)
    assert np.abs(one - other).max() <= precision


def test_resampling_averages_and_keeps_the_mean() -> None:
    values = np.random.default_rng(0).random((8, 16, 16, 1))
    prepared = prepare_volume(values, (2.0, 1.0, 1.0), told(spacing_mm=2.0, clip=(0.0, 100.0)))
    assert prepared.values.shape == (8, 8, 8, 1)
    whole = prepare_volume(values, None, told(clip=(0.0, 100.0))).values
    assert prepared.values.mean() == pytest.approx(whole.mean(), rel=0.01)
    assert prepared.values.std() < 0.7 * whole.std()  # a sample without an average would keep it


def test_foreground_box_has_its_margin_and_stays_inside() -> None:
    stored = np.zeros((40, 60, 50, 1), np.uint16)
    stored[10:30, 0:40, 20:50] = 40_000
    assert foreground_box(stored) == (slice(9, 31), slice(0, 42), slice(18, 50))
    cropped = prepare_volume(stored, (1.0, 1.0, 1.0), told(crop="foreground"))
    assert cropped.values.shape == (22, 42, 32, 1)


def test_otsu_agrees_with_scikit_image() -> None:
    from skimage.filters import threshold_otsu

    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(15_000, 2000, 5000), random.normal(45_000, 4000, 3000)])
    stored = values.clip(0, 65_535).astype(np.uint16)
    ours, theirs = otsu_threshold(stored), threshold_otsu(stored)
    assert abs(ours - theirs) < 600
    assert (stored > ours).sum() == pytest.approx(3000, abs=30)


@given(st.lists(st.integers(0, 65_535), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1))
def test_otsu_always_leaves_both_sides(values: list[int]) -> None:
    stored = np.array(values, np.uint16)
    threshold = otsu_threshold(stored)
    assert (stored > threshold).any()


@given(depth=st.integers(1, 300), wanted=st.integers(1, 300))
def test_slices_are_different_symmetric_and_in_order(depth: int, wanted: int) -> None:
    count = slice_count(depth, told(form="slices", slices=wanted))
    assert count == min(depth, wanted)
    positions = [slice_position(depth, frame, count) for frame in range(count)]
    assert positions == sorted(set(positions))
    assert 0 <= positions[0]
    assert positions[-1] < depth
    steps = np.diff(positions)
    assert not len(steps) or steps.max() - steps.min() <= 1
    if count == depth:
        assert positions == list(range(depth))


def test_neighbours_at_the_ends_are_the_ends() -> None:
    values = np.arange(4).reshape(4, 1, 1, 1)
    assert take_slice(values, 0, "channels").ravel().tolist() == [0, 0, 1]
    assert take_slice(values, 3, "channels").ravel().tolist() == [2, 3, 3]
    assert take_slice(values, 2, "slices").ravel().tolist() == [2]


def test_finish_volume_for_any_reader() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-1000, 1000, (9, 20, 20, 1)).astype(np.int16)
    cube = DecodeOptions(32, 1, "pad", 0, 255, dimensions=3, reading={"volume": told()})
    whole = finish_volume(values, (3.0, 1.0, 1.0), cube)
    assert whole is not None
    assert len(whole) == 32**3 * 2
    flat = DecodeOptions(32, 3, "pad", 0, 255, reading={"volume": told(form="slices", slices=3)})
    one = finish_volume(values, (3.0, 1.0, 1.0), flat, frame=2)
    assert one is not None
    assert len(one) == 32 * 32 * 3 * 2
    with pytest.raises(VolumeProblem, match="every voxel has the value 3"):
        finish_volume(np.full((4, 4, 4, 1), 3), None, cube)
    with pytest.raises(VolumeProblem, match="voxel size is not known"):
        prepare_volume(values, None, told(spacing_mm=1.0))


def test_values_are_not_changed_in_place() -> None:
    values = np.random.default_rng(0).random((4, 4, 4, 1)).astype(np.float32)
    before = values.copy()
    prepare_volume(values, (1.0, 1.0, 1.0), told(spacing_mm=2.0, crop="foreground"))
    np.testing.assert_array_equal(values, before)
