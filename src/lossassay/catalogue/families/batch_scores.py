"""Scores of a whole batch: soft F1 and its kin, and the hardest examples."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Scores of a batch"

LOSSES: dict[str, LossSpec] = {}
