"""Charts draw what is stored."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import stats
from lossassay.reporting.charts import FIGURES, Figure
from lossassay.reporting.charts.common import LOOK, inline, records
from lossassay.reporting.charts.critical_difference import critical_difference
from lossassay.reporting.charts.quality import _without_flat_points
from lossassay.reporting.figures import script_safe_json
from lossassay.reporting.messages import load_messages
from lossassay.study.folder.columns import LATER_TABLES, TABLES, TUNING_TABLES
from lossassay.study.scores.tables import DataSets
from tests.reporting.fake_biomarkers import with_biomarkers
from tests.reporting.fake_results import empty_tables, fake_results
from tests.reporting.fake_tuning import with_tuning


def rows_of(figure: Figure | None) -> list[dict[str, Any]]:
    """Every record of every table inside a chart."""
    assert figure is not None
    return [row for table in records(figure.chart.to_dict())["datasets"].values() for row in table]


@pytest.mark.parametrize("arms", [1, 2, 10])
@pytest.mark.parametrize("multi_label", [False, True])
def test_every_figure_names_its_table_and_its_unit(tmp_path: Path, arms: int, multi_label: bool) -> None:
    results, messages = fake_results(tmp_path, arms=arms, multi_label=multi_label, stopping="planned"), load_messages()
    results = with_tuning(with_biomarkers(results))
    drawn = {name: draw(results, messages) for name, draw in FIGURES.items()}
    missing = {"confusion"} if multi_label else set()
    missing |= {1: {"forest", "verdict_matrix", "looks", "biomarker_pareto"}, 2: {"verdict_matrix"}}.get(arms, set())
    assert {name for name, figure in drawn.items() if figure is None} == missing
    for name, figure in drawn.items():
        if figure is not None:
            assert figure.name == name
            assert figure.table in TABLES | LATER_TABLES | TUNING_TABLES
            assert figure.title
            assert figure.subtitle
            assert figure.chart.configure(**LOOK).to_dict()  # checks it against the schema, which the report does not


def test_no_table_no_chart(tmp_path: Path) -> None:
    results = dataclasses.replace(fake_results(tmp_path, arms=3), tables=empty_tables())
    assert [name for name, draw in FIGURES.items() if draw(results, load_messages())] == []


@pytest.mark.parametrize("replicates", [200, 201, 399, 1_000])
def test_of_many_replicates_some_are_drawn_evenly_by_rank_with_the_extremes(tmp_path: Path, replicates: int) -> None:
    results = fake_results(tmp_path, arms=2, replicates=replicates)
    metric = results.facts["primary_metric"]
    figure = FIGURES["arms"](results, load_messages())
    drawn = pl.DataFrame([row for row in rows_of(figure) if "replicate" in row])
    assert figure is not None
    assert ("evenly by rank" in figure.subtitle) == (replicates > 200)
    for order, arm in enumerate(results.study.arms):
        runs = results.tables["runs"].filter(pl.col("arm") == arm.name).sort(metric)["replicate"].to_list()
        ranks = sorted(map(runs.index, drawn.filter(pl.col("order") == order)["replicate"]))
        assert len(ranks) == 200
        assert (ranks[0], ranks[-1]) == (0, replicates - 1)
        assert {*np.diff(ranks)} <= {(replicates - 1) // 199, -(-(replicates - 1) // 199)}


def test_the_forest_shows_the_stored_numbers(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=3)
    figure = FIGURES["forest"](results, load_messages())
    shown = {row["label"]: row for row in rows_of(figure) if "difference" in row}
    stored = results.tables["comparisons"].filter("primary")
    assert len(shown) == len(stored) == 3
    for row in stored.iter_rows(named=True):
        drawn = shown[f"{row['arm_a']}\n− {row['arm_b']}"]
        assert drawn["difference"] == pytest.approx(100 * row["difference"], rel=1e-4)
        assert drawn["low"] == pytest.approx(100 * row["low"], rel=1e-4)
        assert drawn["word"] == row["verdict"]


def test_without_a_margin_there_is_no_band(tmp_path: Path) -> None:
    with_margin = FIGURES["forest"](fake_results(tmp_path, arms=2), load_messages())
    without = FIGURES["forest"](fake_results(tmp_path, arms=2, margin=None), load_messages())
    assert with_margin is not None
    assert without is not None
    assert '"rect"' in json.dumps(with_margin.chart.to_dict())
    assert '"rect"' not in json.dumps(without.chart.to_dict())


def test_one_replicate_draws_means_without_intervals(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=2, replicates=1, epochs=1)
    assert FIGURES["noise_floor"](results, load_messages()) is None
    forest = FIGURES["forest"](results, load_messages())
    assert [row["low"] for row in rows_of(forest) if "low" in row] == [None]


def test_roc_draws_the_six_hardest_of_many_classes(tmp_path: Path) -> None:
    figure = FIGURES["roc"](fake_results(tmp_path, arms=2, classes=tuple("abcdefgh")), load_messages())
    assert figure is not None
    assert {row["class"] for row in rows_of(figure)} == set("cdefgh")
    assert "6 classes" in figure.subtitle


def test_level_stretches_of_a_curve_keep_their_ends() -> None:
    heights = [0.0, 0.9, 1.0, 1.0, 1.0, 1.0]
    frame = pl.DataFrame({"arm": ["x"] * 6, "class": ["y"] * 6, "x": range(6), "true_positive_rate": heights})
    assert _without_flat_points(frame)["x"].to_list() == [0, 1, 2, 5]


def test_inline_tables_become_records_again() -> None:
    frame = pl.DataFrame({"arm": ["a", None], "value": [0.123456789, None], "n": [1, 2]})
    assert records({"data": inline(frame).to_dict()})["data"]["values"] == [
        {"arm": "a", "value": 0.12346, "n": 1},
        {"arm": None, "value": None, "n": 2},
    ]


def test_json_in_a_script_element_cannot_leave_it() -> None:
    text = script_safe_json({"name": "</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"name": "</script><!--\u2028&"}


def test_the_interval_against_replicates_is_for_early_stopping_only(tmp_path: Path) -> None:
    assert FIGURES["looks"](fake_results(tmp_path, arms=3), load_messages()) is None
    drawn = rows_of(FIGURES["looks"](fake_results(tmp_path, arms=3, stopping="planned"), load_messages()))
    assert sum(row["decided"] for row in drawn if "decided" in row) == 3  # once for each pair


def test_the_verdict_matrix_mirrors_better_and_worse(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=3, verdicts={0: "better", 1: "equivalent", 2: "undecided"})
    cells = {
        (row["row"][0], row["column"]): row["verdict"]
        for row in rows_of(FIGURES["verdict_matrix"](results, load_messages()))
    }
    assert (cells["1", "2"], cells["2", "1"]) == ("better", "worse")
    assert (cells["1", "3"], cells["3", "1"]) == ("equivalent", "equivalent")


def data_sets() -> DataSets:
    scores = np.random.default_rng(0).normal(size=(10, 3)) + np.array([0.0, 0.2, 4.0])
    return DataSets(
        systems=("a_loss", "<b>", "best"),
        data_sets=tuple(f"set {number}" for number in range(10)),
        scores=tuple(tuple(row) for row in scores.tolist()),
        friedman=stats.friedman(scores),
        nemenyi=stats.nemenyi(scores, alpha=0.05),
        wilcoxon_holm=stats.wilcoxon_holm(scores, alpha=0.05),
    )


def test_the_critical_difference_diagram_joins_what_was_not_shown_to_differ() -> None:
    figure = critical_difference(data_sets(), "95", load_messages())
    rows = rows_of(figure)
    assert next(row["label"] for row in rows if "label" in row) == "best"
    bars = [row for row in rows if "low" in row]
    assert len(bars) == 1
    assert bars[0]["low"] > 1  # the best system is in no group
    assert "10 data sets" in figure.subtitle


def test_against_one_arm_there_is_no_matrix_of_verdicts(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=4, pictures=False)
    assert FIGURES["verdict_matrix"](results, load_messages()) is not None
    table = results.tables["comparisons"]
    against_one = table.filter(pl.col("arm_b") == table["arm_b"][-1])
    assert against_one["arm_a"].n_unique() == 3
    results = dataclasses.replace(results, tables=results.tables | {"comparisons": against_one})
    assert FIGURES["verdict_matrix"](results, load_messages()) is None
