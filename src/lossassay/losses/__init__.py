"""Losses: pure functions from scores and labels to one number per example. They never reduce, log or move devices.

>>> import torch
>>> loss = get("focal", gamma=2.0)
>>> per_example = loss(torch.zeros(2, 3), torch.tensor([0, 2]))
>>> per_example.shape
torch.Size([2])
>>> get("balanced_softmax", class_counts=[900, 100])(torch.zeros(2, 2), torch.tensor([0, 1]))
tensor([0.1054, 2.3026])
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import torch

from lossassay.arrays import PerExample
from lossassay.catalogue.arm_losses import resolved_name, spec_of
from lossassay.catalogue.compound import COMPOUND, compound_spec
from lossassay.catalogue.loss_spec import Input, LossSpec
from lossassay.catalogue.losses import LOSSES
from lossassay.catalogue.own_losses import is_own, own_function
from lossassay.errors import LossInputError, UnknownNameError, did_you_mean
from lossassay.losses.compound import weighted_sum
from lossassay.losses.labels import check_labels, encode_labels
from lossassay.losses.links import class_logits, probabilities

__all__ = ["Loss", "check_labels", "class_logits", "encode_labels", "get", "names", "probabilities"]


@dataclass(frozen=True)
class Loss:
    """A fully written-out loss: its name, every hyper-parameter, and the function itself.

    Call it with scores [B K] and labels in the encoding that ``spec.encoding`` names; it returns one number per
    example [B]. Average them yourself: the mean is the only reduction that lossassay uses.

    Args:
        name: The catalogue's.
        hyper_parameters: All of them; those of the head too.
        spec: What the catalogue says of it.
        function: From scores, labels and inputs to one number per example.
        class_counts: Images of each class in the training part, [K], where the loss needs them.
    """

    name: str
    hyper_parameters: Mapping[str, Any]
    spec: LossSpec
    function: Any
    class_counts: torch.Tensor | None = field(default=None, compare=False)

    def __call__(self, scores: torch.Tensor, labels: torch.Tensor, **inputs: Any) -> PerExample:
        """Return the loss of each example, [B].

        Args:
            scores: [B S], as the head that ``spec.head`` names puts them out.
            labels: In the encoding that ``spec.encoding`` names.
            **inputs: What ``spec.inputs`` names, besides the class counts; others are passed over, so that one
                training loop can give the same to every loss.

        Raises:
            LossInputError: If something that the loss needs was not given.
        """
        wanted = {name: inputs[name] for name in self.spec.inputs if name in inputs}
        if self.class_counts is not None:
            wanted["class_counts"] = self.class_counts.to(scores)
        bound = ("class_counts",) if self.name == COMPOUND else ()  # each term of a sum has its own
        missing = [name for name in self.spec.inputs if name not in wanted and name not in bound]
        if missing:
            given = ", ".join(f"{name}=..." for name in missing)
            raise LossInputError(
                f"{self.name} also needs {', '.join(missing)}: call it as loss(scores, labels, {given})."
            )
        return self.function(scores, labels, **self._own_parameters, **wanted)  # type: ignore[no-any-return]

    @property
    def _own_parameters(self) -> dict[str, Any]:
        return {key: value for key, value in self.hyper_parameters.items() if key not in self.spec.head_options}

    @property
    def head_options(self) -> dict[str, Any]:
        """Options of the last layer that come with the loss."""
        return {key: self.hyper_parameters[key] for key in self.spec.head_options}


def names() -> tuple[str, ...]:
    """Return the names of all losses, in the catalogue's order."""
    return tuple(LOSSES)


def get(
    name: str, *, class_counts: Sequence[int | float] | torch.Tensor | None = None, **hyper_parameters: Any
) -> Loss:
    """Return a loss by its name or alias.

    Args:
        name: A name of the catalogue, for example ``"focal"``; ``module:function`` for a loss of your own; or
            ``"compound"`` with ``terms``, a list of mappings with ``name``, ``weight`` and hyper-parameters.
        class_counts: Images of each class in the training part, [K], 1 or more each; losses that do not need them
            pass them over.
        **hyper_parameters: As in the catalogue; those not given take the paper's default.

    Raises:
        UnknownNameError: If there is no such loss or hyper-parameter.
        ValueError: If a hyper-parameter is outside its range.
        LossInputError: If the loss needs class counts and they are missing, or one is not positive.
    """
    name = resolved_name(name)
    if name == COMPOUND:
        return _sum(hyper_parameters["terms"], class_counts)
    spec = spec_of(name, hyper_parameters)
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
    code = own_function(name) if is_own(name) else getattr(importlib.import_module(module), function)
    return Loss(
        name=name,
        hyper_parameters=defaults | hyper_parameters,
        spec=spec,
        function=code,
        class_counts=_checked_counts(name, class_counts) if "class_counts" in spec.inputs else None,
    )


def _sum(terms: Sequence[Mapping[str, Any]], class_counts: Sequence[int | float] | torch.Tensor | None) -> Loss:
    """Return a weighted sum; its link is computed with the hyper-parameters of the first term."""
    parts = []
    for term in terms:
        own = {key: value for key, value in term.items() if key not in ("name", "weight")}
        parts.append((get(term["name"], class_counts=class_counts, **own), term.get("weight", 1.0)))
    return Loss(
        name=COMPOUND,
        hyper_parameters=parts[0][0].hyper_parameters,
        spec=compound_spec(terms),
        function=partial(_weighted_sum, terms=parts),
    )


def _weighted_sum(
    scores: torch.Tensor, labels: torch.Tensor, *, terms: Sequence[tuple[Loss, Any]], **inputs: Any
) -> PerExample:
    """Leave out what `Loss.__call__` adds for the first term's link."""
    known = {name: value for name, value in inputs.items() if name in get_args(Input)}
    return weighted_sum(scores, labels, terms=terms, **known)


def _checked_counts(name: str, class_counts: Sequence[int | float] | torch.Tensor | None) -> torch.Tensor:
    if class_counts is None:
        raise LossInputError(
            f"{name} needs to know how many images of each class the training part has: "
            f"losses.get({name!r}, class_counts=[...]). A study counts them by itself."
        )
    counts = torch.as_tensor(class_counts, dtype=torch.float64)
    if counts.ndim != 1 or not bool((counts > 0).all()):
        raise LossInputError(
            f"{name}: class counts must be a list of positive numbers, one for each class; got {counts.tolist()}. "
            "A class without a training image cannot be learnt: leave it out, or merge it with another."
        )
    return counts
