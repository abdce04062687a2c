"""The last training: one arm of a study once more, on all data, to be used and no longer to be judged."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.biomarkers.fit_tuning import (
    job_of_fit,
    name_of_fit,
    readable,
    take_over,
    tuned_from,
    tuned_otherwise,
    with_finished_job,
    with_ranges_of,
)
from lossassay.biomarkers.run_choice import finished_runs
from lossassay.config import Study, load_study, study_as_toml
from lossassay.config.schema import EvidenceConfig
from lossassay.data.cache import open_cache
from lossassay.data.grouping import group_numbers
from lossassay.data.split import Split
from lossassay.engine.spec import Array
from lossassay.errors import OutFolderError, unknown_name
from lossassay.executors.local import run_jobs
from lossassay.study.auditing.store import accepting, audit_of_study, refuse_invalid
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.folder.whole_files import explained, write_json
from lossassay.study.planning.bench import write_bench
from lossassay.study.planning.describe import plan_as_data
from lossassay.study.planning.machine import worker_environment
from lossassay.study.planning.plan import Plan, make_plan
from lossassay.study.progress import Progress
from lossassay.study.tuning.store import TuningStore

EXPECTED = "expected.json"  # in the folder of a fit: the yardsticks that its arm reached in the study


def fit(
    study: Study,
    arm: str,
    out: Path,
    *,
    keep_test: bool = False,
    study_out: Path | None = None,
    accept: Sequence[str] = (),
    command: str = "",
    progress: Progress | None = None,
) -> Path:
    """Train one arm of a study once more, with the seeds of its first replicate.

    The validation part of the first replicate is kept, for the choice of the epoch and for calibration; everything else
    is trained on. With ``keep_test`` the test part of the first replicate is kept too. Where the study tunes, so does
    the fit, in the same way and with the same budget: see `fit_tuning.job_of_fit`.

    Args:
        study: The study.
        arm: Name of the arm.
        out: The out folder, new or empty, or that of the same fit: then what is there stays.
        keep_test: Whether a test part is kept.
        study_out: Out folder of the finished study, whose yardsticks of the arm are then those that are expected; a
            tuning job that chose there what is needed here is not computed again.
        accept: Codes of findings of the audit to go on with.
        command: How to get the same again, for the record.
        progress: What to call on the way.

    Returns:
        The folder of the run.

    Raises:
        UnknownNameError: If the study has no such arm.
        OutFolderError: If the out folder holds something else, or ``study_out`` is of another study.
        DataError: If the data cannot be used.
    """
    progress = progress or Progress()
    single = _single_arm(accepting(study, accept), arm)
    _refuse_other(out, single.name)
    cache = open_cache(single.data, on_progress=progress.on_decoding)
    single = with_ranges_of(study, single, cache.manifest)
    plan = _on_all_data(make_plan(single, cache), group_numbers(cache.manifest), keep_test=keep_test)
    expected = None
    if study_out is not None:
        expected = expected_yardsticks(study_out, arm, plan)
        plan = with_finished_job(plan, study_out)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    refuse_invalid(single, audit_of_study(single, cache, out, on_part=progress.on_audit))
    facts = plan_as_data(plan, cache, command) | {"fit": True, "keep_test": keep_test}
    if plan.jobs:
        facts["tuned_from"] = tuned_from(plan, keep_test=keep_test)
    with explained(out):
        (out / "study.toml").write_text(study_as_toml(readable(single)), encoding="utf-8")
        write_bench(plan, cache, out, facts)
        (out / EXPECTED).unlink(missing_ok=True)
        if expected is not None:
            write_json(out / EXPECTED, expected)
        if study_out is not None:
            take_over(plan, study_out, out)
    _train(plan, out, cache.images.filename, progress)
    return out / "runs" / plan.runs[0].id


def expected_yardsticks(study_out: Path, arm: str, plan: Plan) -> dict[str, Any]:
    """Return what an arm reached in its study, over replicates.

    Args:
        study_out: Out folder of the study.
        arm: Name of the arm.
        plan: Of the fit: data and arm must be those of the study.

    Raises:
        OutFolderError: If they are not, or the study is not finished.
    """
    theirs, own = read_plan(study_out), plan.study.arms[0]
    known = theirs["arms"].get(arm)
    training = plan.study.training_of(own).model_dump(mode="json")
    if known is None or (known["loss"], known["hyper_parameters"]) != (own.loss, own.hyper_parameters):
        _refuse_study(study_out, f"has no arm {arm!r} with this loss")
    if known["training"] != training:
        _refuse_study(study_out, f"trained the arm {arm!r} with another recipe")
    if theirs["data"]["digest"] != plan.digest:
        _refuse_study(study_out, "was made with other images or labels")
    if why := tuned_otherwise(theirs, plan):
        _refuse_study(study_out, why)
    runs = [facts["status"] for _, facts in finished_runs(study_out, arm)]
    if runs and set(runs) == {"diverged"}:
        _refuse_study(study_out, f"trained the arm {arm!r} {len(runs)} times, and it diverged every time")
    table = study_out / "tables" / "arms.parquet"
    if not table.is_file():
        _refuse_study(study_out, "is not finished (there is no tables/arms.parquet in it)")
    rows = pl.read_parquet(table).filter(pl.col("arm") == arm, pl.col("metric") != "own_loss")
    kept = rows.select("metric", "estimate", "low", "high", "replicates").fill_nan(None)
    alpha = load_study(study_out / "study.toml").evidence.alpha
    return {"study": theirs["name"], "alpha": alpha, "yardsticks": kept.to_dicts()}


def _refuse_study(folder: Path, why: str) -> None:
    raise OutFolderError(
        f"The study in {folder} {why}. Expected the out folder of the study that is fitted here, so that its "
        "yardsticks are those to expect. Name that folder, or leave --study-out out."
    )


def _single_arm(study: Study, arm: str) -> Study:
    """Return the study with one arm, one replicate and a name of its own."""
    chosen = next((one for one in study.arms if one.name == arm), None)
    if chosen is None:
        raise unknown_name("arm", arm, [one.name for one in study.arms])
    evidence = EvidenceConfig(
        replicates=_replicates(study), vary=study.evidence.vary, metric=study.evidence.metric, seed=study.evidence.seed
    )
    name = f"{study.name[:60]}, fit of {arm}"[:100]
    return study.model_copy(update={"arms": (chosen,), "evidence": evidence, "name": name})


def _replicates(study: Study) -> int:
    """One, or as many as the split needs to be drawn: a cross-validation has whole rounds of folds."""
    return 1 if study.data.split.kind in ("holdout", "time") else study.evidence.most


def _on_all_data(plan: Plan, groups: Array, *, keep_test: bool) -> Plan:
    """Keep the run of the first replicate, and give it what that replicate tested on or left out."""
    first, run = plan.splits[0], plan.runs[0]
    if keep_test:
        job = job_of_fit(plan, None)
        return replace(plan, splits=(first,), runs=(run,), jobs=() if job is None else (job,))
    everything = np.setdiff1d(np.arange(len(plan.labels)), [*first.validation, *_seen_by_validation(first, groups)])
    parts = Split(
        train=everything,
        validation=first.validation,
        test=np.zeros(0, dtype=np.int64),
        largest_share_error=first.largest_share_error,
    )
    job = job_of_fit(plan, everything)
    named = replace(run, id=name_of_fit(run.id, everything), tuned_by=None if job is None else job.id)
    return replace(plan, splits=(parts,), runs=(named,), jobs=() if job is None else (job,))


def _seen_by_validation(first: Split, groups: Array) -> Array:
    """Return the rows that the split left out because of their patient, where that patient is a validation patient."""
    left_out = np.setdiff1d(np.arange(len(groups)), np.concatenate([first.train, first.validation, first.test]))
    return left_out[np.isin(groups[left_out], groups[first.validation])]


def _refuse_other(out: Path, name: str) -> None:
    if out.exists() and not out.is_dir():
        raise OutFolderError(f"{out} is a file; --out needs a folder. Choose another name.")
    if not out.exists() or not any(out.iterdir()):
        return
    plan = read_plan(out) if (out / "plan.json").is_file() else {}
    if not plan.get("fit") or plan["name"] != name:
        raise OutFolderError(
            f"{out} is not empty and holds something else. Expected a new or an empty folder for a fit. "
            "Choose another --out; nothing was changed."
        )


def _train(plan: Plan, out: Path, images: Any, progress: Progress) -> None:
    """Train in a process of its own, as a study does; what is there already stays."""
    store, run_id = Store(out), plan.runs[0].id
    store.drop_leftovers()
    TuningStore(out).drop_leftovers()
    there = run_id in store.finished()
    progress.on_plan(plan, int(there), len(store.finished()) - int(there), 1)
    steps = _Steps(plan, out, progress)
    run_jobs(
        steps.more(),
        command=[sys.executable, "-m", "lossassay.study.training.worker"],
        setup={"folder": str(out.resolve()), "images": str(images)},
        workers=1,
        on_message=steps.on_message,
        more=steps.more,
        environment=worker_environment(plan.engine.threads),
    )
    if steps.failure is not None:
        raise OutFolderError(f"The fit failed: {steps.failure}")
    if store.facts(run_id)["status"] == "diverged":
        raise OutFolderError(
            f"The fit of arm {plan.runs[0].arm!r} diverged: its weights are not finite. "
            "Choose a smaller training.learning_rate or another arm, and another --out."
        )


class _Steps:
    """What is left to do: first the tuning, where there is one, then the run.

    Args:
        plan: Of the fit.
        out: Its out folder.
        progress: What to call on the way.
    """

    def __init__(self, plan: Plan, out: Path, progress: Progress) -> None:
        self.failure: str | None = None
        self._plan, self._progress = plan, progress
        self._store, self._tuning = Store(out), TuningStore(out)
        self._died = False

    def more(self) -> list[dict[str, Any]]:
        """Return the next step; none where all is done or one failed."""
        jobs = [{"id": job.id, "kind": "tuning"} for job in self._plan.jobs if job.id not in self._tuning.finished()]
        runs = [{"id": run.id} for run in self._plan.runs if run.id not in self._store.finished()]
        if not runs or self.failure is not None:
            return []
        self._progress.on_look(0, [step["id"] for step in jobs or runs])
        return jobs or runs

    def on_message(self, message: dict[str, Any]) -> None:
        """Note a failure; a tuning whose worker was killed goes on once, as in a study."""
        if message["event"] == "failed":
            tunes = any(job.id == message["id"] for job in self._plan.jobs)
            if not (tunes and message.get("died") and not self._died):
                self.failure = message["message"]
            self._died = True
        self._progress.on_message(message)


def read_expected(folder: Path) -> dict[str, Any] | None:
    """Return the yardsticks to expect of a fit, or None if it was made without its study."""
    path = folder / EXPECTED
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found
