"""Results of a study that was tuned, from trials that never ran."""

import dataclasses
from itertools import combinations
from typing import Any

import polars as pl

from lossassay.config.schema import TuningConfig
from lossassay.study.analysis.tuning_evidence import edges
from lossassay.study.analysis.tuning_rates import rate_changes, rate_difference_rows, sensitivity_rows
from lossassay.study.analysis.tuning_tables import best_so_far_rows, budget_of, choice_rows, range_rows, trial_rows
from lossassay.study.analysis.units import Units
from lossassay.study.folder.columns import TUNING_TABLES, column_type
from lossassay.study.folder.results import StudyResults
from tests.study.fake_trials import QUARTER, fake_jobs


def with_tuning(
    results: StudyResults,
    *,
    replicates: int | None = 4,
    apart: bool = True,
    changed: bool = True,
    moved: bool = True,
    untuned: bool = True,
    diverged: int | None = None,
    settings: dict[str, Any] | None = None,
    **facts: Any,
) -> StudyResults:
    """Add tables and facts of tuning.

    Args:
        results: Of a study.
        replicates: None: tuned once.
        apart: Whether arms are best at different learning rates; the last one at the end of the range.
        changed: Whether the first verdict is another one without tuning.
        moved: Whether the first difference is shown to have moved.
        untuned: Whether the study's own settings were trained too.
        diverged: Number of a trial that diverged in every job.
        settings: Of ``[tuning]``.
        facts: Facts that are otherwise.
    """
    arms = [arm.name for arm in results.study.arms]
    scope = "once" if replicates is None else "nested"
    own = TuningConfig.model_validate({"scope": scope, "trials": 8, "untuned": untuned} | (settings or {}))
    study = results.study.model_copy(update={"tuning": own})
    peaks = {arm: 3e-4 * 10 ** (1.6 * place / max(1, len(arms) - 1) * apart) for place, arm in enumerate(arms)}
    jobs = fake_jobs(study, peaks, replicates=replicates, diverged=diverged)
    gain = {"gain": 0.012, "gain_low": 0.004, "gain_high": 0.02, "replicates": replicates or 8}
    nothing = {"gain": None, "gain_low": None, "gain_high": None, "replicates": 0}
    rows = {
        "tuning_trials": trial_rows(jobs),
        "tuning_budget": (
            {"arm": arm, **budget_of([job for job in jobs if job.arm == arm]), **(gain if untuned else nothing)}
            for arm in arms
        ),
        "tuning_best_so_far": best_so_far_rows(study, jobs),
        "tuning_sensitivity": sensitivity_rows(study, jobs),
        "tuning_rate_differences": rate_difference_rows(study, jobs, Units(noun="replicates")),
        "tuning_choices": choice_rows(study, jobs),
        "tuning_verdicts": _verdicts(arms, changed, moved, single=replicates == 1) if untuned else (),
    }
    frames = {name: _frame(name, list(own)) for name, own in rows.items()}
    for name, frame in frames.items():
        (results.folder / "tables").mkdir(exist_ok=True)
        frame.write_csv(results.folder / "tables" / f"{name}.csv")
    spent, words = frames["tuning_budget"]["epochs"], frames["tuning_verdicts"]["changed"]
    base = {
        "metric": "balanced_accuracy",
        "parameters": ["learning_rate"],
        "jobs_planned": len(jobs),
        "jobs_finished": len(jobs),
        "common_epochs": QUARTER,
        "trial_seconds": 240.0,
        "untuned_seconds": 90.0 if untuned else 0,
        "epochs_low": spent.min(),
        "epochs_high": spent.max(),
        "gain_replicates": replicates or 8,
        "diverged": int(frames["tuning_budget"]["diverged"].sum()),
        "own_settings_chosen": 1,
        "edges": edges(frames["tuning_choices"]),
        "pairs": len(words),
        "pairs_changed": int(words.sum()),
        "pairs_with_interval": int(frames["tuning_verdicts"]["shift_low"].is_not_null().sum()),
        "pairs_moved": int(frames["tuning_verdicts"]["moved"].sum()),
        "rate_tuned": True,
        "rate_intervals": int(frames["tuning_rate_differences"]["low"].is_not_null().sum()),
        "rate_changes": rate_changes(frames["tuning_rate_differences"], high=True),
        "ranges": list(range_rows(study, {"tuning": [{"arm": job.arm, "space": job.space} for job in jobs]})),
    }
    words = '20 trials of each arm, in every replicate: learning_rate "auto"'
    registered = results.facts["registered"] | {"tuning": words}
    return dataclasses.replace(
        results,
        study=study,
        tables=results.tables | frames,
        facts=results.facts | {"tuning": base | facts, "registered": registered},
    )


def _verdicts(arms: list[str], changed: bool, moved: bool, *, single: bool) -> list[dict[str, Any]]:
    rows = []
    for place, (a, b) in enumerate(combinations(arms, 2)):
        row: dict[str, Any] = {"arm_a": a, "arm_b": b}
        for side, shift in (("untuned", 0.03), ("tuned", 0.0)):
            own = shift if changed and place == 0 else 0.0
            word = "better" if own else "same function" if place == 1 else "undecided"
            row |= {
                f"{side}_difference": None if place == 1 else 0.002 + own,
                f"{side}_low": None if place == 1 else -0.008 + own,
                f"{side}_high": None if place == 1 else 0.012 + own,
                f"{side}_verdict": word,
                f"{side}_replicates": None if place == 1 else 8,
            }
        shift = -0.03 if changed and place == 0 else 0.0
        half = 0.01 if moved else 0.05
        row |= {"changed": changed and place == 0, "moved": moved and bool(shift) and not single}
        row |= {"shift": None if place == 1 else shift}
        for end, sign in (("low", -1), ("high", 1)):
            row[f"shift_{end}"] = None if place == 1 or single else shift + sign * half
        rows.append(row)
    return rows


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {column: column_type(column) for column in TUNING_TABLES[name]}
    if not rows:
        return pl.DataFrame(schema=schema)
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))
    unknown = [column for column in frame.columns if frame[column].dtype == pl.Null]
    return frame.with_columns(pl.col(column).cast(schema[column]) for column in unknown)


def with_epochs_of_one_arm(results: StudyResults, epochs: int) -> StudyResults:
    """Give the first arm epochs of its own."""
    first, *others = results.study.arms
    own = first.model_copy(update={"training": {**first.training, "epochs": epochs}})
    return dataclasses.replace(results, study=results.study.model_copy(update={"arms": (own, *others)}))
