"""Order, batches, preprocessing, augmentation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossassay.engine.batches import batches, epoch_order, pixel_statistics


@given(count=st.integers(1, 300), size=st.integers(2, 50))
def test_batches_hold_every_row_once_and_none_holds_a_single_row(count: int, size: int) -> None:
    parts = list(batches(np.arange(count), size))
    assert np.array_equal(np.concatenate(parts), np.arange(count))
    assert count == 1 or min(map(len, parts)) >= 2
    assert max(map(len, parts)) <= size + 1


def test_order_depends_on_seed_and_epoch_alone() -> None:
    rows = np.arange(100, 200)
    torch.manual_seed(1)
    first = epoch_order(rows, seed=5, epoch=2)
    torch.manual_seed(2)
    assert np.array_equal(first, epoch_order(rows, seed=5, epoch=2))
    assert not np.array_equal(first, epoch_order(rows, seed=5, epoch=3))
    assert not np.array_equal(first, epoch_order(rows, seed=6, epoch=2))
    assert np.array_equal(np.sort(first), rows)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(300, 5, 6, 1), (300, 5, 6, 3), (300, 4, 5, 6, 1)])
def test_pixel_statistics(shape: tuple[int, ...], dtype: type) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    rows = np.arange(10, 290)
    mean, sd = pixel_statistics(images, rows)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(mean, images[rows].mean(axis=axes), rtol=1e-12)
    np.testing.assert_allclose(sd, images[rows].astype(np.float64).std(axis=axes), rtol=1e-9)


def test_flat_images_get_a_spread_of_one_grey_level() -> None:
    images = np.full((4, 3, 3, 1), 7, dtype=np.uint8)
    assert pixel_statistics(images, np.arange(4)) == ((7.0,), (1.0,))
