"""The labels as the probes judge them: which columns have enough groups, and which rows are known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lossassay.catalogue.loss_spec import Task
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest

FEWEST_GROUPS = 5  # of a class; with fewer, its share of right predictions says nothing


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Labels with enough groups.

    Args:
        rows: Rows of the manifest that have one of them, [N].
        hot: Labels of these rows, [N K].
        known: Which of them are known, [N K].
        groups: Number of the group of each of these rows, 0 … G - 1, [N].
        names: Of the K labels.
        left_out: Names of the labels with too few groups.
        several: Whether a row can have several labels; then each is judged against its absence.
    """

    rows: npt.NDArray[np.int64]
    hot: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int64]
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    several: bool

    @property
    def chance(self) -> float:
        """Balanced accuracy of a rule that sees nothing."""
        return 1 / 2 if self.several else 1 / len(self.names)

    @property
    def fewest_groups(self) -> int:
        """Groups of the label, or of the absence of a label, that has the fewest."""
        return min(self.groups_with(mask) for mask in self.cells().T)

    def groups_with(self, mask: npt.NDArray[np.bool_]) -> int:
        """Return how many groups have a row of the mask."""
        return len(np.unique(self.groups[mask]))

    def cells(self) -> npt.NDArray[np.bool_]:
        """Return which rows are judged together, [N K], or [N 2K] with the known absences."""
        return np.hstack([self.hot & self.known, ~self.hot & self.known]) if self.several else self.hot


def labels_of(manifest: Manifest) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the labels as true and false, and whether they are known, both [N K]."""
    return labels_of_column(manifest.rows["label"], manifest.task, len(manifest.class_names))


def labels_of_column(
    labels: pl.Series, task: Task, num_classes: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the labels of a column as true and false, and whether they are known, both [N K]."""
    if task == "multi_label":
        given = np.array(labels.to_list(), dtype=np.int64).reshape(len(labels), -1)
        return given > 0, given >= 0
    hot = labels.to_numpy()[:, None] == np.arange(num_classes)
    return hot, np.ones_like(hot)


def judged(manifest: Manifest, *, chosen: npt.NDArray[np.bool_] | None = None) -> Judged:
    """Leave out labels that fewer than `FEWEST_GROUPS` groups have, or that too few lack.

    Args:
        manifest: Rows with labels and groups.
        chosen: Rows to look at, [N]; None: all.
    """
    hot, known = labels_of(manifest)
    several = manifest.task == "multi_label"
    inside = np.ones(len(hot), dtype=np.bool_) if chosen is None else chosen
    groups = group_numbers(manifest)

    def groups_with(mask: npt.NDArray[np.bool_]) -> int:
        return len(np.unique(groups[mask & inside]))

    enough = np.array(
        [
            groups_with(own & sure) >= FEWEST_GROUPS and (not several or groups_with(~own & sure) >= FEWEST_GROUPS)
            for own, sure in zip(hot.T, known.T, strict=True)
        ],
        dtype=np.bool_,
    )
    rows = np.flatnonzero(inside & (known[:, enough].any(axis=1) if several else hot[:, enough].any(axis=1)))
    return Judged(
        rows=rows,
        hot=hot[rows][:, enough],
        known=known[rows][:, enough],
        groups=np.unique(groups[rows], return_inverse=True)[1].astype(np.int64),
        names=tuple(name for name, kept in zip(manifest.class_names, enough, strict=True) if kept),
        left_out=tuple(name for name, kept in zip(manifest.class_names, enough, strict=True) if not kept),
        several=several,
    )
