"""Runs a study: what is missing is trained, what is there is kept, and all of it is analysed."""

from pathlib import Path

from lossassay.config import Study
from lossassay.data.cache import ImageCache, open_cache
from lossassay.executors.choice import LOCAL, Executor
from lossassay.study.analysis.analyse import analyse
from lossassay.study.analysis.outlook import outlook, refuse
from lossassay.study.auditing.store import audit_of_study, refuse_invalid
from lossassay.study.folder.gallery import write_gallery
from lossassay.study.folder.leases import ANALYSIS, START, Leases
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.planning.machine import default_workers
from lossassay.study.planning.plan import Plan, make_plan
from lossassay.study.progress import Progress
from lossassay.study.training.executor import check_executor
from lossassay.study.training.out_folder import engine_of, prepare_folder, write_folder
from lossassay.study.training.training import train_missing
from lossassay.study.tuning.look import TuningLook
from lossassay.study.tuning.store import TuningStore


def run_study(
    study: Study,
    folder: Path,
    *,
    workers: int | None = None,
    command: str = "",
    strict: bool = False,
    wait: bool = True,
    progress: Progress | None = None,
    executor: Executor = LOCAL,
) -> None:
    """Train every run of a study that is not in the out folder yet, then write its tables.

    Several processes, on several machines, may do this with one folder at the same time: they share the runs.

    Args:
        study: As resolved.
        folder: The out folder; made if it is not there.
        workers: Processes at once; None chooses for the highest throughput. Changes no result.
        command: How to get the same study again, for the record.
        strict: Refuse a design that cannot succeed at any effect.
        wait: Wait for runs that other processes train, and analyse.
        progress: What to call on the way.
        executor: Where runs are computed.

    Raises:
        ClusterError: If there is no cluster, or its nodes cannot compute the study.
        DataError: If the images or labels cannot be used, or the audit found what makes the results invalid and the
            study does not accept it.
        OutFolderError: If the folder belongs to another study, or cannot be written, or if other processes work there
            at another form of the study.
        StudyFileError: With ``strict``, if the design cannot succeed.
        UnfinishedError: Without ``wait``, if other processes train all that is left.
    """
    progress = progress or Progress()
    check_executor(executor)
    prepare_folder(study, folder)
    with Leases(folder) as leases:
        cache = open_cache(study.data, on_progress=progress.on_decoding)
        with leases.turn(START, progress.on_stage):
            plan = _start(study, folder, cache, leases, command=command, strict=strict, progress=progress)
        if executor.kind == "local":
            workers = workers or default_workers(plan.engine, plan.run_memory_bytes)
        _tell(plan, Store(folder), workers, progress)
        images = Path(str(cache.images.filename))
        failures = train_missing(
            folder, plan, images, leases, workers=workers, wait=wait, progress=progress, executor=executor
        )
        TuningLook(folder, read_plan(folder), progress.on_stage, leases).finish()
        with leases.turn(ANALYSIS, progress.on_stage):
            progress.on_stage("analysis")
            tables = analyse(folder, failures)
            write_gallery(folder, cache.images, tables, list(cache.manifest.class_names))


def _start(
    study: Study,
    folder: Path,
    cache: ImageCache,
    leases: Leases,
    *,
    command: str,
    strict: bool,
    progress: Progress,
) -> Plan:
    """Plan, audit, and write what the workers read; one process at a time, so that the first one decides."""
    plan = make_plan(study, cache, engine_of(study, folder, leases))
    if strict:
        refuse(study, outlook(plan, None))
    refuse_invalid(study, audit_of_study(study, cache, folder, on_part=progress.on_audit))
    for change in write_folder(plan, cache, folder, leases, command):
        progress.on_stage(f"changed after the first run: {change}")
    leases.announce()
    Store(folder).drop_leftovers()
    TuningStore(folder).drop_leftovers()
    return plan


def _tell(plan: Plan, store: Store, workers: int | None, progress: Progress) -> None:
    there, planned = store.finished(), {run.id for run in plan.runs}
    progress.on_plan(plan, len(planned & there), len(there - planned), workers)
