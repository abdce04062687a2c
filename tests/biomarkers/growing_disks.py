"""Images of disks of which some grow by a known rate, with a table of visits."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

SIDE_PX, RATE_PX = 32, 1.5  # of the side; of the radius in a year
START = datetime.date(2015, 3, 9)


def write_growing_disks(folder: Path, *, patients: int, visits: int = 3, seed: int = 0) -> Path:
    """Write a disk for each visit, half a year to a year apart, and ``visits.csv``; return the table.

    Patients with an even number grow, the others do not. The score is twice the radius plus a little noise. The label
    is the size of the first visit.
    """
    generator = np.random.default_rng(seed)
    (folder / "scans").mkdir(parents=True)
    rows = []
    for patient in range(patients):
        large = patient % 4 >= 2
        first_px = generator.uniform(6.5, 8.5) if large else generator.uniform(3, 5)
        day = START + datetime.timedelta(days=int(generator.integers(0, 900)))
        start = day
        for visit in range(visits):
            years = (day - start).days / 365.25
            radius = first_px + RATE_PX * years * (patient % 2 == 0)
            path = f"scans/{patient:03d}-{visit}.png"
            Image.fromarray(_disk(radius, generator)).save(folder / path)
            rows.append(
                {
                    "path": path,
                    "label": "large" if large else "small",
                    "who": f"Jane Doe {patient}",
                    "when": day.isoformat(),
                    "severity": round(2 * radius + 0.1 * float(generator.standard_normal()), 4),
                }
            )
            day += datetime.timedelta(days=int(generator.integers(180, 366)))
    pl.DataFrame(rows).write_csv(folder / "visits.csv")
    return folder / "visits.csv"


def _disk(radius_px: float, generator: np.random.Generator) -> np.ndarray:
    down, across = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    centre = SIDE_PX / 2 + generator.uniform(-2, 2, 2)
    inside = np.clip(radius_px - np.hypot(across - centre[0], down - centre[1]) + 0.5, 0, 1)
    grey = 0.3 + 0.4 * inside + 0.03 * generator.standard_normal((SIDE_PX, SIDE_PX))
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
