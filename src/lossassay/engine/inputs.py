"""What a loss needs besides scores and labels, taken from the model as training goes on."""

from typing import Any

import numpy as np
import torch
from torch import nn

from lossassay.catalogue.loss_spec import LossSpec
from lossassay.engine.spec import Array, RunData, RunSpec
from lossassay.errors import ModelError


def class_counts(labels: Array, num_classes: int) -> Array:
    """Return the images of each class, or with each finding, float64 [K].

    Args:
        labels: Of the training part, class indices [M] or rows [M K]; unknown findings, nan, do not count.
        num_classes: K.
    """
    counts = np.nansum(labels, axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=num_classes)
    return np.asarray(counts, dtype=np.float64)


def row_weights(run: RunSpec, data: RunData) -> torch.Tensor:
    """Return the class weight of every row; "balanced" is N / (K n_c), counted on the training part (mean 1 over it).

    Args:
        run: Names the weights.
        data: Labels, and the training part.
    """
    choice = run.training.class_weights
    if choice == "none":
        return torch.ones(len(data.labels))
    if choice == "balanced":
        counts = np.bincount(data.labels[data.train], minlength=data.num_classes)
        by_class = len(data.train) / (data.num_classes * np.maximum(counts, 1))
    else:
        by_class = np.asarray(choice)
    return torch.from_numpy(by_class[data.labels].astype(np.float32))


class LossInputs:
    """Hands a loss what it declares, and nothing else.

    Args:
        model: With ``features`` and ``head``; a loss that needs features sees those of the last forward pass.
        spec: The loss.
        epochs: Of the whole run.

    Raises:
        ModelError: If the loss looks into the head, and the head has no such part.
    """

    def __init__(self, model: Any, spec: LossSpec, epochs: int) -> None:
        self._head: nn.Module = model.head
        self._needs = spec.inputs
        self._epochs = epochs
        self._features: list[torch.Tensor] = []
        for need, part in (("head_weight", "weight"), ("centres", "centres")):
            if need in spec.inputs and not isinstance(getattr(model.head, part, None), torch.Tensor):
                raise ModelError(
                    f"The loss looks into the last layer for its {part}, and the head of this model "
                    f"({type(model.head).__name__}) has none. Use a model whose `head` is one dense layer."
                )
        if "features" in spec.inputs:
            model.features.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: Any, features: torch.Tensor) -> None:
        self._features = [features]

    def of(self, rows: torch.Tensor, epoch: int) -> dict[str, Any]:
        """Return the inputs for the batch that the model saw last.

        Args:
            rows: Row numbers of the batch, [B].
            epoch: From 1.
        """
        everything: dict[str, Any] = {"rows": rows, "epoch": epoch, "epochs": self._epochs}
        if "features" in self._needs:
            everything["features"] = self._features[0].float()
        if "head_weight" in self._needs:
            everything["head_weight"] = self._head.weight
        if "centres" in self._needs:
            everything["centres"] = self._head.centres
        return {name: value for name, value in everything.items() if name in self._needs}
