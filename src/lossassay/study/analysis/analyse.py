"""From stored predictions to tables and facts. Reads runs, never trains; every number of the report comes from here."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.catalogue.arm_losses import spec_of
from lossassay.errors import OutFolderError
from lossassay.study.analysis.comparisons import resolution
from lossassay.study.analysis.context import Context, read_context
from lossassay.study.analysis.failure_words import in_one_line
from lossassay.study.analysis.tables import build_tables
from lossassay.study.analysis.tuning_evidence import tuning_facts, tuning_tables
from lossassay.study.folder.registered import mark_finished
from lossassay.study.folder.whole_files import explained, replaced, write_json


def analyse(folder: Path, failures: dict[str, str] | None = None) -> dict[str, pl.DataFrame]:
    """Write tables/ and facts.json from what is stored.

    Args:
        folder: An out folder.
        failures: Messages of runs that failed just now, by id.

    Returns:
        The tables, by the names of `study.folder.results.TABLES`.

    Raises:
        OutFolderError: If no run of the study is there yet.
    """
    context = read_context(folder)
    if not context.runs:
        reasons = "; ".join(sorted(set((failures or {}).values()))[:3])
        raise OutFolderError(
            f"{folder} holds no finished run of this study, so there is nothing to analyse."
            + (f" The runs failed: {reasons}" if reasons else " Run the study first.")
        )
    if not context.missing:
        mark_finished(folder, context.registered)
    tables = build_tables(context) | (tuned := tuning_tables(context))
    with explained(folder):
        (folder / "tables").mkdir(exist_ok=True)
        for name, frame in tables.items():
            with replaced(folder / "tables" / f"{name}.parquet") as partial:
                frame.write_parquet(partial)
            with replaced(folder / "tables" / f"{name}.csv") as partial:
                frame.write_csv(partial)
        places, arms = _places(folder, context), [arm.name for arm in context.study.arms]
        told = {run_id: in_one_line(text, places, arms) for run_id, text in (failures or {}).items()}
        write_json(folder / "facts.json", _facts(context, told) | tuning_facts(context, tuned))
    return tables


def _places(folder: Path, context: Context) -> list[Path]:
    return [folder, folder.parent, Path.home(), Path(context.study.data.path)]


def _facts(context: Context, failures: dict[str, str]) -> dict[str, Any]:
    evidence = context.study.evidence
    statuses = [run.facts["status"] for run in context.runs]
    first, untuned = context.runs[0].facts, sum(map(len, context.untuned.values()))
    jobs = {job["id"] for job in context.plan.get("tuning", ())}
    return {
        "primary_metric": context.metric,
        "scope": evidence.scope,
        "alpha": evidence.alpha,
        "margin": evidence.margin,
        "method": evidence.method,
        "replicates_planned": evidence.most,
        "runs_planned": len(context.runs) + len(context.controls) + untuned + context.missing,
        "runs_finished": statuses.count("finished") + len(context.controls),
        "runs_diverged": statuses.count("diverged"),
        "runs_untuned": untuned,
        "runs_failed": len(failures.keys() - jobs),
        "jobs_failed": len(failures.keys() & jobs),
        "failures": sorted(set(failures.values())),
        "same_function_pairs": [_observed(context, a, b) for a, b in sorted(context.same)],
        "train_seconds_total": sum(run.facts["train_seconds"] for run in [*context.runs, *context.controls]),
        "pixel_mean": first["pixel_mean"],
        "pixel_sd": first["pixel_sd"],
        "label_encodings": {arm.name: spec_of(arm.loss, arm.hyper_parameters).encoding for arm in context.study.arms},
        **_evidence_facts(context),
    }


def _evidence_facts(context: Context) -> dict[str, Any]:
    """What was decided about the evidence, and what the looks did with it."""
    evidence, looks = context.study.evidence, context.stages.looks
    used = {arm: sum(run is not None for run in runs) for arm, runs in zip(context.arms, context.table, strict=True)}
    reached = max(used.values())
    sequential = evidence.sequential
    return {
        "stopping": {
            "rule": looks.kind,
            "min": looks.first,
            "max": looks.last,
            "reached": reached,
            "looks": max(0, reached - looks.first + 1) if sequential else 1,
        },
        "arms_stopped_at": {arm: n for arm, n in used.items() if sequential and n < looks.last and not context.missing},
        "runs_saved": sum(looks.last - n for n in used.values()) if sequential and not context.missing else 0,
        "reference": context.study.reference if evidence.controls else None,
        "patients": len(np.unique(np.concatenate([run.patients for run in context.runs]))),
        "patient_unit": _patient_unit(context.plan["data"]),
        "official_split": context.study.data.split.official,
        "split_kind": context.study.data.split.kind,
        "sites": context.units.sites or None,
        "registered": context.registered.first,
        "changes": list(context.registered.changes),
        "exploratory": context.registered.exploratory,
        "resolution": resolution(context, "procedure"),
        "smallest_margin_population": resolution(context, "population"),
    }


def _patient_unit(data: dict[str, Any]) -> str:
    """Say what the patients of the statistics are: without groups each exam, or each image, is its own."""
    if data["groups"] is not None:
        return "patient"
    return "image" if data.get("exams") is None else "exam"


def _observed(context: Context, arm_a: str, arm_b: str) -> dict[str, Any]:
    """What training showed for two arms that are one function."""
    runs_b = {run.replicate: run for run in context.of(arm_b)}
    both = [(run, runs_b[run.replicate]) for run in context.of(arm_a) if run.replicate in runs_b]
    return {
        "arm_a": arm_a,
        "arm_b": arm_b,
        "replicates": len(both),
        "init_equal": sum(a.facts["init_digest"] == b.facts["init_digest"] for a, b in both),
        "order_equal": sum(a.facts["order_digest"] == b.facts["order_digest"] for a, b in both),
        "largest_score_difference": max((float(np.abs(a.scores - b.scores).max()) for a, b in both), default=None),
    }
