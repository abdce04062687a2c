"""Evidence for each class in place of a probability."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Evidential"

LOSSES: dict[str, LossSpec] = {}
