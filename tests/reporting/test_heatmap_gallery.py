"""The gallery of heat maps on the study's page."""

import re
from pathlib import Path

import numpy as np

from lossassay.reporting.heatmap_gallery import heatmap_gallery
from lossassay.reporting.heatmap_pictures import small_picture
from lossassay.reporting.messages import load_messages
from lossassay.reporting.page import render
from tests.reporting.fake_explanation import explained, with_heatmaps
from tests.reporting.fake_results import fake_results

M = load_messages()


def test_it_stands_after_the_predictions_and_everything_is_escaped(tmp_path: Path) -> None:
    page = render(with_heatmaps(fake_results(tmp_path, arms=2)), {}, M)
    evaluation = page.split('<section id="evaluation">')[1].split("</section>")[0]
    assert evaluation.index("The most surely wrong predictions") < evaluation.index("Where a network looks")
    section = evaluation.split('id="heatmaps"')[1]
    assert re.findall("<h4>(.*?)</h4>", section) == ["Right and confident", "Wrong and confident", "Undecided"]
    assert section.count("<img ") == 3
    assert "Row 17: &lt;b&gt;ill" in section
    assert "score 1.25, probability 87.5\u202f%; labelled" in section
    assert "<b>ill" not in section
    assert "no finding" in section  # the third image has an empty label


def test_without_a_gallery_or_with_one_of_another_study_there_is_none(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=2)
    assert heatmap_gallery(results, M) is None
    with_heatmaps(results)
    assert heatmap_gallery(results, M) is not None
    results.tables["runs"] = results.tables["runs"].clear()
    assert heatmap_gallery(results, M) is None
    assert 'id="heatmaps"' not in render(fake_results(tmp_path / "other", arms=2), {}, M)


def test_a_small_picture_has_image_map_and_outline_beside_each_other() -> None:
    drawn = np.asarray(small_picture(explained(1, "right", row=1, label="a"), "grad_cam"))
    plain, mixed = drawn[:, :224], drawn[:, 232:456]
    panel = plain[60:, 60:]  # but for the marked region
    assert (panel == 90).all()
    assert mixed[112, 112, 0] > mixed[112, 112, 2] + 50  # yellow
    assert {0, 255} <= set(np.unique(mixed[:, 100:120]).tolist())  # the outline
    assert (drawn[5:200, 470] != 255).any()  # the colour bar
