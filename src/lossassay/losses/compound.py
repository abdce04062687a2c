"""Weighted sums of losses, with weights that may change over epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lossassay.arrays import PerExample, Scores


def weight_at(weight: float | Mapping[str, float], epoch: int) -> float:
    """Return the weight of a term in an epoch.

    Args:
        weight: A number; or from ``from`` in epoch 1 to ``to`` in epoch ``epochs`` in equal steps, then constant.
        epoch: From 1.

    Example:
        >>> weight_at({"from": 0.0, "to": 1.0, "epochs": 11}, 2)
        0.1
    """
    if not isinstance(weight, Mapping):
        return weight
    share = min(1.0, (epoch - 1) / (weight["epochs"] - 1))
    return weight["from"] + share * (weight["to"] - weight["from"])


def weighted_sum(
    scores: Scores, labels: torch.Tensor, *, terms: Sequence[tuple[Any, Any]], **inputs: Any
) -> PerExample:
    r"""Sum of losses, each with its weight.

    :math:`\sum_i w_i(\text{epoch})\, L_i`, per example.

    Args:
        scores: [B K].
        labels: Class indices [B], or rows [B K]; terms for indices get the place of the largest entry of each row.
        terms: Losses of `losses.get`, each with its weight as `weight_at` takes it.
        **inputs: What any of the terms needs, and ``epoch`` where a weight changes.

    Returns:
        Per example, [B].

    Example:
        >>> from lossassay import losses
        >>> ce = losses.get("sparse_categorical_crossentropy")
        >>> weighted_sum(torch.zeros(1, 4), torch.tensor([0]), terms=[(ce, 1.0), (ce, 0.5)])
        tensor([2.0794])
    """
    total = torch.zeros(len(scores), dtype=scores.dtype, device=scores.device)
    for loss, weight in terms:
        own = labels.argmax(dim=-1) if loss.spec.encoding == "integer" and labels.ndim == 2 else labels
        total = total + weight_at(weight, inputs.get("epoch", 1)) * loss(scores, own, **inputs)
    return total
