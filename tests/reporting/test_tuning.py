"""The section on tuning says what is stored, and draws it."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay.reporting import answer, evidence, tuning
from lossassay.reporting.charts import FIGURES
from lossassay.reporting.checks import check_rows
from lossassay.reporting.messages import load_messages
from lossassay.reporting.methods import methods
from lossassay.reporting.page import render, write_report
from lossassay.study.folder.results import StudyResults
from tests.reporting.fake_results import fake_results
from tests.reporting.fake_tuning import with_epochs_of_one_arm, with_tuning
from tests.reporting.test_charts import rows_of

CHARTS = ("tuning_best", "tuning_rate", "tuning_choices")


def plain(text: object) -> str:
    return re.sub(r"<[^>]+>", "", str(text))


def said(results: StudyResults) -> str:
    found = tuning.section(results, load_messages())
    assert found is not None
    return " ".join(map(plain, (found.claim, *found.said)))


def test_a_study_without_tuning_has_no_section(tmp_path: Path) -> None:
    results, messages = fake_results(tmp_path, arms=2, pictures=False), load_messages()
    assert tuning.section(results, messages) is None
    assert tuning.terminal_line(results, messages) is None
    assert 'id="tuning"' not in render(results, {}, messages)
    assert [name for name in CHARTS if FIGURES[name](results, messages)] == []


@pytest.mark.parametrize(
    ("replicates", "claim"),
    [
        (4, "The claim is about the procedure: each loss with its tuning"),
        (None, "once, on 30.0 % of the patients, who are in no test part. The claim is about these settings"),
    ],
)
def test_the_claim_is_that_of_the_scope(tmp_path: Path, replicates: int | None, claim: str) -> None:
    words = said(with_tuning(fake_results(tmp_path, arms=2, pictures=False), replicates=replicates))
    assert claim in words.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_budget_is_said_to_be_equal_only_where_it_was(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    assert "So every arm spent 128 epochs" in said(with_tuning(base))
    unequal = with_tuning(base, diverged=5, epochs_low=128, epochs_high=136)
    assert "Arms spent 128 to 136 epochs on their trials, because 8 of the trials diverged" in said(unequal)


def test_unequal_costs_are_laid_to_diverged_trials_only_where_nothing_else_differs(tmp_path: Path) -> None:
    found = with_tuning(fake_results(tmp_path, arms=2, pictures=False), diverged=5, epochs_low=64, epochs_high=136)
    budget = found.tables["tuning_budget"].with_columns(jobs=pl.Series([2, 4]))
    fewer = dataclasses.replace(found, tables=found.tables | {"tuning_budget": budget})
    words = "Arms spent 64 to 136 epochs on their trials: they differ in the number of finished tuning jobs"
    assert words in said(fewer)
    assert "because" not in said(fewer).split("Arms spent")[1].split(".")[0]
    assert words not in said(found)


def test_epochs_of_arms_that_have_their_own_are_not_told_as_those_of_all(tmp_path: Path) -> None:
    found = with_tuning(fake_results(tmp_path, arms=2, pictures=False))
    assert "Every trial trained a quarter of the 15 epochs, the" in said(found)
    assert "Every trial trained a quarter of the epochs of its arm, the" in said(with_epochs_of_one_arm(found, 99))


def test_the_first_page_gives_no_cost_of_untuned_arms_where_none_were_trained(tmp_path: Path) -> None:
    base, m = fake_results(tmp_path, arms=2, pictures=False), load_messages()
    both, tuned_alone = (plain(answer.remarks(with_tuning(base, untuned=untuned), m)[-1]) for untuned in (True, False))
    assert "and the same arms with the settings of the study file" in both
    assert tuned_alone.endswith("of training more.")


def test_why_no_difference_is_there_without_tuning(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    assert "(`tuning.untuned`)" in said(with_tuning(base, untuned=False))
    found = with_tuning(base)
    empty = found.tables | {"tuning_verdicts": found.tables["tuning_verdicts"].clear()}
    two, one = (base.tables["comparisons"].with_columns(verdict=pl.lit(word)) for word in ("better", "same function"))
    missing = said(dataclasses.replace(found, tables=empty | {"comparisons": two}))
    assert "an interval needs two replicates with and without tuning" in missing
    same = said(dataclasses.replace(found, tables=empty | {"comparisons": one}))
    for page in (missing, same):
        assert "were not trained with the settings of the study file" not in page
    assert "moved" not in same


def test_what_tuning_changed_is_said_by_intervals_and_not_by_words(tmp_path: Path) -> None:
    base, messages = fake_results(tmp_path, arms=3, pictures=False), load_messages()
    first, second = (arm.name for arm in base.study.arms[:2])
    changed, same = with_tuning(base), with_tuning(base, changed=False)
    words = f"{first} against {second}: tuning moved this difference by \N{MINUS SIGN}3.00 percentage points "
    words += "(\N{MINUS SIGN}4.00 to \N{MINUS SIGN}2.00). The verdict is better without tuning, undecided with it."
    assert words in said(changed)
    assert "Not shown to have moved with tuning: 1 difference." in said(changed)
    assert "No difference is shown to have moved with tuning (2 differences measured)." in said(same)
    assert "it is not known what tuning changed" in said(with_tuning(base, untuned=False))
    line = str(tuning.terminal_line(changed, messages))
    assert line.endswith("differences shown to have moved: 1 of 2; verdicts with another word: 1.")
    assert "was not measured" in str(tuning.terminal_line(with_tuning(base, untuned=False), messages))


def test_another_word_alone_is_no_change(tmp_path: Path) -> None:
    base, messages = fake_results(tmp_path, arms=3, pictures=False), load_messages()
    noise = with_tuning(base, moved=False)
    assert "the difference is not shown to have moved with tuning (" in said(noise)
    assert "The verdict is better without tuning, undecided with it. Two words can differ by noise alone." in said(
        noise
    )
    assert "tuning moved this difference by" not in said(noise)
    assert "moved: 0 of 2; verdicts with another word: 1." in str(tuning.terminal_line(noise, messages))
    single = with_tuning(base, replicates=1)
    assert "it is not known whether tuning moved this difference" in said(single)
    assert "an interval needs two replicates" in said(single)


def test_whether_the_best_arm_depends_on_the_learning_rate(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    first, second = (arm.name for arm in base.study.arms)
    words = rf"depends on the learning rate: {first} at 0\.00010 to \S+, {second} at \S+ to 0\.010 \("
    assert re.search(words, said(with_tuning(base)))
    assert "It is not known whether the best arm depends on the learning rate" in said(with_tuning(base, apart=False))
    assert "no two arms are each better at some rates" in said(with_tuning(base, apart=False))
    assert "an interval needs two tuning jobs of each arm" in said(with_tuning(base, replicates=None))
    assert "The learning rate was not tuned" in said(with_tuning(base, rate_tuned=False, rate_changes=[]))


def test_choices_at_an_edge_are_named(tmp_path: Path) -> None:
    results = with_tuning(fake_results(tmp_path, arms=2, pictures=False))
    last = results.study.arms[-1].name
    assert f"{last} took learning_rate at the high end of its range (0.01) in 4 of 4 tuning jobs" in said(results)
    assert "at the high end" not in said(with_tuning(results, apart=False))


def test_ranges_of_one_arm_are_named_and_what_they_mean(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    last = base.study.arms[-1].name
    own = with_tuning(base, settings={"arms": {last: {"learning_rate": [1e-4, 1e-2, "log"]}}})
    assert f"Set for one arm alone: learning_rate of {last}. All arms have the same number of trials, but" in said(own)
    assert "Set for one arm alone" not in said(with_tuning(base))
    found = tuning.section(own, load_messages())
    assert found is not None
    assert found.ranges is not None
    range_words = "0.0001 to 0.01, logarithmic"
    assert [[plain(cell) for cell in row[1:]] for row in found.ranges.rows] == [
        ["learning_rate", range_words, "all arms that have it"],
        ["learning_rate", range_words, "this arm alone"],
    ]
    paragraph = methods(own, load_messages())
    assert paragraph is not None
    assert f"Ranges were set for these arms alone: {last}." in paragraph.paragraph


def test_every_kind_of_range_has_its_words_and_older_folders_have_none(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    ends = {"arm": "a", "parameter": "p", "low": 1, "high": 5, "choices": [], "of_arm_alone": False}
    rows = [ends | {"scale": scale} for scale in ("linear", "log", "integer")]
    rows.append(ends | {"scale": "choices", "low": None, "high": None, "choices": ["cosine", 2]})
    found = tuning.section(with_tuning(base, ranges=rows), load_messages())
    assert found is not None
    assert found.ranges is not None
    assert [plain(row[2]) for row in found.ranges.rows] == [
        "1 to 5",
        "1 to 5, logarithmic",
        "1 to 5, whole numbers",
        "cosine, 2",
    ]
    without = with_tuning(base)
    del without.facts["tuning"]["ranges"]
    old = tuning.section(without, load_messages())
    assert old is not None
    assert old.ranges is None


@pytest.mark.parametrize(
    ("replicates", "jobs", "words"),
    [
        (4, ["A/A control"], "was tuned and trained once more in .* hold the noise of tuning and of training"),
        (4, [], "with the settings that its tuning had chosen, .* The noise of choosing settings is not in"),
        (None, [], "with the settings that its tuning had chosen, .* The noise of choosing settings is not in"),
    ],
)
def test_what_the_aa_control_did_again_is_said(
    tmp_path: Path, replicates: int | None, jobs: list[str], words: str
) -> None:
    base, messages = fake_results(tmp_path, arms=2, pictures=False, stopping="planned"), load_messages()
    assert "was trained once more in" in plain(evidence.control(base, messages))
    results = with_tuning(base, replicates=replicates)
    plan = results.plan | {"tuning": [{"arm": name} for name in jobs]}
    found = plain(evidence.control(dataclasses.replace(results, plan=plan), messages))
    assert re.search(words, found)
    assert "This pair is no part of the verdicts." in found


def test_the_tables_show_the_stored_numbers(tmp_path: Path) -> None:
    found = tuning.section(with_tuning(fake_results(tmp_path, arms=3, pictures=False)), load_messages())
    assert found is not None
    assert found.budget is not None
    assert found.verdicts is not None
    assert [plain(cell) for cell in found.budget.rows[0][1:7]] == ["4", "32", "8", "24", "0", "128"]
    assert plain(found.budget.rows[0][-1]) == "+1.20+0.40 to +2.00"
    assert [plain(cell) for cell in found.verdicts.rows[0][2:]] == [
        "better",
        "+3.20+2.20 to +4.20",
        "undecided",
        "+0.20−0.80 to +1.20",
        "−3.00−4.00 to −2.00",
    ]
    assert [plain(cell) for cell in found.verdicts.rows[1][2:]] == ["same function", "–", "same function", "–", "–"]


@pytest.mark.parametrize("replicates", [4, None])
def test_the_charts_draw_every_arm_with_dashes(tmp_path: Path, replicates: int | None) -> None:
    results, messages = with_tuning(fake_results(tmp_path, arms=3), replicates=replicates), load_messages()
    names = {arm.name for arm in results.study.arms}
    for name in ("tuning_best", "tuning_rate"):
        figure = FIGURES[name](results, messages)
        assert figure is not None
        assert {row["arm"] for row in rows_of(figure)} == names
        assert "strokeDash" in str(figure.chart.to_dict())
        assert "Band: its 95 %" in figure.subtitle if replicates and name == "tuning_best" else True
    assert ("no interval" in FIGURES["tuning_best"](results, messages).subtitle) == (replicates is None)  # type: ignore[union-attr]
    marks = [row for row in rows_of(FIGURES["tuning_choices"](results, messages)) if "position" in row]
    assert len(marks) == 3 * (replicates or 1)


def test_the_best_so_far_is_drawn_in_percent(tmp_path: Path) -> None:
    results = with_tuning(fake_results(tmp_path, arms=2))
    drawn = [row["mean"] for row in rows_of(FIGURES["tuning_best"](results, load_messages())) if "mean" in row]
    stored = [100 * value for value in results.later("tuning_best_so_far")["mean"]]
    assert sorted(drawn) == pytest.approx(sorted(stored), rel=1e-4)


def test_the_page_has_the_section_with_its_figures(tmp_path: Path) -> None:
    page = write_report(with_tuning(fake_results(tmp_path, arms=2))).read_text(encoding="utf-8")
    assert '<section id="tuning">' in page
    for name in CHARTS:
        assert f'id="figure-{name}"' in page
        assert (tmp_path / "figures" / f"{name}.svg").is_file()


@pytest.mark.parametrize(
    ("settings", "references"),
    [
        ({}, ["bouthillier2021", "owen1998", "jamieson2016"]),
        ({"sampler": "tpe", "pruning": "none"}, ["bouthillier2021", "bergstra2011"]),
        ({"sampler": "random"}, ["bouthillier2021", "jamieson2016"]),
    ],
)
def test_the_methods_paragraph_says_how_it_was_tuned(
    tmp_path: Path, settings: dict[str, Any], references: list[str]
) -> None:
    results = with_tuning(fake_results(tmp_path, arms=2), settings=settings)
    found = methods(results, load_messages())
    assert found is not None
    assert "by 8 trials on the training and validation part" in found.paragraph
    for key in ("bouthillier2021", "owen1998", "bergstra2011", "jamieson2016"):
        assert (f"[{key}]" in found.paragraph) == (key in references)
        assert (f"{{{key}," in found.bibtex) == (key in references)


def test_the_check_says_which_arm_and_which_end(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2)
    failed = base.tables["checks"].filter(code="tuned-at-edge").with_columns(status=pl.lit("failed"))
    results = dataclasses.replace(base, tables=base.tables | {"checks": failed})
    (row,) = check_rows(results, load_messages())
    assert "gamma of <b> at the high end, 5, in 2 of 3" in plain(row.what).replace("&lt;", "<").replace("&gt;", ">")
    assert row.page == "docs/checks/tuned-at-edge.md"


def test_the_check_says_how_many_trials_were_cut_at_chance(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2)
    failed = base.tables["checks"].filter(code="tuning-cut-at-chance").with_columns(status=pl.lit("failed"))
    (row,) = check_rows(dataclasses.replace(base, tables=base.tables | {"checks": failed}), load_messages())
    assert "a_loss, 4 of 4 trials after 1 epoch, in 1 of 1 tuning jobs." in plain(row.what)
    assert Path("docs/checks/tuning-cut-at-chance.md").is_file()


@pytest.mark.parametrize(
    ("replicates", "about"),
    [(4, "each loss with its tuning."), (None, "each loss with the settings that its trials chose.")],
)
def test_the_first_page_says_what_the_verdicts_of_a_tuned_study_are_about(
    tmp_path: Path, replicates: int | None, about: str
) -> None:
    base, messages = fake_results(tmp_path, arms=2), load_messages()
    results = with_tuning(base, replicates=replicates, pairs_moved=1, pairs_with_interval=3)
    words = " ".join(map(plain, answer.remarks(results, messages)))
    assert about in words
    assert "Tuning is shown to have moved 1 of 3 differences." in words
    alone = with_tuning(base, replicates=replicates, pairs_with_interval=0)
    assert "shown to have moved" not in " ".join(map(plain, answer.remarks(alone, messages)))
    assert "uned" not in " ".join(map(plain, answer.remarks(base, messages)))


def test_the_first_page_warns_of_trials_that_were_cut_at_chance(tmp_path: Path) -> None:
    base, messages = fake_results(tmp_path, arms=2), load_messages()
    fields = pl.lit('{"cuts": [["<b>", 2, 6, 8, 1, 3], ["<b>", 3, 2, 4, 1, 3], ["focal", 2, 6, 8, 1, 3]]}')
    for status in ("failed", "passed"):
        checks = base.tables["checks"].with_columns(status=pl.lit(status), fields=fields)
        own = checks.filter(code="tuning-cut-at-chance")
        found = answer.warnings(dataclasses.replace(base, tables=base.tables | {"checks": own}), messages)
        assert [str(one).count("&lt;b&gt;") for one in found if "(" in one] == ([1] if status == "failed" else [])
        # equal values can be good ones: nothing is said beyond what the check looks at
        assert not any("one class" in one for one in found)


def test_an_unfinished_study_says_how_many_jobs_there_are(tmp_path: Path) -> None:
    results = with_tuning(fake_results(tmp_path, arms=2), jobs_finished=3)
    assert "3 of 8 tuning jobs are finished" in said(results)
    nothing = dataclasses.replace(results, tables=fake_results(tmp_path, arms=2).tables)
    assert tuning.section(nothing, load_messages()) is not None
