"""Views of the same image in a second acquisition: the same for all arms, and realistic in size."""

import numpy as np
import pytest

from lossassay.biomarkers.quality.noisy_views import GAIN, GAUSSIAN_SD, OFFSET, SHIFT_PX, noisy_views


def some_images(*, shape: tuple[int, ...] = (40, 40, 1), kind: type = np.uint8, number: int = 6) -> np.ndarray:
    ramp = np.linspace(0.2, 0.8, int(np.prod(shape))).reshape(shape)
    generator = np.random.default_rng(0)
    images = [ramp * generator.uniform(0.8, 1.2) for _ in range(number)]
    return np.rint(np.stack(images) * np.iinfo(kind).max).astype(kind)


def views_of(images: np.ndarray, rows: list[int] | None = None, **key: int) -> np.ndarray:
    chosen = np.arange(len(images)) if rows is None else np.array(rows)
    return noisy_views(images, chosen, **({"seed": 0, "replicate": 0, "view": 0} | key))


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((40, 40, 1), np.uint8), ((40, 40, 3), np.uint8), ((40, 40, 1), np.uint16), ((12, 16, 16, 1), np.uint8)],
)
def test_a_view_has_the_form_of_its_image_and_is_near_it(shape: tuple[int, ...], kind: type) -> None:
    images = some_images(shape=shape, kind=kind)
    found = views_of(images)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    largest = np.iinfo(kind).max
    difference = (found.astype(float) - images) / largest
    assert 0.5 * GAUSSIAN_SD < np.abs(difference).mean() < 0.1
    assert not np.array_equal(found, images)


def test_a_view_depends_on_its_row_alone() -> None:
    images = some_images()
    whole = views_of(images)
    np.testing.assert_array_equal(views_of(images, [4, 1]), whole[[4, 1]])
    np.testing.assert_array_equal(views_of(images), whole)


@pytest.mark.parametrize("key", ["seed", "replicate", "view"])
def test_other_draws_give_other_views(key: str) -> None:
    images = some_images()
    changed = views_of(images, **{key: 1})
    assert all(not np.array_equal(a, b) for a, b in zip(changed, views_of(images), strict=True))


def test_a_bright_dot_moves_by_a_few_pixels_and_not_always_the_same_way() -> None:
    images = np.zeros((40, 41, 41, 1), dtype=np.uint8)
    images[:, 18:23, 18:23] = 255
    found = views_of(images).astype(float) * (views_of(images) > 100)
    across = (found[..., 0] * np.arange(41)).sum(axis=(1, 2)) / found[..., 0].sum(axis=(1, 2)) - 20
    assert np.abs(across).max() <= SHIFT_PX + 0.5
    assert across.std() > SHIFT_PX / 4
    assert across.min() < 0 < across.max()


def test_flat_images_keep_their_grey_within_gain_and_offset() -> None:
    images = np.full((50, 40, 40, 1), 128, dtype=np.uint8)
    means = views_of(images).mean(axis=(1, 2, 3)) / 255
    assert np.abs(means - 128 / 255).max() <= GAIN * 128 / 255 + OFFSET + 0.005
    assert means.std() > 0.005
