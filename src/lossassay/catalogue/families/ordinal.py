"""Grades and stages: classes with an order."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Ordinal"

LOSSES: dict[str, LossSpec] = {}
