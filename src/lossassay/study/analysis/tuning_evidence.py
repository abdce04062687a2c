"""What tuning changed: verdicts of the same evidence code on the untuned runs and on the tuned ones; coded facts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.engine.spec import Array
from lossassay.study.analysis.comparisons import verdicts
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.family import Pair, compared_pairs
from lossassay.study.analysis.judge import Judged, judge
from lossassay.study.analysis.runs import Run
from lossassay.study.analysis.stopping import score_table
from lossassay.study.analysis.tuning_rates import RATE, rate_changes, rate_difference_rows, sensitivity_rows
from lossassay.study.analysis.tuning_results import Job, common_epochs, jobs_of_arms, read_jobs, seconds_of_trials
from lossassay.study.analysis.tuning_tables import (
    Rows,
    best_so_far_rows,
    budget_of,
    choice_rows,
    range_rows,
    trial_rows,
)
from lossassay.study.folder.columns import TUNING_TABLES, column_type
from lossassay.study.folder.store import Store


def tuning_tables(context: Context) -> dict[str, pl.DataFrame]:
    """Return every table of `TUNING_TABLES`, by name; none for a study without [tuning]."""
    if context.study.tuning is None:
        return {}
    jobs, study = read_jobs(context.folder, context.plan), context.study
    rows: dict[str, Rows] = {
        "tuning_trials": trial_rows(jobs),
        "tuning_budget": _budget_rows(context, jobs),
        "tuning_best_so_far": best_so_far_rows(study, jobs),
        "tuning_sensitivity": sensitivity_rows(study, jobs),
        "tuning_rate_differences": rate_difference_rows(study, jobs, context.units),
        "tuning_choices": choice_rows(study, jobs),
        "tuning_verdicts": verdict_rows(context),
    }
    return {name: _frame(name, list(own)) for name, own in rows.items()}


def tuning_facts(context: Context, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """Return what the report says about tuning besides its tables; nothing for a study without [tuning].

    Args:
        context: The study.
        tables: As `tuning_tables` returned them.
    """
    tuning = context.study.tuning
    if tuning is None:
        return {}
    jobs = read_jobs(context.folder, context.plan)
    budget, words, metric = tables["tuning_budget"], tables["tuning_verdicts"], tuning.metric or context.metric
    found = {
        "metric": metric,
        "parameters": list(dict.fromkeys(name for job in jobs for name in job.space)),
        "jobs_planned": _jobs_planned(context),
        "jobs_finished": len(jobs),
        "common_epochs": common_epochs(jobs),
        "trial_seconds": seconds_of_trials(context.folder, context.plan),
        "untuned_seconds": sum(run.facts["train_seconds"] for runs in context.untuned.values() for run in runs),
        "epochs_low": budget["epochs"].min(),
        "epochs_high": budget["epochs"].max(),
        "gain_replicates": max(budget["replicates"].to_list(), default=0),
        "diverged": int(budget["diverged"].sum()),
        "own_settings_chosen": sum(job.chosen is not None and job.chosen.own_settings for job in jobs),
        "edges": edges(tables["tuning_choices"]),
        "pairs": len(words),
        "pairs_changed": int(words["changed"].sum()),
        "pairs_with_interval": int(words["shift_low"].is_not_null().sum()),
        "pairs_moved": int(words["moved"].sum()),
        "rate_tuned": any(RATE in job.space for job in jobs),
        "rate_intervals": int(tables["tuning_rate_differences"]["low"].is_not_null().sum()),
        "rate_changes": rate_changes(tables["tuning_rate_differences"], high=YARDSTICKS[metric].best == "high"),
        "ranges": list(range_rows(context.study, context.plan)),
    }
    return {"tuning": found}


def _jobs_planned(context: Context) -> int:
    """Count the tuning jobs of the runs that are there or needed: early stopping leaves out what comes later."""
    there = Store(context.folder).finished()
    wanted = there | set(context.stages.needed(there))
    tunes = {run.get("tuned_by") for run in context.plan["runs"] if run["id"] in wanted}
    return sum(job["id"] in tunes for job in jobs_of_arms(context.plan))


def edges(choices: pl.DataFrame) -> list[dict[str, Any]]:
    """Return which arms chose which parameters at which end, in how many jobs.

    Listed is what a third of the jobs chose, and two of them at least; where tuning was done once, its one choice.
    """
    found: list[dict[str, Any]] = []
    for (arm, parameter), own in choices.group_by("arm", "parameter", maintain_order=True):
        for end in ("low", "high"):
            count = own["at_edge"].to_list().count(end)
            if count and 3 * count >= len(own) and (count > 1 or len(own) == 1):
                limit = own[end].to_list()[0]
                found.append(
                    {"arm": arm, "parameter": parameter, "end": end, "limit": limit, "jobs": count, "of": len(own)}
                )
    return found


def tuned_at_edge(context: Context) -> tuple[bool | None, dict[str, Any]]:
    """Fail where an arm took a parameter from the end of its range: a better value may lie beyond."""
    if context.study.tuning is None:
        return None, {"edges": []}
    jobs = read_jobs(context.folder, context.plan)
    if not jobs:
        return None, {"edges": []}
    found = edges(_frame("tuning_choices", list(choice_rows(context.study, jobs))))
    return not found, {"edges": [list(edge.values()) for edge in found]}


def untuned_context(context: Context) -> Context | None:
    """Return the study as it would stand without tuning; None where its own settings were not trained."""
    replicates = len(context.table[0])
    table: list[list[Run | None]] = [[None] * replicates for _ in context.arms]
    for own, arm in zip(table, context.arms, strict=True):
        for run in context.untuned.get(arm, ()):
            if run.replicate < replicates:
                own[run.replicate] = run
    if not any(run for own in table for run in own):
        return None
    raced = None
    if context.raced is not None:
        raced = context.stages.race(table)
        for own, looked in zip(table, raced.arm_replicates[0], strict=True):
            own[looked:] = [None] * (len(own) - looked)
    runs = [run for of_replicate in zip(*table, strict=True) for run in of_replicate if run is not None]
    return replace(context, table=table, runs=runs, raced=raced, control=[], damaged={}, memory={})


def verdict_rows(context: Context) -> Iterator[dict[str, Any]]:
    """Return every compared pair with its verdict without and with tuning, by the rule that the study stated.

    Two words that differ are no evidence of a change (Gelman and Stern 2006, Am. Stat. 60:328). That is the interval of
    the shift: by how much tuning moved the difference of the pair; ``moved`` where it leaves out 0.
    """
    before = untuned_context(context)
    if before is None or not context.stages.family:
        return
    found = {}
    for name, own in (("untuned", before), ("tuned", context)):
        judged = judge(own, own.metric, own.study.evidence.scope)
        found[name] = (judged, verdicts(own, judged))
    shifts = shifts_of(before, context)
    for pair in compared_pairs(context.study):
        words = {name: of_pair[pair][0] for name, (_, of_pair) in found.items()}
        yield {
            "arm_a": context.arms[pair[0]],
            "arm_b": context.arms[pair[1]],
            **{
                f"{name}_{key}": value
                for name, (judged, of_pair) in found.items()
                for key, value in _numbers(judged, pair, of_pair[pair][0]).items()
            },
            "changed": words["untuned"] != words["tuned"],
            **_shift(shifts.get(pair)),
        }


def shifts_of(before: Context, after: Context) -> dict[Pair, stats.PairedDifference]:
    """Return how tuning moved the difference of each pair of the family: (a - b tuned) minus (a - b untuned).

    Paired over the replicates in which both arms are there with and without tuning, whatever the scope of the study;
    t, Bonferroni over the pairs.

    Args:
        before: The study without tuning.
        after: The study.
    """
    family, units, evidence = after.stages.family, after.units, after.study.evidence
    tuned, untuned = (score_table(own.table, after.metric) for own in (after, before))
    both = [own[:, a] - own[:, b] for a, b in family for own in (tuned, untuned)]
    columns = [(2 * place, 2 * place + 1) for place in range(len(family))]
    observed, pairs = units.observations(np.stack(both, axis=1), columns)
    found = stats.paired_differences(
        observed, pairs, alpha=evidence.alpha, family_size=len(family), test_share_ratio=units.test_share_ratio
    )
    return dict(zip(family, found, strict=True))


def _shift(found: stats.PairedDifference | None) -> dict[str, Any]:
    if found is None:  # one function
        return {"shift": None, "shift_low": None, "shift_high": None, "moved": False}
    limits = {"shift": found.estimate, "shift_low": found.low, "shift_high": found.high}
    known = {name: value if isfinite(value) else None for name, value in limits.items()}
    return {**known, "moved": found.low > 0 or found.high < 0}


def _numbers(judged: dict[Pair, Judged], pair: Pair, word: str) -> dict[str, Any]:
    if pair not in judged:  # one function
        return {"difference": None, "low": None, "high": None, "verdict": word, "replicates": None}
    found = judged[pair].difference
    limits = {"difference": found.estimate, "low": found.low, "high": found.high}
    known = {name: value if isfinite(value) else None for name, value in limits.items()}
    return {**known, "verdict": word, "replicates": found.num_pairs}


def _budget_rows(context: Context, jobs: Sequence[Job]) -> Rows:
    for arm, runs in zip(context.arms, context.table, strict=True):
        untuned = {run.replicate: run for run in context.untuned.get(arm, ())}
        gains = np.array([_gain(run, untuned, context.metric) for run in runs])
        yield {
            "arm": arm,
            **budget_of([job for job in jobs if job.arm == arm]),
            **_gain_interval(gains, context),
        }


def _gain(run: Run | None, untuned: dict[int, Run], metric: str) -> float:
    if run is None or run.replicate not in untuned:
        return float("nan")
    return float(run.values[metric] - untuned[run.replicate].values[metric])


def _gain_interval(gains: Array, context: Context) -> dict[str, Any]:
    found = context.units.mean_interval(gains, level=1 - context.study.evidence.alpha)
    return {"gain": found.estimate, "gain_low": found.low, "gain_high": found.high, "replicates": found.replicates}


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema={column: column_type(column) for column in TUNING_TABLES[name]})
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))
    unknown = [column for column in frame.columns if frame[column].dtype == pl.Null]
    return frame.with_columns(pl.col(column).cast(column_type(column)) for column in unknown)
