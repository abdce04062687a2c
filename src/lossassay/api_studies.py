"""The public functions that run a study and draw it again; `lossassay.api` has them beside the others."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.biomarkers.heatmaps.maps import require_captum
from lossassay.biomarkers.heatmaps.report_gallery import make_report_gallery
from lossassay.biomarkers.quality.assess import assess
from lossassay.config import Study, load_study
from lossassay.config.schema import BiomarkersConfig
from lossassay.errors import OutFolderError
from lossassay.executors.choice import LOCAL, Executor
from lossassay.reporting.page import write_report
from lossassay.study.analysis.analyse import analyse
from lossassay.study.auditing.store import accepting
from lossassay.study.folder.leases import analysis_turn
from lossassay.study.folder.results import StudyResults, load_results, read_plan
from lossassay.study.paper import add_paper
from lossassay.study.presets import PaperSet, demo_study, paper_study
from lossassay.study.progress import Progress
from lossassay.study.proposing.look import look
from lossassay.study.run import run_study
from lossassay.study.tracking.live import LiveTracking
from lossassay.study.tracking.send import track_study
from lossassay.study.tracking.tracker import Sent, Trackers

__all__ = [
    "Results",
    "Sent",
    "Trackers",
    "biomarkers",
    "demo",
    "paper",
    "report",
    "run",
    "track",
]


@dataclass(frozen=True)
class Results:
    """A study's answers.

    Args:
        stored: Everything that stands in the out folder.
    """

    stored: StudyResults

    @property
    def folder(self) -> Path:
        """The out folder."""
        return self.stored.folder

    @property
    def runs(self) -> pl.DataFrame:
        """One row per run, with every yardstick on the test part."""
        return self.stored.tables["runs"]

    @property
    def arms(self) -> pl.DataFrame:
        """One row per arm and yardstick: estimate and t interval over replicates."""
        return self.stored.tables["arms"]

    @property
    def comparisons(self) -> pl.DataFrame:
        """One row per pair of arms and yardstick: difference, interval, and for the primary metric the verdict."""
        return self.stored.tables["comparisons"]

    def table(self, name: str) -> pl.DataFrame:
        """Return any table of `tables/` by its name."""
        return self.stored.tables[name]

    def report(self) -> Path:
        """Draw the report again and return its path."""
        return write_report(self.stored)


def run(
    study: Study | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    strict: bool = False,
    accept: Sequence[str] = (),
    wait: bool = True,
    trackers: Trackers | None = None,
    progress: Progress | None = None,
    executor: Executor = LOCAL,
) -> Results:
    """Plan, train, analyse and report a study; a second call goes on where the first stopped.

    Calls at the same time, in several processes or on several machines, share the runs; see docs/shared-folder.md.

    Args:
        study: A study, or the path of a study file.
        out: The out folder.
        workers: Training processes at once; None chooses for the highest throughput. Changes no result.
        strict: Refuse a design that cannot succeed at any effect, before the first run.
        accept: Codes of findings of the audit to go on with, besides those of the study's ``audit.accept``.
        wait: Wait for the runs that other processes train, then analyse them all.
        trackers: Where finished runs are sent on the way; a tracker that cannot be reached stops nothing.
        progress: What to call on the way.
        executor: Where runs are computed, for example ``Executor(kind="ray", address="auto")``.

    Raises:
        UnfinishedError: Without ``wait``, if other processes train all that is left.
        LossassayError: With a message for people; what was finished is kept.
    """
    file_name = "study.toml" if isinstance(study, Study) else Path(study).name
    resolved = accepting(study if isinstance(study, Study) else load_study(study), accept)
    flags = "".join(f" --accept {code}" for code in accept)
    command = f"lossassay run {shlex.quote(file_name)} --out {shlex.quote(Path(out).name)}{flags}"
    progress = progress or Progress()
    options: dict[str, Any] = {
        "workers": workers,
        "strict": strict,
        "wait": wait,
        "progress": progress,
        "executor": executor,
    }
    if resolved.biomarkers is not None and resolved.biomarkers.heatmaps:
        require_captum()  # before hours of training
    with LiveTracking(Path(out), trackers, progress.on_warning) as live:
        run_study(resolved, Path(out), command=command, **options | {"progress": live.watching(progress)})
        if resolved.biomarkers is not None and resolved.biomarkers.enabled:
            with analysis_turn(Path(out), progress.on_stage):
                assess(Path(out), resolved.biomarkers, on_stage=progress.on_stage, on_features=progress.on_features)
                _draw_heatmaps(Path(out), resolved.biomarkers, progress)
        results = _drawn(Path(out), progress)
        live.finish()
    return results


def track(folder: str | Path, trackers: Trackers) -> tuple[Sent, ...]:
    """Send the stored runs of a study to MLflow or TensorBoard; what is there already is not sent twice.

    Args:
        folder: An out folder.
        trackers: Where to send them.

    Returns:
        What each tracker got.

    Raises:
        OutFolderError: If the folder holds no study.
        TrackerError: If a tracker is not installed, cannot be reached or refuses.
    """
    return track_study(Path(folder), trackers)


def demo(out: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Results:
    """Run a full study on the handwritten digits that ship with scikit-learn: four losses, eight replicates."""
    progress = progress or Progress()
    run_study(demo_study(), Path(out), workers=workers, command="lossassay demo", progress=progress)
    return _drawn(Path(out), progress)


def paper(
    which: PaperSet,
    data: str | Path,
    *,
    out: str | Path,
    replicates: int = 1,
    image_size: int | None = None,
    epochs: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Repeat the study of Seo and Cho on your images and set its numbers beside yours.

    Args:
        which: ``"symbols"`` (400 px) or ``"cxr"`` (300 px, 100 epochs).
        data: Class folders, a table or an .npz file.
        out: The out folder.
        replicates: The paper has one; the noise floor needs two or more.
        image_size: Another size, px.
        epochs: Another number of epochs.
        workers: Training processes at once.
        progress: What to call on the way.

    Raises:
        LossassayError: With a message for people.
    """
    progress = progress or Progress()
    study = paper_study(which, look(data).data, image_size=image_size, epochs=epochs, replicates=replicates)
    shape = f"--image-size {study.data.image_size} --epochs {study.training.epochs} --replicates {replicates}"
    command = f"lossassay paper {which} --data PATH {shape}"
    run_study(study, Path(out), workers=workers, command=command, progress=progress)
    add_paper(Path(out), which)
    return _drawn(Path(out), progress)


def report(folder: str | Path) -> Results:
    """Analyse and draw again from what is stored; nothing is trained.

    Raises:
        OutFolderError: If the folder holds no study.
    """
    plan = read_plan(Path(folder))
    if plan.get("fit"):
        raise OutFolderError(
            f"{folder} holds the last training of one arm, which has nothing to compare. Expected an out folder of "
            "`lossassay run`. Its model card is fit-model-card.html."
        )
    with analysis_turn(Path(folder)):
        analyse(Path(folder))
    words = plan["command"].split()
    if words[:2] == ["lossassay", "paper"]:
        add_paper(Path(folder), words[2])
    return _drawn(Path(folder), Progress())


def biomarkers(
    folder: str | Path,
    settings: BiomarkersConfig | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Assess the features that each arm of a finished study leaves behind, and draw the report again.

    Args:
        folder: An out folder.
        settings: None: those of the study file, or the defaults.
        workers: Processes at once; None: as many as pay. Changes no result.
        progress: What to call on the way.

    Raises:
        OutFolderError: If the folder holds no finished run, or its data have changed.
        DataError: If a probe or a criterion cannot be used with these data.
    """
    progress = progress or Progress()
    read_plan(Path(folder))
    with analysis_turn(Path(folder)):
        assess(
            Path(folder),
            settings,
            on_decoding=progress.on_decoding,
            on_stage=progress.on_stage,
            on_features=progress.on_features,
            workers=workers,
        )
        _draw_heatmaps(Path(folder), settings or load_study(Path(folder) / "study.toml").biomarkers, progress)
    return report(folder)


def _draw_heatmaps(folder: Path, settings: BiomarkersConfig | None, progress: Progress) -> None:
    if settings is not None and settings.heatmaps:
        progress.on_stage("heat maps")
        make_report_gallery(folder)


def _drawn(folder: Path, progress: Progress) -> Results:
    progress.on_stage("report")
    with analysis_turn(folder, progress.on_stage):
        results = Results(load_results(folder))
        results.report()
    return results
