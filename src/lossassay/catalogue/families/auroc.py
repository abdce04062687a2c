"""Losses that rank: the area under the ROC curve."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Area under the ROC curve"

LOSSES: dict[str, LossSpec] = {}
