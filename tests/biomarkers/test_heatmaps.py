"""Maps are those of the papers: each is compared with a direct evaluation of its formula."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lossassay.biomarkers.heatmaps.map_layer import last_map_layer
from lossassay.biomarkers.heatmaps.maps import METHODS, ClassScores, HeatmapOptions, heatmaps
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.data.cache import open_cache
from lossassay.engine.spec import Array
from lossassay.errors import DataError, ModelError, UnknownNameError
from lossassay.models.resnet import resnet18


@pytest.fixture(scope="module")
def run(finished_study: Path) -> LoadedRun:
    return load_run(finished_study)


@pytest.fixture(scope="module")
def images(run: LoadedRun) -> Array:
    return np.asarray(open_cache(run.study.data).images[:3])


CLASSES = np.array([2, 0, 7])


def test_grad_cam_is_its_formula(run: LoadedRun, images: Array) -> None:
    """ReLU of the sum of the maps, each weighted by the mean gradient of the class score (Selvaraju 2017, eq. 1, 2)."""
    found = heatmaps(run, images, CLASSES)
    assert found.shape == (3, 32, 32)
    assert found.dtype == np.float32
    features = run.model.get_submodule("features")
    seen = run.normalised(images)
    for block in list(features.children())[:4]:
        seen = block(seen)
    maps = list(features.children())[4][:3](seen).detach().requires_grad_()  # before the last pooling
    rest = nn.Sequential(
        list(features.children())[4][3], *list(features.children())[5:], run.model.get_submodule("head")
    )
    rest(maps)[torch.arange(3), torch.from_numpy(CLASSES)].sum().backward()
    assert maps.grad is not None
    coarse = (maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu().detach()
    expected = nn.functional.interpolate(coarse[:, None], size=(32, 32), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)
    assert found.max() > 0


def test_integrated_gradients_add_up_to_the_difference_from_the_mean_image(run: LoadedRun, images: Array) -> None:
    found = heatmaps(run, images, CLASSES, method="integrated_gradients", options=HeatmapOptions(steps=256))
    scores = ClassScores(run)
    with torch.no_grad():
        pixels = run.normalised(images)
        gained = (scores(pixels) - scores(torch.zeros_like(pixels)))[torch.arange(3), torch.from_numpy(CLASSES)]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), gained.numpy(), rtol=0.02, atol=0.01)
    assert (found < 0).any()


def test_occlusion_is_the_fall_of_the_score(run: LoadedRun, images: Array) -> None:
    options = HeatmapOptions(window_share=0.25, stride_share=0.25)
    found = heatmaps(run, images, CLASSES, method="occlusion", options=options)
    scores = ClassScores(run)
    pixels = run.normalised(images)
    covered = pixels.clone()
    covered[:, :, 8:16, 16:24] = 0
    with torch.no_grad():
        fall = (scores(pixels) - scores(covered))[torch.arange(3), torch.from_numpy(CLASSES)].numpy()
    np.testing.assert_allclose(
        found[:, 8:16, 16:24], np.broadcast_to(fall[:, None, None], (3, 8, 8)), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_map_depends_on_its_own_image_alone_and_comes_again(run: LoadedRun, images: Array, method: str) -> None:
    found = heatmaps(run, images, CLASSES, method=method)
    np.testing.assert_array_equal(found, heatmaps(run, images, CLASSES, method=method))
    alone = heatmaps(run, images[1:2], CLASSES[1:2], method=method)
    np.testing.assert_allclose(alone[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_volumes_have_maps_with_three_sides(run: LoadedRun, method: str) -> None:
    model = resnet18(channels=1, image_size=32, dimensions=3, num_outputs=10, width=2).eval()
    volumes = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 32, 1), dtype=np.uint8)
    other = dataclasses.replace(run, model=model)
    options = HeatmapOptions(steps=4, window_share=0.5)
    found = heatmaps(other, volumes, np.array([1, 4]), method=method, options=options)
    assert found.shape == (2, 32, 32, 32)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=(1, 2, 3)).max() > 0  # Grad-CAM can be 0 everywhere in one of them


def test_the_layer_of_a_residual_network_is_its_last_block() -> None:
    model = resnet18(channels=1, image_size=32, dimensions=2, num_outputs=3, width=4).eval()
    layer = last_map_layer(model, torch.zeros(2, 1, 32, 32))
    assert layer is list(model.get_submodule("features").children())[-3]


def test_what_cannot_be_explained_is_refused(run: LoadedRun, images: Array) -> None:
    with pytest.raises(
        UnknownNameError, match=r"No kind of heat map is called 'gradcam'\. .*Did you mean 'grad_cam'\?"
    ):
        heatmaps(run, images, CLASSES, method="gradcam")
    with pytest.raises(ModelError, match=r"has no layer 'features\.99'\. Its layers: features, features\.0"):
        heatmaps(run, images, CLASSES, options=HeatmapOptions(layer="features.99"))
    with pytest.raises(ModelError, match=r"gives no maps"):
        heatmaps(run, images, CLASSES, options=HeatmapOptions(layer="features"))
    with pytest.raises(DataError, match=r"is larger than its window"):
        HeatmapOptions(window_share=0.1, stride_share=0.2)
    with pytest.raises(ModelError, match=r"the network has none"):
        last_map_layer(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(1, 1, 2, 2))
