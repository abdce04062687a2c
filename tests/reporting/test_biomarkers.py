"""The section on biomarkers: what it says, and that its charts draw the stored numbers."""

import dataclasses
from pathlib import Path

import pytest

from lossassay.reporting.biomarkers import section
from lossassay.reporting.charts import FIGURES
from lossassay.reporting.messages import load_messages
from lossassay.reporting.page import render
from lossassay.study.folder.columns import LATER_TABLES
from tests.reporting.fake_biomarkers import with_biomarkers
from tests.reporting.fake_results import fake_results
from tests.reporting.test_charts import rows_of

M = load_messages()
CHARTS = ("biomarker_pareto", "biomarkers_repeatability", "biomarkers_transfer", "biomarkers_change", "biomarker_map")
_WITHOUT = ("silhouette", "repeatability", "reproducibility")  # the first hangs on the units of features


def said(results) -> str:
    found = section(results, M)
    assert found is not None
    return " ".join(map(str, (*found.answers, *found.remarks, found.paragraph)))


def test_without_an_assessment_there_is_no_section_and_no_chart(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=3)
    assert section(results, M) is None
    assert [FIGURES[name](results, M) for name in CHARTS] == [None] * 5
    assert 'id="biomarkers"' not in render(results, {}, M)


@pytest.mark.parametrize(
    ("shown", "intervals", "arms", "sentence"),
    [
        (True, True, 3, "It is shown to be better than each other arm"),
        (False, True, 3, "Best biomarkers: undecided."),
        (False, False, 3, "cannot tell a real difference from noise"),
        (False, True, 1, "There is one arm, so there is nothing to compare"),
    ],
)
def test_the_answer(tmp_path: Path, shown: bool, intervals: bool, arms: int, sentence: str) -> None:
    results = with_biomarkers(fake_results(tmp_path, arms=arms), shown=shown, intervals=intervals)
    assert sentence in said(results)
    assert ("0.870 to 0.930" in said(results)) == intervals


def test_an_assessment_of_other_runs_says_so(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2)
    assert "The runs have changed" not in said(with_biomarkers(base))
    assert "The runs have changed" in said(with_biomarkers(base, runs=["another"]))


def test_the_section_stands_in_the_page_with_every_criterion(tmp_path: Path) -> None:
    page = render(with_biomarkers(fake_results(tmp_path, arms=3), shown=True), {}, M)
    assert '<section id="biomarkers">' in page
    assert 'href="#biomarkers"' in page
    assert "Class separation" in page
    assert "tables/biomarkers.csv" in page


@pytest.mark.parametrize("criterion", ["repeatability", "nuisance"])
def test_charts_name_their_table_and_draw_its_numbers(tmp_path: Path, criterion: str) -> None:
    results = with_biomarkers(fake_results(tmp_path, arms=3), shown=True, criterion=criterion)
    for name in CHARTS:
        figure = FIGURES[name](results, M)
        assert figure is not None
        assert (figure.name, figure.table in LATER_TABLES) == (name, True)
        assert figure.title
        assert figure.subtitle
    pareto = FIGURES["biomarker_pareto"](results, M)
    assert pareto is not None
    rows = {row["arm"]: row for row in rows_of(pareto)}
    assert [row["filled"] for row in rows.values()] == [True, False, False]
    assert [row["x_estimate"] for row in rows.values()] == pytest.approx([90, 88, 86])
    assert ("right and up" in pareto.subtitle) == (criterion == "repeatability")


def test_change_over_time_is_said_and_drawn_only_where_there_are_visits(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2)
    found = with_biomarkers(base)
    page = render(found, {}, M)
    for sentence in ("20 to 24 patients", "two images of one patient of one day", "Clinical score: severity"):
        assert sentence in page
    assert "[bland1999, raunig2015]" in said(found)
    assert "bonett2000" in section(found, M).bibtex
    without = with_biomarkers(base, visits=None)
    assert section(without, M).over_time == []
    assert "Change over time" not in render(without, {}, M)
    assert "bland1999" not in said(without)


def test_too_few_visits_are_said_without_a_word_in_the_methods(tmp_path: Path) -> None:
    none = {"subjects_low": 0, "subjects_high": 0, "coefficient_from": [], "score": None}
    found = with_biomarkers(fake_results(tmp_path, arms=2), visits=none)
    assert "no test part has three of them" in str(section(found, M).over_time)
    assert "bland1999" not in said(found)


def test_the_chart_of_change_draws_the_smallest_detectable_change(tmp_path: Path) -> None:
    figure = FIGURES["biomarkers_change"](with_biomarkers(fake_results(tmp_path, arms=2)), M)
    assert figure is not None
    assert [row["estimate"] for row in rows_of(figure)] == pytest.approx([0.9, 0.85])
    across = [layer["encoding"]["x"] for layer in figure.chart.to_dict()["layer"]]
    steps = [x["datum"] for x in across if "datum" in x]
    assert steps == [1.0]


def test_the_map_has_panels_by_source_only_where_there_are_several(tmp_path: Path) -> None:
    results = with_biomarkers(fake_results(tmp_path, arms=2))
    table = results.later("biomarker_map")
    one = dataclasses.replace(results, tables=results.tables | {"biomarker_map": table.with_columns(source=None)})
    counts = [len(rows_of(FIGURES["biomarker_map"](found, M))) for found in (results, one)]
    assert counts == [160, 80]


def test_what_is_beside_the_arms_is_said(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=3)
    assert "23 classical features (grey levels and co-occurrence)" in said(with_biomarkers(base))
    assert "as these are volumes" in said(with_biomarkers(base, baseline="first_order", baseline_features=11))
    assert "needs scikit-image" in said(with_biomarkers(base, baseline="no_scikit_image", baseline_features=0))
    without = ["The classical baseline has no" in said(with_biomarkers(base, criterion=one)) for one in _WITHOUT]
    assert without == [True, False, False]
    assert "The classical baseline has no" not in said(
        with_biomarkers(base, criterion="silhouette", baseline_features=0)
    )
    again, masked = (said(with_biomarkers(base, controls=[name])) for name in ("A/A control", "control: masked centre"))
    assert "take part in no verdict" in again
    assert ("cannot know the anatomy" in again, "cannot know the anatomy" in masked) == (False, True)


def test_diverged_runs_are_counted_by_arm_and_taken_as_the_worst(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=3)
    first, second, *_ = (arm.name for arm in base.study.arms)
    change = {"arm_a": first, "arm_b": second, "verdict": "better", "instead_of": "undecided"}
    facts = {"runs_diverged": 3, "diverged_by_arm": {first: 2, second: 1}}
    changed = said(with_biomarkers(base, **facts, if_diverged_were_worst={"value": 0.25, "changes": [change]}))
    assert "3 runs diverged" in changed
    assert "</span> 2, <span" in changed
    assert "had the worst value of any run (0.250)" in changed
    assert "and not undecided" in changed
    same = said(with_biomarkers(base, **facts, if_diverged_were_worst={"value": 0.25, "changes": []}))
    assert "no verdict would change" in same


def test_the_map_says_which_classes_it_leaves_out(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2)
    few, many = (FIGURES["biomarker_map"](with_biomarkers(base, classes=number), M) for number in (8, 11))
    assert few is not None
    assert many is not None
    assert "left out" not in few.subtitle
    # forty images: the classes 0 to 6 have four, the others three, and names decide; of ten sources each has four
    assert "Classes with the fewest images here are left out: class 7, class 8, class 9." in many.subtitle
    assert "Sources with the fewest images here are left out: source 8, source 9." in many.subtitle
    drawn = {row["name"] for row in rows_of(many)}
    assert {"class 10", "source 7"} < drawn
    assert not {"class 7", "class 8", "class 9", "source 8", "source 9"} & drawn
