"""Which rows belong together, as numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lossassay.data.manifest import Manifest
from lossassay.errors import DataError

Numbers = npt.NDArray[np.int64]


def group_numbers(manifest: Manifest) -> Numbers:
    """Number the groups in the order in which they first appear; a row without a group has one of its own.

    Rows of one exam belong together too: groups and exams that share rows are joined. The numbers say which rows belong
    together and nothing of the hashes, whose key differs between users.

    Returns:
        int64 [N].
    """
    groups, exams = _numbered(manifest.rows, "group"), exam_numbers(manifest)
    return groups if exams is None else joined(groups, exams)


def exam_numbers(manifest: Manifest) -> Numbers | None:
    """Number the exams in the order in which they first appear; a row without an exam has one of its own.

    Returns:
        int64 [N]; None where every row is predicted alone.
    """
    numbers = _numbered(manifest.rows, "exam")
    return None if len(np.unique(numbers)) == len(numbers) else numbers


def joined(first: Numbers, second: Numbers) -> Numbers:
    """Number the connected components of rows that share a number in either, in the order of their first rows.

    Args:
        first: int64 [N], 0 or more.
        second: int64 [N], 0 or more.

    Returns:
        int64 [N].
    """
    nodes = int(first.max(initial=-1)) + 1
    links = coo_array(
        (np.ones(len(first), dtype=np.int8), (first, nodes + second)),
        shape=(nodes + int(second.max(initial=-1)) + 1,) * 2,
    )
    return in_order_of_appearance(connected_components(links, directed=False)[1][first])


def in_order_of_appearance(values: npt.NDArray[Any]) -> Numbers:
    """Number values 0, 1, … in the order in which they first appear."""
    _, first_rows, inverse = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first_rows), dtype=np.int64)
    rank[np.argsort(first_rows)] = np.arange(len(first_rows))
    return rank[inverse]


def check_exams(manifest: Manifest) -> None:
    """Refuse exams whose rows differ in label or group: what is predicted together must be one case.

    Raises:
        DataError: With the number of such exams.
    """
    exams = exam_numbers(manifest)
    if exams is None:
        return
    of_exam = manifest.rows.with_columns(exam=pl.Series(exams)).group_by("exam")
    for column, noun, advice in (
        ("label", "label", "Label the whole exam, or leave data.exam out so that each image is predicted alone."),
        ("group", "group", "An exam is of one patient: check data.exam and data.group."),
    ):
        mixed = int((of_exam.agg(pl.col(column).n_unique())[column] > 1).sum())
        if mixed:
            raise DataError(
                f"{mixed} of {exams.max() + 1} exams have images with more than one {noun}. All images of an exam are "
                f"predicted together, so they must have one {noun}. {advice}"
            )


def group_numbers_of(rows: pl.DataFrame) -> Numbers:
    """Number the groups of rows as stored, with their columns ``row`` and ``group``; see `group_numbers`."""
    return _numbered(rows, "group")


def _numbered(rows: pl.DataFrame, column: str) -> Numbers:
    own = pl.concat_str(pl.lit("row "), pl.col("row").cast(pl.String))
    names = rows.select(name=pl.coalesce(column, own))["name"]
    first_rows = pl.DataFrame({"name": names}).with_row_index("first").group_by("name").agg(pl.col("first").min())
    numbered = first_rows.sort("first").with_row_index("number")
    both = names.to_frame().join(numbered, on="name", how="left", maintain_order="left")
    return both["number"].cast(pl.Int64).to_numpy()
