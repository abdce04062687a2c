"""Writes the tree of studies/dicom_example.toml: made-up DICOM files of 60 patients who do not exist.

    python studies/dicom_example.py
    lossassay run studies/dicom_example.toml

Every patient has two images in 16 bits, as one scanner or the other would store them: a disk in noise, large ("sick")
or small ("well"). One patient has a cine loop besides, and one a secondary capture, which is left out. The tree has no
class folders: labels are in a table that names patients.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

OUT = Path(__file__).with_name("dicom_example")
PATIENTS, IMAGES_OF_EACH, SIDE_PX, FRAMES = 60, 2, 48, 6
RADIUS_PX = {"well": 8.0, "sick": 10.0}
COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
ULTRASOUND_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def disk(radius_px: float, random: np.random.Generator) -> np.ndarray:
    """Return values from 0 to 4095 [H W]: a disk somewhere near the middle, in noise."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    row, column = SIDE_PX / 2 + random.uniform(-6, 6, 2)
    inside = np.hypot(rows - row, columns - column) < radius_px
    values = 1400 + 900 * inside + random.normal(0, 350, inside.shape)
    return np.clip(values, 0, 4095).astype(np.uint16)


def uid(*names: object) -> str:
    """Return the same identifier for the same names."""
    return str(generate_uid(entropy_srcs=["lossassay example", *map(str, names)]))


def made(patient: int, sop_class: str, pixels: np.ndarray, place: int) -> Dataset:
    """Return a data set with everything that a hospital would write and a study must not show."""
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = sop_class, uid("image", patient, sop_class, place)
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = uid("study", patient), uid("series", patient, sop_class)
    data_set.PatientName, data_set.PatientID = f"Example^Person{patient:03d}", f"MRN{48_151_600 + patient}"
    data_set.PatientBirthDate, data_set.StudyDate = f"1950{1 + patient % 12:02d}17", f"2019{1 + patient % 12:02d}23"
    data_set.AccessionNumber, data_set.StudyID = f"ACC{7_700_000 + patient}", f"ST{880_000 + patient}"
    data_set.InstitutionName = f"Saint Example Hospital {patient % 2}"
    data_set.ReferringPhysicianName = f"Doctor^Referring{patient % 5}"
    data_set.Manufacturer = ("First Scanners", "Second Scanners")[patient % 2]
    data_set.Modality = "US" if sop_class == ULTRASOUND_CINE else "CR"
    data_set.InstanceNumber = place
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows, data_set.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        data_set.NumberOfFrames = len(pixels)
    data_set.BitsAllocated = 8 * pixels.dtype.itemsize
    data_set.BitsStored = 12 if data_set.BitsAllocated == 16 else 8
    data_set.HighBit, data_set.PixelRepresentation = data_set.BitsStored - 1, 0
    data_set.PixelData = pixels.tobytes()
    data_set["PixelData"].VR = "OW" if data_set.BitsAllocated == 16 else "OB"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


def with_window(data_set: Dataset) -> Dataset:
    """Add the window that shows the disk."""
    data_set.WindowCenter, data_set.WindowWidth = 1_800, 2_800
    return data_set


def write_tree(folder: Path) -> int:
    """Write every file and the table of labels; return the number of files."""
    random = np.random.default_rng(0)
    label_of = {patient: ("well", "sick")[patient // 2 % 2] for patient in range(PATIENTS)}
    count = 0
    for patient, label in label_of.items():
        images = [disk(RADIUS_PX[label], random) for _ in range(IMAGES_OF_EACH)]
        made_here = [
            with_window(made(patient, COMPUTED_RADIOGRAPHY, image, place)) for place, image in enumerate(images)
        ]
        if patient == 0:
            loop = np.stack([disk(RADIUS_PX[label], random) >> 4 for _ in range(FRAMES)]).astype(np.uint8)
            made_here.append(made(patient, ULTRASOUND_CINE, loop, 0))
        if patient == 1:
            made_here.append(made(patient, SECONDARY_CAPTURE, images[0], 0))
        for place, data_set in enumerate(made_here):
            path = folder / str(data_set.PatientID) / f"{data_set.PatientID}_{place}"
            path.parent.mkdir(parents=True, exist_ok=True)
            data_set.save_as(path, enforce_file_format=True)
            count += 1
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["PatientID", "label"])
        writer.writerows([f"MRN{48_151_600 + patient}", label] for patient, label in label_of.items())
    return count


def main(folder: Path) -> int:
    """Write the tree and say what is in it."""
    sys.stdout.write(f"{folder.name}: {write_tree(folder)} DICOM files of {PATIENTS} patients, and labels.csv\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT))
