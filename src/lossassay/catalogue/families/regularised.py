"""Cross-entropy with something added, smoothed or bent."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Regularised cross-entropy"

LOSSES: dict[str, LossSpec] = {}
