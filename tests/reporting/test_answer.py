"""The first sentence says what the study showed."""

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay.reporting import answer
from lossassay.reporting.messages import load_messages
from lossassay.study.folder.results import StudyResults
from tests.reporting.fake_results import empty_tables, fake_results


def first_sentence(results: StudyResults) -> str:
    return answer.headline(results, load_messages()).striptags()


def with_pair(results: StudyResults, **values: Any) -> StudyResults:
    """Set values of the first primary comparison."""
    frame = results.tables["comparisons"]
    primary = frame.filter("primary").with_columns(*(pl.lit(value).alias(name) for name, value in values.items()))
    return dataclasses.replace(results, tables=results.tables | {"comparisons": primary})


HERE = "On this data set, averaged over splits and seeds"


@pytest.fixture
def two(tmp_path: Path) -> StudyResults:
    return fake_results(tmp_path, arms=2)


def test_one_function_differs_by_exactly_0_in_all_replicates(two: StudyResults) -> None:
    assert first_sentence(two) == (
        "categorical_crossentropy and sparse_categorical_crossentropy are one function: "
        "with the same seeds they differ by exactly 0 in 8 of 8 replicates."
    )


def test_one_function_with_rounding_does_not_claim_exactly_0(two: StudyResults) -> None:
    pair = two.facts["same_function_pairs"][0] | {"largest_score_difference": 2.4e-7}
    sentence = first_sentence(dataclasses.replace(two, facts=two.facts | {"same_function_pairs": [pair]}))
    assert "exactly" not in sentence
    assert "at most 2.4e−07 over 8 replicates" in sentence


@pytest.mark.parametrize(
    ("verdict", "sign", "winner", "loser"),
    [
        ("better", 1, "categorical_crossentropy", "sparse_categorical_crossentropy"),
        ("worse", -1, "sparse_categorical_crossentropy", "categorical_crossentropy"),
    ],
)
def test_a_difference_begins_with_the_better_arm(
    two: StudyResults, verdict: str, sign: int, winner: str, loser: str
) -> None:
    ends = sorted((sign * 0.0199, sign * 0.031))
    pair = with_pair(two, verdict=verdict, difference=sign * 0.0254, low=ends[0], high=ends[1])
    assert first_sentence(pair) == (
        f"{HERE}: {winner} gives a higher balanced accuracy than {loser}: "
        "2.54 percentage points (95 % interval 1.99 to 3.10; 8 replicates)."
    )


def test_where_low_is_better_the_better_arm_gives_the_lower_value(two: StudyResults) -> None:
    pair = with_pair(two, metric="nll", verdict="better", difference=-0.05, low=-0.07, high=-0.03)
    pair = dataclasses.replace(pair, facts=pair.facts | {"primary_metric": "nll"})
    assert first_sentence(pair) == (
        f"{HERE}: categorical_crossentropy gives a lower negative log-likelihood than sparse_categorical_crossentropy: "
        "0.0500 (95 % interval 0.0300 to 0.0700; 8 replicates)."
    )


def test_equivalent_names_interval_and_margin(two: StudyResults) -> None:
    sentence = first_sentence(with_pair(two, verdict="equivalent", difference=-0.0014, low=-0.0087, high=0.0059))
    assert "are equivalent in balanced accuracy: they differ by −0.14 percentage points" in sentence
    assert "95 % interval −0.87 to +0.59; 8 replicates" in sentence
    assert "less than 2.00 percentage points does not matter here" in sentence


def test_undecided_says_why(two: StudyResults) -> None:
    reason = "the interval contains 0 and reaches past the margin"
    sentence = first_sentence(with_pair(two, verdict="undecided", difference=0.01, low=-0.01, high=0.03, reason=reason))
    assert sentence.startswith(f"{HERE}: undecided: ")
    assert reason in sentence


def test_an_unknown_reason_is_shown_as_stored(two: StudyResults) -> None:
    rows = answer.pair_rows(with_pair(two, reason="the stars <b>say so</b>"), load_messages())
    assert rows[0].reason == "the stars <b>say so</b>"  # plain text: the template escapes it


def test_many_pairs_are_counted_by_verdict(tmp_path: Path) -> None:
    verdicts = dict(enumerate(("same function", "better", "worse", "equivalent", "undecided", "undecided")))
    assert first_sentence(fake_results(tmp_path, arms=4, verdicts=verdicts)) == (
        f"{HERE}: of 6 pairs of losses, 2 show a real difference, 1 is equivalent within 2.00 percentage points, "
        "2 are undecided and 1 is one and the same function (balanced accuracy; 8 replicates)."
    )


def test_the_arms_that_no_other_beats_are_named(tmp_path: Path) -> None:
    verdicts = dict.fromkeys(range(6), "undecided") | {1: "better", 5: "worse"}  # 0 beats 2, 3 beats 2
    remarks = answer.remarks(fake_results(tmp_path, arms=4, verdicts=verdicts), load_messages())
    assert remarks[0].striptags() == (
        "Not shown to be worse than any other arm: categorical_crossentropy, sparse_categorical_crossentropy, focal."
    )


def test_unfinished_diverged_and_failed_runs_are_warned_of(two: StudyResults) -> None:
    facts = two.facts | {"runs_planned": 20, "runs_finished": 12, "runs_diverged": 1, "runs_failed": 2}
    texts = [w.striptags() for w in answer.warnings(dataclasses.replace(two, facts=facts), load_messages())]
    assert texts[0].startswith("13 of 20 runs are done.")
    assert texts[1].startswith("1 run diverged")
    assert texts[2].startswith("2 runs failed")
    passed = {"checks": two.tables["checks"].with_columns(status=pl.lit("passed"))}
    assert answer.warnings(dataclasses.replace(two, tables=two.tables | passed), load_messages()) == []


def test_one_arm_and_no_arm(tmp_path: Path) -> None:
    one = fake_results(tmp_path, arms=1)
    assert first_sentence(one).startswith("categorical_crossentropy reaches 9")
    empty = dataclasses.replace(one, tables=empty_tables())
    assert first_sentence(empty) == "No run is finished yet, so there is no answer."
