"""A run and images in; calibrated probabilities and decisions out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.biomarkers.decisions.operating_points import OperatingPoint, as_table, operating_points
from lossassay.biomarkers.features.extract import Asked, network_outputs, probability_columns, usual_batch_size
from lossassay.biomarkers.features.feature_table import FeatureTable, check_suffix
from lossassay.biomarkers.features.views import views
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.biomarkers.new_images.images import NewImages, label_columns, open_new_images
from lossassay.data.manifest import Finding
from lossassay.engine.spec import Array
from lossassay.study.folder.whole_files import explained


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a run says about images.

    Args:
        table: One row for each image, or each exam where the data have them: id, group, images, label if known,
            probability_<class>, decision (multi-label: decision_<class>), and <rule>_<class>: whether the probability
            reaches that operating point.
        points: The operating points.
        left_out: Images that cannot be read.
        findings: What came up while they were read.
        run: Name of the run.
        arm: Of the run.
        replicate: Of the run, from 0.
    """

    table: pl.DataFrame
    points: list[OperatingPoint]
    left_out: int
    findings: tuple[Finding, ...]
    run: str
    arm: str
    replicate: int

    def write(self, path: Path) -> tuple[Path, Path]:
        """Write the table, and the operating points beside it.

        Args:
            path: A .csv, .parquet or .npz file.

        Returns:
            Both paths.
        """
        check_suffix(path)
        with FeatureTable(path) as target:
            target.add(self.table)
            target.finish()
        beside = path.with_name(f"{path.stem}-operating-points.csv")
        with explained(path.parent):
            as_table(self.points).write_csv(beside)
        return path, beside


def predict(
    run: LoadedRun,
    source: str | Path,
    *,
    augment: int = 1,
    batch_size: int | None = None,
    workers: int | None = None,
    on_decoding: Callable[[int, int], None] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prediction:
    """Predict images: probabilities calibrated as in the study, and decisions.

    Args:
        run: The run.
        source: Where the images are; see `open_new_images`.
        augment: Views of each image whose scores are averaged.
        batch_size: As for `extract`.
        workers: Processes that decode.
        on_decoding: Called with the images decoded and in all.
        on_progress: Called with the images done and in all.

    Raises:
        DataError: If the images cannot be used.
    """
    shown = views(run.study.training.augment, run.image_shape[-2], augment)
    new = open_new_images(run, source, workers=workers, on_progress=on_decoding)
    blocks = network_outputs(
        run, new, shown, Asked(batch_size=batch_size or usual_batch_size(run.device)), told=on_progress
    )
    scores = np.concatenate([found.scores for _, found in blocks])
    first, counts, scores = _by_exam(new, scores)
    points = operating_points(run)
    return Prediction(
        table=_table(run, new, first, counts, run.probabilities(scores), points),
        points=points,
        left_out=new.left_out,
        findings=new.findings,
        run=run.id,
        arm=run.arm,
        replicate=run.replicate,
    )


def _by_exam(new: NewImages, scores: Array) -> tuple[list[int], list[int], Array]:
    """Average the raw scores of what is predicted together, as the study does; return first rows and sizes."""
    members: dict[str, list[int]] = {}
    for row, exam in enumerate(new.exams):
        members.setdefault(f"row {row}" if exam is None else f"exam {exam}", []).append(row)
    if len(members) == len(scores):
        return list(range(len(scores))), [1] * len(scores), scores
    means = [scores[rows].mean(axis=0, dtype=np.float64) for rows in members.values()]
    return (
        [rows[0] for rows in members.values()],
        [len(rows) for rows in members.values()],
        np.stack(means).astype(np.float32),
    )


def _table(
    run: LoadedRun,
    new: NewImages,
    first: list[int],
    counts: list[int],
    probabilities: Array,
    points: list[OperatingPoint],
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": pl.Series([new.ids[row] for row in first], dtype=pl.String),
            "group": pl.Series([new.groups[row] for row in first], dtype=pl.String),
            "images": pl.Series(counts, dtype=pl.Int64),
            **label_columns([new.labels[row] for row in first], run.class_names, run.task),
            **probability_columns(run, probabilities),
            **_decisions(run, probabilities),
            **_at_points(run, probabilities, points),
        }
    )


def _decisions(run: LoadedRun, probabilities: Array) -> dict[str, pl.Series]:
    """The most probable class; for multi-label data every finding with a probability above 1/2, as in the study."""
    if run.task != "multi_label":
        names = [run.class_names[place] for place in probabilities.argmax(axis=1)]
        return {"decision": pl.Series(names, dtype=pl.String)}
    said = (probabilities > 0.5).astype(np.int64)
    return {f"decision_{name}": pl.Series(said[:, place]) for place, name in enumerate(run.class_names)}


def _at_points(run: LoadedRun, probabilities: Array, points: list[OperatingPoint]) -> dict[str, Any]:
    place = {name: number for number, name in enumerate(run.class_names)}
    return {
        f"{one.rule}_{one.class_name}": pl.Series(
            (probabilities[:, place[one.class_name]] >= one.threshold).astype(np.int64)
        )
        for one in points
    }
