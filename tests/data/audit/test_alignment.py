"""Moved and scaled images are laid on each other; different ones stay different."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lossassay.data.audit.alignment import differences
from lossassay.data.audit.fingerprints import fingerprints
from tests.data.audit.images import scene


def difference(one: np.ndarray, other: np.ndarray, *, refine: bool = True) -> float:
    thumbnails = fingerprints(np.stack([one, other])[..., None], np.arange(2)).thumbnails
    return float(differences(thumbnails, np.array([0]), np.array([1]), refine=refine)[0])


def cropped(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(image).crop(box).resize(image.shape, Image.Resampling.BICUBIC))


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_a_crop_of_5_percent_is_nearly_no_difference(seed: int, left: int, top: int, refine: bool) -> None:
    image = scene(seed, side=192)
    assert difference(image, cropped(image, left, top, 183), refine=refine) < 0.05


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.floats(0.5, 1.2), st.integers(-30, 30))
def test_brightness_and_contrast_are_no_difference(seed: int, gain: float, offset: int) -> None:
    image = scene(seed, side=64)
    changed = np.clip(np.rint((image.astype(float) - 120) * gain + 120 + offset), 0, 255).astype(np.uint8)
    assert difference(image, changed) < 0.02


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_different_images_are_different(seed: int) -> None:
    assert difference(scene(seed), scene(seed + 10_001)) > 0.35


def test_equal_images_have_no_difference_and_flat_ones_nothing_in_common() -> None:
    flat = np.full((64, 64), 9, dtype=np.uint8)
    assert difference(scene(1, 64), scene(1, 64)) == pytest.approx(0, abs=1e-5)
    assert difference(flat, scene(1, 64)) == difference(flat, flat) == 1


def test_a_mirror_image_is_another_image() -> None:
    assert difference(scene(1), scene(1)[:, ::-1]) > 0.35
