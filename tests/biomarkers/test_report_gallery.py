"""The gallery of heat maps in the report, and `explain` with boxes, from the command line to the page."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lossassay.biomarkers.heatmaps.gallery_file import read_gallery, write_gallery
from lossassay.biomarkers.heatmaps.report_gallery import make_report_gallery
from lossassay.cli import app
from lossassay.errors import OutFolderError
from lossassay.study.analysis.analyse import analyse
from lossassay.study.folder.results import load_results, read_plan
from tests.reporting.fake_explanation import fake_explanation
from tests.study.helpers import small_study, write_images
from tests.study.here import run_here

LEFT, RIGHT, EMPTY = "0,0,16,32", "16,0,32,32", ",,,"


@pytest.fixture(scope="module")
def boxed_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study on class folders whose replicates share test images."""
    folder = tmp_path_factory.mktemp("boxed")
    images = write_images(folder / "images", per_class=40)
    study = small_study(
        images, arms=[{"loss": "categorical_crossentropy"}], biomarkers={"heatmaps": True, "images": 50}
    )
    run_here(study, folder / "out", report=True)
    return folder / "out"


def test_a_study_that_asks_for_heat_maps_has_them_in_its_report(boxed_study: Path) -> None:
    found = read_gallery(boxed_study)
    assert found is not None
    section = gallery_of(boxed_study)
    assert section.count("<img ") == len(found.images) >= 6
    assert ".png" not in section
    assert str(found.images[0].row) in section


def gallery_of(folder: Path) -> str:
    report = (folder / "report.html").read_text(encoding="utf-8")
    return report.split('id="heatmaps"')[1].split("</section>")[0]


def test_the_gallery_is_of_the_first_replicate_of_the_best_arm(finished_study: Path) -> None:
    make_report_gallery(finished_study)
    found = read_gallery(finished_study)
    assert found is not None
    arms = load_results(finished_study).tables["arms"].filter(metric="accuracy").sort("estimate")
    assert found.run["arm"] == arms["arm"][-1]
    assert found.run["replicate"] == 0
    assert [one.kind for one in found.images] == ["right"] * 3 + ["wrong"] * 3 + ["undecided"] * 3
    for one in found.images:
        assert one.maps["grad_cam"].shape == (32, 32)
        assert one.pixels.shape == (32, 32, 1)
        assert (one.label == one.of_class) == (one.kind == "right") or one.kind == "undecided"


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    given = fake_explanation(measured=False)
    given = type(given)(run=given.run, class_names=given.class_names, images=given.images[:4], methods=given.methods)
    write_gallery(tmp_path, given)
    found = read_gallery(tmp_path)
    assert found is not None
    assert [(one.row, one.kind, one.label, one.score) for one in found.images] == [
        (one.row, one.kind, one.label, one.score) for one in given.images
    ]
    np.testing.assert_array_equal(found.images[2].maps["grad_cam"], given.images[2].maps["grad_cam"])
    assert read_gallery(tmp_path / "none") is None


def test_an_arm_without_a_run_is_not_drawn_and_stops_nothing(finished_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished_study, out)
    for run_id in [run["id"] for run in read_plan(out)["runs"] if run["arm"] == "label_smoothing"]:
        shutil.rmtree(out / "runs" / run_id)
    analyse(out)
    make_report_gallery(out)
    found = read_gallery(out)
    assert found is not None
    assert found.run["arm"] == "categorical_crossentropy"


def test_a_volume_is_kept_as_the_slice_through_its_strongest_place(tmp_path: Path) -> None:
    given = fake_explanation(measured=False)
    volume = given.images[4]
    volume.maps["grad_cam"][9, 7, 8] = 5.0
    write_gallery(tmp_path, type(given)(run={}, class_names=(), images=(volume,), methods=given.methods))
    found = read_gallery(tmp_path)
    assert found is not None
    np.testing.assert_array_equal(found.images[0].maps["grad_cam"], volume.maps["grad_cam"][9])


def test_a_study_that_was_not_analysed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match=r"holds no analysed study"):
        make_report_gallery(tmp_path)


def test_explain_with_boxes_from_the_command_line(boxed_study: Path, tmp_path: Path) -> None:
    """A table of boxes by path, two methods, agreement of replicates; the report has the gallery afterwards."""
    (boxed_study / "heatmaps.npz").unlink()
    table = tmp_path / "boxes.csv"
    lines = ["path,x_min,y_min,x_max,y_max,class"]
    lines += [f"left/{number:03d}.png,{LEFT},left" for number in range(20)]
    lines += [f"right/{number:03d}.png,{RIGHT}," for number in range(20)]
    lines += [f"middle/000.png,{EMPTY},"]
    table.write_text("\n".join(lines), encoding="utf-8")
    arguments = ["explain", str(boxed_study), "-o", str(tmp_path / "maps"), "--regions", str(table), "--worth"]
    arguments += ["--method", "grad_cam", "--method", "integrated_gradients", "--steps", "4", "--worth-images", "2"]
    found = CliRunner().invoke(app, [*arguments, "--per-kind", "2", "--json"])
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    worth = pl.DataFrame(said["worth"], infer_schema_length=None)
    for method in ("grad_cam", "integrated_gradients"):
        regions = worth.filter(method=method, what="regions")
        assert regions.filter(name="region_share")["estimate"].to_list() == [0.5]
        assert regions["images"].min() >= 2
        assert len(worth.filter(method=method, what="agreement")) == 1
    agreement = worth.filter(method="integrated_gradients", what="agreement")  # Grad-CAM can be 0 everywhere
    assert -1 <= agreement["estimate"].item() <= 1
    assert any(re.fullmatch(r"\d+ marked images are in no test part .*", note) for note in said["notes"])
    assert "Grad-CAM: agreement of replicates ..." in found.stderr
    page = (tmp_path / "maps" / "explain.html").read_text(encoding="utf-8")
    assert "pointing minus the share of the region" in page
    gallery = read_gallery(boxed_study)
    assert gallery is not None
    assert gallery_of(boxed_study).count("<img ") == len(gallery.images)


def test_new_images_are_explained_from_the_command_line(image_study: Path, tmp_path: Path) -> None:
    image = image_study.parent / "images" / "left" / "003.png"
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    out = tmp_path / "maps"
    arguments = ["explain", str(image_study), str(image), str(tmp_path / "broken.png"), "-o", str(out)]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 1
    assert "unreadable-image: 1 of the files named cannot be read" in found.stderr
    assert str(tmp_path / "broken.png") in found.stderr
    assert len(pl.read_csv(out / "images.csv")) == 1
