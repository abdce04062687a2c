"""How a last training comes to its settings where the study tunes: with the trials, points and budget of the study."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lossassay.config import Study
from lossassay.config.tuning_space import Range, own_ranges
from lossassay.data.manifest import Manifest
from lossassay.engine.spec import Array
from lossassay.study.folder.results import read_plan
from lossassay.study.planning.fitting import check_losses
from lossassay.study.planning.identity import gradient_scales
from lossassay.study.planning.plan import Plan, label_array
from lossassay.study.tuning.jobs import TuningJob, job_entry
from lossassay.study.tuning.space import ranges_of
from lossassay.study.tuning.store import TuningStore

TunedFrom: TypeAlias = Literal["once", "replicate", "again"]  # what a fit's settings are; see `tuned_from`
_OF_A_DRAW = ("replicate", "seeds", "sampler_seed")  # what differs between the jobs of one arm


def with_ranges_of(study: Study, single: Study, manifest: Manifest) -> Study:
    """Write out the automatic ranges of one arm as its whole study has them: they can depend on the reference arm.

    The names of all parameters stay, also of those that only other arms have: each is a dimension of the points.

    Args:
        study: The whole study.
        single: The same with one arm.
        manifest: The readable rows.

    Raises:
        LabelError: If the loss of one of the two cannot train these labels.
    """
    if study.tuning is None or single.tuning is None:
        return single
    arm = single.arms[0]
    both = tuple(one for one in study.arms if one.name in (arm.name, study.reference))
    compared = study.model_copy(update={"arms": both})
    check_losses(compared, manifest)
    ranges = ranges_of(study, arm, gradient_scales(compared, label_array(manifest), len(manifest.class_names)))
    own = own_ranges(study, arm)
    space = study.tuning.space | _written_out(study.tuning.space.keys() - own.keys(), study.tuning.space, ranges)
    arms = study.tuning.arms | ({arm.name: own | _written_out(own.keys(), own, ranges)} if own else {})
    return single.model_copy(update={"tuning": single.tuning.model_copy(update={"space": space, "arms": arms})})


def _written_out(names: Collection[str], asked: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Return those of the ranges asked for that are automatic, as numbers."""
    return {name: [*ranges[name].ends, "log"] for name in names if asked[name] == "auto" and name in ranges}


def readable(single: Study) -> Study:
    """Return the study of one arm as a study file may say it: ranges of this arm alone.

    Args:
        single: As of `with_ranges_of`.
    """
    if single.tuning is None:
        return single
    arm = single.arms[0]
    having, own = ranges_of(single, arm, {}), own_ranges(single, arm)
    space = {name: value for name, value in single.tuning.space.items() if name in having}
    arms = {arm.name: own} if own else {}
    tuning = single.tuning.model_copy(update={"space": space, "arms": arms}) if having else None
    return single.model_copy(update={"tuning": tuning})


def job_of_fit(plan: Plan, training: Array | None) -> TuningJob | None:
    """Return the tuning job of the first run of a plan; None without tuning.

    Tuned once, it is the job of the study. Tuned in the replicates, it is the job of the first replicate, on the rows
    that the fit learns from: all data in place of the training part, with the validation part that judged there.
    That is the procedure which nested tuning measures, once more (Varma and Simon 2006, doi:10.1186/1471-2105-7-91;
    Cawley and Talbot 2010, JMLR 11:2079).

    Args:
        plan: Of the study with one arm.
        training: Rows that the fit learns from, where these are others than those of the first replicate.
    """
    job = next((one for one in plan.jobs if one.id == plan.runs[0].tuned_by), None)
    if job is None or job.replicate is None or training is None:
        return job
    return replace(job, id=name_of_fit(job.id, training))


def name_of_fit(name: str, training: Array) -> str:
    """Name the run or the tuning job of a fit: that of the study, and what else it learns from.

    Args:
        name: Of the study's run or job.
        training: Rows that the fit learns from.
    """
    digest = hashlib.blake2b(f"fit {name}".encode(), digest_size=10)
    digest.update(training.astype("<i8").tobytes())
    return digest.hexdigest()


def tuned_otherwise(theirs: dict[str, Any], plan: Plan) -> str | None:
    """Say how a study tunes an arm otherwise than its fit would, or None.

    Args:
        theirs: plan.json of the study.
        plan: Of the fit.
    """
    arm = plan.study.arms[0].name
    entries = [entry for entry in theirs.get("tuning", []) if entry["arm"] == arm]
    if not plan.jobs:
        return f"tuned the arm {arm!r}, and the study file has no [tuning]" if entries else None
    if not entries:
        return f"did not tune the arm {arm!r}, and the study file does ([tuning])"
    job = plan.jobs[0]
    own = _told(job_entry(job, plan.study), once=job.replicate is None)
    if all(_told(entry, once=job.replicate is None) != own for entry in entries):
        return f"tuned the arm {arm!r} with other trials, ranges or seeds ([tuning] and evidence.seed)"
    return None


def _told(entry: dict[str, Any], *, once: bool) -> dict[str, Any]:
    """What a job is told, without its name, which depends on the machine; the draw counts where there is but one."""
    return {name: value for name, value in entry.items() if name != "id" and (once or name not in _OF_A_DRAW)}


def with_finished_job(plan: Plan, study_out: Path) -> Plan:
    """Name the tuning job of a fit as the finished job of its study that chose the same, where there is one.

    Tuned once, this is the job of the arm, on whichever machine it was computed.

    Args:
        plan: Of the fit, of which `tuned_otherwise` finds nothing.
        study_out: Out folder of the study.
    """
    if not plan.jobs or plan.jobs[0].replicate is not None:
        return plan  # tuned in a replicate: the same job has the same name
    job = plan.jobs[0]
    entries = [entry for entry in read_plan(study_out)["tuning"] if entry["arm"] == job.arm]
    found = [entry["id"] for entry in entries if entry["id"] in TuningStore(study_out).finished()]
    if not found or found[0] == job.id:
        return plan
    run = plan.runs[0]
    named = name_of_fit(f"{run.id} tuned by {found[0]}", plan.splits[0].train)
    return replace(plan, jobs=(replace(job, id=found[0]),), runs=(replace(run, id=named, tuned_by=found[0]),))


def take_over(plan: Plan, study_out: Path, out: Path) -> None:
    """Copy the tuning job of a fit from the out folder of its study, where it is finished there.

    Args:
        plan: Of the fit.
        study_out: Out folder of the study.
        out: Out folder of the fit.
    """
    theirs = TuningStore(study_out)
    for job in plan.jobs:
        if job.id in theirs.finished():
            TuningStore(out).put_job(job.id, theirs.files(job.id))


def tuned_from(plan: Plan, *, keep_test: bool) -> TunedFrom | None:
    """Say what the settings of a fit are: those of tuning once, of the first replicate, or of tuning once more.

    Args:
        plan: Of the fit.
        keep_test: Whether it learns from what the first replicate learnt from.
    """
    if not plan.jobs:
        return None
    if plan.jobs[0].replicate is None:
        return "once"
    return "replicate" if keep_test else "again"
