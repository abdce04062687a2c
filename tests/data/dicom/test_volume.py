"""Series stacked to volumes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from lossassay.data.cache import open_cache
from lossassay.data.dicom.geometry import stack_of
from lossassay.data.scan import scan
from lossassay.errors import DataError
from tests.data.dicom.made import ENHANCED_MR, noise, save, uid, write
from tests.data.dicom.made import made as make
from tests.data.dicom.test_scan import codes, config, finding

AXIAL = [1, 0, 0, 0, 1, 0]
VOLUME = noise(1, (8, 8, 8), "uint8", 256)


def write_series(
    folder: Path, name: str, volume: np.ndarray = VOLUME, *, step: float = 1.0, places: Any = None, **tags: Any
) -> None:
    """Files in an order that is not that of the slices."""
    for number, image in enumerate(volume):
        place = float(places[number]) if places is not None else number * step
        own = {
            "ImagePositionPatient": [0, 0, place],
            "ImageOrientationPatient": AXIAL,
            "PixelSpacing": [1, 1],
            "InstanceNumber": len(volume) - number,
            "SeriesInstanceUID": uid(name),
            "PatientID": name,
        }
        kept = {key: value for key, value in (own | tags).items() if value is not None}
        write(folder / f"{name}-{(number * 5) % 8}-{number}.dcm", image, **kept)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_series(tmp_path / "tree" / "a", "one")
    write_series(tmp_path / "tree" / "b", "two", VOLUME[::-1])
    return tmp_path / "tree"


def volumes(tree: Path, **changes: Any) -> Any:
    return open_cache(config(tree, dicom={"unit": "volume"}, **changes))


def centre(volume: np.ndarray) -> np.ndarray:
    """Every fourth voxel of 32: the eight that were there."""
    return volume[2::4, 2::4, 2::4, 0].astype(float)


def test_slices_are_ordered_by_position(tree: Path) -> None:
    cache = volumes(tree)
    assert cache.images.shape == (2, 32, 32, 32, 1)
    assert cache.manifest.dimensions == 3
    assert cache.manifest.rows["frame"].null_count() == 2
    assert codes(cache.manifest) == set()
    assert len(cache.manifest.files_of(cache.manifest.rows["path"][0])) == 8
    correlation = np.corrcoef(centre(cache.images[0]).ravel(), VOLUME.ravel())[0, 1]
    assert correlation > 0.8
    assert np.array_equal(cache.images[0], cache.images[1][::-1])


def test_the_direction_is_that_of_the_normal() -> None:
    positions = [[0, 0, float(place)] for place in (3, 1, 2)]
    up = stack_of(positions, [AXIAL] * 3)
    down = stack_of(positions, [[1, 0, 0, 0, -1, 0]] * 3)
    assert up is not None
    assert down is not None
    assert (up.order, down.order, up.step_mm) == ((1, 2, 0), (0, 2, 1), 1.0)
    assert stack_of(positions, [AXIAL, AXIAL, [0, 1, 0, 0, 0, 1]]) is None
    assert stack_of([(), *positions[1:]], [AXIAL] * 3) is None


def test_distance_of_slices_makes_the_volume_longer(tmp_path: Path) -> None:
    bright = np.full((4, 8, 8), 200, np.uint8)
    for name in "ab":
        write_series(tmp_path / "tree" / name, name, bright, step=4.0)
    image = volumes(tmp_path / "tree").images[0, ..., 0]
    filled = (image > 100).any(axis=(1, 2)).sum(), (image > 100).any(axis=(0, 2)).sum()
    assert filled == (32, 16), "16 mm of slices beside 8 mm of rows"


def test_without_positions_by_instance_number_with_a_finding(tmp_path: Path) -> None:
    for name in "ab":
        write_series(tmp_path / "tree" / name, name, ImagePositionPatient=None)
    cache = volumes(tmp_path / "tree")
    found = finding(cache.manifest, "dicom-series-irregular")
    assert found.severity == "note"
    assert found.message.startswith("2 DICOM series have no positions, so that slices are ordered by their instance")
    assert np.corrcoef(centre(cache.images[0]).ravel(), VOLUME[::-1].ravel())[0, 1] > 0.8


@pytest.mark.parametrize(
    ("tags", "places", "message", "is_kept"),
    [
        ({}, [0, 1, 2, 3, 3, 4, 5, 6], "several slices at one position", False),
        ({}, [0, 1, 2, 3, 6, 7, 8, 9], "gaps between slices", True),
        ({"ImagePositionPatient": None, "InstanceNumber": 1}, None, "slices that are not parallel, or without", False),
    ],
)
def test_irregular_series(tree: Path, tags: dict[str, Any], places: Any, message: str, is_kept: bool) -> None:
    write_series(tree / "a", "odd", places=places, **tags)
    manifest = scan(config(tree, dicom={"unit": "volume"}))
    found = finding(manifest, "dicom-series-irregular")
    assert found.message.startswith(f"1 DICOM series have {message}")
    assert found.severity == ("note" if is_kept else "issue")
    assert len(manifest.rows) == 2 + is_kept
    assert len(found.paths) == 8


def test_sizes_planes_and_single_slices(tree: Path) -> None:
    write_series(tree / "a", "sizes")
    write(tree / "a" / "other", noise(1, (9, 8), "uint8", 256), SeriesInstanceUID=uid("sizes"), PatientID="sizes")
    write_series(tree / "a", "single", VOLUME[:1])
    messages = {
        one.message.split(". ")[0]
        for one in scan(config(tree, dicom={"unit": "volume"})).findings
        if one.code == "dicom-series-irregular"
    }
    assert messages == {"1 DICOM series have slices of different sizes", "1 DICOM series have a single slice"}


def test_a_slice_stored_twice_counts_once(tree: Path) -> None:
    first = sorted((tree / "a").iterdir())[0]
    (tree / "a" / "copy.dcm").write_bytes(first.read_bytes())
    manifest = scan(config(tree, dicom={"unit": "volume"}))
    assert codes(manifest) == set()
    assert [len(manifest.files_of(path)) for path in manifest.rows["path"]] == [8, 8]


def test_two_labels_in_a_series(tree: Path) -> None:
    write_series(tree / "b", "one", VOLUME[:3], places=[20, 21, 22])
    with pytest.raises(DataError, match=r"slices of a DICOM series have 2 different labels"):
        scan(config(tree, dicom={"unit": "volume"}))


def test_slices_cannot_be_asked_for_twice(tree: Path) -> None:
    with pytest.raises(DataError, match=r"data.volume.form = 'slices' cannot be used with DICOM series"):
        scan(config(tree, dicom={"unit": "volume"}, volume={"form": "slices"}))


def test_settings_that_would_be_ignored_are_refused(tree: Path) -> None:
    with pytest.raises(DataError, match=r"data.volume.crop, data.preprocess cannot be used with .*unit = 'volume'"):
        scan(config(tree, dicom={"unit": "volume"}, volume={"crop": "foreground"}, preprocess=("clahe",)))
    with pytest.raises(DataError, match=r"data.volume.window cannot be used with data.dicom.unit = 'image'"):
        scan(config(tree, volume={"window": (40.0, 400.0)}))


def test_spacing_and_window_of_a_volume(tree: Path) -> None:
    plain, narrow = volumes(tree), volumes(tree, volume={"window": (128.0, 2.0)})
    assert set(np.unique(narrow.images[0]).tolist()) >= {0, 255}
    assert not np.array_equal(plain.images[0], narrow.images[0])
    coarse = volumes(tree, volume={"spacing_mm": 4.0})
    assert coarse.images[0].std() < plain.images[0].std() / 2, "seen at 2 voxels a side"


def enhanced(places: list[float]) -> Dataset:
    data_set = make(VOLUME.astype(np.uint16) * 16, sop_class=ENHANCED_MR, PatientID="e", SeriesInstanceUID=uid("e"))
    measures, plane, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [1, 1]
    plane.ImageOrientationPatient = AXIAL
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    data_set.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for place in places:
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, place]
        group.PlanePositionSequence = [position]
        groups.append(group)
    data_set.PerFrameFunctionalGroupsSequence = groups
    return data_set


def test_frames_of_an_enhanced_object_by_position(tmp_path: Path) -> None:
    save(enhanced([float(place) for place in range(8)]), tmp_path / "tree" / "a" / "up")
    save(enhanced([float(-place) for place in range(8)]), tmp_path / "tree" / "b" / "down")
    cache = volumes(tmp_path / "tree")
    assert cache.images.dtype == np.uint16
    assert np.array_equal(cache.images[0], cache.images[1][::-1])
    assert np.corrcoef(centre(cache.images[0]).ravel(), VOLUME.ravel())[0, 1] > 0.8


def test_slopes_of_slices_differ_and_the_window_is_one(tmp_path: Path) -> None:
    """PET stores every slice with its own slope: equal values must stay equal."""
    for name in "ab":
        for number in range(4):
            write(
                tmp_path / "tree" / name / f"{number}",
                np.full((8, 8), 800 // (number + 1), np.uint16),
                ImagePositionPatient=[0, 0, number],
                ImageOrientationPatient=AXIAL,
                RescaleSlope=number + 1,
                RescaleIntercept=0,
                WindowCenter=800 if number == 2 else 5,
                WindowWidth=1600 if number == 2 else 1,
                SeriesInstanceUID=uid(name),
                PatientID=name,
            )
    image = volumes(tmp_path / "tree", resize="stretch").images[0].astype(int)
    assert image.max() - image.min() < 200
    assert abs(int(np.median(image)) - 32_768) < 200


def test_a_damaged_slice_takes_its_series_out(tree: Path) -> None:
    write_series(tree / "a", "third")
    path = next(path for path in (tree / "a").iterdir() if path.name.startswith("third"))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"MONOCHROME2", b"PALETTE COL"))
    cache = volumes(tree)
    assert len(cache.images) == 2
    assert "unreadable-image" in codes(cache.manifest)


def test_frames_without_positions_keep_their_order() -> None:
    from lossassay.data.decode import Item
    from lossassay.data.dicom.read import read_item
    from tests.data.dicom.test_read import options

    one = read_item(Item((get_testdata_file("rtdose.dcm"),)), options(dimensions=3), deep=True)
    assert one.problem is None
    assert len(one.pixels or b"") == 2 * 32**3
