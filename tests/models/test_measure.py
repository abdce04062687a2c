"""Parameter counts and multiply-accumulates against a count by hand."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from lossassay.errors import ModelError
from lossassay.models import Classifier, activation_bytes, build, describe

SHAPE: dict[str, Any] = {"channels": 1, "image_size": 32, "dimensions": 2}


def test_paper_cnn_by_hand() -> None:
    model = build("paper_cnn", {}, **SHAPE, num_outputs=3, seed=0)
    channels, sides = [1, 32, 64, 128, 256, 256], [32, 16, 8, 4, 2]
    convolutions = [a * b * 9 for a, b in pairwise(channels)]
    dense = [256 * 256, 256 * 128, 128 * 3]
    biases = sum(channels[1:]) + 256 + 128 + 3
    batch_norms = 2 * sum(channels[1:])
    found = describe(model, **SHAPE)
    assert found.parameters == sum(convolutions) + sum(dense) + biases + batch_norms
    macs = sum(weights * side**2 for weights, side in zip(convolutions, sides, strict=True)) + sum(dense)
    assert found.multiply_accumulates == macs
    assert found.feature_count == 128


def test_paper_cnn_in_three_dimensions_by_hand() -> None:
    options = {"widths": [2, 3, 4, 5, 6], "dense": [7, 8]}
    model = build("paper_cnn", options, channels=3, image_size=40, dimensions=3, num_outputs=2, seed=0)
    channels, sides = [3, 2, 3, 4, 5, 6], [40, 20, 10, 5, 2]
    convolutions = [a * b * 27 for a, b in pairwise(channels)]
    dense = [6 * 7, 7 * 8, 8 * 2]
    macs = sum(weights * side**3 for weights, side in zip(convolutions, sides, strict=True)) + sum(dense)
    assert describe(model, channels=3, image_size=40, dimensions=3).multiply_accumulates == macs


def test_half_of_the_papers_widths_in_three_dimensions() -> None:
    """The network of studies/adrenal3d.toml and studies/dementia.toml: 32 x 32 x 32 becomes one voxel of 128."""
    options = {"widths": [16, 32, 64, 128, 128], "dense": [128, 64]}
    model = build("paper_cnn", options, channels=1, image_size=32, dimensions=3, num_outputs=2, seed=0)
    channels = [1, 16, 32, 64, 128, 128]
    convolutions = sum(27 * a * b + b for a, b in pairwise(channels))
    batch_norms = 2 * sum(channels[1:])
    dense = (128 * 128 + 128) + (128 * 64 + 64) + (64 * 2 + 2)
    found = describe(model, channels=1, image_size=32, dimensions=3)
    assert found.parameters == convolutions + batch_norms + dense


@pytest.mark.parametrize(("channels", "classes", "parameters"), [(3, 1000, 11_689_512), (1, 3, 11_171_779)])
def test_resnet18_has_the_published_size(channels: int, classes: int, parameters: int) -> None:
    """11,689,512 parameters and 1.81 G multiply-accumulates at 224 px are the published numbers of ResNet-18."""
    shape = {"channels": channels, "image_size": 224, "dimensions": 2}
    found = describe(build("resnet18", {}, **shape, num_outputs=classes, seed=0), **shape)
    assert found.parameters == parameters
    assert found.feature_count == 512
    if channels == 3:
        assert found.multiply_accumulates == pytest.approx(1.814e9, rel=1e-3)


def test_activations_by_hand() -> None:
    features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten())
    model = Classifier(features, nn.Linear(4 * 16 * 16, 3))
    outputs = 4 * 32 * 32 + 2 * 4 * 16 * 16 + 3  # convolution (ReLU works in place), pooling and flattening, head
    assert activation_bytes(model, **SHAPE) == 4 * outputs


def test_measuring_leaves_the_model_and_the_random_state_as_they_were() -> None:
    model = build("paper_cnn", {}, **SHAPE, num_outputs=3, seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    describe(model, **SHAPE)
    activation_bytes(model, **SHAPE)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_that_does_not_call_its_features_cannot_be_described() -> None:
    class Bypass(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.head = nn.Flatten(), nn.Linear(32 * 32, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(images.flatten(1))

    with pytest.raises(ModelError, match="does not call its `features`"):
        describe(Bypass(), **SHAPE)
