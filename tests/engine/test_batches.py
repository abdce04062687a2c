"""Order, batches, preprocessing, augmentation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config import AugmentConfig
from lossassay.engine.batches import Preprocessor, augment, batches, epoch_order, pixel_statistics


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
def test_pixel_statistics_and_normalisation(shape: tuple[int, ...], dtype: type) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    rows = np.arange(10, 290)
    mean, sd = pixel_statistics(images, rows)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(mean, images[rows].mean(axis=axes), rtol=1e-12)
    np.testing.assert_allclose(sd, images[rows].astype(np.float64).std(axis=axes), rtol=1e-9)
    tensor = Preprocessor(images, mean, sd, "cpu")(rows)
    assert tensor.shape == (280, shape[-1], *shape[1:-1])
    assert float(tensor.mean()) == pytest.approx(0, abs=1e-5)
    assert float(tensor.std()) == pytest.approx(1, abs=1e-3)


def test_flat_images_stay_finite() -> None:
    images = np.full((4, 3, 3, 1), 7, dtype=np.uint8)
    mean, sd = pixel_statistics(images, np.arange(4))
    assert torch.isfinite(Preprocessor(images, mean, sd, "cpu")(np.arange(4))).all()


def images_with_a_mark() -> torch.Tensor:
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 4, 2] = 1.0
    return images


def test_augmentation_off_is_the_identity() -> None:
    images = images_with_a_mark()
    assert augment(images, AugmentConfig(), torch.Generator().manual_seed(0)) is images


def test_flip_mirrors_about_half_of_the_images() -> None:
    flipped = augment(images_with_a_mark(), AugmentConfig(flip=True), torch.Generator().manual_seed(0))
    mirrored = flipped[:, 0, 4, 13] > 0.99
    straight = flipped[:, 0, 4, 2] > 0.99
    assert bool((mirrored ^ straight).all())
    assert 16 < int(mirrored.sum()) < 48


def test_shift_moves_up_to_its_share_of_the_side() -> None:
    shifted = augment(images_with_a_mark(), AugmentConfig(shift=0.125), torch.Generator().manual_seed(0))
    rows, columns = shifted[:, 0].sum(dim=2).argmax(dim=1), shifted[:, 0].sum(dim=1).argmax(dim=1)
    assert int((rows - 4).abs().max()) == 2
    assert int((columns - 2).abs().max()) == 2


def test_a_quarter_turn_keeps_the_middle() -> None:
    images = torch.zeros(8, 1, 17, 17)
    images[:, :, 8, 8] = 1.0
    turned = augment(images, AugmentConfig(rotation_degrees=90), torch.Generator().manual_seed(0))
    assert torch.allclose(turned[:, 0, 8, 8], torch.ones(8), atol=1e-5)


def test_contrast_scales_each_image_by_its_own_factor() -> None:
    scaled = augment(torch.ones(64, 1, 4, 4), AugmentConfig(contrast=0.25), torch.Generator().manual_seed(0))
    factors = scaled[:, 0, 0, 0]
    assert 0.75 <= float(factors.min()) < 0.85
    assert 1.15 < float(factors.max()) <= 1.25


def test_volumes_are_augmented_too() -> None:
    volume = torch.rand(4, 1, 8, 8, 8)
    config = AugmentConfig(flip=True, shift=0.1, rotation_degrees=10, contrast=0.1)
    changed = augment(volume, config, torch.Generator().manual_seed(0))
    assert changed.shape == volume.shape
    assert not torch.allclose(changed, volume)
