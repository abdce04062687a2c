"""Small runs for the engine's tests."""

from dataclasses import replace
from typing import Any

import numpy as np

from lossassay.config import TrainingConfig
from lossassay.engine.seeds import replicate_seeds
from lossassay.engine.spec import EngineChoice, RunData, RunSpec

SMALL = {"widths": [4, 4, 8, 8, 8], "dense": [16, 8], "dropout": 0.3}


def make_spec(loss: str = "categorical_crossentropy", **training: Any) -> RunSpec:
    """A run of two epochs with a tiny network."""
    recipe = {"epochs": 2, "batch_size": 16, "model_options": SMALL, **training}
    return RunSpec(
        loss=loss,
        hyper_parameters={},
        training=TrainingConfig.model_validate(recipe),
        seeds=replicate_seeds(0, 0, ("split", "init", "order", "augmentation", "dropout")),
        engine=EngineChoice(device="cpu", precision="fp32", threads=1),
        metric="balanced_accuracy",
    )


def make_data(*, task: str = "single_label", dimensions: int = 2, channels: int = 1) -> RunData:
    """90 images of 32 px whose brightest third tells the class."""
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = generator.integers(0, 100, (90, *(32,) * dimensions, channels)).astype(np.uint8)
    for row, label in enumerate(labels):
        images[row, label * 10 : label * 10 + 10] += 100
    dense = np.eye(3, dtype=np.float32)[labels]
    return RunData(
        images=images,
        labels=labels if task == "single_label" else dense,
        num_classes=3,
        task=task,  # type: ignore[arg-type]
        train=np.arange(0, 50),
        validation=np.arange(50, 65),
        test=np.arange(65, 90),
    )


def with_engine(spec: RunSpec, **engine: Any) -> RunSpec:
    """The same run on another engine."""
    return replace(spec, engine=replace(spec.engine, **engine))
