"""Images that are arrays already: .npz files in the layout of MedMNIST, and the digits of scikit-learn."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from lossassay.catalogue.loss_spec import Task
from lossassay.config.schema import VolumeConfig
from lossassay.data.manifest import PART_NAMES, Finding, Manifest, manifest_rows
from lossassay.data.slices import AXES, slice_count
from lossassay.data.volume_rows import as_slices
from lossassay.errors import DataError

_PREFIXES = ("train", "val", "test")
_LAYOUT = "train_images, train_labels, val_images, val_labels, test_images and test_labels (the layout of MedMNIST)"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One array of images in an .npz file, as its header describes it.

    Args:
        name: Its key, for example ``"train_images"``.
        shape: [N H W], [N H W C], [N D H W] or [N D H W C].
        dtype: uint8 or uint16.
        dimensions: 2 or 3.
        channels: 1, 3 or 4.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dimensions: Literal[2, 3]
    channels: int


def is_npz_folder(folder: Path) -> Path | None:
    """Return the one .npz file of a folder that holds nothing else (besides classes.txt), or None."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    archives = [entry for entry in entries if entry.suffix.lower() == ".npz" and entry.is_file()]
    return archives[0] if len(archives) == 1 and not any(entry.is_dir() for entry in entries) else None


def scan_npz(path: Path) -> Manifest:
    """List the images of an .npz file without reading them and without pickle.

    Raises:
        DataError: If the file is damaged or has another layout.
    """
    members = image_members(path)
    labels = [_labels(path, member) for member in members]
    stacked = np.concatenate(labels) if len({part.shape[1:] for part in labels}) == 1 else None
    if stacked is None:
        raise DataError(f"{path}: the labels of its parts have different shapes {[part.shape for part in labels]}.")
    class_names, numbers, task, findings = _classes(path, stacked)
    names = [member.name.removesuffix("_images") for member in members]
    return Manifest(
        kind="npz",
        root=path,
        rows=manifest_rows(
            [f"{name}/{row}" for name, part in zip(names, labels, strict=True) for row in range(len(part))],
            numbers,
            task=task,
            parts=[PART_NAMES[name] for name, part in zip(names, labels, strict=True) for _ in range(len(part))],
        ),
        class_names=class_names,
        task=task,
        dimensions=members[0].dimensions,
        findings=findings,
    )


def npz_rows(manifest: Manifest, volume: VolumeConfig) -> Manifest:
    """Make rows of the slices of volumes where the study asks for slices; other rows stay as they are.

    Raises:
        DataError: If three slices are to be the channels of volumes that have colours.
    """
    if manifest.root is None or manifest.dimensions == 2 or volume.form == "volume":
        return manifest
    member = image_members(manifest.root)[0]
    if volume.form == "channels" and member.channels != 1:
        raise DataError(
            f'{manifest.root}: its volumes have {member.channels} channels, and data.volume.form = "channels" makes '
            'channels of slices. Use data.volume.form = "slices".'
        )
    depth = member.shape[1 + AXES.index(volume.axis)]
    count = slice_count(depth, volume.model_dump(mode="json"))
    return as_slices(manifest, [count] * len(manifest.rows))


def image_members(path: Path) -> tuple[Member, ...]:
    """Read the headers of the image arrays of an .npz file, in the order train, val, test.

    Raises:
        DataError: If the file is damaged or has another layout.
    """
    with _archive(path) as archive:
        keys = {name.removesuffix(".npy") for name in archive.namelist()}
        names = [f"{prefix}_images" for prefix in _PREFIXES if f"{prefix}_images" in keys]
        unlabelled = [name for name in names if name.replace("_images", "_labels") not in keys]
        if not names or unlabelled:
            raise DataError(f"{path} holds {', '.join(sorted(keys)) or 'no arrays'}. Expected {_LAYOUT}.")
        members = tuple(_member(path, archive, name) for name in names)
    kinds = {(member.dimensions, member.shape[1:], member.dtype) for member in members}
    if len(kinds) > 1:
        raise DataError(
            f"{path}: its parts have different shapes or types ({', '.join(f'{m.name} {m.shape}' for m in members)}). "
            "Expected the same image shape and type in all of them."
        )
    return members


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Member:
    with archive.open(f"{name}.npy") as file:
        shape, fortran_order, dtype = read_header(file)
    if dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)) or fortran_order:
        raise DataError(
            f"{path}: {name} holds {dtype} in {'F' if fortran_order else 'C'} order, "
            "expected uint8 or uint16 in C order."
        )
    coloured = len(shape) in (4, 5) and shape[-1] in (1, 3, 4)
    dimensions = len(shape) - 1 - coloured
    if dimensions not in (2, 3) or 0 in shape[1:]:
        raise DataError(f"{path}: {name} has shape {shape}, expected [N H W], [N H W 3] or [N D H W].")
    return Member(
        name=name,
        shape=shape,
        dtype=dtype,
        dimensions=2 if dimensions == 2 else 3,
        channels=shape[-1] if coloured else 1,
    )


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a .npy stream: shape, whether in Fortran order, and type."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    return shape, fortran_order, dtype


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as .npz: {error}. Write it again with numpy.savez.") from None


def image_blocks(path: Path, member: Member, block_bytes: int) -> Iterator[npt.NDArray[Any]]:
    """Yield the images of one array block by block, [n D H W C] or [n H W C], never all at once.

    Raises:
        DataError: If the file ends early.
    """
    image_bytes = int(np.prod(member.shape[1:])) * member.dtype.itemsize
    rows = max(1, block_bytes // image_bytes)
    shape = (*member.shape[1 : 1 + member.dimensions], member.channels)
    with _archive(path) as archive, archive.open(f"{member.name}.npy") as file:
        read_header(file)
        for first in range(0, member.shape[0], rows):
            count = min(rows, member.shape[0] - first)
            content = file.read(count * image_bytes)
            if len(content) < count * image_bytes:
                raise EOFError(f"{member.name} ends after {first + len(content) // image_bytes} images")
            yield np.frombuffer(content, dtype=member.dtype).reshape(count, *shape)


def _labels(path: Path, member: Member) -> npt.NDArray[Any]:
    name = member.name.replace("_images", "_labels")
    with _archive(path), np.load(path, allow_pickle=False) as stored:
        labels = stored[name]
    if labels.ndim == 1:
        labels = labels[:, None]
    if labels.ndim != 2 or len(labels) != member.shape[0]:
        raise DataError(
            f"{path}: {name} has shape {labels.shape}, expected [{member.shape[0]} 1], or [{member.shape[0]} L] with 0 "
            "and 1 for several labels."
        )
    if labels.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} holds {labels.dtype}, expected whole numbers.")
    strange = np.flatnonzero((labels != np.round(labels)).any(axis=1))  # true for NaN, too
    if len(strange):
        raise DataError(
            f"{path}: {len(strange)} labels of {name} are NaN or no whole numbers (the first in row {strange[0]}). "
            "Fill them in, or drop those images."
        )
    whole: npt.NDArray[np.int64] = labels.astype(np.int64)
    return whole


def _classes(
    path: Path, labels: npt.NDArray[np.int64]
) -> tuple[tuple[str, ...], list[int] | list[list[int]], Task, tuple[Finding, ...]]:
    """Return class names, labels as numbers or multi-hot lists, the task and findings."""
    if labels.shape[1] > 1:
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"{path}: labels with {labels.shape[1]} columns must be 0 or 1 (several labels per image).")
        names, findings = _names(path, labels.shape[1])
        return names, labels.tolist(), "multi_label", findings
    values, numbers = np.unique(labels[:, 0], return_inverse=True)
    if values[0] < 0:
        raise DataError(f"{path}: the smallest label is {values[0]}, expected 0 or more.")
    names, findings = _names(path, int(values[-1]) + 1)
    return tuple(names[value] for value in values), numbers.tolist(), "single_label", findings


def _names(path: Path, count: int) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Class names from classes.txt beside the file, where it has the right length; otherwise numbers."""
    numbers = tuple(map(str, range(count)))
    beside = path.parent / "classes.txt"
    if not beside.is_file():
        return numbers, ()
    names = tuple(line.strip() for line in beside.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    if len(names) == count and len(set(names)) == count:
        return names, ()
    finding = Finding(
        code="class-names-do-not-fit",
        severity="note",
        message=f"classes.txt names {len(set(names))} classes, the labels have {count}; classes are called by number.",
        advice="Write one name on each line, in the order of the labels.",
    )
    return numbers, (finding,)


def scan_digits() -> Manifest:
    """List the 1,797 handwritten digits, 8 x 8, that ship with scikit-learn."""
    _, labels = load_digits()
    return Manifest(
        kind="digits",
        root=None,
        rows=manifest_rows([f"digits/{row}" for row in range(len(labels))], labels.tolist(), task="single_label"),
        class_names=tuple("0123456789"),
        task="single_label",
        dimensions=2,
    )


@cache
def load_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return images [1797 8 8 1], 0 to 255, and labels [1797]."""
    from sklearn import datasets  # half a second, and only digits need it

    bunch = datasets.load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return images, bunch.target.astype(np.int64)
