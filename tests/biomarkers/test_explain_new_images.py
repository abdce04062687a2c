"""Maps of new images in every form that extract reads: deep pixels, DICOM files, volumes, folders, tables."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from lossassay.biomarkers.decisions.predict import predict
from lossassay.biomarkers.heatmaps.explain import explain_run
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.biomarkers.new_images.images import open_new_images
from lossassay.config.load import parse_study
from lossassay.errors import DataError
from lossassay.reporting.explain_page import write_explanation
from lossassay.reporting.heatmap_pictures import picture
from tests.data.dicom.made import noise, uid, write
from tests.study.here import run_here


@pytest.fixture(scope="module")
def run(image_study: Path) -> LoadedRun:
    return load_run(image_study)


@pytest.fixture(scope="module")
def image(image_study: Path) -> Path:
    return image_study.parent / "images" / "left" / "003.png"


def codes(found) -> list[str]:
    return [one.code for one in found.findings]


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_deep_pixels_give_the_map_of_the_same_image_in_eight_bits(
    run: LoadedRun, image: Path, tmp_path: Path, name: str
) -> None:
    with Image.open(image) as opened:
        Image.fromarray(np.asarray(opened).astype(np.uint16) * 257).save(tmp_path / name)
    deep = explain_run(run, [tmp_path / name])
    (eight,) = explain_run(run, [image]).images
    (found,) = deep.images
    np.testing.assert_array_equal(found.pixels, eight.pixels)
    np.testing.assert_array_equal(found.maps["grad_cam"], eight.maps["grad_cam"])
    assert codes(deep) == ["other-mode"]
    assert "1 16-bit grey images came" in deep.findings[0].message


def test_a_dicom_file_has_the_map_of_what_extract_reads(run: LoadedRun, tmp_path: Path) -> None:
    path = write(tmp_path / "one.dcm", noise(1), PatientID="MRN1", SeriesInstanceUID=uid("x"))
    found = explain_run(run, [path])
    np.testing.assert_array_equal(found.images[0].pixels, open_new_images(run, path).block(0, 1)[0])
    assert found.images[0].maps["grad_cam"].shape == (32, 32)
    assert found.images[0].probability == pytest.approx(_probability(run, path), abs=1e-6)
    assert "other-kind" in codes(found)


def _probability(run: LoadedRun, path: Path) -> float:
    table = predict(run, path).table
    return max(table[f"probability_{name}"][0] for name in run.class_names)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_files_that_come_with_pydicom(run: LoadedRun, name: str) -> None:
    found = explain_run(run, [get_testdata_file(name)])
    assert len(found.images) == 1
    assert np.isfinite(found.images[0].maps["grad_cam"]).all()
    assert np.ptp(found.images[0].pixels) > 100


def test_several_files_keep_their_order_and_say_each_thing_once(run: LoadedRun, image: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "b.png", tmp_path / "a.png", image]
    for place, path in enumerate(paths[:2]):
        Image.fromarray(np.full((32, 32, 3), 60 + 90 * place, dtype=np.uint8)).save(path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    found = explain_run(run, [*paths, tmp_path / "broken.png"])
    assert [int(one.pixels[0, 0, 0]) for one in found.images[:2]] == [60, 150]
    np.testing.assert_array_equal(found.images[2].pixels, explain_run(run, [image]).images[0].pixels)
    assert sorted(codes(found)) == ["learnt-from", "other-mode", "unreadable-image"]
    assert found.left_out == 1
    broken = next(one for one in found.findings if one.code == "unreadable-image")
    assert broken.paths == (str(tmp_path / "broken.png"),)
    assert "broken.png" not in broken.message
    page = write_explanation(found, tmp_path / "out").read_text(encoding="utf-8")
    assert "2 RGB images came" in page
    assert "1 of the files named cannot be read and were left out" in page
    assert "broken.png" not in page


def test_a_folder_with_classes_brings_its_labels(run: LoadedRun, image: Path, tmp_path: Path) -> None:
    for name in ("right", "nonsense"):
        (tmp_path / name).mkdir()
        shutil.copy(image, tmp_path / name / "a.png")
    assert [one.label for one in explain_run(run, [tmp_path]).images] == [None, "right"]


def test_more_images_than_a_page_can_show(run: LoadedRun, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossassay.biomarkers.heatmaps.explain.LARGEST_PAGE", 3)
    with pytest.raises(DataError, match=r"30 images came\. Expected 3 or fewer"):
        explain_run(run, [image.parent])


@pytest.fixture(scope="module")
def volume_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study on small NIfTI volumes, ``volumes`` beside it."""
    folder = tmp_path_factory.mktemp("volume_study")
    generator = np.random.default_rng(0)
    for place, name in enumerate(("low", "high")):
        (folder / "volumes" / name).mkdir(parents=True)
        for number in range(12):
            values = generator.integers(0, 300, (16, 16, 16)).astype(np.int16)
            values[:, :, 8 * place : 8 * place + 8] += 500
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / "volumes" / name / f"{number}.nii.gz")
    raw = {
        "name": "volumes",
        "data": {"path": str(folder / "volumes"), "image_size": 32},
        "arms": [{"loss": "categorical_crossentropy"}],
        "training": {
            "model_options": {"widths": [4, 4, 8, 8, 8], "dense": [16, 8]},
            "epochs": 1,
            "batch_size": 8,
            "precision": "fp32",
            "kernels": "plain",
        },
        "evidence": {"replicates": 1},
    }
    run_here(parse_study(raw), folder / "out")
    return folder / "out"


def test_a_volume_given_by_file(volume_study: Path, tmp_path: Path) -> None:
    run = load_run(volume_study)
    path = volume_study.parent / "volumes" / "high" / "3.nii.gz"
    found = explain_run(run, [path])
    (image,) = found.images
    assert image.maps["grad_cam"].shape == (32, 32, 32)
    assert image.pixels.shape == (32, 32, 32, 1)
    drawn = picture(image, "grad_cam", "Grad-CAM")
    assert drawn.height > 3 * 224  # a row for each axis
    write_explanation(found, tmp_path / "out")
    assert (tmp_path / "out" / "pictures" / "image-001-grad_cam.png").is_file()
    Image.fromarray(np.zeros((16, 16), dtype=np.uint8)).save(tmp_path / "flat.png")
    with pytest.raises(DataError, match=r"flat\.png holds flat images, and the run \w+ was trained on volumes"):
        explain_run(run, [tmp_path / "flat.png"])
