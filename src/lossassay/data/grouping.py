"""Which rows belong together, as numbers."""

import numpy as np
import numpy.typing as npt
import polars as pl

from lossassay.data.manifest import Manifest


def group_numbers(manifest: Manifest) -> npt.NDArray[np.int64]:
    """Number the groups in the order in which they first appear; a row without a group has one of its own.

    The numbers say which rows belong together and nothing of the hashes, whose key differs between users.

    Returns:
        int64 [N].
    """
    return group_numbers_of(manifest.rows)


def group_numbers_of(rows: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Number the groups of rows as stored, with their columns ``row`` and ``group``; see `group_numbers`."""
    own = pl.concat_str(pl.lit("row "), pl.col("row").cast(pl.String))
    names = rows.select(name=pl.coalesce("group", own))["name"]
    first_rows = pl.DataFrame({"name": names}).with_row_index("first").group_by("name").agg(pl.col("first").min())
    numbered = first_rows.sort("first").with_row_index("number")
    joined = names.to_frame().join(numbered, on="name", how="left", maintain_order="left")
    return joined["number"].cast(pl.Int64).to_numpy()
