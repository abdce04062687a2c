"""Labels in the encoding that a loss is fed: class indices, or rows with one number per class."""

from typing import Literal

import torch
import torch.nn.functional as F

from lossassay.catalogue.loss_spec import Task
from lossassay.errors import LabelError


def encode_labels(
    labels: torch.Tensor, num_classes: int, encoding: Literal["integer", "dense"], task: Task | None = None
) -> torch.Tensor:
    """Return labels in the encoding that a loss needs.

    Args:
        labels: Class indices [B], or multi-hot rows [B K].
        num_classes: K.
        encoding: ``"integer"`` gives int32 [B], 4 bytes an image; ``"dense"`` gives float32 rows [B K].
        task: With ``"multi_label"`` nan stands for a finding of which nothing is known; with ``"single_label"`` rows
            must sum to one.

    Raises:
        LabelError: If the labels have several classes per row and the encoding is integer, or are out of range.
    """
    check_labels(labels, num_classes, "dense" if labels.ndim == 2 else "integer", task)
    if encoding == "integer":
        if labels.ndim == 2:
            raise LabelError(
                f"A sparse loss takes one class index per image; these labels are rows of shape {tuple(labels.shape)}, "
                "so that an image can have several findings or none. Use binary_crossentropy for them."
            )
        return labels.int()
    if labels.ndim == 2:
        return labels.float()
    return F.one_hot(labels.long(), num_classes).float()


def check_labels(
    labels: torch.Tensor, num_classes: int, encoding: Literal["integer", "dense"], task: Task | None = None
) -> None:
    """Check kind, shape and range of encoded labels; the arguments are those of `encode_labels`.

    Raises:
        LabelError: Saying what came, what was expected and what to do.
    """
    if encoding == "integer":
        if labels.ndim != 1 or labels.is_floating_point():
            raise LabelError(
                f"Integer labels of shape [B] were expected; got {labels.dtype} of shape {tuple(labels.shape)}. "
                "For rows with one number per class use a dense loss such as categorical_crossentropy."
            )
        if labels.numel() and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            raise LabelError(
                f"Labels from 0 to {num_classes - 1} were expected; got {int(labels.min())} to {int(labels.max())}. "
                "Number the classes from 0 without gaps, or raise the number of outputs."
            )
        return
    if labels.ndim != 2 or labels.shape[1] != num_classes:
        raise LabelError(
            f"Rows of shape [B {num_classes}] were expected; got shape {tuple(labels.shape)}. "
            "For class indices use a sparse loss such as sparse_categorical_crossentropy, or encode_labels."
        )
    inside = (labels >= 0) & (labels <= 1)
    if not bool((inside | torch.isnan(labels) if task == "multi_label" else inside).all()):
        raise LabelError("Label rows must hold numbers from 0 to 1; got values outside. Check the encoding.")
    sums = labels.double().sum(dim=-1)
    if task == "single_label" and not bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-4)):
        raise LabelError(
            f"Soft labels must sum to one in every row; got sums from {sums.min():.4g} to {sums.max():.4g}. Divide "
            "each row by its sum; if an image can have several findings, the task is multi-label."
        )
