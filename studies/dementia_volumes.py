"""Makes small head-like volumes and their table for studies/dementia.toml; needs nibabel.

    python studies/dementia_volumes.py [FOLDER] [SUBJECTS]

Each subject has two visits at one of three sites. The ventricles grow with the grade and a little with time, and a
third of the subjects with a mild impairment have Alzheimer's disease at the second visit. Sites differ in how they
store a volume (order and direction of the axes, voxel size) and in brightness, as scanners do. Nothing here is a
patient.
"""

import csv
import sys
from pathlib import Path

import nibabel
import numpy as np

GRADES = ("normal", "mild impairment", "Alzheimer's disease")
VENTRICLE_MM = (9.0, 13.0, 17.0)  # half the length of a ventricle at each grade
EXTENT_MM = (150.0, 185.0, 150.0)  # to the right, to the front, upwards
# Storage of each site: letters say where each axis of the array goes; voxel size in mm; brightness.
SITES = {
    "North": ("RAS", (4.0, 4.0, 4.0), 900.0),
    "South": ("LPS", (4.0, 4.0, 5.0), 300.0),
    "Harbour": ("PSR", (5.0, 4.0, 4.0), 1500.0),
}


def head(ventricle_mm: float, spacing_mm: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    """Return brain, skull and two ventricles with noise, float32, as right, front, up."""
    sides = [int(extent / own) for extent, own in zip(EXTENT_MM, spacing_mm, strict=True)]
    axes = [(np.arange(side) - side / 2 + 0.5) * own for side, own in zip(sides, spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    x, y, z = x - random.normal(0, 3), y - random.normal(0, 3), z - random.normal(0, 3)
    size = random.normal(1, 0.04)
    brain = (x / 58) ** 2 + (y / 75) ** 2 + (z / 58) ** 2 < size**2
    skull = (x / 66) ** 2 + (y / 83) ** 2 + (z / 66) ** 2 < size**2
    values = 0.35 * skull + 0.45 * brain
    for side in (-1, 1):
        ventricle = ((x - 11 * side) / 7) ** 2 + (y / (1.6 * ventricle_mm)) ** 2 + (z / ventricle_mm) ** 2 < 1
        values = np.where(ventricle, 0.1, values)
    return np.asarray(values + random.normal(0, 0.04, values.shape), dtype=np.float32)


def stored(values: np.ndarray, spacing_mm: tuple[float, ...], letters: str, brightness: float) -> nibabel.Nifti1Image:
    """Turn a volume into the storage of a site, with the affine that says so."""
    image = nibabel.Nifti1Image((values * brightness).clip(0).astype(np.int16), np.diag([*spacing_mm, 1.0]))
    wanted = nibabel.orientations.axcodes2ornt(letters)
    return image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), wanted))


def write(folder: Path, subjects: int, *, seed: int = 0) -> Path:
    """Write all volumes and their table; return the table's path."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(subjects):
        grade, site = number % len(GRADES), list(SITES)[int(random.integers(len(SITES)))]
        letters, spacing_mm, brightness = SITES[site]
        growth_mm = random.normal(0, 1)
        for visit, later in (("m00", False), ("m24", True)):
            now = 2 if grade == 1 and later and number % 9 == 1 else grade
            values = head(VENTRICLE_MM[now] + growth_mm + 0.5 * later, spacing_mm, random)
            path = Path(f"sub-{number:03}") / f"ses-{visit}" / f"sub-{number:03}_ses-{visit}_T1w.nii.gz"
            (folder / path.parent).mkdir(parents=True, exist_ok=True)
            nibabel.save(stored(values, spacing_mm, letters, brightness), folder / path)
            rows.append((path.as_posix(), f"sub-{number:03}", visit, site, GRADES[now]))
    table = folder / "dementia.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "subject", "visit", "site", "diagnosis"), *rows])
    return table


def main(arguments: list[str]) -> int:
    """Write beside this file, or into the folder that was named."""
    folder = Path(arguments[0]) if arguments else Path(__file__).with_name("dementia")
    subjects = int(arguments[1]) if len(arguments) > 1 else 90
    table = write(folder, subjects)
    sys.stdout.write(f"{table}: {subjects} subjects, {2 * subjects} volumes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
