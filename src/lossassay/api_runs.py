"""The public functions that use a finished run; `lossassay.api` has them beside the others."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from lossassay.biomarkers import fit as fitting
from lossassay.biomarkers.change.change_table import ChangeColumns, FeatureChanges, check_table_suffix, feature_changes
from lossassay.biomarkers.decisions import predict as prediction
from lossassay.biomarkers.exporting.export import Exported, export_run
from lossassay.biomarkers.exporting.parity import Format
from lossassay.biomarkers.features import extract as extraction
from lossassay.biomarkers.features.feature_table import check_suffix
from lossassay.biomarkers.features.layers import FEATURES, Precision
from lossassay.biomarkers.heatmaps.explain import ExplainOptions, explain_run
from lossassay.biomarkers.heatmaps.explanation import Explanation
from lossassay.biomarkers.heatmaps.report_gallery import make_report_gallery
from lossassay.biomarkers.loaded_run import Replicate, load_run
from lossassay.biomarkers.model_card import card_facts
from lossassay.config import Study, load_study
from lossassay.data.cache import OnProgress
from lossassay.reporting.explain_page import write_explanation
from lossassay.reporting.model_card import write_card
from lossassay.reporting.page import write_report
from lossassay.study.folder.leases import analysis_turn
from lossassay.study.folder.results import load_results
from lossassay.study.progress import Progress

__all__ = ["ChangeColumns", "ExplainOptions", "Explanation", "change", "explain", "export", "extract", "fit", "predict"]


def extract(
    path: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    arm: str | None = None,
    replicate: Replicate = "median",
    layer: str = FEATURES,
    augment: int = 1,
    batch_size: int | None = None,
    precision: Precision = "fp32",
    per_patient: bool = False,
    device: str = "cpu",
    workers: int | None = None,
    on_decoding: OnProgress | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> extraction.Extraction:
    """Write features and probabilities of images, and a model card beside them.

    Args:
        path: A run, ``OUT/runs/ID``, or an out folder: then the typical run of the arm that is best on the
            validation part.
        images: A folder, a table, one image, an .npz file, a tree of DICOM files, or ``"digits"``; labels may be there.
        out: The table: .parquet, .csv or .npz.
        arm: With an out folder: only runs of this arm.
        replicate: With an out folder: ``"median"`` or ``"best"`` of the arm on the validation part, or a number from 0.
        layer: Whose output is taken.
        augment: Views of each image to average over; 1: the image itself.
        batch_size: Images at once; None: 32 on a processor, else 256.
        precision: ``"fp32"``, or ``"bf16"``: rounded to about three digits, and faster on some machines.
        per_patient: Also write a table with the mean of each patient's images.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        workers: Processes that decode; None chooses. Changes no result.
        on_decoding: Called with the images decoded and in all.
        on_progress: Called with the images done and in all.

    Raises:
        LossassayError: With a message for people.
    """
    run = load_run(path, arm=arm, replicate=replicate, device=device)
    found = extraction.extract(
        run,
        images,
        Path(out),
        layer=layer,
        augment=augment,
        batch_size=batch_size,
        precision=precision,
        per_patient=per_patient,
        workers=workers,
        on_decoding=on_decoding,
        on_progress=on_progress,
    )
    write_card(card_facts(run), Path(out))
    return found


def predict(
    path: str | Path,
    images: str | Path,
    out: str | Path | None = None,
    *,
    arm: str | None = None,
    replicate: Replicate = "median",
    augment: int = 1,
    batch_size: int | None = None,
    device: str = "cpu",
    workers: int | None = None,
    on_decoding: OnProgress | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> prediction.Prediction:
    """Return calibrated probabilities and decisions for images, and write them if ``out`` is given.

    Args:
        path: As for `extract`.
        images: As for `extract`.
        out: The table: .csv, .parquet or .npz; the operating points go beside it. None: nothing is written.
        arm: As for `extract`.
        replicate: As for `extract`.
        augment: As for `extract`.
        batch_size: As for `extract`.
        device: As for `extract`.
        workers: As for `extract`.
        on_decoding: As for `extract`.
        on_progress: As for `extract`.

    Raises:
        LossassayError: With a message for people.
    """
    if out is not None:
        check_suffix(Path(out))
    run = load_run(path, arm=arm, replicate=replicate, device=device)
    found = prediction.predict(
        run,
        images,
        augment=augment,
        batch_size=batch_size,
        workers=workers,
        on_decoding=on_decoding,
        on_progress=on_progress,
    )
    if out is not None:
        found.write(Path(out))
    return found


def fit(
    study: Study | str | Path,
    arm: str,
    out: str | Path,
    *,
    keep_test: bool = False,
    study_out: str | Path | None = None,
    accept: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Train one arm of a study once more on all data, to be used, and write its model card.

    Args:
        study: A study, or the path of a study file.
        arm: Name of the arm.
        out: The out folder of the fit, new or empty.
        keep_test: Keep the test part of the first replicate.
        study_out: Out folder of the finished study; its yardsticks are then those to expect.
        accept: Codes of findings of the audit to go on with.
        progress: What to call on the way.

    Returns:
        The folder of the run, for `extract` and `predict`.

    Raises:
        LossassayError: With a message for people.
    """
    name = "study.toml" if isinstance(study, Study) else Path(study).name
    words = ["lossassay", "fit", name, "--arm", arm, "--out", Path(out).name, *(["--keep-test"] if keep_test else [])]
    folder = fitting.fit(
        study if isinstance(study, Study) else load_study(study),
        arm,
        Path(out),
        keep_test=keep_test,
        study_out=None if study_out is None else Path(study_out),
        accept=accept,
        command=shlex.join(words),
        progress=progress,
    )
    write_card(card_facts(load_run(folder)), Path(out) / "fit")
    return folder


def change(
    features: str | Path,
    out: str | Path | None = None,
    *,
    columns: ChangeColumns,
    table: str | Path | None = None,
    repeatability: str | Path | None = None,
    alpha: float = 0.05,
) -> FeatureChanges:
    """Return what extracted features do over the visits of subjects, and write the table if ``out`` is given.

    Args:
        features: A table of `extract`, .parquet, .csv or .npz.
        out: The table, .csv or .parquet; None: nothing is written.
        columns: Which columns say who, when, and a clinical score.
        table: The table that has them, a line for each image; None: ``features`` itself.
        repeatability: Features of subjects that did not change, two images or more of each.
        alpha: All intervals are those at a level of 1 - alpha.

    Raises:
        DataError: With a message for people.
    """
    if out is not None:
        check_table_suffix(Path(out))
    found = feature_changes(
        Path(features),
        columns,
        table=None if table is None else Path(table),
        repeatability=None if repeatability is None else Path(repeatability),
        alpha=alpha,
    )
    if out is not None:
        found.write(Path(out))
    return found


def export(
    run: str | Path,
    out: str | Path,
    *,
    format: Format | Literal["all"] = "all",
    arm: str | None = None,
    replicate: Replicate = "median",
) -> Exported:
    """Write a finished run for use elsewhere, and check every file on images of the run's test part.

    Args:
        run: As for `extract`.
        out: The folder to write; an earlier export in it is replaced.
        format: ``"onnx"``, ``"torch"``, ``"safetensors"``, or ``"all"``: those that the network can be written as.
        arm: As for `extract`.
        replicate: As for `extract`.

    Raises:
        OutFolderError: If there is no such run, or the folder cannot be written.
        DataError: If the study's images are gone or changed.
        ModelError: If the network cannot be written so, or the file does not compute what the run computes.
    """
    return export_run(load_run(run, arm=arm, replicate=replicate), Path(out), format=format)


def explain(
    run: str | Path,
    images: Sequence[str | Path] = (),
    out: str | Path | None = None,
    *,
    rows: Sequence[int] = (),
    arm: str | None = None,
    replicate: Replicate = "median",
    device: str = "cpu",
    options: ExplainOptions | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Explanation:
    """Make heat maps of a run: of new images, of rows of its study, or of a gallery of its test images.

    The gallery of a whole out folder (no arm named) also goes into its report, which is drawn again: see
    `make_report_gallery`.

    Args:
        run: As for `extract`.
        images: New images, read as `extract` reads them; without them and without rows, the gallery.
        out: Folder for the page, pictures, maps and tables; None: none of them is written.
        rows: Rows of the study.
        arm: As for `extract`.
        replicate: As for `extract`.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        options: Methods, class, measures of worth, marked regions.
        on_progress: Called with what is done in a few words, the images done and in all.

    Raises:
        OutFolderError: If there is no such run, its images were changed, or nothing can be written.
        DataError: If an image is of another kind, none can be read, or captum is missing.
    """
    loaded = load_run(run, arm=arm, replicate=replicate, device=device)
    found = explain_run(loaded, images, rows=rows, options=options, on_progress=on_progress)
    if out is not None:
        write_explanation(found, Path(out))
    if not images and not rows and arm is None and (Path(run) / "facts.json").is_file():
        with analysis_turn(Path(run)):
            make_report_gallery(Path(run), device=device, on_progress=on_progress)
            write_report(load_results(run))
    return found
