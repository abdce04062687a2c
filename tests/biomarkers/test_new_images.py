"""New images are read as the study reads its own, whatever lies at the path."""

import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.biomarkers.new_images.images import NewImages, label_columns, open_new_images
from lossassay.config.schema import VolumeConfig
from lossassay.data.cache import open_cache
from lossassay.errors import DataError
from tests.data.dicom.made import noise, uid, write


@pytest.fixture
def run(image_study: Path) -> LoadedRun:
    return load_run(image_study)


@pytest.fixture
def images(image_study: Path) -> Path:
    return image_study.parent / "images"


def codes(new: NewImages) -> set[str]:
    return {one.code for one in new.findings}


def test_images_of_the_study_become_the_same_pixels_and_labels(run: LoadedRun, images: Path) -> None:
    new = open_new_images(run, images)
    cache = open_cache(run.study.data)
    np.testing.assert_array_equal(new.block(0, len(new)), cache.images)
    assert list(new.labels) == cache.manifest.rows["label"].to_list()
    assert list(new.groups) == cache.manifest.rows["group"].to_list()
    assert new.left_out == 0
    assert codes(new) == {"learnt-from"}


def test_a_folder_without_classes_has_no_labels_and_the_same_pixels(
    run: LoadedRun, images: Path, tmp_path: Path
) -> None:
    for number in (3, 1, 2):
        shutil.copy(images / "left" / f"00{number}.png", tmp_path / f"{number}.png")
    new = open_new_images(run, tmp_path)
    assert new.labels == (None, None, None)
    np.testing.assert_array_equal(new.block(0, 3), open_new_images(run, images).block(1, 3))


def test_folders_with_other_names_are_no_classes(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    for folder in ("left", "nonsense"):
        (tmp_path / folder).mkdir()
        shutil.copy(images / "left" / "000.png", tmp_path / folder / "a.png")
    assert open_new_images(run, tmp_path).labels == (0, None)


def test_official_parts_stand_above_the_classes(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "right").mkdir(parents=True)
        shutil.copy(images / "right" / "000.png", tmp_path / part / "right" / "a.png")
    assert open_new_images(run, tmp_path).labels == (2, 2)


def test_one_image(run: LoadedRun, images: Path) -> None:
    new = open_new_images(run, images / "middle" / "004.png")
    assert len(new) == 1
    np.testing.assert_array_equal(new.block(0, 1)[0], open_new_images(run, images).block(34, 1)[0])


def test_ids_depend_on_the_path_alone_and_are_no_hash_of_a_patient(run: LoadedRun, images: Path) -> None:
    first, again = open_new_images(run, images), open_new_images(run, images)
    assert first.ids == again.ids
    assert len(set(first.ids)) == len(first) == 90
    assert not set(first.ids) & set(first.groups)


def test_names_in_the_other_unicode_form_have_the_same_id(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    ids = []
    for form in ("NFC", "NFD"):
        folder = tmp_path / form
        folder.mkdir()
        shutil.copy(images / "left" / "000.png", folder / unicodedata.normalize(form, "환자.png"))
        ids.append(open_new_images(run, folder).ids)
    assert ids[0] == ids[1]


def test_a_table_without_labels(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "left" / "000.png", tmp_path / "a.png")
    shutil.copy(images / "left" / "001.png", tmp_path / "b.png")
    table = pl.DataFrame({"path": ["b.png", "a.png"], "patient_id": ["p", "q"]})
    table.write_csv(tmp_path / "t.csv")
    new = open_new_images(run, tmp_path / "t.csv")
    assert new.labels == (None, None)
    assert len(set(new.groups)) == 2
    np.testing.assert_array_equal(new.block(0, 2), open_new_images(run, images).block(0, 2))


def test_a_table_with_some_labels(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    for name in "abc":
        shutil.copy(images / "left" / "000.png", tmp_path / f"{name}.png")
    pl.DataFrame({"path": ["a.png", "b.png", "c.png"], "label": ["right", "", "else"]}).write_csv(tmp_path / "t.csv")
    assert open_new_images(run, tmp_path / "t.csv").labels == (2, None, None)


def test_an_array_file(run: LoadedRun, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (6, 32, 32), dtype=np.uint8)
    parts = {f"{part}_images": pixels[k : k + 2] for part, k in (("train", 0), ("val", 2), ("test", 4))}
    labels = {f"{part}_labels": np.array([[0], [1]]) for part in ("train", "val", "test")}
    np.savez(tmp_path / "set.npz", **parts, **labels)
    (tmp_path / "classes.txt").write_text("middle\nother\n", encoding="utf-8")
    new = open_new_images(run, tmp_path / "set.npz")
    assert len(new) == 6
    np.testing.assert_array_equal(new.block(0, 6)[..., 0], pixels)
    assert codes(new) == {"other-kind"}


def test_colours_and_sizes_far_from_the_study_are_said_and_read(run: LoadedRun, tmp_path: Path) -> None:
    Image.fromarray(np.full((300, 100, 3), 90, dtype=np.uint8)).save(tmp_path / "large.png")
    new = open_new_images(run, tmp_path)
    assert new.block(0, 1).shape == (1, 32, 32, 1)
    assert codes(new) == {"other-mode", "other-size"}
    messages = " ".join(one.message for one in new.findings)
    assert "1 RGB images came, and the run was trained on images stored as grey. They become grey, 8 bits" in messages
    assert "300 to 300 px (median 300), those of the study's images 32 to 32 px" in messages


def test_sixteen_bits_come_down_to_the_eight_of_the_study(run: LoadedRun, tmp_path: Path) -> None:
    eight = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
    Image.fromarray(eight).save(tmp_path / "a.png")
    Image.fromarray(eight.astype(np.uint16) * 257).save(tmp_path / "b.png")
    new = open_new_images(run, tmp_path)
    assert new.images.dtype == np.uint16
    block = new.block(0, 2)
    assert block.dtype == np.uint8
    np.testing.assert_array_equal(block[0, ..., 0], eight)
    np.testing.assert_array_equal(block[1, ..., 0], eight)


def test_eight_bits_come_up_to_sixteen(run: LoadedRun, images: Path) -> None:
    new = replace(open_new_images(run, images), largest_value=65_535)
    np.testing.assert_array_equal(new.block(0, 2), new.images[:2].astype(np.uint16) * 257)


def test_dicom_files_without_labels(run: LoadedRun, tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / "tree" / f"{number}.dcm"
        tags = {"PatientID": f"MRN{number // 2}", "StudyInstanceUID": uid("s", number)}
        write(path, noise(number), **tags, SeriesInstanceUID=uid("x", number))
    new = open_new_images(run, tmp_path / "tree")
    assert len(new) == 4
    assert new.labels == (None,) * 4
    assert len(set(new.groups)) == 2
    assert new.block(0, 4).dtype == np.uint8
    assert "other-kind" in codes(new)
    one = open_new_images(run, tmp_path / "tree" / "2.dcm")
    np.testing.assert_array_equal(one.block(0, 1)[0], new.block(2, 1)[0])


def test_dicom_files_in_folders_of_classes_have_labels(run: LoadedRun, tmp_path: Path) -> None:
    for place, name in enumerate(("right", "left", "unknown")):
        write(tmp_path / name / "a.dcm", noise(place), PatientID=name, SeriesInstanceUID=uid(name))
    assert open_new_images(run, tmp_path).labels == (0, 2, None)


def test_slices_of_a_volume_are_one_exam(run: LoadedRun, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-500, 2000, (12, 14, 10), dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4), dtype=np.int16), tmp_path / "a.nii")
    data = run.study.data.model_copy(update={"volume": VolumeConfig(form="slices", slices=4)})
    new = open_new_images(replace(run, study=run.study.model_copy(update={"data": data})), tmp_path / "a.nii")
    assert len(new) == 4
    assert len(set(new.exams)) == 1
    assert new.exams[0] is not None


def test_volumes_for_a_run_on_flat_images_are_refused(run: LoadedRun, tmp_path: Path) -> None:
    values = np.zeros((8, 8, 8), dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4), dtype=np.int16), tmp_path / "a.nii")
    with pytest.raises(DataError, match=r"holds volumes, and the run \w+ was trained on flat images\. Expected flat"):
        open_new_images(run, tmp_path)


def test_unreadable_images_are_left_out_and_named(run: LoadedRun, images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "left" / "000.png", tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    new = open_new_images(run, tmp_path)
    assert (len(new), new.left_out) == (1, 1)
    (found,) = [one for one in new.findings if one.code == "unreadable-image"]
    assert found.paths == ("broken.png",)
    assert "broken" not in found.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", r"holds no image\. Expected a folder of images"),
        ("absent", r"There is no .*absent\. Expected a folder of images"),
        ("text.txt", r"is a \.txt file\. Expected a folder of images"),
    ],
)
def test_nothing_to_read(run: LoadedRun, tmp_path: Path, name: str, said: str) -> None:
    if name.endswith(".txt"):
        (tmp_path / name).write_text("words " * 100, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        open_new_images(run, tmp_path / name)


def test_only_unreadable_images(run: LoadedRun, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(DataError, match=r"No image in .* can be read\. 1 of 1 image files are truncated"):
        open_new_images(run, tmp_path)


def test_labels_of_several_findings_become_one_column_each() -> None:
    found = label_columns([[1, 0], [-1, 1], None], ["a", "b"], "multi_label")
    assert {name: column.to_list() for name, column in found.items()} == {
        "label_a": [1, None, None],
        "label_b": [0, 1, None],
    }


def test_released_images_can_be_read_again(image_study: Path) -> None:
    run = load_run(image_study)
    new = open_new_images(run, run.study.data.path)
    before = new.block(0, 5).copy()
    new.release()
    np.testing.assert_array_equal(new.block(0, 5), before)
