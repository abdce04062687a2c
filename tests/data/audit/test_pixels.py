"""Thumbnails are means of the pixels, on a scale that the data set itself sets."""

import numpy as np
import pytest

from lossassay.data.audit.pixels import pixel_facts
from tests.data.audit.conftest import Build, noise


def test_thumbnails_are_means_of_squares(build: Build) -> None:
    images = noise(30, side=64)
    facts = pixel_facts(build(images, [0, 1] * 15))
    low, high = np.percentile(images[:, ::2, ::2], (0.5, 99.5))
    expected = (images.reshape(30, 32, 2, 32, 2).mean(axis=(2, 4)) - low) / (high - low)
    np.testing.assert_allclose(facts.thumbnails, expected.clip(0, 1), atol=2e-3)
    np.testing.assert_allclose(facts.means, (images.mean(axis=(1, 2, 3)) - low) / (high - low), atol=1e-4)


def test_sides_that_are_no_multiple_keep_their_mean(build: Build) -> None:
    images = noise(20, side=45) // 2 + 64
    facts = pixel_facts(build(images, [0, 1] * 10))
    np.testing.assert_allclose(facts.thumbnails.astype(np.float64).mean(axis=(1, 2)), facts.means, atol=2e-3)


def test_depth_does_not_matter(build: Build) -> None:
    images = noise(20)
    eight, twelve = pixel_facts(build(images, [0, 1] * 10)), pixel_facts(build(images.astype("<u2") * 16, [0, 1] * 10))
    np.testing.assert_allclose(eight.thumbnails, twelve.thumbnails, atol=2e-3)
    np.testing.assert_allclose(eight.spreads, twelve.spreads, rtol=1e-4)


def test_volumes_show_their_middle_slice(build: Build) -> None:
    slices = noise(20 * 32).reshape(20, 32, 32, 32, 1)
    volumes, middle = pixel_facts(build(slices, [0, 1] * 10)), pixel_facts(build(slices[:, 16], [0, 1] * 10))
    np.testing.assert_allclose(volumes.thumbnails, middle.thumbnails, atol=5e-3)
    np.testing.assert_allclose(volumes.borders, middle.borders, atol=5e-3)


def test_the_border_is_the_outermost_pixels(build: Build) -> None:
    images = np.zeros((4, 32, 32, 1), dtype=np.uint8)
    images[1, 0], images[2, 1:-1, 1:-1], images[3] = 255, 255, 255
    borders = pixel_facts(build(images, [0, 1, 0, 1])).borders
    assert borders.tolist() == pytest.approx([0, 32 / 124, 0, 1])


def test_one_value_everywhere_is_no_error(build: Build) -> None:
    facts = pixel_facts(build(np.full((6, 32, 32, 1), 7, dtype=np.uint8), [0, 1] * 3))
    assert facts.constant.all()
    assert np.isfinite(facts.thumbnails).all()
