"""From rows to what a model is fed."""

import numpy as np
import pytest
import torch

from lossassay.config import AugmentConfig
from lossassay.engine.batches import pixel_statistics
from lossassay.engine.feed import Batch, Feed

NOTHING = AugmentConfig()
EVERYTHING = AugmentConfig(flip=True, shift=0.1, rotation_degrees=10, contrast=0.1)


def make_feed(shape: tuple[int, ...] = (30, 8, 8, 1), dtype: type = np.uint8, *, resident: bool = False) -> Feed:
    images = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    mean, sd = pixel_statistics(images, np.arange(10, len(images)))
    labels = torch.arange(len(images)) % 3
    weights = torch.arange(len(images)) / 10
    return Feed(images, labels, weights, mean=mean, sd=sd, device="cpu", resident=resident)


def epoch(feed: Feed, rows: np.ndarray, config: AugmentConfig = NOTHING) -> list[Batch]:
    return list(feed.training(rows, 8, config, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(300, 5, 6, 1), (300, 5, 6, 3), (300, 4, 5, 6, 1)])
def test_images_are_normalised_over_the_training_part(shape: tuple[int, ...], dtype: type) -> None:
    (images,) = make_feed(shape, dtype).evaluation(np.arange(10, 300), 300)
    assert images.shape == (290, shape[-1], *shape[1:-1])
    assert float(images.mean()) == pytest.approx(0, abs=1e-5)
    assert float(images.std()) == pytest.approx(1, abs=1e-3)


def test_images_labels_and_weights_belong_together() -> None:
    feed, rows = make_feed(), np.random.default_rng(1).permutation(30)
    (whole,) = feed.evaluation(np.arange(30), 30)
    parts = epoch(feed, rows)
    assert [len(batch.labels) for batch in parts] == [8, 8, 8, 6]
    assert torch.equal(torch.cat([batch.images for batch in parts]), whole[torch.from_numpy(rows)])
    assert torch.cat([batch.labels for batch in parts]).tolist() == (rows % 3).tolist()
    assert torch.cat([batch.weights for batch in parts]).tolist() == pytest.approx((rows / 10).tolist())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(30, 8, 8, 1), (30, 6, 6, 6, 3)])
def test_images_that_lie_on_the_device_give_the_same_bits(shape: tuple[int, ...], dtype: type) -> None:
    rows = np.random.default_rng(1).permutation(30)
    read = epoch(make_feed(shape, dtype, resident=False), rows, EVERYTHING)
    lying = epoch(make_feed(shape, dtype, resident=True), rows, EVERYTHING)
    for a, b in zip(read, lying, strict=True):
        assert torch.equal(a.images, b.images)


def test_the_draws_of_an_image_depend_on_its_place_in_the_epoch_alone() -> None:
    rows = np.zeros(16, dtype=np.int64)
    feed = make_feed()
    first = torch.cat([batch.images for batch in feed.training(rows, 8, EVERYTHING, torch.Generator().manual_seed(1))])
    other = torch.cat([batch.images for batch in feed.training(rows, 4, EVERYTHING, torch.Generator().manual_seed(1))])
    assert torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_the_time_to_make_batches_is_counted() -> None:
    feed = make_feed()
    assert feed.seconds == 0
    epoch(feed, np.arange(30))
    assert feed.seconds > 0


def test_flat_images_stay_finite() -> None:
    images = np.full((4, 3, 3, 1), 7, dtype=np.uint8)
    mean, sd = pixel_statistics(images, np.arange(4))
    feed = Feed(images, torch.zeros(4), torch.ones(4), mean=mean, sd=sd, device="cpu")
    assert all(torch.isfinite(batch).all() for batch in feed.evaluation(np.arange(4), 4))
