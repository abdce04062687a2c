r"""Every loss by name, from the families.

Notation: z are the K scores of one example, p = softmax(z), s = sigmoid(z), y the index of the true class,
t its dense (one-hot, soft or multi-hot) row.
"""

from lossassay.catalogue.families import (
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
from lossassay.catalogue.loss_spec import LossSpec
from lossassay.errors import unknown_name

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

LOSSES: dict[str, LossSpec] = {name: spec for family in FAMILIES for name, spec in family.LOSSES.items()}
FAMILY_OF: dict[str, str] = {name: family.TITLE for family in FAMILIES for name in family.LOSSES}
ALIASES: dict[str, str] = {alias: name for name, spec in LOSSES.items() for alias in spec.aliases}


def canonical_name(name: str) -> str:
    """Return the catalogue's name for ``name`` or one of its aliases.

    Raises:
        UnknownNameError: If no loss has that name; the message lists the nearest.
    """
    if name in LOSSES:
        return name
    if name in ALIASES:
        return ALIASES[name]
    raise unknown_name("loss", name, [*LOSSES, *ALIASES], listed_by="lossassay losses")
