"""What the families' oracles share."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before keras is imported

import torch

Tensor = torch.Tensor


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    return torch.nn.functional.one_hot(labels.long(), num_classes).double()


def clamped_log(p: Tensor) -> Tensor:
    return p.clamp(1e-7, 1 - 1e-7).log()


def true_class(rows: Tensor, labels: Tensor) -> Tensor:
    return rows.gather(-1, labels[:, None].long()).squeeze(-1)
