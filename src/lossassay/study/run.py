"""Runs a study: what is missing is trained, what is there is kept, and all of it is analysed."""

from pathlib import Path

from lossassay.config import Study, study_as_toml
from lossassay.data.cache import open_cache
from lossassay.engine.spec import EngineChoice
from lossassay.errors import OutFolderError
from lossassay.executors.choice import LOCAL, Executor
from lossassay.study.analyse import analyse
from lossassay.study.audit_store import audit_of_study, refuse_invalid
from lossassay.study.bench import write_bench
from lossassay.study.describe import plan_as_data
from lossassay.study.executor import check_executor
from lossassay.study.gallery import write_gallery
from lossassay.study.machine import default_workers
from lossassay.study.outlook import outlook, refuse
from lossassay.study.plan import make_plan
from lossassay.study.progress import Progress
from lossassay.study.registered import register
from lossassay.study.results import read_plan
from lossassay.study.store import Store, explained
from lossassay.study.training import train_missing
from lossassay.study.tuning_store import TuningStore


def run_study(
    study: Study,
    folder: Path,
    *,
    workers: int | None = None,
    command: str = "",
    strict: bool = False,
    progress: Progress | None = None,
    executor: Executor = LOCAL,
) -> None:
    """Train every run of a study that is not in the out folder yet, then write its tables.

    Args:
        study: As resolved.
        folder: The out folder; made if it is not there.
        workers: Processes at once; None chooses for the highest throughput. Changes no result.
        command: How to get the same study again, for the record.
        strict: Refuse a design that cannot succeed at any effect.
        progress: What to call on the way.
        executor: Where runs are computed.

    Raises:
        ClusterError: If there is no cluster, or its nodes cannot compute the study.
        DataError: If the images or labels cannot be used, or the audit found what makes the results invalid and the
            study does not accept it.
        OutFolderError: If the folder belongs to another study, or cannot be written.
        StudyFileError: With ``strict``, if the design cannot succeed.
    """
    progress = progress or Progress()
    check_executor(executor)
    engine = _prepare_folder(study, folder)
    cache = open_cache(study.data, on_progress=progress.on_decoding)
    plan = make_plan(study, cache, engine)
    if strict:
        refuse(study, outlook(plan, None))
    refuse_invalid(study, audit_of_study(study, cache, folder, on_part=progress.on_audit))
    store = Store(folder)
    with explained(folder):
        (folder / "study.toml").write_text(study_as_toml(study), encoding="utf-8")
        write_bench(plan, folder, plan_as_data(plan, cache, command))
        store.drop_leftovers()
        TuningStore(folder).drop_leftovers()
    registered = register(folder, study, plan.metric)
    there = store.finished()
    planned = {run.id for run in plan.runs}
    if executor.kind == "local":
        workers = workers or default_workers(plan.engine, plan.run_memory_bytes)
    progress.on_plan(plan, len(planned & there), len(there - planned), workers)
    for change in registered.changes:
        progress.on_stage(f"changed after the first run: {change}")
    images = Path(str(cache.images.filename))
    failures = train_missing(folder, plan, images, workers=workers, progress=progress, executor=executor)
    progress.on_stage("analysis")
    tables = analyse(folder, failures)
    write_gallery(folder, cache.images, tables, list(cache.manifest.class_names))


def _prepare_folder(study: Study, folder: Path) -> EngineChoice | None:
    """Make the folder, or check that it belongs to this study; return how its runs are computed."""
    if folder.exists() and not folder.is_dir():
        raise OutFolderError(f"{folder} is a file; --out needs a folder. Choose another name.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "plan.json").exists():
        ours = {
            "runs",
            "checkpoints",
            "tuning",
            "study.toml",
            "audit.json",
            "rows.parquet",
            "splits.npy",
            "registered.json",
        }
        strangers = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if ours & set(strangers):  # a start that was cut off, or a plan that was deleted
            return None
        if strangers:
            raise OutFolderError(
                f"{folder} is not empty and holds no study (there is {sorted(strangers)[0]!r} in it). "
                "Choose a new or an empty folder for --out."
            )
        return None
    earlier = read_plan(folder)
    if earlier["name"] != study.name:
        raise OutFolderError(
            f"{folder} belongs to the study {earlier['name']!r}, this one is called {study.name!r}. "
            "Choose another --out folder; nothing was changed."
        )
    engine = EngineChoice(**earlier["engine"])
    asked = study.training
    kept = all(
        wanted in ("auto", used)
        for wanted, used in (
            (asked.device, engine.device),
            (asked.precision, engine.precision),
            (asked.kernels, engine.kernels),
            (asked.threads, engine.threads),
        )
    )
    return engine if kept else None
