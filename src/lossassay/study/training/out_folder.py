"""The out folder before the first run: whose it is, how its runs are computed, and what the workers read."""

from pathlib import Path
from typing import Any

from lossassay.config import Study, study_as_toml
from lossassay.data.cache import ImageCache
from lossassay.engine.spec import EngineChoice
from lossassay.errors import OutFolderError
from lossassay.study.folder.leases import FOLDER, Leases
from lossassay.study.folder.registered import register
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.whole_files import explained, write_bytes
from lossassay.study.planning.bench import PIXELS, holds_plan, write_bench
from lossassay.study.planning.describe import plan_as_data
from lossassay.study.planning.machine import obstacles
from lossassay.study.planning.plan import Plan

_OURS = {
    *("runs", "checkpoints", "tuning", FOLDER, "study.toml", "audit.json", "registered.json"),
    *("rows.parquet", PIXELS, "splits.npy"),
}


def prepare_folder(study: Study, folder: Path) -> dict[str, Any] | None:
    """Make the folder, or check that it belongs to this study.

    Args:
        study: As resolved.
        folder: The out folder.

    Returns:
        plan.json of an earlier start, or None.

    Raises:
        OutFolderError: If it is a file, holds other things, belongs to another study, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutFolderError(f"{folder} is a file; --out needs a folder. Choose another name.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "plan.json").exists():
        _refuse_strangers(folder)
        return None
    earlier = read_plan(folder)
    if earlier["name"] != study.name:
        raise OutFolderError(
            f"{folder} belongs to the study {earlier['name']!r}, this one is called {study.name!r}. "
            "Choose another --out folder; nothing was changed."
        )
    return earlier


def _refuse_strangers(folder: Path) -> None:
    strangers = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    if _OURS & set(strangers):  # a start that was cut off, or a plan that was deleted
        return
    if strangers:
        raise OutFolderError(
            f"{folder} is not empty and holds no study (there is {sorted(strangers)[0]!r} in it). "
            "Choose a new or an empty folder for --out."
        )


def engine_of(study: Study, folder: Path, leases: Leases) -> EngineChoice | None:
    """Return how the runs of a folder are computed, as fixed by its first start; None: that is to be chosen.

    Args:
        study: As resolved.
        folder: The out folder.
        leases: Of this process.

    Raises:
        OutFolderError: If this machine cannot compute them so, or the folder belongs to another study.
    """
    earlier = prepare_folder(study, folder)
    if earlier is None:
        return None
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
    if not kept:
        return None
    missing = obstacles(engine)
    if missing and (leases.others() or (folder / "runs").is_dir()):
        raise OutFolderError(
            f"The runs of {folder} are computed on {engine.device} in {engine.precision} with {engine.kernels} "
            f"kernels, as its first start fixed, and this machine cannot do that: {'; '.join(missing)}. Start on a "
            "machine like the first, or choose another --out folder here; runs of unlike machines are not mixed."
        )
    return None if missing else engine


def write_folder(plan: Plan, cache: ImageCache, folder: Path, leases: Leases, command: str) -> tuple[str, ...]:
    """Write study.toml, plan.json, rows.parquet, splits.npy and registered.json, each where it differs.

    Args:
        plan: The plan.
        cache: Its images.
        folder: The out folder.
        leases: Of this process.
        command: How to get the same study again.

    Returns:
        What of the evidence rule was changed after the first start, in words.

    Raises:
        OutFolderError: If it cannot be written, or other processes work at another form of the study.
    """
    facts, text = plan_as_data(plan, cache, command), study_as_toml(plan.study)
    if not _same_study(folder, facts, text) and leases.others():
        raise OutFolderError(
            f"Another process is training in {folder}, at a study {plan.study.name!r} that is not the same as this one "
            "(other data, arms, training or evidence rule, or another version of a package). Expected one study in a "
            "folder at a time. Wait until it has ended or stop it, then start again; or choose another --out folder. "
            "Nothing was changed."
        )
    with explained(folder):
        write_bytes(folder / "study.toml", text.encode())
        write_bench(plan, cache, folder, facts)
        return register(folder, plan.study, plan.metric).changes


def _same_study(folder: Path, facts: dict[str, Any], text: str) -> bool:
    try:
        known = (folder / "study.toml").read_text(encoding="utf-8")
    except OSError:
        return not (folder / "plan.json").exists()
    return known == text and holds_plan(folder, facts, command=False)
