"""Labels of which nothing is known: nan in a row of findings."""

import torch
from torch import Tensor


def known_and_filled(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return which labels are known, and the labels with 0 in place of the others; both [B K]."""
    known = ~torch.isnan(labels)
    return known, torch.where(known, labels, 0.0)


def mean_over_known(per_class: Tensor, known: Tensor) -> Tensor:
    """Return the mean over the known classes of each example, [B]; 0 where none is known."""
    return torch.where(known, per_class, 0.0).sum(-1) / known.sum(-1).clamp_min(1)


def sum_over_known(per_class: Tensor, known: Tensor) -> Tensor:
    """Return the sum over the known classes of each example, [B]."""
    return torch.where(known, per_class, 0.0).sum(-1)
