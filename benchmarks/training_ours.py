"""Our side of `benchmarks.training`: one run of the engine, as a worker process of a study trains it.

The only argument is JSON: size, batch_size, images, precision, threads, wait.
"""

import json
import sys
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.runner import READY
from lossassay.config import TrainingConfig
from lossassay.config.schema import VARY_ALL
from lossassay.engine.one import train
from lossassay.engine.seeds import replicate_seeds
from lossassay.engine.spec import EpochRecord, RunData, RunSpec
from lossassay.study.planning.machine import choose_engine
from lossassay.study.training.worker import be_deterministic

CLASSES = 3
REST = 12  # images of the validation part, and of the test part: neither is timed


def made_up_data(images: int, size: int) -> RunData:
    """Return noise of three classes, the same that the peers get."""
    total = images + 2 * REST
    rows = np.arange(total)
    return RunData(
        images=np.random.default_rng(0).integers(0, 256, (total, size, size, 1), dtype=np.uint8),
        labels=rows % CLASSES,
        num_classes=CLASSES,
        task="single_label",
        train=rows[:images],
        validation=rows[images : images + REST],
        test=rows[images + REST :],
    )


def spec(asked: dict[str, Any]) -> RunSpec:
    """Return the run: where nothing is asked for, computed as this machine's studies are."""
    training = TrainingConfig(
        epochs=2, batch_size=asked["batch_size"], learning_rate=1e-3, precision=asked["precision"], device="cpu"
    )
    engine = choose_engine(training, activation_bytes=1, num_runs=1)  # both only decide on threads
    return RunSpec(
        loss="sparse_categorical_crossentropy",
        hyper_parameters={},
        training=training,
        seeds=replicate_seeds(0, 0, VARY_ALL),
        engine=replace(engine, threads=asked["threads"]),
        metric="accuracy",
    )


def main() -> None:
    asked = json.loads(sys.argv[1])
    be_deterministic()
    run = spec(asked)

    def on_epoch(record: EpochRecord) -> None:
        if record.epoch == 1 and asked["wait"]:
            print(READY, flush=True)
            sys.stdin.readline()

    last = train(run, made_up_data(asked["images"], asked["size"]), on_epoch=on_epoch).history[-1]
    answer = {"images": asked["images"], "seconds": last.train_seconds, "loading_seconds": last.loading_seconds}
    print(json.dumps(answer | {"engine": asdict(run.engine)}))


if __name__ == "__main__":
    main()
