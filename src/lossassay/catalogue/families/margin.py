"""Margin heads: cosine scores, which make good features."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Margin heads and features"

LOSSES: dict[str, LossSpec] = {}
