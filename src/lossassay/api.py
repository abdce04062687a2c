"""The public functions, one for each command. They return values; only the command line prints."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lossassay.api_runs import ExplainOptions, Explanation, explain, export, extract, fit, predict
from lossassay.biomarkers.assess import assess
from lossassay.config import DataConfig, Study, load_study
from lossassay.config.schema import BiomarkersConfig
from lossassay.data import cache as image_cache
from lossassay.data.cache import open_cache
from lossassay.errors import DataError, OutFolderError
from lossassay.losses.properties import Property, check_named
from lossassay.reporting.audit_page import make_folder_of, write_audit_page
from lossassay.reporting.charts.critical_difference import critical_difference as diagram
from lossassay.reporting.figures import write_figures
from lossassay.reporting.messages import load_messages
from lossassay.reporting.page import write_report
from lossassay.study.analyse import analyse
from lossassay.study.audit_pictures import audit_pictures
from lossassay.study.audit_store import accepting
from lossassay.study.auditing import AuditResult, audit_data
from lossassay.study.compare import ScoreComparison, compare_scores
from lossassay.study.compare_tables import Method
from lossassay.study.draft import study_file
from lossassay.study.estimate import Estimate, estimate
from lossassay.study.leases import analysis_turn
from lossassay.study.look import look
from lossassay.study.outlook import (
    Outlook,
    earlier_spread,
    outlook,
    pilot_of,
    refuse,
    stated_spread,
)
from lossassay.study.paper import add_paper
from lossassay.study.plan import Plan, make_plan
from lossassay.study.plan_words import plan_words
from lossassay.study.presets import PaperSet, demo_study, paper_study
from lossassay.study.progress import Progress
from lossassay.study.results import StudyResults, load_results, read_plan
from lossassay.study.run import run_study
from lossassay.study.scores_file import Better
from lossassay.study.suggest import LabelFacts, Suggestion, as_arms, label_facts, suggest_for

__all__ = [
    "ExplainOptions",
    "Explanation",
    "PlannedStudy",
    "Progress",
    "Results",
    "ScoreComparison",
    "as_arms",
    "audit",
    "biomarkers",
    "cache_entries",
    "check_loss",
    "clear_cache",
    "compare",
    "critical_difference",
    "demo",
    "explain",
    "export",
    "extract",
    "fit",
    "load_study",
    "new",
    "paper",
    "plan",
    "plan_in_words",
    "predict",
    "report",
    "run",
    "suggest_losses",
]


@dataclass(frozen=True, kw_only=True)
class PlannedStudy:
    """What `plan` found.

    Args:
        plan: Every run, with its seeds.
        cost: Time, memory and disk on this machine.
        outlook: What the design can show, and what stands against it.
    """

    plan: Plan
    cost: Estimate
    outlook: Outlook


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
    progress: Progress | None = None,
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
        progress: What to call on the way.

    Raises:
        UnfinishedError: Without ``wait``, if other processes train all that is left.
        LossassayError: With a message for people; what was finished is kept.
    """
    file_name = "study.toml" if isinstance(study, Study) else Path(study).name
    resolved = accepting(study if isinstance(study, Study) else load_study(study), accept)
    flags = "".join(f" --accept {code}" for code in accept)
    command = f"lossassay run {shlex.quote(file_name)} --out {shlex.quote(Path(out).name)}{flags}"
    progress = progress or Progress()
    run_study(resolved, Path(out), workers=workers, command=command, strict=strict, wait=wait, progress=progress)
    if resolved.biomarkers is not None and resolved.biomarkers.enabled:
        with analysis_turn(Path(out)):
            assess(Path(out), resolved.biomarkers, on_stage=progress.on_stage)
    return _drawn(Path(out), progress)


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


def plan(
    study: Study | str | Path,
    *,
    workers: int | None = None,
    spread: float | None = None,
    earlier: str | Path | None = None,
    pilot: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> PlannedStudy:
    """List the runs of a study, measure what it will cost on this machine, and say what it could show.

    Nothing is trained but a pilot, if one is asked for; its runs go to a folder of their own and never count.

    Args:
        study: A study, or the path of a study file.
        workers: Training processes at once; None chooses for the highest throughput.
        spread: Standard deviation of paired differences in the primary metric, if it is known.
        earlier: An out folder to take the spread from.
        pilot: Replicates of a pilot to train for the spread.
        strict: Raise where the design cannot succeed, instead of saying so.
        progress: What to call on the way.

    Raises:
        StudyFileError: With ``strict``, if the design cannot succeed.
        LossassayError: With a message for people.
    """
    if sum(way is not None for way in (spread, earlier, pilot)) > 1:
        raise DataError("Several ways to the spread were given. Choose one of spread, earlier study and pilot.")
    resolved = study if isinstance(study, Study) else load_study(study)
    progress = progress or Progress()
    cache = open_cache(resolved.data, on_progress=progress.on_decoding)
    planned = make_plan(resolved, cache)
    cost = estimate(planned, cache.images, workers)
    known = None
    if spread is not None:
        known = stated_spread(spread)
    elif earlier is not None:
        known = earlier_spread(Path(earlier), planned.metric)
    elif pilot is not None:
        folder = Path(f"{resolved.name if isinstance(study, Study) else Path(study).stem}-pilot")
        run_study(pilot_of(resolved, pilot), folder, workers=workers, command="pilot", progress=progress)
        known = earlier_spread(folder, planned.metric, "the pilot")
    found = outlook(planned, known)
    if strict:
        refuse(resolved, found)
    return PlannedStudy(plan=planned, cost=cost, outlook=found)


def plan_in_words(planned: PlannedStudy) -> list[str]:
    """Say what a plan holds, costs and can show, one line each."""
    return plan_words(planned.plan, planned.cost, planned.outlook)


def compare(
    path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    reference: str | None = None,
    better: Better | None = None,
    method: Method = "t",
) -> ScoreComparison:
    """Compare systems that were trained elsewhere, by their scores in paired replicates; scope is always procedure.

    Args:
        path: CSV, TSV or Parquet with the columns system, dataset (may be missing), replicate, metric and value.
        metric: The one to judge; None: the only one, or the first in the file.
        margin: The smallest difference that matters, in the metric's unit; None: nothing is called equivalent.
        alpha: Chance of any false verdict in one data set.
        reference: Compare the others with this system alone; None: all pairs.
        better: Direction of a metric that is no yardstick of ours.
        method: ``"t"`` or ``"sign_flip"``, which needs six replicates.

    Raises:
        DataError: With every problem of the file, or with what is wrong in the question.
    """
    return compare_scores(
        path, metric=metric, margin=margin, alpha=alpha, reference=reference, better=better, method=method
    )


def critical_difference(found: ScoreComparison, folder: str | Path) -> Path:
    """Draw the critical-difference diagram of a comparison over three or more data sets, as SVG and PNG.

    Args:
        found: What `compare` returned.
        folder: Where critical_difference.svg and .png go; made if it is not there.

    Returns:
        The path of the SVG file.

    Raises:
        DataError: With fewer than three data sets.
    """
    if found.data_sets is None:
        raise DataError(
            "A critical-difference diagram needs three or more data sets in which all systems have scores. "
            "Add data sets, or leave --diagram out."
        )
    level = f"{100 * found.data_sets.wilcoxon_holm.level:.4g}"
    write_figures([diagram(found.data_sets, level, load_messages())], Path(folder))
    return Path(folder) / "critical_difference.svg"


def new(path: str | Path, out: str | Path = "study.toml", *, progress: Progress | None = None) -> Path:
    """Look at the data and write a commented study file with arms, margin and expected time.

    Raises:
        OutFolderError: If the file is already there.
        DataError: If there is nothing to read.
    """
    target = Path(out)
    return study_file(look(path), target, on_decoding=(progress or Progress()).on_decoding)


def audit(
    path: str | Path, out: str | Path | None = None, *, names: bool = False, progress: Progress | None = None
) -> AuditResult:
    """Read every image once and list what is wrong with the data.

    Args:
        path: The data, or a study file that names them.
        out: Where the page goes; None: no page.
        names: Whether the page names files; they can hold patient numbers.
        progress: What to call on the way.

    Raises:
        DataError: If there is nothing to read.
        OutFolderError: If the page cannot be written.
    """
    data, progress = _data_of(path), progress or Progress()
    if out is not None:
        make_folder_of(Path(out))  # before the work, so that none is lost
    cache = open_cache(data, on_progress=progress.on_decoding)
    found = audit_data(cache, data.split, on_part=progress.on_audit)
    if out is not None:
        write_audit_page(found, audit_pictures(cache, data, found.findings), Path(out), names=names)
    return found


def check_loss(name: str, *, num_classes: int = 4) -> list[Property]:
    """Say which properties hold for a loss, ``module:function`` or a name of the catalogue, with K classes.

    Raises:
        UnknownNameError: If the loss cannot be imported.
    """
    return check_named(name, num_classes=num_classes)


def suggest_losses(path: str | Path) -> tuple[LabelFacts, list[Suggestion]]:
    """Propose losses for a data set from its counts, its task and the order of its classes.

    Args:
        path: The data, or a study file that names them; no image is decoded.

    Raises:
        DataError: If there is nothing to read, or something wrong with the labels.
    """
    facts = label_facts(_data_of(path))
    return facts, suggest_for(facts)


def cache_entries() -> pl.DataFrame:
    """List the decoded images that are kept: key, images, bytes, when last used."""
    return image_cache.cache_entries()


def clear_cache() -> int:
    """Delete every decoded image and return the bytes freed."""
    return image_cache.clear_cache()


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
    folder: str | Path, settings: BiomarkersConfig | None = None, *, progress: Progress | None = None
) -> Results:
    """Assess the features that each arm of a finished study leaves behind, and draw the report again.

    Args:
        folder: An out folder.
        settings: None: those of the study file, or the defaults.
        progress: What to call on the way.

    Raises:
        OutFolderError: If the folder holds no finished run, or its data have changed.
        DataError: If a probe or a criterion cannot be used with these data.
    """
    progress = progress or Progress()
    read_plan(Path(folder))
    assess(Path(folder), settings, on_decoding=progress.on_decoding, on_stage=progress.on_stage)
    return report(folder)


def _data_of(path: str | Path) -> DataConfig:
    if Path(path).suffix == ".toml":
        return load_study(path).data
    return DataConfig.model_validate(look(path).data)


def _drawn(folder: Path, progress: Progress) -> Results:
    progress.on_stage("report")
    with analysis_turn(folder):
        results = Results(load_results(folder))
        results.report()
    return results
