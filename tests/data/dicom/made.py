"""DICOM files that the tests make, small and with every attribute under control."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
ULTRASOUND_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


def uid(*names: object) -> str:
    """The same UID for the same names."""
    return str(generate_uid(entropy_srcs=[str(name) for name in names]))


def made(
    pixels: np.ndarray | None, *, sop_class: str = CT, syntax: str = ExplicitVRLittleEndian, **tags: Any
) -> Dataset:
    """A data set of [H W], [F H W] or [H W 3] pixels; ``tags`` are set last, None removes one."""
    data_set = Dataset()
    data_set.SOPClassUID = sop_class
    data_set.SOPInstanceUID = tags.pop("SOPInstanceUID", None) or generate_uid()
    data_set.Modality = "CT"
    if pixels is not None:
        colours = pixels.shape[-1] == 3 and pixels.ndim > 2
        data_set.SamplesPerPixel = 3 if colours else 1
        data_set.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
        if colours:
            data_set.PlanarConfiguration = 0
        planes = pixels.shape[:-1] if colours else pixels.shape
        data_set.Rows, data_set.Columns = planes[-2:]
        if len(planes) == 3:
            data_set.NumberOfFrames = planes[0]
        data_set.BitsAllocated = data_set.BitsStored = 8 * pixels.dtype.itemsize
        data_set.HighBit = data_set.BitsStored - 1
        data_set.PixelRepresentation = int(pixels.dtype.kind == "i")
        data_set.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        data_set["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in tags.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    return data_set


def save(data_set: Dataset, path: Path) -> Path:
    """Write a data set; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data_set.save_as(path, enforce_file_format=True)
    return path


def write(path: Path, pixels: np.ndarray | None, **tags: Any) -> Path:
    """Make a data set and write it."""
    return save(made(pixels, **tags), path)


def noise(seed: int, shape: tuple[int, ...] = (32, 32), kind: str = "uint16", high: int = 4096) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, high, shape).astype(kind)
