"""What tuning changed: the untuned runs are judged by the code that judges the tuned ones."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lossassay import stats
from lossassay.config.schema import TuningConfig
from lossassay.study.analysis.analyse import analyse
from lossassay.study.analysis.checks import check_rows
from lossassay.study.analysis.comparisons import comparison_rows
from lossassay.study.analysis.context import Context, read_context
from lossassay.study.analysis.tuning_evidence import shifts_of, tuning_facts, tuning_tables, verdict_rows
from lossassay.study.analysis.units import Units
from lossassay.study.folder.columns import TUNING_TABLES, column_type
from lossassay.study.folder.results import load_results
from tests.study.fake_trials import fake_jobs, write_jobs


def tuned(folder: Path, jobs: list[dict[str, Any]] | None = None, **settings: Any) -> Context:
    """Return a study that was not tuned as if it had been, with its own runs as the untuned ones."""
    context = read_context(folder)
    study = context.study.model_copy(update={"tuning": TuningConfig(**settings)})
    plan = context.plan | {"tuning": jobs or []}
    return replace(context, study=study, plan=plan, untuned={arm: context.of(arm) for arm in context.arms})


def test_untuned_runs_equal_to_the_tuned_ones_change_no_verdict(finished: Path) -> None:
    context = tuned(finished)
    rows = list(verdict_rows(context))
    assert len(rows) == 3
    by_pair = {(row["arm_a"], row["arm_b"]): row for row in comparison_rows(context) if row["primary"]}
    for row in rows:
        expected = by_pair[row["arm_a"], row["arm_b"]]
        same = expected["verdict"] == "same function"
        for side in ("untuned", "tuned"):
            assert row[f"{side}_verdict"] == expected["verdict"]
            assert row[f"{side}_difference"] == (None if same else expected["difference"])
            assert row[f"{side}_low"] == (None if same else expected["low"])
            assert row[f"{side}_replicates"] == (None if same else expected["replicates"])
        assert not row["changed"]
        assert not row["moved"]
        assert row["shift"] == (None if same else 0)


def with_untuned(context: Context, lower_by: dict[str, list[float]]) -> Context:
    """Return the study with untuned runs that lie below the tuned ones, replicate by replicate."""
    untuned = {
        arm: [
            replace(run, values=run.values | {context.metric: run.values[context.metric] - lower})
            for run, lower in zip(context.of(arm), lower_by.get(arm, [0.0] * len(runs)), strict=True)
        ]
        for arm, runs in context.untuned.items()
    }
    return replace(context, untuned=untuned)


def test_the_shift_is_the_paired_difference_of_differences(finished: Path) -> None:
    context = tuned(finished)
    first, last = context.arms[0], context.arms[-1]
    rows = list(verdict_rows(with_untuned(context, {first: [0.2, 0.3]})))
    row = next(row for row in rows if (row["arm_a"], row["arm_b"]) == (first, last))
    (expected,) = stats.paired_differences(
        np.array([[0.2, 0.0], [0.3, 0.0]]), [(0, 1)], alpha=0.05, family_size=len(context.stages.family)
    )
    assert row["shift"] == pytest.approx(row["tuned_difference"] - row["untuned_difference"])
    assert (row["shift"], row["shift_low"], row["shift_high"]) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    assert not row["moved"]  # two replicates say little
    near = list(verdict_rows(with_untuned(context, {first: [0.2, 0.2001]})))
    assert next(row for row in near if (row["arm_a"], row["arm_b"]) == (first, last))["moved"]


def _simulated(random: np.random.Generator, moved_by: float) -> tuple[Any, Any]:
    """Return a study of four arms without and with tuning: independent draws, beside a replicate's share in both."""
    family, shared = [(0, 3), (1, 3), (2, 3)], random.normal(0, 0.02, 8)
    contexts = []
    for shift in (0.0, moved_by):
        values = shared + np.array([shift - 0.02, -0.01, 0.0, 0.0])[:, None] + random.normal(0, 0.02, (4, 8))
        contexts.append(
            SimpleNamespace(
                table=[[SimpleNamespace(values={"accuracy": value}) for value in own] for own in values],
                metric="accuracy",
                stages=SimpleNamespace(family=family),
                units=Units(noun="replicates"),
                study=SimpleNamespace(evidence=SimpleNamespace(alpha=0.05)),
            )
        )
    return contexts[0], contexts[1]


def test_where_tuning_changes_nothing_a_shift_is_named_in_no_more_than_alpha() -> None:
    random, draws = np.random.default_rng(21), 300
    wrong, words = 0, 0
    for _ in range(draws):
        before, after = _simulated(random, moved_by=0.0)
        wrong += any(found.low > 0 or found.high < 0 for found in shifts_of(before, after).values())
        sides = [_clear(own) for own in (before, after)]
        words += sides[0] != sides[1]
    assert wrong <= draws * 0.05 + 3 * np.sqrt(draws * 0.05 * 0.95)
    assert words > 3 * wrong  # words differ far more often


def _clear(context: Any) -> list[bool]:
    """Return for each pair whether its own interval leaves out 0."""
    values = np.array([[run.values["accuracy"] for run in own] for own in context.table]).T
    found = stats.paired_differences(values, context.stages.family, alpha=0.05, family_size=3)
    return [bool(one.low > 0 or one.high < 0) for one in found]


def test_a_shift_that_is_there_is_named_with_its_pair() -> None:
    found = shifts_of(*_simulated(np.random.default_rng(22), moved_by=0.3))
    assert [pair for pair, one in found.items() if one.low > 0 or one.high < 0] == [(0, 3)]
    assert found[0, 3].low < 0.3 < found[0, 3].high


def test_what_moves_both_arms_of_a_pair_moves_no_difference(finished: Path) -> None:
    context = tuned(finished)
    rows = list(verdict_rows(with_untuned(context, {arm: [0.1, 0.3] for arm in context.arms})))
    assert [row["shift"] for row in rows if row["shift"] is not None] == pytest.approx([0.0] * 2)
    assert not any(row["moved"] for row in rows)


def test_the_facts_count_what_moved(finished: Path) -> None:
    context = with_untuned(tuned(finished), {read_context(finished).arms[0]: [0.2, 0.2001]})
    tables = tuning_tables(context)
    facts, rows = tuning_facts(context, tables)["tuning"], tables["tuning_verdicts"]
    assert facts["pairs"] == 3
    assert facts["pairs_moved"] == rows["moved"].to_list().count(True) > 0
    assert facts["pairs_with_interval"] == len(rows.filter(rows["shift_low"].is_not_null())) < 3


def test_a_verdict_that_differs_is_marked(finished: Path) -> None:
    context = tuned(finished)
    first, last = context.arms[0], context.arms[-1]
    better = {run.replicate: run for run in context.of(first)}
    worse = [
        replace(
            run,
            values=run.values
            | {context.metric: better[run.replicate].values[context.metric] - 0.3 - 0.001 * run.replicate},
        )
        for run in context.of(last)
    ]
    changed = replace(context, untuned=context.untuned | {last: worse})
    row = next(row for row in verdict_rows(changed) if (row["arm_a"], row["arm_b"]) == (first, last))
    assert row["untuned_difference"] == pytest.approx(0.3005)
    assert row["untuned_verdict"] == "better"
    assert row["tuned_difference"] != row["untuned_difference"]
    assert row["changed"] == (row["tuned_verdict"] != "better")
    assert row["changed"]


def test_without_untuned_runs_there_is_nothing_to_set_beside(finished: Path) -> None:
    assert list(verdict_rows(replace(tuned(finished), untuned={}))) == []


def test_a_replicate_that_one_arm_lacks_counts_for_none_of_its_pairs(finished: Path) -> None:
    context = tuned(finished)
    fewer = {arm: runs[:1] if arm == context.arms[-1] else runs for arm, runs in context.untuned.items()}
    row = list(verdict_rows(replace(context, untuned=fewer)))[-1]
    assert row["untuned_replicates"] == 1
    assert row["tuned_replicates"] == 2
    assert (row["untuned_low"], row["untuned_verdict"]) == (None, "undecided")
    assert (row["shift_low"], row["moved"]) == (None, False)
    assert row["shift"] == pytest.approx(0)


def test_the_gain_is_tuned_minus_untuned(finished: Path) -> None:
    context = tuned(finished)
    poorer = {
        arm: [replace(run, values=run.values | {context.metric: run.values[context.metric] - 0.1}) for run in runs]
        for arm, runs in context.untuned.items()
    }
    budget = tuning_tables(replace(context, untuned=poorer))["tuning_budget"]
    assert budget["gain"].to_list() == pytest.approx([0.1] * 3)
    assert budget["replicates"].to_list() == [2] * 3
    assert budget["jobs"].to_list() == [0] * 3


def test_tables_have_their_columns_with_and_without_rows(finished: Path, tmp_path: Path) -> None:
    peaks = dict.fromkeys(read_context(finished).arms, 1e-2)
    for jobs in ([], write_jobs(tmp_path, fake_jobs(read_context(finished).study, peaks))):
        context = replace(tuned(finished, jobs), folder=tmp_path)
        tables = tuning_tables(context)
        assert list(tables) == list(TUNING_TABLES)
        for name, frame in tables.items():
            assert tuple(frame.columns) == TUNING_TABLES[name]
            if jobs:
                assert len(frame)
            for column in frame.columns:
                if column_type(column).is_numeric():
                    assert frame[column].dtype.is_numeric(), (name, column)
                else:
                    assert frame[column].dtype == column_type(column), (name, column)
        facts = tuning_facts(context, tables)["tuning"]
        assert facts["jobs_finished"] == len(jobs)
        assert facts["pairs"] == 3


def test_a_study_without_tuning_has_none_of_it(finished: Path) -> None:
    context = read_context(finished)
    assert tuning_tables(context) == {}
    assert tuning_facts(context, {}) == {}
    assert not list((finished / "tables").glob("tuning*"))


def outcome(context: Context, code: str) -> tuple[str, dict[str, Any]]:
    (row,) = [row for row in check_rows(context) if row["code"] == code]
    return row["status"], json.loads(row["fields"])


def test_the_check_names_arm_parameter_end_and_jobs(finished: Path, tmp_path: Path) -> None:
    assert outcome(read_context(finished), "tuned-at-edge") == ("not applicable", {"edges": []})
    shutil.copy(finished / "rows.parquet", tmp_path)
    shutil.copy(finished / "splits.npy", tmp_path)
    arms = read_context(finished).arms
    peaks = dict.fromkeys(arms, 1e-3) | {arms[1]: 1e-2}
    jobs = write_jobs(tmp_path, fake_jobs(read_context(finished).study, peaks))
    status, fields = outcome(replace(tuned(finished, jobs), folder=tmp_path), "tuned-at-edge")
    assert (status, fields) == ("failed", {"edges": [[arms[1], "learning_rate", "high", 1e-2, 3, 3]]})
    inside = [job for job in jobs if job["arm"] != arms[1]]
    assert outcome(replace(tuned(finished, inside), folder=tmp_path), "tuned-at-edge")[0] == "passed"


@pytest.mark.parametrize(
    ("space", "status"), [({"learning_rate": "auto"}, "not applicable"), ({"weight_decay": [0.0, 0.1]}, "failed")]
)
def test_gradients_need_no_comparison_where_the_learning_rate_was_tuned(
    finished: Path, space: dict[str, Any], status: str
) -> None:
    context = tuned(finished, space=space)
    apart = context.plan | {"gradient_scales": {arm: 1.0 + 3 * place for place, arm in enumerate(context.arms)}}
    assert outcome(replace(context, plan=apart), "gradient-scales")[0] == status


def test_analysis_writes_the_tables_and_results_read_them(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(finished, folder)
    study = read_context(folder).study
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    peaks = dict.fromkeys([arm.name for arm in study.arms], 1e-3)
    plan["tuning"] = write_jobs(folder, fake_jobs(study, peaks, replicates=2))
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with (folder / "study.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tuning]\ntrials = 8\n")
    analyse(folder)
    results = load_results(folder)
    assert results.facts["tuning"]["jobs_finished"] == 6
    assert len(results.later("tuning_trials")) == 6 * 8
    assert (folder / "tables" / "tuning_choices.csv").is_file()


def test_gradients_need_no_comparison_only_where_every_arm_tunes_its_rate(finished: Path) -> None:
    rate = {"learning_rate": [1e-4, 1e-2, "log"]}
    names = read_context(finished).arms
    every = tuned(finished, space={}, arms=dict.fromkeys(names, rate))
    one = tuned(finished, space={}, arms={names[0]: rate})
    assert outcome(every, "gradient-scales")[0] == outcome(tuned(finished, space=rate), "gradient-scales")[0]
    assert outcome(every, "gradient-scales")[0] == "not applicable"
    assert (
        outcome(one, "gradient-scales")[0] == outcome(read_context(finished), "gradient-scales")[0] != "not applicable"
    )
