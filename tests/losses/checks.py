"""What every loss must satisfy. Each check takes a loss and raises AssertionError; the mutants show that they can."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"  # before keras is imported

import keras
import torch
from torch.autograd import gradcheck

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from lossassay.losses import Loss, encode_labels

Tensor = torch.Tensor
ROWS, CLASSES = 7, 4


def settings(name: str) -> list[dict[str, Any]]:
    """Hyper-parameters to try: the defaults, then the low end of every range and some values above it."""
    tried: list[dict[str, Any]] = [{}]
    for key, parameter in LOSSES[name].hyper_parameters.items():
        values = (parameter.low, parameter.low + 0.5, 5.0)
        tried += [{key: value} for value in values if parameter.problem(value) is None]
    return tried


def examples(
    loss: Loss, *, scale: float = 2.0, rows: int = ROWS, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Random scores and single labels, in the loss's encoding."""
    draws = torch.Generator().manual_seed(3)
    scores = (scale * torch.randn(rows, CLASSES, generator=draws, dtype=torch.float64)).to(dtype)
    labels = torch.randint(CLASSES, (rows,), generator=draws)
    return scores, encoded(labels, loss, dtype)


def encoded(labels: Tensor, loss: Loss, dtype: torch.dtype = torch.float64) -> Tensor:
    """Labels in the loss's encoding; rows in the type of the scores."""
    found = encode_labels(labels, CLASSES, loss.spec.encoding)
    return found.to(dtype) if found.is_floating_point() else found


def value_and_gradient(
    function: Callable[[Tensor, Tensor], Tensor], scores: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """The value of each example, and the gradient of their mean by the scores."""
    scores = scores.detach().clone().requires_grad_()
    value = function(scores, labels)
    (gradient,) = torch.autograd.grad(value.mean(), scores)
    return value.detach(), gradient


def equal(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], *, tolerance: float = 1e-8) -> None:
    """Compare values and gradients."""
    for name, a, b in zip(("value", "gradient"), found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


def _rows(labels: Tensor) -> Tensor:
    return labels if labels.is_floating_point() else torch.nn.functional.one_hot(labels.long(), CLASSES).double()


def _root_mean_squared_error(scores: Tensor, labels: Tensor, **_: Any) -> Tensor:
    # shares whose mean is the root, written otherwise than in the package
    squares = (scores.exp() / scores.exp().sum(-1, keepdim=True) - labels) ** 2
    root = squares.sum().div(squares.numel()).sqrt()
    return squares.sum(-1) / CLASSES / root


# Loss → an independent value. The mean over classes is torch's: that of keras works in float32 (version 3.15).
ORACLES: dict[str, Callable[..., Tensor]] = {
    "categorical_crossentropy": lambda z, y: keras.losses.categorical_crossentropy(y, z, from_logits=True),
    "sparse_categorical_crossentropy": lambda z, y: keras.losses.sparse_categorical_crossentropy(
        y, z, from_logits=True
    ),
    "binary_crossentropy": lambda z, y: keras.ops.binary_crossentropy(y, z, from_logits=True).mean(-1),
    "mean_squared_error": lambda z, y: keras.ops.square(y - keras.ops.softmax(z)).mean(-1),
    "root_mean_squared_error": _root_mean_squared_error,
    "focal": lambda z, y, gamma=2.0: keras.losses.categorical_focal_crossentropy(
        _rows(y), torch.softmax(z, -1), alpha=1.0, gamma=gamma
    ),
}
KERAS_LOSSES: dict[str, Callable[..., Tensor]] = {
    "binary_crossentropy": lambda z, y: keras.losses.binary_crossentropy(y, z, from_logits=True),
    "mean_squared_error": lambda z, y: keras.losses.mean_squared_error(y, torch.softmax(z, -1)),
}
# The other oracles take the logarithm of a probability, or one that is cut off near 0.
EXACT_AT_EXTREMES = {"categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"}


def equals_its_oracle(loss: Loss) -> None:
    scores, labels = examples(loss)
    oracle = ORACLES[loss.name]
    expected = value_and_gradient(lambda z, y: oracle(z, y, **loss.hyper_parameters), scores, labels)
    equal(value_and_gradient(loss, scores, labels), expected)
    if loss.name in EXACT_AT_EXTREMES:
        scores = scores.sign() * 80
        equal(value_and_gradient(loss, scores, labels), value_and_gradient(oracle, scores, labels))


def gradient_is_that_of_the_value(loss: Loss) -> None:
    scores, labels = examples(loss, rows=3)
    assert gradcheck(lambda z: loss(z, labels), scores.requires_grad_(), raise_exception=False), "gradcheck"


def renaming_the_classes_changes_nothing(loss: Loss) -> None:
    scores, _ = examples(loss)
    labels = torch.arange(ROWS) % CLASSES
    order = torch.tensor([2, 0, 3, 1])
    value, gradient = value_and_gradient(loss, scores, encoded(labels, loss))
    renamed = value_and_gradient(loss, scores[:, order], encoded(order.argsort()[labels], loss))
    equal(renamed, (value, gradient[:, order]), tolerance=1e-12)


def an_example_does_not_see_its_batch_unless_declared(loss: Loss) -> None:
    scores, labels = examples(loss)
    whole = loss(scores, labels)
    parts = torch.cat([loss(scores[:3], labels[:3]), loss(scores[3:], labels[3:])])
    assert whole.shape == (ROWS,)
    assert torch.equal(whole, parts) == (loss.spec.kind == "example")


def extremes_stay_finite(loss: Loss) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for scale in (0.0, 80.0, 1e4):
            signs = examples(loss)[0].sign().to(dtype)
            value, gradient = value_and_gradient(
                loss, scale * signs, encoded(torch.arange(ROWS) % CLASSES, loss, dtype)
            )
            assert torch.isfinite(value).all(), f"value at {scale:g} in {dtype}"
            assert torch.isfinite(gradient).all(), f"gradient at {scale:g} in {dtype}"


def a_surely_wrong_answer_still_costs_and_pulls(loss: Loss) -> None:
    """Cross-entropies and their kin grow without end; a clamp would cut them off at 16 nats with no gradient."""
    scores = torch.tensor([[80.0, 0.0, 0.0, 0.0]], dtype=torch.float32)
    value, gradient = value_and_gradient(loss, scores, encoded(torch.tensor([1]), loss, torch.float32))
    if "squared" not in loss.name:  # those are bounded and flat there, as the catalogue says
        assert value.item() >= 79 / CLASSES
        assert gradient[0, 0].item() >= 0.9 / CLASSES
    right, _ = value_and_gradient(loss, scores, encoded(torch.tensor([0]), loss, torch.float32))
    assert right.item() < value.item()


def is_cross_entropy_where_declared(loss: Loss) -> None:
    at = loss.spec.cross_entropy_at
    if at is None:
        return
    loss = replace(loss, hyper_parameters={**loss.hyper_parameters, **at})
    scores, labels = examples(loss)
    reference = losses.get("categorical_crossentropy")
    expected = value_and_gradient(reference, scores, _rows(labels))
    equal(value_and_gradient(loss, scores, labels), expected, tolerance=1e-14)


def inputs_are_left_as_they_were(loss: Loss) -> None:
    scores, labels = examples(loss)
    before = scores.clone(), labels.clone()
    loss(scores, labels)
    assert torch.equal(scores, before[0])
    assert torch.equal(labels, before[1])


def the_type_of_the_scores_is_kept(loss: Loss) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        scores, labels = examples(loss, dtype=dtype)
        value = loss(scores, labels)
        assert (value.dtype, value.shape) == (dtype, (ROWS,))
        assert (value >= 0).all()


CHECKS: tuple[Callable[[Loss], None], ...] = (
    equals_its_oracle,
    gradient_is_that_of_the_value,
    renaming_the_classes_changes_nothing,
    an_example_does_not_see_its_batch_unless_declared,
    extremes_stay_finite,
    a_surely_wrong_answer_still_costs_and_pulls,
    is_cross_entropy_where_declared,
    inputs_are_left_as_they_were,
    the_type_of_the_scores_is_kept,
)
