"""Image files that a user names, brought to what a run takes, by the reading of its study."""

import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data.cache import decode_options
from lossassay.data.decode import Decoded, DecodeOptions, Item, NeedsSixteenBits, decode
from lossassay.data.decode_worker import READERS, set_warnings
from lossassay.data.manifest import Kind, Manifest, manifest_rows
from lossassay.data.names import VOLUME_SUFFIXES
from lossassay.engine.spec import Array
from lossassay.errors import DataError


def read_given(run: LoadedRun, paths: Sequence[str | Path]) -> Array:
    """Read image files as the study reads its own, [M H W C] or [M D H W C].

    Raises:
        DataError: If a file cannot be read, or is of another kind than the images that the run was trained on.
    """
    kinds = [_kind(run, Path(path)) for path in paths]
    options = {kind: run_options(run, kind) for kind in set(kinds)}
    deep = run.largest_value > 255
    images = [_read(Path(path), kind, options[kind], deep) for path, kind in zip(paths, kinds, strict=True)]
    shape = (len(images), *run.image_shape)
    return np.frombuffer(b"".join(images), dtype="<u2" if deep else np.uint8).reshape(shape)


def run_options(run: LoadedRun, kind: Kind) -> DecodeOptions:
    """Return how files of a kind become images of the run's size."""
    rows = manifest_rows([], [], task=run.task)
    dimensions = run.plan["data"]["dimensions"]
    manifest = Manifest(
        kind=kind, root=None, rows=rows, class_names=run.class_names, task=run.task, dimensions=dimensions
    )
    return decode_options(run.study.data, manifest)


def _kind(run: LoadedRun, path: Path) -> Kind:
    name = path.name.lower()
    kind: Kind = "nifti" if name.endswith(VOLUME_SUFFIXES) else "dicom" if _is_dicom(path) else "files"
    volume = run.plan["data"]["dimensions"] == 3
    if volume != (kind == "nifti"):
        came = {"nifti": "a volume", "dicom": "a DICOM file", "files": "a flat image"}[kind]
        wanted = "volumes (NIfTI files)" if volume else "flat images"
        raise DataError(
            f"{path} is {came}, and the run was trained on {wanted}. Expected the same kind. Choose another file; "
            "images of the study itself can be named by their rows, with --row."
        )
    return kind


def _is_dicom(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Expected an image file. Check the name and its rights."
        ) from None


def _read(path: Path, kind: Kind, options: DecodeOptions, deep: bool) -> bytes:
    try:
        with warnings.catch_warnings():
            set_warnings()
            if kind == "files":
                found: Decoded = decode(path.read_bytes(), options, deep=deep)
            else:
                found = import_module(READERS[kind]).read_item(Item((str(path),)), options, deep=deep)
    except NeedsSixteenBits:
        raise DataError(
            f"{path} has 16-bit pixels, and the run was trained on 8-bit ones. Expected images of the same depth. "
            "Convert the image as those of the study were converted, or train on images with 16 bits."
        ) from None
    if found.pixels is None:
        reason = f"{found.problem}{f', {found.detail}' if found.detail else ''}"
        raise DataError(f"{path} cannot be read as an image ({reason}). Expected a whole image file. Check the file.")
    return found.pixels
