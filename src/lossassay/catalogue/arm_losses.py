"""What an arm's loss is: an entry of the catalogue, a sum of entries, or a loss of the user's own."""

from collections.abc import Mapping
from typing import Any

from lossassay.catalogue.compound import COMPOUND, compound_spec
from lossassay.catalogue.loss_spec import LossSpec
from lossassay.catalogue.losses import LOSSES, canonical_name
from lossassay.catalogue.own_losses import is_own, own_spec


def resolved_name(loss: str) -> str:
    """Return the catalogue's name for a loss or alias; sums and losses of the user's own keep theirs.

    Raises:
        UnknownNameError: If there is no such loss.
    """
    return loss if loss == COMPOUND or is_own(loss) else canonical_name(loss)


def spec_of(loss: str, hyper_parameters: Mapping[str, Any]) -> LossSpec:
    """Return what is true of an arm's loss.

    Args:
        loss: As `resolved_name` gives it.
        hyper_parameters: Of the arm; a sum keeps its ``terms`` there.

    Raises:
        UnknownNameError: If there is no such loss.
    """
    if loss == COMPOUND:
        return compound_spec(hyper_parameters["terms"])
    return own_spec(loss) if is_own(loss) else LOSSES[loss]
