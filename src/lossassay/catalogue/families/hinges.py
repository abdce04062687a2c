"""Hinges, and the losses of sparse probabilities."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Hinges and sparse probabilities"

LOSSES: dict[str, LossSpec] = {}
