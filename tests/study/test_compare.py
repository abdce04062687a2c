"""Verdicts for scores made elsewhere."""

import dataclasses
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from lossassay import stats
from lossassay.errors import DataError
from lossassay.study.folder.columns import TABLES
from lossassay.study.scores.compare import ScoreComparison, compare_scores
from lossassay.study.scores.words import in_tables
from tests.study.scores import GOOD, write

NOISE = np.array([0.004, -0.003, 0.001, -0.002, 0.003, -0.004, 0.002, -0.001, 0.0, 0.0])
SPLIT = np.array([0.02, -0.01, 0.03, 0.0, -0.02, 0.01, -0.03, 0.015, -0.015, 0.0])  # shared by all systems
Scores = dict[str, np.ndarray[Any, Any]]


def write_scores(
    folder: Path,
    data_sets: dict[str | None, Scores],
    metric: str = "accuracy",
    order: Callable[[list[str]], Any] = list,
) -> Path:
    """One line for each score that is not nan."""
    lines = [
        f"{system},{name},{replicate},{metric},{value!r}"
        for name, systems in data_sets.items()
        for system, values in systems.items()
        for replicate, value in enumerate(values.tolist())
        if np.isfinite(value)
    ]
    return write(folder, "\n".join(["system,dataset,replicate,metric,value", *order(lines)]) + "\n")


def three() -> Scores:
    """b is 0.05 above a; c is like a."""
    return {"a": 0.8 + SPLIT, "b": 0.85 + SPLIT + NOISE, "c": 0.8 + SPLIT - NOISE[::-1]}


def rows_of(found: ScoreComparison) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["arm_a"], row["arm_b"]): row for row in found.comparisons.filter("primary").iter_rows(named=True)}


def test_two_systems_are_a_paired_t_test(tmp_path: Path) -> None:
    systems = {"a": 0.8 + SPLIT, "b": 0.801 + SPLIT + NOISE}
    found = rows_of(compare_scores(write_scores(tmp_path, {"d": systems})))["a", "b"]
    oracle = scipy_stats.ttest_rel(systems["a"], systems["b"])
    interval = oracle.confidence_interval(0.95)
    assert found["difference"] == pytest.approx(float(np.mean(systems["a"] - systems["b"])), abs=1e-12)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found["p_adjusted"] == pytest.approx(oracle.pvalue, abs=1e-12)
    assert found["p_holm"] == pytest.approx(oracle.pvalue, abs=1e-12)
    assert found["smallest_margin"] == pytest.approx((interval.high - interval.low) / 2, abs=1e-12)
    assert found["verdict"] == "undecided"
    assert found["reason"] == "the interval contains 0, and no margin was stated"
    assert found["more_low"] >= 1
    assert found["more_high"] > found["more_low"]


def test_verdicts_with_a_known_answer(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}), margin=0.02)
    rows = rows_of(found)
    assert {pair: row["verdict"] for pair, row in rows.items()} == {
        ("a", "b"): "worse",
        ("a", "c"): "equivalent",
        ("b", "c"): "better",
    }
    assert [tuple(row) for row in found.ranks.select("arm", "rank_low", "rank_high").iter_rows()] == [
        ("a", 2, 3),
        ("b", 1, 1),
        ("c", 2, 3),
    ]
    assert found.ranks["probability_best"].to_list() == [0.0, 1.0, 0.0]


def test_low_is_better_for_nll(tmp_path: Path) -> None:
    high = rows_of(compare_scores(write_scores(tmp_path, {"d": three()})))
    low = compare_scores(write_scores(tmp_path, {"d": three()}, metric="NLL"))
    assert not low.higher_is_better
    turned = {"better": "worse", "worse": "better", "undecided": "undecided"}
    for pair, row in rows_of(low).items():
        assert row["verdict"] == turned[high[pair]["verdict"]]
        assert row["difference"] == high[pair]["difference"]
    assert low.ranks.filter(pl.col("arm") == "b")["rank_low"].item() == 3


@pytest.mark.parametrize(("better", "word"), [("high", "worse"), ("low", "better")])
def test_both_directions_of_a_metric_of_ones_own(tmp_path: Path, better: Any, word: str) -> None:
    path = write_scores(tmp_path, {"d": three()}, metric="minutes")
    assert rows_of(compare_scores(path, better=better))["a", "b"]["verdict"] == word


def test_a_small_but_sure_difference_is_equivalent_and_says_so(tmp_path: Path) -> None:
    path = write_scores(tmp_path, {"d": {"a": 0.8 + SPLIT, "b": 0.81 + SPLIT + NOISE}})
    assert rows_of(compare_scores(path))["a", "b"]["verdict"] == "worse"
    row = rows_of(compare_scores(path, margin=0.03))["a", "b"]
    assert (row["verdict"], row["notes"]) == ("equivalent", "below_margin")


def test_a_margin_that_cannot_be_shown_is_said(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}), margin=0.0001)
    assert rows_of(found)["a", "c"]["notes"] == "margin_below_resolution"
    assert any("The margin of 0.0001 is smaller than what every undecided pair" in note for note in found.notes)


def test_a_margin_wider_than_all_scores_is_doubted(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}, metric="nll"), margin=2)
    assert any("The margin of 2 is wider than all scores lie apart" in note for note in found.notes)


def test_without_a_margin_the_smallest_that_could_be_shown_is_said(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}))
    widest = found.comparisons["smallest_margin"].max()
    assert any(f"The smallest that every pair of this file could show is {widest:.3g}." in note for note in found.notes)


def test_the_table_has_the_columns_of_a_study_and_always_scope_procedure(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}))
    assert found.comparisons.columns == ["dataset", *TABLES["comparisons"]]
    assert found.ranks.columns == ["dataset", *TABLES["ranks"]]
    assert found.comparisons["scope"].unique().to_list() == ["procedure"]
    assert found.scope == "procedure"
    assert any("Scope procedure" in note and "holds no patients" in note for note in found.notes)
    assert found.comparisons["more_patients"].drop_nulls().to_list() == [False]


def test_the_family_is_all_pairs_of_a_data_set(tmp_path: Path) -> None:
    systems = three()
    found = rows_of(compare_scores(write_scores(tmp_path, {"d": systems}), alpha=0.1))
    p_values = [scipy_stats.ttest_rel(systems[a], systems[b]).pvalue for a, b in combinations("abc", 2)]
    holm = multipletests(p_values, method="holm")[1]
    bonferroni = multipletests(p_values, method="bonferroni")[1]
    for index, pair in enumerate(combinations("abc", 2)):
        assert found[pair]["p_holm"] == pytest.approx(holm[index], abs=1e-12)
        assert found[pair]["p_adjusted"] == pytest.approx(bonferroni[index], abs=1e-12)
        interval = scipy_stats.ttest_rel(systems[pair[0]], systems[pair[1]]).confidence_interval(1 - 0.1 / 3)
        assert found[pair]["low"] == pytest.approx(interval.low, abs=1e-12)
        assert found[pair]["method"] == "paired t over replicates, Bonferroni over 3 comparisons"


def test_with_a_reference_the_family_is_smaller_and_words_are_about_the_others(tmp_path: Path) -> None:
    path = write_scores(tmp_path, {"d": three()})
    found = compare_scores(path, reference="b")
    assert list(rows_of(found)) == [("a", "b"), ("c", "b")]
    assert rows_of(found)["c", "b"]["verdict"] == "worse"
    assert rows_of(found)["c", "b"]["method"].endswith("over 2 comparisons")


def test_a_reference_may_be_a_number(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("a,cxr", "7,cxr"))
    assert compare_scores(path, reference=7).reference == "7"  # type: ignore[arg-type]


def test_each_data_set_is_a_family_of_its_own(tmp_path: Path) -> None:
    other = {name: values[::-1] - 0.1 for name, values in three().items()}
    both = compare_scores(write_scores(tmp_path, {"one": three(), "two": other}))
    for name, systems in (("one", three()), ("two", other)):
        alone = compare_scores(write_scores(tmp_path, {name: systems}))
        assert both.comparisons.filter(pl.col("dataset") == name).equals(alone.comparisons)
        assert both.ranks.filter(pl.col("dataset") == name).equals(alone.ranks)
        assert both.arms.filter(pl.col("dataset") == name).equals(alone.arms)
    assert any("Each of the 2 data sets is a family of its own" in note for note in both.notes)
    assert both.data_sets is None


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    long = {name: np.tile(values, 2) + np.linspace(0, 0.01, 20) ** 2 for name, values in three().items()}
    straight = compare_scores(write_scores(tmp_path, {"d": long}))
    mixed = compare_scores(
        write_scores(tmp_path, {"d": long}, order=lambda lines: sorted(lines, key=lambda x: (x[0], x[::-1])))
    )
    assert straight.comparisons.equals(mixed.comparisons)
    assert straight.ranks.equals(mixed.ranks)


def test_unequal_replicates_are_paired_on_what_both_have(tmp_path: Path) -> None:
    systems = three()
    systems["b"][[0, 3]] = np.nan
    systems["c"][[9]] = np.nan
    found = compare_scores(write_scores(tmp_path, {"d": systems}))
    rows = rows_of(found)
    assert [row["replicates"] for row in rows.values()] == [8, 9, 7]
    both = np.isfinite(systems["b"] - systems["c"])
    oracle = scipy_stats.ttest_rel(systems["b"][both], systems["c"][both])
    assert rows["b", "c"]["difference"] == pytest.approx(float((systems["b"] - systems["c"])[both].mean()), abs=1e-12)
    assert rows["b", "c"]["p_adjusted"] == pytest.approx(min(1.0, 3 * oracle.pvalue), abs=1e-12)
    assert found.arms["replicates"].to_list() == [10, 8, 9]
    note = next(note for note in found.notes if "same replicates" in note)
    assert "Data set 'd': the systems do not have the same replicates (number of each: a 10, b 8, c 9)" in note
    assert "a – b 8, a – c 9, b – c 7" in note


def test_as_many_replicates_but_not_the_same_ones_is_said(tmp_path: Path) -> None:
    systems = {"a": 0.8 + SPLIT, "b": 0.8 + SPLIT + NOISE}
    systems["a"][0] = systems["b"][1] = np.nan
    notes = compare_scores(write_scores(tmp_path, {"d": systems})).notes
    assert any("(number of each: a 9, b 9)" in note and "a – b 8" in note for note in notes)


def test_a_pair_without_common_replicates_is_undecided(tmp_path: Path) -> None:
    systems = three()
    systems["b"][:5] = systems["c"][5:] = np.nan
    found = compare_scores(write_scores(tmp_path, {"d": systems}))
    row = rows_of(found)["b", "c"]
    assert (row["verdict"], row["reason"], row["notes"]) == ("undecided", "fewer than two replicates", "method_floor")
    assert (row["replicates"], row["difference"], row["low"], row["p_adjusted"], row["p_holm"]) == (0, *[None] * 4)
    assert any("fewer than two replicates are shared by b – c" in note for note in found.notes)


def test_equal_scores_are_not_called_the_same_function(tmp_path: Path) -> None:
    systems = {"a": 0.8 + SPLIT, "b": 0.8 + SPLIT}
    found = compare_scores(write_scores(tmp_path, {"d": systems}))
    row = rows_of(found)["a", "b"]
    assert (row["verdict"], row["difference"], row["p_adjusted"]) == ("undecided", 0.0, 1.0)
    assert row["low"] < 0 < row["high"]
    assert row["more_low"] is None
    assert any("equal scores in every replicate: a – b" in note for note in found.notes)
    assert (
        rows_of(compare_scores(write_scores(tmp_path, {"d": systems}), margin=0.05))["a", "b"]["verdict"]
        == "equivalent"
    )


def test_a_constant_difference_has_a_defined_interval(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": {"a": np.full(10, 0.9), "b": np.full(10, 0.8)}}))
    row = rows_of(found)["a", "b"]
    half = (1 - 0.05 ** (1 / 10)) * 0.1  # of the range of the scores
    assert (row["low"], row["high"]) == pytest.approx((0.1 - half, 0.1 + half), abs=1e-12)
    assert row["verdict"] == "better"
    assert any("the difference is the same number in every replicate: a – b" in note for note in found.notes)
    few = compare_scores(write_scores(tmp_path, {"d": {"a": np.full(4, 0.9), "b": np.full(4, 0.8)}}))
    assert rows_of(few)["a", "b"]["verdict"] == "undecided"


def test_scores_that_are_all_zero(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": {"a": np.zeros(5), "b": np.zeros(5)}}), margin=0.01)
    row = rows_of(found)["a", "b"]
    assert (row["difference"], row["low"], row["high"], row["verdict"]) == (0.0, None, None, "undecided")


def test_how_many_more_replicates_counts_the_whole_family(tmp_path: Path) -> None:
    systems = {name: values + NOISE * index for index, (name, values) in enumerate(three().items())}
    row = rows_of(compare_scores(write_scores(tmp_path, {"d": systems})))["a", "c"]
    own = systems["a"] - systems["c"]
    more = stats.more_replicates(
        estimate=float(own.mean()), sd=float(own.std(ddof=1)), replicates=10, alpha=0.05 / 3, margin=None
    )
    assert row["verdict"] == "undecided"
    assert (row["more_low"], row["more_high"]) == (more.low, more.high)


def test_very_many_replicates_are_doubted_and_cost_little(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    systems = {name: random.random(3_000) for name in "ab"}
    found = compare_scores(write_scores(tmp_path, {None: systems}))
    row = rows_of(found)["a", "b"]
    assert row["p_adjusted"] == pytest.approx(scipy_stats.ttest_rel(systems["a"], systems["b"]).pvalue, abs=1e-10)
    assert row["p_max_t"] is None
    assert found.ranks["probability_best"].sum() == pytest.approx(1)
    assert any("3,000 replicates" in note and "images or patients are none" in note for note in found.notes)


@pytest.mark.parametrize("replicates", [5, 6])
def test_sign_flips_need_six_replicates(tmp_path: Path, replicates: int) -> None:
    systems = {name: values[:replicates] for name, values in three().items()}
    found = compare_scores(write_scores(tmp_path, {"d": systems}), method="sign_flip")
    row = rows_of(found)["a", "b"]
    if replicates == 5:
        assert (row["verdict"], row["notes"]) == ("undecided", "method_floor")
        assert (row["low"], row["high"], row["smallest_margin"]) == (None, None, None)
        assert any("no difference, however large, could be found" in note for note in found.notes)
        assert row["more_low"] >= 1
    else:
        assert row["verdict"] == "worse"
    assert row["method"].startswith("studentised max-T over 3 comparisons")
    assert row["p_adjusted"] == row["p_max_t"]


def test_sign_flips_stand_beside_t(tmp_path: Path) -> None:
    systems = three()
    found = rows_of(compare_scores(write_scores(tmp_path, {"d": systems})))
    flips = stats.max_t(np.stack(list(systems.values()), axis=1), [(0, 1), (0, 2), (1, 2)], alpha=0.05)
    assert [row["p_max_t"] for row in found.values()] == [one.p_adjusted for one in flips]


def test_other_metrics_have_intervals_and_no_verdict(tmp_path: Path) -> None:
    first = write_scores(tmp_path, {"d": three()}).read_text()
    second = write_scores(tmp_path, {"d": three()}, metric="NLL").read_text().split("\n", 1)[1]
    path = write(tmp_path, first + second)
    found = compare_scores(path, margin=0.02)
    assert found.comparisons.group_by("metric", "primary", maintain_order=True).len().rows() == [
        ("accuracy", True, 3),
        ("nll", False, 3),
    ]
    others = found.comparisons.filter(~pl.col("primary"))
    for column in ("verdict", "reason", "notes", "more_low", "p_max_t"):
        assert others[column].is_null().all(), column
    assert others["low"].is_not_null().all()
    assert found.ranks["arm"].to_list() == ["a", "b", "c"]
    turned = compare_scores(path, metric="nll")
    assert turned.comparisons["metric"].to_list() == ["nll"] * 3 + ["accuracy"] * 3
    assert turned.metric == "nll"


def test_arms_have_t_intervals(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}), alpha=0.1)
    row = found.arms.filter(pl.col("arm") == "b").row(0, named=True)
    oracle = scipy_stats.t.interval(0.9, 9, three()["b"].mean(), scipy_stats.sem(three()["b"]))
    assert (row["low"], row["high"]) == pytest.approx(oracle, abs=1e-12)
    assert row["sd"] == pytest.approx(three()["b"].std(ddof=1), abs=1e-12)
    assert (row["dataset"], row["metric"], row["replicates"]) == ("d", "accuracy", 10)


def several(count: int, gap: float = 0.03) -> dict[str | None, Scores]:
    random = np.random.default_rng(1)
    return {
        f"d{index}": {
            name: 0.7 + 0.02 * index + gap * place + random.normal(0, 0.01, 4) for place, name in enumerate("abc")
        }
        for index in range(count)
    }


def test_three_data_sets_are_compared_by_ranks(tmp_path: Path) -> None:
    data_sets = several(8)
    data_sets["d0"]["a"][1] = np.nan
    found = compare_scores(write_scores(tmp_path, data_sets)).data_sets
    assert found is not None
    assert (found.systems, found.data_sets) == (("a", "b", "c"), tuple(f"d{index}" for index in range(8)))
    means = np.array([[values.mean() for values in systems.values()] for systems in data_sets.values()])
    means[0] = [values[[0, 2, 3]].mean() for values in data_sets["d0"].values()]  # what all systems have
    assert np.asarray(found.scores) == pytest.approx(means, abs=1e-12)
    oracle = scipy_stats.friedmanchisquare(*means.T)
    assert found.friedman.chi_square == pytest.approx(oracle.statistic, abs=1e-10)
    assert found.friedman.p_value == pytest.approx(oracle.pvalue, abs=1e-10)
    assert found.nemenyi.mean_ranks == pytest.approx(scipy_stats.rankdata(-means, axis=1).mean(axis=0))
    holm = multipletests([2 * 0.5**8] * 3, method="holm")[1]
    assert [pair.p_adjusted for pair in found.wilcoxon_holm.differences] == pytest.approx(holm)


def test_ranks_over_data_sets_know_that_low_is_better(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, several(4), metric="nll")).data_sets
    assert found is not None
    assert found.nemenyi.mean_ranks == (1.0, 2.0, 3.0)


def test_data_sets_that_lack_a_system_are_left_out_of_the_ranks_and_named(tmp_path: Path) -> None:
    data_sets = several(5)
    del data_sets["d2"]["b"]
    del data_sets["d4"]["a"], data_sets["d4"]["b"]
    found = compare_scores(write_scores(tmp_path, data_sets))
    assert found.data_sets is not None
    assert found.data_sets.data_sets == ("d0", "d1", "d3")
    assert any("left out, as a system is missing: d2, d4" in note for note in found.notes)
    assert any("Data set 'd4': there is one system ('c'), so nothing is compared" in note for note in found.notes)
    assert found.ranks.filter(pl.col("dataset") == "d4").is_empty()
    del data_sets["d0"]["c"]
    fewer = compare_scores(write_scores(tmp_path, data_sets))
    assert fewer.data_sets is None
    assert any("There are no tests over data sets" in note for note in fewer.notes)


def test_one_replicate_of_many_data_sets_has_ranks_and_no_verdict(tmp_path: Path) -> None:
    data_sets = {name: {a: v[:1] for a, v in systems.items()} for name, systems in several(10, gap=0.05).items()}
    found = compare_scores(write_scores(tmp_path, data_sets))
    assert found.comparisons["verdict"].unique().to_list() == ["undecided"]
    assert found.arms["low"].is_null().all()
    assert found.data_sets is not None
    assert all(pair.different for pair in found.data_sets.wilcoxon_holm.differences)


def test_too_few_data_sets_for_signed_ranks_are_said(tmp_path: Path) -> None:
    notes = compare_scores(write_scores(tmp_path, several(3))).notes
    assert any("With 3 data sets, signed ranks with Holm's rule over 3 pairs cannot show" in note for note in notes)
    assert any("7 data sets could" in note for note in notes)


def test_a_reference_that_a_data_set_lacks(tmp_path: Path) -> None:
    data_sets = several(2)
    del data_sets["d1"]["a"]
    found = compare_scores(write_scores(tmp_path, data_sets), reference="a")
    assert found.comparisons["dataset"].unique().to_list() == ["d0"]
    assert any("Data set 'd1': the reference 'a' has no score" in note for note in found.notes)


def test_everything_can_be_written_as_json(tmp_path: Path) -> None:
    data_sets = several(3)
    for systems in data_sets.values():
        systems["c"][1:] = np.nan
    data = compare_scores(write_scores(tmp_path, data_sets), method="sign_flip").as_data()
    again = json.loads(json.dumps(data, allow_nan=False))
    assert set(again) == {"comparisons", "arms", "ranks", "notes", "data_sets"}
    assert len(again["comparisons"]) == 9
    assert again["data_sets"]["nemenyi"]["differences"][0]["p_value"] is None


def test_the_record_cannot_be_changed(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.metric = "nll"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0}, "alpha must lie between 0 and 1, got 0.0"),
        ({"alpha": 1}, "alpha must lie between 0 and 1, got 1.0"),
        ({"alpha": float("nan")}, "alpha must lie between 0 and 1, got nan"),
        ({"alpha": "0.05"}, "alpha must be a number between 0 and 1, got '0.05'"),
        ({"margin": 0}, "A margin of 0 came. Expected the smallest difference that matters, a number above 0"),
        ({"margin": -0.1}, "A margin of -0.1 came"),
        ({"margin": float("nan")}, "A margin of nan came"),
        ({"margin": float("inf")}, "A margin of inf came"),
        ({"margin": "2 %"}, "A margin of '2 %' came"),
        ({"margin": 2}, "A margin of 2 came, but accuracy lies from 0 to 1"),
        (
            {"reference": "A"},
            "No system with scores of accuracy is called 'A'. The reference must be one of: a, b. Did you mean 'a'?",
        ),
        ({"reference": ""}, "is called ''. The reference must be one of"),
        ({"better": "higher"}, "better must be 'high' or 'low', got 'higher'"),
        ({"method": "wilcoxon"}, "method must be 't' or 'sign_flip', got 'wilcoxon'"),
        ({"metric": "auroc"}, "no row has the metric 'auroc'. Its metrics: accuracy"),
    ],
)
def test_bad_questions(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        compare_scores(write(tmp_path, GOOD), **options)
    assert words in str(caught.value)


def test_a_bad_question_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="alpha must lie"):
        compare_scores(tmp_path / "nowhere.csv", alpha=0)


def test_tables_for_people(tmp_path: Path) -> None:
    found = compare_scores(write_scores(tmp_path, {"d": three()}), margin=0.02)
    verdicts, systems = in_tables(found)
    assert verdicts.columns == ["a", "b", "a minus b", "95 % interval", "verdict", "n"]
    assert verdicts.title == "accuracy, high is better; scope procedure; margin 0.02"
    low, high = rows_of(found)["a", "b"]["low"], rows_of(found)["a", "b"]["high"]
    assert verdicts.rows[0] == ["a", "b", "-0.0500", f"{low:+.4f} to {high:+.4f}", "worse", "10"]
    assert [row[-1] for row in systems.rows] == ["2 to 3", "1", "2 to 3"]


def test_tables_for_people_with_several_data_sets(tmp_path: Path) -> None:
    data_sets = several(3)
    data_sets["d1"]["b"][1:] = np.nan
    found = compare_scores(write_scores(tmp_path, data_sets, metric="nll"), reference="a")
    verdicts, systems, ranks, pairs = in_tables(found)
    assert verdicts.columns[0] == systems.columns[0] == "data set"
    assert verdicts.title == "nll, low is better; scope procedure; no margin"
    assert any("hold together for all pairs with 'a' of a data set" in note for note in found.notes)
    assert verdicts.rows[2] == ["d1", "b", "a", verdicts.rows[2][3], "none", "undecided", "1"]
    assert [row[0] for row in ranks.rows] == ["a", "b", "c"]
    assert len(pairs.rows) == 3
    for table in (verdicts, systems, ranks, pairs):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_numbers_keep_two_digits_of_their_interval_in_any_unit(tmp_path: Path) -> None:
    for factor, shape in ((1e5, "-5000"), (1e-5, "-0.000000500")):
        systems = {name: values * factor for name, values in three().items()}
        found = compare_scores(write_scores(tmp_path, {"d": systems}, metric="seconds"), better="low")
        assert in_tables(found)[0].rows[0][2].startswith(shape)


def test_the_example_of_the_page_gives_the_numbers_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    example = page.split("```csv\n")[1].split("```")[0]
    found = compare_scores(write(tmp_path, example), margin=0.01)
    printed = [line.split() for line in page.splitlines()]
    for table in in_tables(found):
        for row in table.rows:
            assert " ".join(row).split() in printed
    broken = example.replace("0.832", "83.2").replace("focal,chest,3", "focal,chest,2")
    with pytest.raises(DataError) as caught:
        compare_scores(write(tmp_path, broken, "broken.csv"))
    assert str(caught.value).replace(str(tmp_path / "broken.csv"), "broken.csv") in page
