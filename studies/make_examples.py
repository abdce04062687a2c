"""Writes the phantoms that dicom_example.toml and dementia.toml run on: `python studies/make_examples.py studies/examples`.

They are drawn, not acquired, and show nothing but that the files are read: put your own in their place.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl

GRADES = ("normal", "mild impairment", "Alzheimer's disease")
AXIAL = [1, 0, 0, 0, 1, 0]
SIDE = 48  # px


def write_dicom(folder: Path, *, patients: int = 24, frames: int = 3) -> Path:
    """Write cine loops of a pulsing disc or ring, one series for each visit of a patient, and labels.csv.

    Args:
        folder: Where to; made if it is not there.
        patients: Half of them have rings; each has two visits.
        frames: Of each loop.

    Returns:
        The table of labels, joined by AccessionNumber.
    """
    from pydicom.uid import generate_uid

    random = np.random.default_rng(0)
    rows = []
    for patient in range(patients):
        for visit in range(2):
            uids = [generate_uid() for _ in range(3)]
            accession = f"ACC{patient:03d}{visit}"
            loop = np.stack([_pulse(random, phase / frames, ring=patient % 2 == 1) for phase in range(frames)])
            target = folder / f"PT{patient:06d}" / f"ST{visit:06d}" / "IM000000"  # as on a medium: no ending
            target.parent.mkdir(parents=True, exist_ok=True)
            _data_set(loop, uids, accession, f"EX-{patient:04d}").save_as(target, enforce_file_format=True)
            rows.append({"AccessionNumber": accession, "label": "ring" if patient % 2 else "disc"})
    table = folder / "labels.csv"
    pl.DataFrame(rows).write_csv(table)
    return table


def _pulse(random: np.random.Generator, phase: float, *, ring: bool) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    radius = 12 + 3 * np.sin(2 * np.pi * phase)
    distance = np.hypot(x - random.normal(), y - random.normal())
    inside = (distance < radius) & ((distance > radius - 4) if ring else True)
    return np.clip(500 * inside + random.normal(300, 60, inside.shape), 0, 4095).astype(np.uint16)


def _data_set(loop: np.ndarray, uids: list[str], accession: str, patient_id: str):  # type: ignore[no-untyped-def]
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UltrasoundMultiFrameImageStorage, uids[0]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = UltrasoundMultiFrameImageStorage, uids[0]
    found.SeriesInstanceUID, found.StudyInstanceUID = uids[1], uids[2]
    found.AccessionNumber, found.PatientID, found.Modality = accession, patient_id, "US"
    found.PatientName, found.StudyDate = f"Example^{patient_id}", "20260101"
    found.NumberOfFrames, found.Rows, found.Columns = loop.shape
    found.SamplesPerPixel, found.PhotometricInterpretation, found.PixelRepresentation = 1, "MONOCHROME2", 0
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 12, 11
    found.WindowCenter, found.WindowWidth = 600, 1200
    found.PixelData = loop.tobytes()
    return found


def write_nifti(folder: Path, *, subjects: int = 30, side: int = 40) -> Path:
    """Write heads whose ventricles widen with the grade, and volumes.csv.

    Args:
        folder: Where to; made if it is not there.
        subjects: A third of each grade; every second has two visits.
        side: Voxels.

    Returns:
        The table, with subject, visit, site and diagnosis.
    """
    import nibabel

    random = np.random.default_rng(0)
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for subject in range(subjects):
        for visit in range(1 + subject % 2):
            name = f"sub-{subject:03d}_ses-{visit}_T1w.nii.gz"
            spacing = np.diag([2.0, 2.0, 2.0 + subject % 2, 1.0])  # sites differ in slice thickness
            nibabel.save(nibabel.Nifti1Image(_head(random, subject % 3, side), spacing), folder / name)
            row = {"path": name, "subject": f"sub-{subject:03d}", "visit": visit, "site": "AB"[subject % 2]}
            rows.append(row | {"diagnosis": GRADES[subject % 3]})
    table = folder / "volumes.csv"
    pl.DataFrame(rows).write_csv(table)
    return table


def _head(random: np.random.Generator, grade: int, side: int) -> np.ndarray:
    places = np.stack(np.mgrid[:side, :side, :side]) - (side - 1) / 2 - random.normal(0, 0.5, (3, 1, 1, 1))
    distance = np.sqrt((places**2).sum(axis=0))
    head, ventricle = distance < 0.4 * side, distance < (0.08 + 0.05 * grade) * side
    values = 800 * head - 600 * ventricle + random.normal(0, 40, head.shape) * head
    return np.clip(values, 0, None).astype(np.int16)


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "studies/examples")
    write_dicom(root / "dicom")
    write_nifti(root / "dementia")
