"""What a data set holds, as one table, and what is wrong with it, as coded findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from lossassay.catalogue.loss_spec import Task
from lossassay.data.visit_times import VisitTimes

Kind = Literal["files", "npz", "digits", "dicom", "nifti"]
Part = Literal["train", "validation", "test"]

PARTS: tuple[Part, ...] = ("train", "validation", "test")
# Every spelling of an official part that is understood, in lower case.
PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a look at the data brought up.

    Args:
        code: A fixed name, for example ``"exact-duplicate"``.
        severity: ``"issue"`` can make results wrong; a ``"note"`` is worth knowing.
        message: What is the case, with numbers and without file names.
        advice: What to do about it.
        rows: Rows of the manifest that it concerns, if there are any.
        paths: Files that it concerns; they stay on this machine, because names can hold patient numbers.
    """

    code: str
    severity: Literal["issue", "note"]
    message: str
    advice: str
    rows: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Every image with its label, in an order that depends on nothing but the data.

    Args:
        kind: Where the pixels are: in image files, in one .npz file, or in scikit-learn.
        root: The folder that paths start from; the .npz file itself for ``"npz"``; None for digits.
        rows: One row per image: ``row`` Int64 (0 … N - 1), ``path`` String (posix, NFC, relative; ``"train/17"`` for
            arrays), ``label`` Int64 or List(Int64) multi-hot, ``group`` String or null (a keyed hash, never the
            identifier itself), ``source`` String or null, ``part`` (`PARTS`) or null, ``exam`` String or null (a
            keyed hash: rows that are predicted together), ``time`` Int64 or null (rank of the date, never the date),
            ``frame`` Int64 or null (which frame or slice of its file; null: the whole of it). Files are sorted by
            path, arrays keep their order. A row that is a frame has the path of its file and ``#`` and the frame.
        class_names: Names of the labels, in the order of their numbers.
        task: Whether an image has one label or several.
        dimensions: 2, or 3 for volumes.
        findings: What the scan brought up.
        names_on_disk: Path → name on disk, for the files whose name is not in Unicode normal form C.
        files: Path → names on disk of its files, for rows that are not one whole file: frames, slices, series.
        columns: Further columns of a table, with as many rows, for the audit; they go into no file.
        visits: Time of each row since its patient's first, for change over time; None: not known, or no one came twice.
    """

    kind: Kind
    root: Path | None
    rows: pl.DataFrame
    class_names: tuple[str, ...]
    task: Task
    dimensions: Literal[2, 3]
    findings: tuple[Finding, ...] = ()
    names_on_disk: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    columns: pl.DataFrame | None = field(default=None, repr=False)
    visits: VisitTimes | None = field(default=None, repr=False)

    def files_of(self, path: str) -> tuple[str, ...]:
        """Return the names on disk of the files that a row is read from, relative to the root."""
        return self.files.get(path) or (self.names_on_disk.get(path, path),)


def manifest_rows(
    paths: Sequence[str],
    labels: Sequence[int] | Sequence[list[int]],
    *,
    task: Task,
    groups: Sequence[str | None] | None = None,
    sources: Sequence[str | None] | None = None,
    parts: Sequence[str | None] | None = None,
    exams: Sequence[str | None] | None = None,
    times: Sequence[int | None] | None = None,
    frames: Sequence[int | None] | None = None,
) -> pl.DataFrame:
    """Put the columns of a manifest together, with their types, in the given order.

    Args:
        paths: [N].
        labels: [N] numbers, or [N] multi-hot lists.
        task: Decides the type of the labels.
        groups: [N] keyed hashes; None: no groups.
        sources: [N]; None: not known.
        parts: [N] names of `PARTS`; None: no official parts.
        exams: [N] keyed hashes; None: every row is predicted alone.
        times: [N] ranks of dates; None: not known.
        frames: [N] frames of their files; None: whole files.
    """
    none: list[Any] = [None] * len(paths)
    label_type = pl.List(pl.Int64) if task == "multi_label" else pl.Int64()
    return pl.DataFrame(
        {
            "row": pl.Series(range(len(paths)), dtype=pl.Int64),
            "path": pl.Series(paths, dtype=pl.String),
            "label": pl.Series(labels, dtype=label_type),
            "group": pl.Series(none if groups is None else groups, dtype=pl.String),
            "source": pl.Series(none if sources is None else sources, dtype=pl.String),
            "part": pl.Series(none if parts is None else parts, dtype=pl.String),
            "exam": pl.Series(none if exams is None else exams, dtype=pl.String),
            "time": pl.Series(none if times is None else times, dtype=pl.Int64),
            "frame": pl.Series(none if frames is None else frames, dtype=pl.Int64),
        }
    )


def keep_rows(manifest: Manifest, kept: Sequence[bool], findings: Sequence[Finding]) -> Manifest:
    """Return the manifest of the ``kept`` rows only, renumbered from 0, with more findings."""
    mask = pl.Series(kept, dtype=pl.Boolean)
    rows = manifest.rows.filter(mask)
    return replace(
        manifest,
        rows=rows.with_columns(row=pl.int_range(len(rows), dtype=pl.Int64)),
        findings=(*manifest.findings, *findings),
        columns=None if manifest.columns is None else manifest.columns.filter(mask),
        visits=None if manifest.visits is None else manifest.visits.of(mask),
    )
