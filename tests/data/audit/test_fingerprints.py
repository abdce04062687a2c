"""Thumbnails and vectors of every kind of image, and nearest pairs without a table of all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.data.audit import nearest
from lossassay.data.audit.fingerprints import blur, fingerprints, shrink
from lossassay.data.audit.nearest import nearest_pairs
from tests.data.audit.images import scene


@pytest.mark.parametrize("side", [32, 40, 64, 150])
def test_thumbnails_are_small_and_standardised(side: int) -> None:
    images = np.stack([scene(seed, side=side) for seed in range(5)])[..., None]
    made = fingerprints(images, np.arange(5))
    assert made.thumbnails.shape == (5, min(48, side), min(48, side))
    np.testing.assert_allclose(made.thumbnails.astype(float).mean(axis=(1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(made.thumbnails.astype(float).std(axis=(1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)


def test_colours_16_bits_and_volumes() -> None:
    grey = np.stack([scene(seed, side=64) for seed in range(4)])
    wanted = fingerprints(grey[..., None], np.arange(4)).thumbnails
    colour = np.repeat(grey[..., None], 3, axis=-1)
    deep = (grey[..., None].astype(np.uint16) * 257) // 2
    volume = np.zeros((4, 64, 64, 64, 1), dtype=np.uint8)
    volume[:, 32] = grey[..., None]
    for images in (colour, deep, volume):
        np.testing.assert_allclose(fingerprints(images, np.arange(4)).thumbnails, wanted, atol=2e-2)


def test_flat_images_are_known() -> None:
    images = np.stack([scene(1, side=64), np.zeros((64, 64), dtype=np.uint8), scene(2, side=64)])[..., None]
    assert fingerprints(images, np.arange(3)).flat.tolist() == [False, True, False]
    assert fingerprints(images[1:2], np.arange(1)).flat.tolist() == [True]


def test_shrinking_and_blurring_keep_the_mean_of_a_plane() -> None:
    plane = np.full((1, 60, 60), 3.5, dtype=np.float32)
    np.testing.assert_allclose(shrink(plane, 24), 3.5, rtol=1e-6)
    np.testing.assert_allclose(blur(plane, 2.0), 3.5, rtol=1e-6)
    stripes = np.zeros((1, 64, 64), dtype=np.float32)
    stripes[:, ::2] = 1
    assert np.ptp(shrink(stripes, 16)[:, 1:-1]) < 1e-6, "stripes of one pixel do not alias"


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 10), st.integers(1, 9))
def test_nearest_pairs_are_those_of_the_whole_table(seed: int, count: int, num_groups: int, neighbours: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = random.integers(0, num_groups, count)
    similar = np.where(groups[:, None] == groups, -np.inf, vectors @ vectors.T)
    wanted = set()
    for row in range(count):
        best = [other for other in np.argsort(-similar[row])[:neighbours] if np.isfinite(similar[row, other])]
        wanted |= {(min(row, other), max(row, other)) for other in best}
    first, second = nearest_pairs(vectors, groups, neighbours)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == wanted


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    whole = nearest_pairs(vectors, np.arange(50), 4)
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", 150)
    for one, other in zip(whole, nearest_pairs(vectors, np.arange(50), 4), strict=True):
        np.testing.assert_array_equal(one, other)
