"""The page of heat maps and the files beside it, and what is drawn."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay.errors import OutFolderError
from lossassay.reporting.explain_page import as_data, write_explanation
from lossassay.reporting.heatmap_colours import viridis
from lossassay.reporting.heatmap_pictures import caption, picture
from tests.reporting.fake_explanation import explained, fake_explanation


def test_colours_are_viridis_and_rise_in_lightness() -> None:
    known = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]  # of its table, every quarter
    np.testing.assert_allclose(viridis(np.linspace(0, 1, 5)), known, atol=6)
    lightness = viridis(np.linspace(0, 1, 256)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.6).all()  # but for rounding
    assert np.diff(lightness[::16]).min() > 3
    np.testing.assert_array_equal(viridis(np.array([-1.0, 2.0])), viridis(np.array([0.0, 1.0])))


def test_a_picture_shows_image_map_and_outline() -> None:
    image = explained(1, "right", row=17, label="well")
    drawn = np.asarray(picture(image, "grad_cam", "Grad-CAM"))
    top, panel = drawn.shape[0] - 224, 224
    plain, mixed, outlined = (drawn[top:, start : start + panel] for start in (0, panel + 8, 2 * (panel + 8)))
    assert (plain == 90).all()
    strongest, weakest = mixed[126, 126].astype(int), mixed[200, 20].astype(int)
    assert strongest[0] > strongest[2] + 50  # yellow
    assert weakest[2] > weakest[1] + 20  # violet
    differs = (outlined != 90).any(axis=2)
    inside = np.zeros((panel, panel), dtype=bool)
    inside[60:190, 60:190] = True  # the map is bright from 84 to 168 px
    inside[:60, :60] = True  # the region
    assert differs[60:190, 60:190].any()
    assert not differs[~inside].any()
    values = set(np.unique(outlined).tolist())
    assert values == {0, 90, 255}  # works in black and white


def test_a_map_that_is_nowhere_above_nothing_has_no_outline() -> None:
    image = explained(1, "right", row=17, label="well", sides=3)
    image.maps["grad_cam"][:] = -1.0
    drawn = np.asarray(picture(image, "grad_cam", "Grad-CAM"))
    outlined = drawn[-224:, 2 * 232 : 2 * 232 + 224]
    assert (outlined == 90).all()


def test_a_volume_has_a_row_for_each_axis() -> None:
    flat = picture(explained(1, "right", row=1, label="a"), "occlusion", "occlusion")
    volume = picture(explained(1, "right", row=1, label="a", sides=3), "occlusion", "occlusion")
    assert volume.height - flat.height == 2 * (224 + 8)


def test_a_caption_is_written_in_letters_that_the_font_has() -> None:
    first, second = caption(explained(2, "given", row=None, label="폐렴"), "Grad-CAM")
    assert first == r"image 2, labelled \ud3d0\ub834; Grad-CAM"
    assert second == "class <b>ill</b>: score 1.25, probability 0.875"


def test_files_are_written_and_say_the_same(tmp_path: Path) -> None:
    found = fake_explanation()
    found = dataclasses.replace(found, images=(*found.images[:4], explained(5, "given", row=None, label=None)))
    page = write_explanation(found, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;ill" in text
    assert "<b>ill" not in text
    assert "Row 17" in text
    assert "Image 5" in text
    assert "0.250 to 0.750" in text
    assert "http://" not in text
    assert text.count("<img ") == 5 * 3
    pictures = sorted(path.name for path in (tmp_path / "out" / "pictures").iterdir())
    assert len(pictures) == 15
    assert pictures[0] == "image-001-grad_cam.png"
    Image.open(tmp_path / "out" / "pictures" / pictures[0]).verify()
    images = pl.read_csv(tmp_path / "out" / "images.csv")
    assert images["row"].to_list() == [17, 18, 19, 20, None]
    worth = pl.read_csv(tmp_path / "out" / "worth.csv")
    assert len(worth) == len(found.measures)
    assert worth.row(0) == (
        "grad_cam", "insertion", "area", None, 0.5, 0.25, 0.75, 12, 11, "percentile bootstrap of patients",
    )  # fmt: skip
    fewer = dataclasses.replace(fake_explanation(measured=False), images=found.images[:4])
    write_explanation(fewer, tmp_path / "out")
    with np.load(tmp_path / "out" / "maps.npz", allow_pickle=False) as stored:
        assert stored["image"].tolist() == [1, 2, 3, 4]
        np.testing.assert_array_equal(stored["occlusion"][0], found.images[0].maps["occlusion"])
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 12  # nothing is left of the earlier call
    assert "was not measured" in page.read_text(encoding="utf-8")


def test_programs_get_numbers_and_no_nan() -> None:
    data = as_data(fake_explanation())
    agreement = next(one for one in data["worth"] if one["what"] == "agreement")
    assert (agreement["estimate"], agreement["low"]) == (-0.5, None)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutFolderError, match=r"cannot be written .* Name another with --out"):
        write_explanation(dataclasses.replace(fake_explanation(), images=()), tmp_path / "file")
