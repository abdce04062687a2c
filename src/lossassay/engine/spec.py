"""What the engine is told (a run and its data) and what it answers (a result)."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from lossassay.catalogue.loss_spec import Task
from lossassay.config import TrainingConfig
from lossassay.config.schema import Damage
from lossassay.engine.calibration import Calibration
from lossassay.engine.seeds import Seeds

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """How runs are computed on this machine; fixed when a study first starts, and part of every run's name.

    Args:
        device: Where.
        precision: ``"fp32"`` is exact single precision (no TF32); ``"bf16"`` trains under autocast and evaluates
            in fp32.
        kernels: ``"plain"`` computes every layer by itself; ``"fused"`` uses `engine.fused` where its blocks occur;
            ``"compiled"`` has the features compiled by torch, and captured in graphs on a CUDA device.
        threads: Processor threads of one run.
    """

    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["fp32", "bf16"]
    threads: int
    kernels: Literal["plain", "fused", "compiled"] = "plain"  # folders from before there were others do not say

    def of(self, training: TrainingConfig) -> "EngineChoice":
        """Return how a run with this recipe is computed: an arm may ask for a precision or kernels of its own."""
        return replace(
            self,
            precision=self.precision if training.precision == "auto" else training.precision,
            kernels=self.kernels if training.kernels == "auto" else training.kernels,
        )


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One arm in one replicate, fully written out."""

    loss: str
    hyper_parameters: dict[str, Any]
    training: TrainingConfig
    seeds: Seeds
    engine: EngineChoice
    metric: str  # the validation yardstick that chooses the epoch
    damage: Damage | None = None  # of a control: what was done to its images, or to its labels before they came here


@dataclass(frozen=True, kw_only=True)
class RunData:
    """Images, labels and the split of one replicate.

    Args:
        images: [N H W C] or [N D H W C], uint8 or uint16; usually a memory map.
        labels: Class indices int64 [N], or multi-hot float32 rows [N K], nan where nothing is known.
        num_classes: K.
        task: What the labels are.
        train: Rows to learn from.
        validation: Rows that choose the epoch.
        test: Rows that are predicted once, at the end.
        exams: Number of each row's exam, int64 [N]: rows of an exam are scored together; None: each row alone.
        sources: Number of each row's source, int64 [N], from 0; only where images are damaged to show nothing else.
    """

    images: Array
    labels: Array
    num_classes: int
    task: Task
    train: Array
    validation: Array
    test: Array
    exams: Array | None = None
    sources: Array | None = None


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One line of a run's history; losses are means of the run's own loss per example."""

    epoch: int  # from 1
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_yardstick: float
    validation_nll: float
    learning_rate: float
    train_seconds: float
    loading_seconds: float  # of these, spent on making batches
    evaluation_seconds: float


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a run says about some rows.

    Args:
        rows: Row numbers, [M]; of exams the first rows.
        scores: Raw outputs, float32 [M S]; nan where training diverged.
        probabilities: After the loss's link and calibration, float32 [M K]; rows sum to one for single labels.
    """

    rows: Array
    scores: Array
    probabilities: Array


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything a finished run leaves behind."""

    status: Literal["finished", "diverged"]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    validation: Predictions
    test: Predictions
    test_loss: float  # the run's own loss on the test part
    calibration: Calibration | None  # how scores became probabilities, where the loss's link alone does not do it
    weights: dict[str, torch.Tensor]
    pixel_mean: tuple[float, ...]  # of the training part, in grey levels
    pixel_sd: tuple[float, ...]
    label_bytes: int  # of the training part's labels, as fed to the loss
    peak_memory_bytes: int
    init_digest: str
    order_digest: str


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after an epoch, from which a run goes on with the same bits."""

    tensors: dict[str, torch.Tensor]
    history: tuple[EpochRecord, ...]
    best_epoch: int


@dataclass(frozen=True, kw_only=True)
class Partial:
    """What is known of a run that was stopped after some epoch."""

    history: tuple[EpochRecord, ...]
    best_epoch: int  # whose weights are kept so far
    diverged: bool
