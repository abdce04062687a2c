"""Words that several findings share."""

import polars as pl

from lossassay.data.manifest import Manifest


def counted(number: int, word: str) -> str:
    """Return a number and its word: ``"1 image"``, ``"2 images"``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def label_texts(manifest: Manifest) -> pl.Series:
    """Return the label of each row as one text; equal labels have equal texts."""
    labels = manifest.rows["label"]
    return labels.cast(pl.List(pl.String)).list.join("") if manifest.task == "multi_label" else labels.cast(pl.String)
