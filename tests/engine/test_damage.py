"""What controls do to images and labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossassay.engine import one
from lossassay.engine.damage import ImageDamage, centre, image_damage, permuted_labels
from lossassay.engine.feed import Feed
from lossassay.engine.seeds import replicate_seeds
from lossassay.engine.spec import RunData
from tests.engine.helpers import make_data, make_spec

VARY = ("split", "init", "order", "augmentation", "dropout")


@pytest.mark.parametrize("sides", [(32, 32), (64, 64), (101, 101), (48, 64), (32, 32, 32), (64, 64, 64)])
def test_the_centre_is_half_of_the_pixels_and_in_the_middle(sides: tuple[int, ...]) -> None:
    mask = np.zeros(sides, dtype=bool)
    mask[centre(sides)] = True
    assert mask.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_equal(mask, np.flip(mask))


@pytest.mark.parametrize("shape", [(4, 3, 32, 32), (2, 1, 32, 32, 32)])
def test_a_masked_centre_is_the_mean_and_the_rest_stays(shape: tuple[int, ...]) -> None:
    images = torch.randn(shape)
    found = ImageDamage(kind="masked_centre").of(images.clone(), torch.arange(shape[0]))
    inside = torch.zeros(shape, dtype=torch.bool)
    inside[(slice(None), slice(None), *centre(shape[2:]))] = True
    assert (found[inside] == 0).all()
    assert torch.equal(found[~inside], images[~inside])


@pytest.mark.parametrize("shape", [(6, 3, 32, 32), (6, 1, 32, 32, 32)])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_stripes_show_the_source_and_nothing_else(shape: tuple[int, ...], count: int) -> None:
    sources = np.arange(40) % count
    damage = image_damage("source_only", sources, "cpu")
    assert damage is not None
    rows = torch.tensor([3, 0, 17, count, 39, 5])
    found = damage.of(torch.randn(shape), rows)
    assert found.shape == shape
    for image, row in zip(found, rows.tolist(), strict=True):
        lines = image.mean(dim=(0, *range(1, image.ndim - 2), image.ndim - 1))  # by height
        bright = torch.nonzero(lines == 1).flatten()
        assert set(image.unique().tolist()) == {0.0, 1.0}
        assert (bright * count // shape[-2] == sources[row]).all()
        assert len(bright) >= shape[-2] // count
    assert torch.equal(found[1], found[3])  # rows 0 and `count`: one source, one image


@given(st.lists(st.integers(0, 4), min_size=6, max_size=30), st.integers(0, 50))
def test_permuted_labels_stay_within_units_and_parts(numbers: list[int], seed: int) -> None:
    units = np.array(numbers)
    labels = (units * 7) % 3
    known = np.unique(units)
    parts = (np.flatnonzero(np.isin(units, known[::2])), np.flatnonzero(np.isin(units, known[1:2])))
    seeds = replicate_seeds(seed, 0, VARY)
    before = labels.copy()
    found = permuted_labels(labels, units, parts, seeds)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(found, permuted_labels(labels, units, parts, seeds))
    for unit in known:
        assert len(np.unique(found[units == unit])) == 1
    for rows in parts:
        first = rows[np.unique(units[rows], return_index=True)[1]]
        assert sorted(found[first]) == sorted(labels[first])
    rest = np.setdiff1d(np.arange(len(units)), np.concatenate(parts))
    np.testing.assert_array_equal(found[rest], labels[rest])


def test_permutations_differ_between_replicates_and_break_the_link() -> None:
    labels = np.eye(2)[np.arange(400) % 2]
    rows = np.arange(400)
    found = [permuted_labels(labels, rows, (rows,), replicate_seeds(0, r, VARY)) for r in range(3)]
    assert not np.array_equal(found[0], found[1])
    for one_found in found:
        assert (one_found[:, 0] == labels[:, 0]).mean() == pytest.approx(0.5, abs=0.1)


def test_a_run_without_its_centre_cannot_see_what_is_there() -> None:
    """Classes that differ inside the centre alone score at chance once it is masked, and above it otherwise."""
    data = make_data()
    images = np.full_like(data.images, 50)
    inside = (slice(None), *centre((32, 32)))
    images[inside] = data.images[inside]
    data = replace(data, images=images)
    whole = one.train(make_spec(epochs=12), data)
    masked = one.train(replace(make_spec(epochs=12), damage="masked_centre"), data)
    assert max(record.validation_yardstick for record in whole.history) > 0.6
    assert np.ptp(masked.test.scores, axis=0).max() < 1e-4  # all images look the same
    assert (masked.pixel_mean, masked.init_digest, masked.order_digest) == (
        whole.pixel_mean,
        whole.init_digest,
        whole.order_digest,
    )


def test_a_run_on_the_source_alone_learns_what_the_source_tells_and_is_not_augmented() -> None:
    labels = np.arange(90) % 3
    data = replace(make_data(), sources=labels)
    spec = replace(make_spec(epochs=15), damage="source_only")
    found = one.train(spec, data)
    assert max(record.validation_yardstick for record in found.history) == 1.0
    moved = one.train(
        replace(
            spec,
            training=spec.training.model_copy(
                update={"augment": spec.training.augment.model_copy(update={"shift": 0.5, "rotation_degrees": 90.0})}
            ),
        ),
        data,
    )
    np.testing.assert_array_equal(found.test.scores, moved.test.scores)
    for source in range(3):
        own = found.test.scores[data.sources[found.test.rows] == source]
        np.testing.assert_allclose(own, own[:1].repeat(len(own), axis=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["masked_centre", "source_only"])
def test_images_on_the_device_are_damaged_like_those_in_the_memory_map(kind: str) -> None:
    data = make_data(channels=3)
    rows = np.array([7, 2, 40])
    batches = []
    for resident in (False, True):
        damage = image_damage(kind, np.arange(90) % 4, "cpu")
        labels, weights = torch.from_numpy(data.labels), torch.ones(90)
        feed = Feed(
            data.images, labels, weights, mean=(9.0,) * 3, sd=(2.0,) * 3, device="cpu", resident=resident, damage=damage
        )
        batches.append(torch.cat(list(feed.evaluation(rows, 2))))
    assert torch.equal(*batches)
    assert not torch.equal(batches[0], torch.cat(list(_plain(data).evaluation(rows, 2))))


def _plain(data: RunData) -> Feed:
    labels, weights = torch.from_numpy(data.labels), torch.ones(90)
    return Feed(data.images, labels, weights, mean=(9.0,) * 3, sd=(2.0,) * 3, device="cpu")
