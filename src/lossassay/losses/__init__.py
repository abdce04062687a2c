"""Losses: pure functions from scores and labels to one number per example. They never reduce, log or move devices.

>>> import torch
>>> loss = get("focal", gamma=2.0)
>>> per_example = loss(torch.zeros(2, 3), torch.tensor([0, 2]))
>>> per_example.shape
torch.Size([2])
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lossassay.arrays import PerExample
from lossassay.catalogue.losses import LOSSES, LossSpec, canonical_name
from lossassay.errors import UnknownNameError, did_you_mean
from lossassay.losses.labels import check_labels, encode_labels

__all__ = ["Loss", "check_labels", "encode_labels", "get", "names"]


@dataclass(frozen=True)
class Loss:
    """A fully written-out loss: its name, every hyper-parameter, and the function itself.

    Call it with scores [B K] and labels in the encoding that ``spec.encoding`` names; it returns one number per
    example [B]. Average them yourself: the mean is the only reduction that lossassay uses.
    """

    name: str
    hyper_parameters: Mapping[str, Any]
    spec: LossSpec
    function: Any

    def __call__(self, scores: torch.Tensor, labels: torch.Tensor) -> PerExample:
        """Return the loss of each example, [B]."""
        return self.function(scores, labels, **self.hyper_parameters)  # type: ignore[no-any-return]


def names() -> tuple[str, ...]:
    """Return the names of all losses, in the catalogue's order."""
    return tuple(LOSSES)


def get(name: str, **hyper_parameters: Any) -> Loss:
    """Return a loss by its name or alias.

    Args:
        name: A name of the catalogue, for example ``"focal"``.
        **hyper_parameters: As in the catalogue; those not given take the paper's default.

    Raises:
        UnknownNameError: If there is no such loss or hyper-parameter.
        ValueError: If a hyper-parameter is outside its range.
    """
    name = canonical_name(name)
    spec = LOSSES[name]
    for key, value in hyper_parameters.items():
        if key not in spec.hyper_parameters:
            known = ", ".join(spec.hyper_parameters) or "it has none"
            hint = did_you_mean(key, spec.hyper_parameters)
            raise UnknownNameError(f"{name} has no hyper-parameter {key!r}. Known: {known}.{hint}")
        problem = spec.hyper_parameters[key].problem(value)
        if problem:
            raise ValueError(f"{name}: {key}: {problem}")
    defaults = {key: parameter.default for key, parameter in spec.hyper_parameters.items()}
    module, function = spec.function.split(":")
    code = getattr(importlib.import_module(module), function)
    return Loss(name=name, hyper_parameters=defaults | hyper_parameters, spec=spec, function=code)
