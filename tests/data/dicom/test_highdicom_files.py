"""Objects that another library writes: highdicom's screenshots and segmentations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data.cache import open_cache
from lossassay.data.scan import scan
from tests.data.dicom.made import noise, write

pytestmark = pytest.mark.filterwarnings("ignore")  # highdicom's own


def capture(pixels: np.ndarray, patient: str) -> Any:
    from highdicom.sc import SCImage
    from highdicom.uid import UID

    return SCImage(
        pixel_array=pixels,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=UID(),
        series_instance_uid=UID(),
        sop_instance_uid=UID(),
        series_number=1,
        instance_number=1,
        manufacturer="made",
        patient_id=patient,
        patient_orientation=("L", "P"),
    )


def tree(folder: Path, patients: int) -> DataConfig:
    for number in range(patients):
        path = folder / "ab"[number % 2] / f"capture{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        capture(noise(number, (40, 40), "uint8", 256), f"p{number}").save_as(path)
    return DataConfig(path=str(folder), image_size=40)


def test_screenshots_beside_images_are_left_out(tmp_path: Path) -> None:
    config = tree(tmp_path / "tree", 2)
    for number in range(4):
        write(tmp_path / "tree" / "ab"[number % 2] / f"image{number}.dcm", noise(number), PatientID=f"i{number}")
    manifest = scan(config)
    assert len(manifest.rows) == 4
    (left_out,) = [one for one in manifest.findings if one.code == "dicom-left-out"]
    assert "2 secondary captures" in left_out.message


def test_screenshots_alone_are_read_with_the_values_that_were_written(tmp_path: Path) -> None:
    cache = open_cache(tree(tmp_path / "tree", 4))
    assert "dicom-secondary-only" in {one.code for one in cache.manifest.findings}
    for row, path in enumerate(cache.manifest.rows["path"].to_list()):
        number = int(path[path.index("capture") + 7 : -4])
        assert np.array_equal(cache.images[row, ..., 0], noise(number, (40, 40), "uint8", 256))
