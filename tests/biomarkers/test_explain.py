"""From a run to explained images: the gallery, named files, rows, regions, and what is refused."""

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay.biomarkers.heatmaps.explain import ExplainOptions, explain_run, study_images
from lossassay.biomarkers.heatmaps.gallery_choice import choose_gallery, evenly
from lossassay.biomarkers.heatmaps.maps import class_scores
from lossassay.biomarkers.heatmaps.marked_regions import read_regions
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.data.cache import ImageCache
from lossassay.engine.spec import Array
from lossassay.errors import DataError, OutFolderError, UnknownNameError, UnreadableError
from lossassay.study.folder.store import Store


@pytest.fixture(scope="module")
def run(finished_study: Path) -> LoadedRun:
    return load_run(finished_study)


@pytest.fixture(scope="module")
def cache(run: LoadedRun) -> ImageCache:
    return study_images(run)


def save(folder: Path, image: Array, name: str = "one.png") -> Path:
    Image.fromarray(image).save(folder / name)
    return folder / name


def test_the_gallery_is_what_the_stored_predictions_say(run: LoadedRun) -> None:
    found = explain_run(run, options=ExplainOptions(images_per_kind=2))
    stored = Store(run.folder).predictions(run.id, "test")
    said = {row: (label, p) for row, label, p in stored.select("row", "label", "probabilities").iter_rows()}
    assert [one.kind for one in found.images] == ["right", "right", "wrong", "wrong", "undecided", "undecided"]
    for one in found.images:
        label, probabilities = said[one.row]
        assert one.label == run.class_names[label]
        assert one.of_class == run.class_names[int(np.argmax(probabilities))]
        assert (one.label == one.of_class) == (one.kind == "right") or one.kind == "undecided"
        assert one.probability == pytest.approx(max(probabilities), abs=1e-5)
        assert one.maps["grad_cam"].shape == (32, 32)
    gaps = {row: np.diff(np.sort(p)[-2:])[0] for row, (_, p) in said.items()}
    assert found.images[4].row == min(gaps, key=lambda row: (gaps[row], row))
    assert found.measures == ()


def test_a_named_file_gives_what_its_row_gives(run: LoadedRun, cache: ImageCache, tmp_path: Path) -> None:
    path = save(tmp_path, np.asarray(cache.images[11, :, :, 0]))
    options = ExplainOptions(methods=("occlusion",), of_class="4")
    (given,) = explain_run(run, [path], options=options).images
    (by_row,) = explain_run(run, rows=[11], options=options).images
    assert (given.kind, given.row, given.label) == ("given", None, None)
    assert (by_row.kind, by_row.row, by_row.label) == ("row", 11, "1")
    assert given.of_class == by_row.of_class == "4"
    np.testing.assert_array_equal(given.pixels, by_row.pixels)
    np.testing.assert_array_equal(given.maps["occlusion"], by_row.maps["occlusion"])
    assert given.score == by_row.score


def test_scores_become_the_stored_probabilities(run: LoadedRun, cache: ImageCache) -> None:
    stored = Store(run.folder).predictions(run.id, "test").head(70)
    _, probabilities = class_scores(run, cache.images[stored["row"].to_numpy()])
    np.testing.assert_allclose(probabilities, stored["probabilities"].to_numpy(), atol=1e-5)


def test_worth_is_measured_for_every_method_and_once(run: LoadedRun) -> None:
    options = ExplainOptions(images_per_kind=1, worth=True, worth_images=4)
    found = explain_run(run, options=options)
    assert found.measured_images == 4
    whats = [one.what for one in found.measures]
    assert whats.count("insertion") == whats.count("deletion") == 5
    assert whats.count("agreement") == 1
    assert next(one.layer for one in found.measures if one.what == "randomised") == "head"
    assert all(one.value.n <= 4 for one in found.measures)


def test_what_cannot_be_explained_is_refused(run: LoadedRun, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(UnreadableError, match=r"No image in .*broken\.png can be read\. 1 of 1 image files are trunc"):
        explain_run(run, [tmp_path / "broken.png"])
    with pytest.raises(DataError, match=r"There is no .*none\.png\. Expected a folder of images, one image"):
        explain_run(run, [tmp_path / "none.png"])
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8), dtype=np.int16), np.eye(4)), tmp_path / "brain.nii")
    with pytest.raises(DataError, match=r"brain\.nii holds volumes, and the run \w+ was trained on flat images"):
        explain_run(run, [tmp_path / "brain.nii"])
    with pytest.raises(DataError, match=r"The study has no row 9999\. Expected 0 to 1796"):
        explain_run(run, rows=[9999])
    with pytest.raises(DataError, match=r"has no class '11'\. Its classes: 0, 1, .*Did you mean '1'\?"):
        explain_run(run, rows=[1], options=ExplainOptions(of_class="11"))
    with pytest.raises(UnknownNameError, match=r"Did you mean 'occlusion'\?"):
        ExplainOptions(methods=("oclusion",))
    other = dataclasses.replace(run, plan=run.plan | {"data": run.plan["data"] | {"digest": "0"}})
    with pytest.raises(OutFolderError, match=r"are not those that this study was trained on"):
        explain_run(other)


def test_choices_take_classes_in_turn_and_one_image_of_a_patient() -> None:
    probabilities = np.array([[0.9, 0.1], [0.95, 0.05], [0.2, 0.8], [0.99, 0.01], [0.4, 0.6], [0.3, 0.7]])
    labels = np.array([0, 0, 1, 0, 0, 0])
    groups = np.array([0, 1, 2, 1, 4, 5])
    found = choose_gallery(labels, probabilities, groups, most=3)
    assert [(one.position, one.of_class) for one in found if one.kind == "right"] == [(3, 0), (2, 1), (0, 0)]
    assert [one.position for one in found if one.kind == "wrong"] == [5, 4]
    assert next(one.position for one in found if one.kind == "undecided") == 4
    assert choose_gallery(labels, probabilities, groups, most=1)[-1].kind == "undecided"


def test_findings_that_are_not_known_are_in_no_kind() -> None:
    labels = np.array([[1, 0], [0, np.nan], [1, 1]])
    probabilities = np.array([[0.9, 0.8], [0.2, 0.5], [0.1, 0.6]])
    found = choose_gallery(labels, probabilities, np.arange(3), most=2, multi_label=True)
    chosen = {kind: [(one.position, one.of_class) for one in found if one.kind == kind] for kind in ("right", "wrong")}
    assert chosen == {"right": [(0, 0), (2, 1)], "wrong": [(2, 0), (0, 1)]}
    assert (1, 1) not in [(one.position, one.of_class) for one in found]


def test_even_choices_keep_both_ends() -> None:
    assert evenly(10, 4) == [0, 3, 6, 9]
    assert evenly(2, 4) == [0, 1]


@pytest.fixture
def of_files(run: LoadedRun, cache: ImageCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageCache:
    """The same images, said to be files of 100 x 50 px, which are padded to a square."""
    facts = pl.DataFrame({"width_px": [100] * len(cache.images), "height_px": [50] * len(cache.images)})
    monkeypatch.setattr("lossassay.biomarkers.heatmaps.marked_regions.file_facts", lambda cache: facts)
    return cache


def test_a_box_follows_its_image(run: LoadedRun, of_files: ImageCache, tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text("row,x_min,y_min,x_max,y_max,class\n3,50,0,100,50,7\n3,0,0,25,25,\n5,,,,,\n", encoding="utf-8")
    found = read_regions(table, run, of_files)
    assert list(found.masks) == [3]
    assert found.classes == {3: 7}
    expected = np.zeros((32, 32), dtype=bool)
    expected[8:24, 16:] = True  # 100 x 50 px become 32 x 16 px with 8 px of border above and below
    expected[8:16, :8] = True
    np.testing.assert_array_equal(found.masks[3], expected)


def test_a_mask_is_a_region(run: LoadedRun, of_files: ImageCache, tmp_path: Path) -> None:
    drawn = np.zeros((50, 100), dtype=np.uint8)
    drawn[25:, :50] = 1  # any value but 0 is marked
    save(tmp_path, drawn, "mask.png")
    (tmp_path / "t.csv").write_text("row,mask\n4,mask.png\n", encoding="utf-8")
    mask = read_regions(tmp_path / "t.csv", run, of_files).masks[4]
    assert mask[16:24, :16].all()
    assert mask.sum() == 8 * 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,left\n1,2\n", r"has the columns row, left\. Expected row or path, and x_min"),
        (
            "row,x_min,y_min,x_max,y_max\n1,0,0,101,50\n",
            r"line 2: the box 0, 0, 101, 50 does not lie in the image of 100",
        ),
        ("row,x_min,y_min,x_max,y_max\n1,0,0,,50\n", r"is not four numbers"),
        (
            "row,x_min,y_min,x_max,y_max\n9999,0,0,1,1\n",
            r"line 2: no row '9999'\. Expected a row of the study, 0 to 1796",
        ),
        ("row,x_min,y_min,x_max,y_max,class\n1,0,0,9,9,x\n", r"line 2: no class 'x'\. Known: 0, 1"),
        ("row,mask\n1,none.png\n", r"the mask 'none\.png' cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_names_the_line(
    run: LoadedRun, of_files: ImageCache, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_regions(tmp_path / "t.csv", run, of_files)


def test_regions_are_measured_on_the_test_part_alone(run: LoadedRun, of_files: ImageCache, tmp_path: Path) -> None:
    parts = run.parts()
    test, training = np.flatnonzero(parts == 2)[:3], np.flatnonzero(parts == 0)[:2]
    lines = [f"{row},0,0,100,50" for row in (*test, *training)]
    table = tmp_path / "t.csv"
    table.write_text("row,x_min,y_min,x_max,y_max\n" + "\n".join(lines), encoding="utf-8")
    found = explain_run(run, rows=[int(test[0])], options=ExplainOptions(regions=table))
    share = next(one for one in found.measures if one.name == "region_share").value
    assert (share.n, share.estimate) == (3, 0.5)
    assert found.notes == ("2 marked images are in no test part of this run and were left out.",)
    assert found.images[0].region is not None


def test_regions_cannot_follow_a_crop(run: LoadedRun, cache: ImageCache, tmp_path: Path) -> None:
    data = run.study.data.model_copy(update={"preprocess": ("lung_crop",)})
    cropped = dataclasses.replace(run, study=run.study.model_copy(update={"data": data}))
    with pytest.raises(DataError, match=r"data\.preprocess has lung_crop"):
        read_regions(tmp_path / "t.csv", cropped, cache)
