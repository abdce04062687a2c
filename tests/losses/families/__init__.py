"""For each family of the catalogue: an independent value of every loss, and wrong versions that some check rejects."""

from collections.abc import Callable

import torch

from tests.losses.families import (
    auroc,
    batch_scores,
    cross_entropy,
    evidential,
    hinges,
    imbalance,
    margin,
    multi_label,
    noisy_labels,
    ordinal,
    regularised,
    squared_errors,
)

FAMILIES = (
    cross_entropy,
    regularised,
    squared_errors,
    hinges,
    imbalance,
    noisy_labels,
    batch_scores,
    auroc,
    ordinal,
    margin,
    multi_label,
    evidential,
)
ORACLES: dict[str, Callable[..., torch.Tensor]] = {k: v for family in FAMILIES for k, v in family.ORACLES.items()}
MUTANTS: dict[str, dict[str, Callable[..., torch.Tensor]]] = {
    k: v for family in FAMILIES for k, v in family.MUTANTS.items()
}
