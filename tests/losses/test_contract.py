"""Every loss of the catalogue against every check, and mutants that some check must reject."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from lossassay.losses import Loss
from tests.losses import checks

Tensor = torch.Tensor


def clamped_log(p: Tensor) -> Tensor:
    return p.clamp(1e-7, 1 - 1e-7).log()


def true_class(rows: Tensor, labels: Tensor) -> Tensor:
    return rows.gather(-1, labels[:, None].long()).squeeze(-1)


# Loss → plausible mistakes.
MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "categorical_crossentropy": {
        "probabilities before the logarithm": lambda z, t: -(t * clamped_log(F.softmax(z, -1))).sum(-1),
        "mean over classes": lambda z, t: -(t * F.log_softmax(z, -1)).mean(-1),
        "softmax over the batch": lambda z, t: -(t * F.log_softmax(z, 0)).sum(-1),
        "mean over the batch": lambda z, t: -(t * F.log_softmax(z, -1)).sum(-1).mean().expand(len(z)),
    },
    "sparse_categorical_crossentropy": {
        "probabilities before the logarithm": lambda z, y: -true_class(clamped_log(F.softmax(z, -1)), y),
        "sigmoid in place of softmax": lambda z, y: -true_class(F.logsigmoid(z), y),
        "class 0 is special": lambda z, y: -true_class(F.log_softmax(z, -1), y) * (1 + (y == 0)),
    },
    "binary_crossentropy": {
        "sum over classes": lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").sum(-1),
        "probabilities before the logarithm": lambda z, t: (
            -(t * clamped_log(z.sigmoid()) + (1 - t) * clamped_log(1 - z.sigmoid())).mean(-1)
        ),
        "positives only": lambda z, t: -(t * F.logsigmoid(z)).mean(-1),
    },
    "mean_squared_error": {
        "on the scores": lambda z, t: (z - t).square().mean(-1),
        "sum over classes": lambda z, t: (F.softmax(z, -1) - t).square().sum(-1),
        "sigmoid in place of softmax": lambda z, t: (z.sigmoid() - t).square().mean(-1),
    },
    "root_mean_squared_error": {
        "root of each example": lambda z, t: (F.softmax(z, -1) - t).square().mean(-1).sqrt(),
        "no root": lambda z, t: (F.softmax(z, -1) - t).square().mean(-1),
        "root without a gradient": lambda z, t: (
            (m := (F.softmax(z, -1) - t).square().mean(-1)) / m.detach().mean().clamp_min(1e-30).sqrt()
        ),
    },
    "focal": {
        "probabilities before the logarithm": lambda z, y, gamma: (
            -((1 - (p := true_class(F.softmax(z, -1), y).clamp(1e-7, 1 - 1e-7))) ** gamma) * p.log()
        ),
        "weight without a gradient": lambda z, y, gamma: (
            -((1 - (log_p := true_class(F.log_softmax(z, -1), y)).exp().detach()) ** gamma) * log_p
        ),
        "gamma on p": lambda z, y, gamma: -(gamma * (log_p := true_class(F.log_softmax(z, -1), y))).exp() * log_p,
        "no gamma": lambda z, y, gamma: -true_class(F.log_softmax(z, -1), y),
    },
}

CASES = [
    pytest.param(name, setting, id=" ".join([name, *(f"{k}={v:g}" for k, v in setting.items())]))
    for name in LOSSES
    for setting in checks.settings(name)
]


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "setting"), CASES)
def test_every_loss_passes_every_check(name: str, setting: dict[str, Any], check: Callable[[Loss], None]) -> None:
    check(losses.get(name, **setting))


@pytest.mark.parametrize("name", checks.KERAS_LOSSES)
def test_the_means_of_keras_are_equal_within_their_float32(name: str) -> None:
    loss = losses.get(name)
    scores, labels = checks.examples(loss)
    expected = checks.value_and_gradient(checks.KERAS_LOSSES[name], scores, labels)
    checks.equal(checks.value_and_gradient(loss, scores, labels), expected, tolerance=2e-7)


def test_every_loss_has_an_oracle_and_mutants() -> None:
    assert set(checks.ORACLES) == set(LOSSES)
    assert set(MUTANTS) == set(LOSSES)


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for name, group in MUTANTS.items() for mutant in group])
def test_some_check_rejects_every_mutant(name: str, mutant: str) -> None:
    function = MUTANTS[name][mutant]
    broken = replace(losses.get(name), function=function)
    assert any(_rejects(check, broken) for check in checks.CHECKS)


def _rejects(check: Callable[[Loss], None], loss: Loss) -> bool:
    try:
        check(loss)
    except AssertionError:
        return True
    return False
