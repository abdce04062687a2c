"""Finds arms that are the same function before anything is trained, and how far their gradients differ in scale."""

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lossassay import losses
from lossassay.catalogue.arm_losses import spec_of
from lossassay.catalogue.loss_spec import Task
from lossassay.catalogue.own_losses import is_own, own_function
from lossassay.config import ArmConfig, Study
from lossassay.engine.spec import Array
from lossassay.errors import LossassayError, LossInputError
from lossassay.models.heads import make_head

Relation = Literal["same function", "same loss, other training", "proportional", "different"]

_ROWS = 256  # labels of the study that are tried
_SPREAD = 3.0  # standard deviation of the scores that are tried
_FEATURES = 8
_TOLERANCE = 1e-12  # relative, in float64: some hundred roundings


@dataclass(frozen=True, kw_only=True)
class Identity:
    """How two arms relate, from value and gradient in float64 on random logits and the study's own labels.

    Args:
        arm_a: Name.
        arm_b: Name.
        relation: ``"same function"`` means equal values, equal gradients, and an equal rest of the arm.
        factor: Gradient of a divided by gradient of b where that is one number, else None.
        largest_difference: Of the gradients, relative to the larger gradient; None between losses of other heads.
    """

    arm_a: str
    arm_b: str
    relation: Relation
    factor: float | None
    largest_difference: float | None


def find_identities(study: Study, labels: Array, num_classes: int) -> list[Identity]:
    """Compare every pair of arms.

    Args:
        study: Its arms.
        labels: The study's labels, [N] or [N K]; at most 256 of them are used.
        num_classes: K.
    """
    probes = {arm.name: _probe(study, arm, labels, num_classes) for arm in study.arms}
    return [
        _compare(study, a, b, probes[study.arms[a].name], probes[study.arms[b].name])
        for a, b in combinations(range(len(study.arms)), 2)
    ]


def gradient_scales(study: Study, labels: Array, num_classes: int) -> dict[str, float]:
    """Return for each arm the mean norm of the gradient by the scores that its last layer starts with, in epoch 1.

    These are the scores of features that are 0: all 0, but for layers whose thresholds start apart. A network with a
    small last layer starts there. A loss whose gradient is four times larger there trains like a learning rate that is
    four times larger (for optimisers that do not divide the scale out, as Adam does).
    """
    scales = {}
    for arm in study.arms:
        _value, gradients = _value_and_gradients(arm, labels, num_classes, spread=None, epoch=1, epochs=1)
        scales[arm.name] = float(gradients[0].norm(dim=-1).mean()) * len(gradients[0])
    return scales


def _probe(study: Study, arm: ArmConfig, labels: Array, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and gradients in the first, a middle and the last epoch: a loss may change on the way."""
    epochs = study.training_of(arm).epochs
    values, gradients = [], []
    for epoch in (1, (1 + epochs) // 2, epochs):
        value, found = _value_and_gradients(arm, labels, num_classes, spread=_SPREAD, epoch=epoch, epochs=epochs)
        values.append(value)
        gradients += [gradient.flatten() for gradient in found]
    return torch.cat(values), torch.cat(gradients)


def _value_and_gradients(
    arm: ArmConfig, labels: Array, num_classes: int, *, spread: float | None, epoch: int, epochs: int
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Value of each example, and gradients of their mean by the scores and by all else that is learnt.

    The scores are random, with this standard deviation; None: those that the last layer starts with.
    """
    rows = torch.from_numpy(labels[:: max(1, len(labels) // _ROWS)])
    counts = rows.nansum(0) if rows.ndim == 2 else torch.bincount(rows, minlength=num_classes)
    # a class that some training part lacks is refused when it trains, with the numbers of that part
    loss = losses.get(arm.loss, class_counts=counts.double().clamp_min(1), **arm.hyper_parameters)
    if spread is None:
        scores = _first_scores(loss, len(rows), num_classes)
    else:
        scores = spread * _random_scores(loss, len(rows), num_classes)
    scores.requires_grad_()
    task: Task | None = "multi_label" if rows.ndim == 2 else None
    encoded = losses.encode_labels(rows, num_classes, loss.spec.encoding, task)
    learnt = _stand_ins(len(rows), num_classes)
    inputs = {**learnt, "rows": torch.arange(len(rows)), "epoch": epoch, "epochs": epochs}
    by = [scores, *learnt.values()]
    with _explained(arm.loss):
        value = loss(scores, encoded.double() if encoded.is_floating_point() else encoded, **inputs)
        gradients = torch.autograd.grad(value.mean(), by, allow_unused=True, materialize_grads=True)
    return value.detach(), list(gradients)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever a loss of the user's own raises into an error that names its file and line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, LossassayError) or not is_own(name):
            raise
        raise LossInputError(
            f"{name} was tried before training and raised {type(error).__name__}: {error}{_place(name, error)}. "
            "Expected one number for each example, with a gradient by the scores. "
            f"`lossassay check-loss {name}` says more."
        ) from error


def _place(name: str, error: Exception) -> str:
    """Say where in the file of a loss it went wrong; nothing where that was behind the loss."""
    file = inspect.getsourcefile(own_function(name))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(file).name}, line {lines[-1]})" if file and lines else ""


def _random_scores(loss: losses.Loss, rows: int, num_classes: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(20_260)
    scores = torch.randn(rows, loss.spec.num_scores(num_classes), dtype=torch.float64, generator=generator)
    return scores.tanh() if loss.spec.head.startswith("cosine") else scores


def _first_scores(loss: losses.Loss, rows: int, num_classes: int) -> torch.Tensor:
    """What the last layer says of features that are 0; its random weights do not matter there."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        head = make_head(loss.spec.head, _FEATURES, num_classes, loss.head_options).double()
        scores: torch.Tensor = head(torch.zeros(rows, _FEATURES, dtype=torch.float64))
    return scores.clone()


def _stand_ins(rows: int, num_classes: int) -> dict[str, torch.Tensor]:
    """Random features, weights and centres for losses that look at them, the same for every arm."""
    generator = torch.Generator().manual_seed(20_261)
    counts = {"features": rows, "head_weight": num_classes, "centres": num_classes}
    return {
        name: torch.randn(count, _FEATURES, dtype=torch.float64, generator=generator).requires_grad_()
        for name, count in counts.items()
    }


def _compare(
    study: Study, a: int, b: int, probe_a: tuple[torch.Tensor, torch.Tensor], probe_b: tuple[torch.Tensor, torch.Tensor]
) -> Identity:
    arm_a, arm_b = study.arms[a], study.arms[b]
    spec_a, spec_b = (spec_of(arm.loss, arm.hyper_parameters) for arm in (arm_a, arm_b))
    if _last_layer(arm_a) != _last_layer(arm_b):
        return Identity(arm_a=arm_a.name, arm_b=arm_b.name, relation="different", factor=None, largest_difference=None)
    equal_answers = (spec_a.link, spec_a.output) == (spec_b.link, spec_b.output)
    equal_loss = equal_answers and all(_close(x, y) for x, y in zip(probe_a, probe_b, strict=True))
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


def _last_layer(arm: ArmConfig) -> tuple[str, dict[str, Any]]:
    spec = spec_of(arm.loss, arm.hyper_parameters)
    return spec.head, {name: arm.hyper_parameters.get(name) for name in spec.head_options}


def _close(x: torch.Tensor, y: torch.Tensor) -> bool:
    scale = max(float(x.abs().max()), float(y.abs().max()))
    return bool(np.abs((x - y).numpy()).max() <= _TOLERANCE * scale)
