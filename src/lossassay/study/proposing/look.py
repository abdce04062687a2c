"""Looks at a folder, table or array file and proposes the data section of a study."""

from pathlib import Path
from typing import Any

import numpy as np

from lossassay.config import DataConfig
from lossassay.data.dicom.files import holds_dicom
from lossassay.data.folder_files import files_below
from lossassay.data.manifest import Manifest
from lossassay.data.nifti.read import middle_slices
from lossassay.data.scan import scan
from lossassay.data.table import TABLE_SUFFIXES
from lossassay.errors import DataError
from lossassay.study.proposing.look_dicom import look_at_dicom
from lossassay.study.proposing.look_table import lists_files, look_at_table
from lossassay.study.proposing.proposal import Proposal


def look(path: str | Path) -> Proposal:
    """Propose how to read a path.

    Args:
        path: A folder, a table, an .npz file, or ``"digits"``.

    Raises:
        DataError: If there is nothing to read.
    """
    if str(path) == "digits":
        return Proposal(data={"path": "digits", "image_size": 32}, reasons={"image_size": "the smallest there is"})
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"There is no file or folder called {path}. Check the path.")
    notes: tuple[str, ...] = ()
    if path.is_dir():
        names = list(files_below(path))
        if holds_dicom(path, names):
            data, reasons, notes = look_at_dicom(path, names)
            return Proposal(data=data, reasons=reasons, notes=notes)
        path, notes = _inside(path)
    proposal = (
        look_at_table(path) if path.suffix.lower() in TABLE_SUFFIXES else Proposal(data={"path": str(path.resolve())})
    )
    return _with_size(Proposal(data=proposal.data, reasons=proposal.reasons, notes=(*notes, *proposal.notes)))


def _inside(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Find the table or the array file that a folder holds; the folder itself stands for class folders."""
    arrays = sorted(folder.glob("*.npz"))
    if len(arrays) == 1:
        return arrays[0], (f"the folder holds the array file {arrays[0].name}",)
    tables = [
        table for table in sorted(folder.iterdir()) if table.suffix.lower() in TABLE_SUFFIXES and lists_files(table)
    ]
    if tables:
        others = ", ".join(table.name for table in tables[1:])
        note = f"the folder holds the table {tables[0].name}"
        return tables[0], (note + (f"; other tables there: {others}" if others else ""),)
    return folder, ()


def _with_size(proposal: Proposal) -> Proposal:
    """Add image size, channels and padding from a sample of the images."""
    manifest = scan(DataConfig.model_validate(proposal.data))
    sample = _sample(proposal.data["path"], manifest)
    if not sample:
        return proposal
    sides = sorted({max(image.shape[:2]) for image in sample})
    colour = np.mean([_is_coloured(image) for image in sample]) > 0.5
    data = proposal.data | {
        "image_size": 32 if sides[-1] <= 48 or manifest.dimensions == 3 else 64,
        "channels": 3 if colour else 1,
    }
    native = f"{sides[0]}" if len(sides) == 1 else f"{sides[0]} to {sides[-1]}"
    reasons = proposal.reasons | {
        "image_size": f"px; the images have {native}. Small is fast: raise it when the study works",
        "channels": "the images have colour" if colour else "the images are grey",
    }
    if any(image.shape[0] != image.shape[1] for image in sample):
        borders = np.concatenate([np.concatenate([image[0].ravel(), image[-1].ravel()]) for image in sample])
        light = float(np.median(borders)) > 127
        data["padding"] = 255 if light else 0
        reasons["padding"] = f"grey level beside images that are not square; their borders are {_tone(light)}"
    return Proposal(data=data, reasons=reasons, notes=(*proposal.notes, *_volume_notes(manifest)))


def _volume_notes(manifest: Manifest) -> tuple[str, ...]:
    if manifest.dimensions == 2:
        return ()
    return ("these are volumes, trained on whole; docs/volumes.md tells of slices, voxel size, windows and crops",)


def _tone(light: bool) -> str:
    return "light" if light else "dark"


def _sample(path: str, manifest: Any) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Up to 12 images, evenly spread; files that do not open are left to the audit."""
    if manifest.kind == "npz":
        with np.load(path, allow_pickle=False) as stored:
            images = stored["train_images"][:12]
        return [image[len(image) // 2] if manifest.dimensions == 3 else image for image in images]
    if manifest.kind == "nifti":
        return middle_slices(manifest)
    from PIL import Image, UnidentifiedImageError

    found = []
    for row in np.linspace(0, len(manifest.rows) - 1, min(12, len(manifest.rows))).astype(int):
        try:
            with Image.open(manifest.root / manifest.files_of(manifest.rows["path"][int(row)])[0]) as picture:
                found.append(np.asarray(picture.convert("RGB")))
        except (OSError, UnidentifiedImageError):
            continue
    return found


def _is_coloured(image: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    if image.ndim != 3 or image.shape[-1] != 3:
        return False
    spread = image.max(axis=-1).astype(int) - image.min(axis=-1)
    return float((spread > 16).mean()) > 0.02
