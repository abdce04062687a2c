"""Augmentation."""

import torch

from lossassay.config import AugmentConfig
from lossassay.engine.augment import augment, draw


def draws(images: torch.Tensor) -> torch.Tensor:
    return draw(len(images), images.ndim - 2, torch.Generator().manual_seed(0))


def images_with_a_mark() -> torch.Tensor:
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 4, 2] = 1.0
    return images


def test_augmentation_off_is_the_identity() -> None:
    images = images_with_a_mark()
    assert augment(images, AugmentConfig(), draws(images)) is images


def test_flip_mirrors_about_half_of_the_images() -> None:
    flipped = augment(images_with_a_mark(), AugmentConfig(flip=True), draws(images_with_a_mark()))
    mirrored = flipped[:, 0, 4, 13] > 0.99
    straight = flipped[:, 0, 4, 2] > 0.99
    assert bool((mirrored ^ straight).all())
    assert 16 < int(mirrored.sum()) < 48


def test_shift_moves_up_to_its_share_of_the_side() -> None:
    shifted = augment(images_with_a_mark(), AugmentConfig(shift=0.125), draws(images_with_a_mark()))
    rows, columns = shifted[:, 0].sum(dim=2).argmax(dim=1), shifted[:, 0].sum(dim=1).argmax(dim=1)
    assert int((rows - 4).abs().max()) == 2
    assert int((columns - 2).abs().max()) == 2


def test_a_quarter_turn_keeps_the_middle() -> None:
    images = torch.zeros(8, 1, 17, 17)
    images[:, :, 8, 8] = 1.0
    turned = augment(images, AugmentConfig(rotation_degrees=90), draws(images))
    assert torch.allclose(turned[:, 0, 8, 8], torch.ones(8), atol=1e-5)


def test_contrast_scales_each_image_by_its_own_factor() -> None:
    scaled = augment(torch.ones(64, 1, 4, 4), AugmentConfig(contrast=0.25), draws(torch.ones(64, 1, 4, 4)))
    factors = scaled[:, 0, 0, 0]
    assert 0.75 <= float(factors.min()) < 0.85
    assert 1.15 < float(factors.max()) <= 1.25


def test_volumes_are_augmented_too() -> None:
    volume = torch.rand(4, 1, 8, 8, 8)
    config = AugmentConfig(flip=True, shift=0.1, rotation_degrees=10, contrast=0.1)
    changed = augment(volume, config, draws(volume))
    assert changed.shape == volume.shape
    assert not torch.allclose(changed, volume)
