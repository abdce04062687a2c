"""Rows that are volumes, turned into rows that are slices of them."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from lossassay.config.schema import DataConfig, VolumeConfig
from lossassay.config.volume_checks import volume_problems
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding, Manifest
from lossassay.errors import DataError


def refuse_volume_settings(manifest: Manifest, data: DataConfig) -> None:
    """Refuse settings of the volume section that these data cannot follow: none is ignored silently.

    Raises:
        DataError: With the keys, and what to do.
    """
    problems = list(volume_problems(data))
    if problems:
        raise DataError(f"{'; '.join(problems)}.")
    if manifest.kind == "dicom":
        return
    plain = VolumeConfig()
    given = [key for key in VolumeConfig.model_fields if getattr(data.volume, key) != getattr(plain, key)]
    whole = manifest.rows["frame"].null_count() == len(manifest.rows)
    if given and manifest.kind != "nifti" and manifest.dimensions == 2 and whole:
        raise DataError(f"{_keys(given)} cannot be used here: these are flat images, no volumes. Leave it out.")
    if manifest.kind == "npz":
        _refuse_for_arrays(data, given)
    if manifest.kind == "nifti" and data.spacing_mm is not None:
        raise DataError(
            f"data.spacing_mm = {data.spacing_mm:g} is for flat images. For volumes write data.volume.spacing_mm."
        )
    if manifest.dimensions == 3 and data.preprocess:
        raise DataError(
            f"data.preprocess ({', '.join(data.preprocess)}) works on flat images, and these rows are whole volumes. "
            'Leave it out (data.volume.clip and data.volume.crop exist), or set data.volume.form = "slices".'
        )


def _refuse_for_arrays(data: DataConfig, given: Sequence[str]) -> None:
    unfit = [key for key in given if key in ("spacing_mm", "clip", "window", "crop")]
    if unfit:
        raise DataError(
            f"{_keys(unfit)} cannot be used with an .npz file: its arrays are pixels already, without a voxel size or "
            "units. Leave it out, or store the volumes as NIfTI files."
        )
    if "axis" in given and data.volume.form == "volume":
        raise DataError(
            "data.volume.axis cannot be used with whole volumes of an .npz file: they are taken as stored. Leave it "
            'out, or set data.volume.form = "slices".'
        )


def _keys(names: Sequence[str]) -> str:
    return " and ".join(f"data.volume.{name}" for name in names)


def as_slices(manifest: Manifest, counts: Sequence[int | None]) -> Manifest:
    """Make every slice of every volume a row.

    A row keeps its label, source, part and time. Where a volume has several slices they are one exam, and one group if
    no group is known: slices of a volume never part.

    Args:
        manifest: Of whole volumes.
        counts: How many slices are taken of each; None: not known, because the file cannot be read.

    Returns:
        The slices, in the order of volumes, of dimensions 2. Row ``"a.nii#3"`` is slice 3 of its volume.
    """
    rows = manifest.rows
    volumes = rows["path"].to_list()
    if max((count or 1) for count in counts) > 1:
        own = pl.Series("own", hash_groups([f"volume {path}" for path in volumes]), dtype=pl.String)
        rows = rows.with_columns(group=pl.coalesce("group", own), exam=pl.coalesce("exam", own))
    frames = pl.Series("frame", [None if count is None else list(range(count)) for count in counts], pl.List(pl.Int64))
    taken = rows.with_columns(frames, volume=pl.int_range(pl.len())).explode("frame")
    sliced = taken.with_columns(
        row=pl.int_range(pl.len(), dtype=pl.Int64),
        path=pl.concat_str("path", pl.lit("#"), pl.col("frame").cast(pl.String)).fill_null(pl.col("path")),
    )
    of_volume = sliced["volume"].to_list()
    files = dict(zip(sliced["path"].to_list(), (manifest.files_of(volumes[v]) for v in of_volume), strict=True))
    return replace(
        manifest,
        rows=sliced.drop("volume"),
        dimensions=2,
        findings=(*manifest.findings, *_no_patients(manifest)),
        names_on_disk={},
        files=files if manifest.kind != "npz" else {},
        columns=None if manifest.columns is None else manifest.columns[of_volume],
        visits=None if manifest.visits is None else manifest.visits.of(of_volume),
    )


def _no_patients(manifest: Manifest) -> list[Finding]:
    if manifest.rows["group"].null_count() < len(manifest.rows):
        return []
    return [
        Finding(
            code="no-groups",
            severity="note",
            message="Nothing says which volumes belong to the same patient. Slices of one volume stay together, but a "
            "patient with several volumes can be in training and test.",
            advice="Name the patient's column in data.group, or a pattern for the path in data.group_pattern.",
        )
    ]
