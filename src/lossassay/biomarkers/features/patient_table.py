"""The mean over the images of each patient, from a table that was written block by block."""

from pathlib import Path

import numpy as np
import polars as pl

from lossassay.biomarkers.features.feature_table import FeatureTable
from lossassay.engine.spec import Array


def write_patients(table: FeatureTable, out: Path) -> tuple[Path, int]:
    """Write the mean of the images of each patient; an image without a patient is a patient of its own.

    Args:
        table: One row for each image, with the columns id and group.
        out: Its file; the new one lies beside it.

    Returns:
        The path, and the number of patients.
    """
    columns = table.rows().collect_schema().names()
    means = [name for name in columns if name.startswith(("probability_", "feature_"))]
    labels = [name for name in columns if name == "label" or name.startswith("label_")]
    known = table.rows().select(pl.coalesce("group", "id").alias("group"), *labels).collect()
    patients = known.group_by("group", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("images"), *(_agreed(name) for name in labels)
    )
    counts = patients["images"].to_numpy()
    found = _sums(table, known["group"], means, len(patients)) / counts[:, None]
    path = out.with_name(f"{out.stem}-patients{out.suffix}")
    with FeatureTable(path) as target:
        target.add(patients.with_columns(pl.DataFrame(found.astype(np.float32), schema=means)))
        target.finish()
    return path, len(patients)


def _sums(table: FeatureTable, groups: pl.Series, columns: list[str], patients: int) -> Array:
    """Sum columns over the images of each patient in float64, in the order of the images; memory grows with patients.

    Args:
        table: The images.
        groups: The patient of each.
        columns: What is summed.
        patients: How many there are.
    """
    place = {group: number for number, group in enumerate(groups.unique(maintain_order=True).to_list())}
    sums = np.zeros((patients, len(columns)))
    first = 0
    for block in table.blocks(columns):
        own = [place[group] for group in groups[first : first + len(block)].to_list()]
        np.add.at(sums, own, block.to_numpy().astype(np.float64))
        first += len(block)
    return sums


def _agreed(name: str) -> pl.Expr:
    """The label that all images of a patient have, else null."""
    return pl.when(pl.col(name).n_unique() == 1).then(pl.col(name).first()).alias(name)
