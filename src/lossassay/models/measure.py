"""What a model costs, found by one forward pass without numbers."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lossassay.errors import ModelError

_FP32_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """Size of a model.

    Args:
        parameters: Numbers that can be trained (frozen ones included).
        multiply_accumulates: Of convolutions and matrix products, for the forward pass of one image.
        feature_count: Numbers per image that go into the head, F.
    """

    parameters: int
    multiply_accumulates: int
    feature_count: int


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What one forward pass showed.

    Args:
        scores: Shape of the output.
        features: Shape of what ``features`` returned, or None if it was not called.
        multiply_accumulates: Of convolutions and matrix products, for all images.
        activations: Numbers that the innermost modules put out, for all images.
    """

    scores: tuple[int, ...]
    features: tuple[int, ...] | None
    multiply_accumulates: int
    activations: int


def describe(model: nn.Module, *, channels: int, image_size: int, dimensions: int) -> ModelDescription:
    """Count parameters, multiply-accumulates and features of a model.

    Args:
        model: With ``features`` and ``head``; left as it is.
        channels: Of the images.
        image_size: Side of the images in px; all sides are equal.
        dimensions: 2 for images [B C H W], 3 for [B C D H W].

    Raises:
        ModelError: If the forward pass does not call ``model.features``.
    """
    seen = dry_run(model, num_images=1, channels=channels, image_size=image_size, dimensions=dimensions)
    if seen.features is None:
        raise ModelError("The model's forward pass does not call its `features`; expected head(features(images)).")
    return ModelDescription(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_accumulates=seen.multiply_accumulates,
        feature_count=math.prod(seen.features[1:]),
    )


def activation_bytes(model: nn.Module, *, channels: int, image_size: int, dimensions: int) -> int:
    """Return the bytes that the outputs of all innermost modules take for one image in fp32.

    That is about what the backward pass needs kept. Modules that work in place put out nothing new.

    Args:
        model: Left as it is.
        channels: Of the images.
        image_size: Side of the images in px; all sides are equal.
        dimensions: 2 for images [B C H W], 3 for [B C D H W].
    """
    seen = dry_run(model, num_images=1, channels=channels, image_size=image_size, dimensions=dimensions)
    return _FP32_BYTES * seen.activations


def dry_run(model: nn.Module, *, num_images: int, channels: int, image_size: int, dimensions: int) -> DryRun:
    """Push shapes through a copy of the model, in evaluation mode on the meta device: no numbers, no memory.

    A model that needs numbers to find its way (``.item()``, an operator without a meta kernel) gets zeros instead.
    """
    images = torch.empty(num_images, channels, *[image_size] * dimensions, device="meta")
    try:
        return _observed(copy.deepcopy(model).to("meta"), images)
    except (NotImplementedError, RuntimeError):
        return _observed(copy.deepcopy(model).cpu(), torch.zeros(images.shape))


def _observed(model: nn.Module, images: Tensor) -> DryRun:
    activations: list[int] = []
    features: list[tuple[int, ...]] = []

    def count(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not getattr(module, "inplace", False):
            activations.append(output.numel())

    def note_features(_module: nn.Module, _inputs: Any, output: Any) -> None:
        features.append(tuple(output.shape))

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    if isinstance(model.features, nn.Module):
        model.features.register_forward_hook(note_features)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        scores = model.eval()(images)
    return DryRun(
        scores=tuple(scores.shape),
        features=features[0] if features else None,
        multiply_accumulates=counter.get_total_flops() // 2,  # it counts a multiplication and an addition as two
        activations=sum(activations),
    )
