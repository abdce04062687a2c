"""A run and images in, a table of features out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.biomarkers.features.feature_table import FeatureTable, check_suffix
from lossassay.biomarkers.features.layers import FEATURES, Outputs, Precision, find_layer
from lossassay.biomarkers.features.overlap import ahead
from lossassay.biomarkers.features.patient_table import write_patients
from lossassay.biomarkers.features.views import View, mean_outputs, views
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.biomarkers.new_images.images import NewImages, label_columns, open_new_images
from lossassay.biomarkers.quick_network import quickened
from lossassay.data.manifest import Finding
from lossassay.errors import DataError

_BLOCK_BYTES = 64 * 2**20  # pixels in memory at once
_LARGEST_BLOCK = 1_024  # images


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What `extract` wrote.

    Args:
        path: The table of images.
        patients_path: The table of patients, if there is one.
        images: Rows of the first.
        patients: Rows of the second.
        features: Columns of features.
        left_out: Images that cannot be read.
        findings: What came up while they were read.
        run: Name of the run.
        arm: Of the run.
        replicate: Of the run, from 0.
    """

    path: Path
    patients_path: Path | None
    images: int
    patients: int
    features: int
    left_out: int
    findings: tuple[Finding, ...]
    run: str
    arm: str
    replicate: int


def extract(
    run: LoadedRun,
    source: str | Path,
    out: Path,
    *,
    layer: str = FEATURES,
    augment: int = 1,
    batch_size: int | None = None,
    precision: Precision = "fp32",
    per_patient: bool = False,
    workers: int | None = None,
    on_decoding: Callable[[int, int], None] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Extraction:
    """Write features and probabilities of images, one row each.

    Args:
        run: The run.
        source: Where the images are; see `open_new_images`.
        out: The table: .parquet, .csv or .npz.
        layer: Whose output is taken; maps are averaged over their positions.
        augment: Views of each image whose features and scores are averaged; 1: the image itself.
        batch_size: Images at once; None: see `usual_batch_size`.
        precision: ``"fp32"``, or ``"bf16"``: rounded to about three digits, and faster on some machines.
        per_patient: Whether a second table beside ``out`` holds the mean of each patient's images.
        workers: Processes that decode.
        on_decoding: Called with the images decoded and in all.
        on_progress: Called with the images done and in all.

    Raises:
        DataError: If the images cannot be used, or nothing says which patient they are of.
        ModelError: If there is no such layer.
    """
    check_suffix(out)
    find_layer(run, layer)  # before any image is read
    shown = views(run.study.training.augment, run.image_shape[-2], augment)
    new = open_new_images(run, source, workers=workers, on_progress=on_decoding)
    if per_patient and not any(new.groups):
        raise DataError(
            "A row for each patient was asked for, and nothing says which patient an image is of. Expected a patient "
            "column in a table, data.group_pattern in the study file, or DICOM files. Leave --per-patient out."
        )
    asked = Asked(layer=layer, batch_size=batch_size or usual_batch_size(run.device), precision=precision)
    width = 0
    with FeatureTable(out) as table:
        for first, found in network_outputs(run, new, shown, asked, told=on_progress):
            table.add(_rows(run, new, first, found))
            width = found.features.shape[1]
        patients = write_patients(table, out) if per_patient else None
        table.finish()
    return Extraction(
        path=out,
        patients_path=None if patients is None else patients[0],
        images=len(new),
        patients=0 if patients is None else patients[1],
        features=width,
        left_out=new.left_out,
        findings=new.findings,
        run=run.id,
        arm=run.arm,
        replicate=run.replicate,
    )


def usual_batch_size(device: str) -> int:
    """Return how many images the network gets at once: few on a processor, whose cache they should fit in."""
    return 32 if device == "cpu" else 256


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of the network.

    Args:
        layer: Whose output is taken.
        batch_size: Images at once.
        precision: Of the network.
    """

    layer: str = FEATURES
    batch_size: int
    precision: Precision = "fp32"


def network_outputs(
    run: LoadedRun, new: NewImages, shown: list[View], asked: Asked, *, told: Callable[[int, int], None]
) -> Iterator[tuple[int, Outputs]]:
    """Yield the place of the first image of each block, and what the network says of the block.

    The network computes the next block while the last one is used, in a thread of its own.

    Args:
        run: The run.
        new: The images.
        shown: Views to average over.
        asked: What is asked of the network.
        told: Called with the images done and in all.
    """
    for first, found in ahead(_blocks(quickened(run, asked.layer, len(new) * len(shown)), new, shown, asked)):
        yield first, found
        told(first + len(found.scores), len(new))


def _blocks(run: LoadedRun, new: NewImages, shown: list[View], asked: Asked) -> Iterator[tuple[int, Outputs]]:
    image_bytes = int(np.prod(run.image_shape)) * (1 if run.largest_value == 255 else 2)
    size = max(1, min(_LARGEST_BLOCK, _BLOCK_BYTES // image_bytes))
    size -= size % asked.batch_size if size > asked.batch_size else 0  # whole batches
    for first in range(0, len(new), size):
        images = new.block(first, size)
        yield first, mean_outputs(run, images, shown, **asdict(asked))
        new.release()


def probability_columns(run: LoadedRun, probabilities: Any) -> dict[str, pl.Series]:
    """Return one column for each class."""
    return {
        f"probability_{name}": pl.Series(np.ascontiguousarray(probabilities[:, place]), dtype=pl.Float32)
        for place, name in enumerate(run.class_names)
    }


def _rows(run: LoadedRun, new: NewImages, first: int, found: Outputs) -> pl.DataFrame:
    own = slice(first, first + len(found.features))
    digits = max(3, len(str(found.features.shape[1] - 1)))
    return pl.DataFrame(
        {
            "id": pl.Series(new.ids[own], dtype=pl.String),
            "group": pl.Series(new.groups[own], dtype=pl.String),
            **label_columns(new.labels[own], run.class_names, run.task),
            **probability_columns(run, found.probabilities),
            **{
                f"feature_{place:0{digits}d}": pl.Series(np.ascontiguousarray(column), dtype=pl.Float32)
                for place, column in enumerate(found.features.T)
            },
        }
    )


def messages_of(findings: Sequence[Finding]) -> list[str]:
    """Return what findings say, without file names."""
    return [f"{one.code}: {one.message} {one.advice}" for one in findings]
