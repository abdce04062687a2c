"""Finds arms that are the same function before anything is trained, and how far their gradients differ in scale."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import torch

from lossassay import losses
from lossassay.config import Study
from lossassay.engine.spec import Array

Relation = Literal["same function", "same loss, other training", "proportional", "different"]

_ROWS = 256  # labels of the study that are tried
_TOLERANCE = 1e-12  # relative, in float64: some hundred roundings


@dataclass(frozen=True, kw_only=True)
class Identity:
    """How two arms relate, from value and gradient in float64 on random logits and the study's own labels.

    Args:
        arm_a: Name.
        arm_b: Name.
        relation: ``"same function"`` means equal values, equal gradients, and an equal rest of the arm.
        factor: Gradient of a divided by gradient of b where that is one number, else None.
        largest_difference: Of the gradients, relative to the larger gradient.
    """

    arm_a: str
    arm_b: str
    relation: Relation
    factor: float | None
    largest_difference: float


def find_identities(study: Study, labels: Array, num_classes: int) -> list[Identity]:
    """Compare every pair of arms.

    Args:
        study: Its arms.
        labels: The study's labels, [N] or [N K]; at most 256 of them are used.
        num_classes: K.
    """
    probes = {arm.name: _probe(study, index, labels, num_classes) for index, arm in enumerate(study.arms)}
    return [
        _compare(study, a, b, probes[study.arms[a].name], probes[study.arms[b].name])
        for a, b in combinations(range(len(study.arms)), 2)
    ]


def gradient_scales(study: Study, labels: Array, num_classes: int) -> dict[str, float]:
    """Return for each arm the mean norm of the gradient by the scores where all scores are 0.

    That is where a network with a small last layer starts. A loss whose gradient is four times larger there trains
    like a learning rate that is four times larger (for optimisers that do not divide the scale out, as Adam does).
    """
    encoded = torch.from_numpy(labels[:: max(1, len(labels) // _ROWS)])
    scales = {}
    for arm in study.arms:
        scores = torch.zeros(len(encoded), num_classes, dtype=torch.float64, requires_grad=True)
        gradient = _value_and_gradient(arm.loss, arm.hyper_parameters, scores, encoded)[1]
        scales[arm.name] = float(gradient.norm(dim=-1).mean()) * len(encoded)
    return scales


def _probe(study: Study, index: int, labels: Array, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    arm = study.arms[index]
    rows = torch.from_numpy(labels[:: max(1, len(labels) // _ROWS)])
    generator = torch.Generator().manual_seed(20_260)
    scores = 3 * torch.randn(len(rows), num_classes, dtype=torch.float64, generator=generator)
    return _value_and_gradient(arm.loss, arm.hyper_parameters, scores.requires_grad_(), rows)


def _value_and_gradient(
    loss_name: str, hyper_parameters: dict[str, float], scores: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    loss = losses.get(loss_name, **hyper_parameters)
    encoded = losses.encode_labels(rows, scores.shape[1], loss.spec.encoding)
    value = loss(scores, encoded.double() if encoded.is_floating_point() else encoded)
    (gradient,) = torch.autograd.grad(value.mean(), scores)
    return value.detach(), gradient


def _compare(
    study: Study, a: int, b: int, probe_a: tuple[torch.Tensor, torch.Tensor], probe_b: tuple[torch.Tensor, torch.Tensor]
) -> Identity:
    arm_a, arm_b = study.arms[a], study.arms[b]
    equal_loss = all(_close(x, y) for x, y in zip(probe_a, probe_b, strict=True))
    equal_rest = study.training_of(arm_a) == study.training_of(arm_b)
    gradient_a, gradient_b = probe_a[1], probe_b[1]
    factor = float((gradient_a * gradient_b).sum() / (gradient_b * gradient_b).sum())
    proportional = _close(gradient_a, factor * gradient_b)
    relation: Relation = "different"
    if equal_loss:
        relation = "same function" if equal_rest else "same loss, other training"
        factor = 1.0
    elif proportional:
        relation = "proportional"
    largest = max(float(gradient_a.abs().max()), float(gradient_b.abs().max()))
    return Identity(
        arm_a=arm_a.name,
        arm_b=arm_b.name,
        relation=relation,
        factor=factor if relation != "different" else None,
        largest_difference=float((gradient_a - gradient_b).abs().max()) / largest,
    )


def _close(x: torch.Tensor, y: torch.Tensor) -> bool:
    scale = max(float(x.abs().max()), float(y.abs().max()))
    return bool(np.abs((x - y).numpy()).max() <= _TOLERANCE * scale)
