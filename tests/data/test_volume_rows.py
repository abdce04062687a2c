"""Rows of volumes that become rows of their slices."""

from pathlib import Path

import polars as pl

from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.data.volume_rows import as_slices


def volumes(**columns: list[str | None]) -> Manifest:
    rows = manifest_rows(["a.nii", "b.nii", "c.nii"], [0, 1, 0], task="single_label", **columns)
    return Manifest(
        kind="nifti",
        root=Path(),
        rows=rows,
        class_names=("x", "y"),
        task="single_label",
        dimensions=3,
        names_on_disk={"b.nii": "B on disk.nii"},
        columns=pl.DataFrame({"age": [50, 60, 70]}),
    )


def test_further_columns_and_files_follow_their_rows() -> None:
    manifest = as_slices(volumes(), [2, 1, 3])
    assert manifest.rows["path"].to_list() == ["a.nii#0", "a.nii#1", "b.nii#0", "c.nii#0", "c.nii#1", "c.nii#2"]
    assert manifest.rows["label"].to_list() == [0, 0, 1, 0, 0, 0]
    assert manifest.columns is not None
    assert manifest.columns["age"].to_list() == [50, 50, 60, 70, 70, 70]
    assert manifest.files_of("b.nii#0") == ("B on disk.nii",)
    assert manifest.files_of("c.nii#2") == ("c.nii",)


def test_exams_and_groups_of_a_table_stay() -> None:
    manifest = as_slices(volumes(exams=["e", "e", None], groups=["p", "p", None]), [2, 2, 2])
    exams, groups = manifest.rows["exam"].to_list(), manifest.rows["group"].to_list()
    assert exams[:4] == ["e"] * 4
    assert groups[:4] == ["p"] * 4
    assert exams[4] == exams[5] == groups[4] == groups[5] != "e"
    assert exams[4] is not None


def test_a_volume_without_a_readable_header_is_one_row() -> None:
    manifest = as_slices(volumes(), [2, None, 2])
    assert manifest.rows["path"].to_list() == ["a.nii#0", "a.nii#1", "b.nii", "c.nii#0", "c.nii#1"]
    assert manifest.rows["frame"].to_list() == [0, 1, None, 0, 1]
    assert manifest.files_of("b.nii") == ("B on disk.nii",)


def test_one_slice_of_each_needs_no_exam() -> None:
    manifest = as_slices(volumes(), [1, 1, 1])
    assert manifest.rows["exam"].null_count() == manifest.rows["group"].null_count() == 3
    assert manifest.dimensions == 2
