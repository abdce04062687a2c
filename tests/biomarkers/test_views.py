"""Views of an image at test time."""

from pathlib import Path

import numpy as np
import pytest

from lossassay.biomarkers.features.layers import outputs
from lossassay.biomarkers.features.views import View, mean_outputs, views
from lossassay.biomarkers.loaded_run import load_run
from lossassay.config import AugmentConfig
from lossassay.errors import DataError


def test_the_first_view_is_the_image_and_flips_come_only_where_trained_with() -> None:
    assert views(AugmentConfig(), 64, 3) == [View(flip=False, across_px=x, down_px=0) for x in (0, 1, -1)]
    assert views(AugmentConfig(flip=True), 64, 2) == [
        View(flip=False, across_px=0, down_px=0),
        View(flip=True, across_px=0, down_px=0),
    ]


def test_shifts_are_half_of_the_largest_that_was_trained_with() -> None:
    assert views(AugmentConfig(shift=0.125), 64, 2)[1].across_px == 4


@pytest.mark.parametrize(("flip", "most"), [(False, 9), (True, 18)])
def test_no_more_views_than_there_are(flip: bool, most: int) -> None:
    config = AugmentConfig(flip=flip)
    assert len(set(views(config, 64, most))) == most
    with pytest.raises(DataError, match=rf"{most + 1} views were asked for\. Expected 1 to {most}"):
        views(config, 64, most + 1)


@pytest.mark.parametrize("shape", [(2, 3, 3, 1), (2, 3, 3, 3, 1)])
def test_a_shift_repeats_the_border_and_a_flip_mirrors(shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    right = View(flip=False, across_px=1, down_px=0).of(images)
    np.testing.assert_array_equal(right[..., 1:, :], images[..., :-1, :])
    np.testing.assert_array_equal(right[..., 0, :], images[..., 0, :])
    up = View(flip=False, across_px=0, down_px=-1).of(images)
    np.testing.assert_array_equal(up[..., :-1, :, :], images[..., 1:, :, :])
    np.testing.assert_array_equal(View(flip=True, across_px=0, down_px=0).of(images), images[..., ::-1, :])


def test_outputs_of_views_are_averaged_before_the_link(image_study: Path) -> None:
    run = load_run(image_study)
    images = np.random.default_rng(0).integers(0, 255, (5, *run.image_shape), dtype=np.uint8)
    shown = views(run.study.training.augment, 32, 2)
    found = mean_outputs(run, images, shown, layer="features", batch_size=5)
    rows = np.arange(5)
    plain, flipped = outputs(run, images, rows), outputs(run, images[..., ::-1, :], rows)
    np.testing.assert_allclose(found.scores, (plain.scores + flipped.scores) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.features, (plain.features + flipped.features) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.probabilities, run.probabilities(found.scores))
    assert not np.array_equal(found.scores, plain.scores)
