"""A finished study without training: a valid out folder whose results are made up.

Runs as a process of its own too (the only argument is JSON: what, folder, arms, replicates, images, size), and then
prints the seconds that ``what`` took and the most memory that the process had.
"""

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lossassay.api import report
from lossassay.config import Study, parse_study, study_as_toml
from lossassay.data.cache import open_cache
from lossassay.engine.one import train
from lossassay.engine.spec import EpochRecord, Predictions, RunData, RunResult
from lossassay.study.folder.leases import Leases
from lossassay.study.folder.registered import register
from lossassay.study.folder.store import Store
from lossassay.study.folder.whole_files import write_json
from lossassay.study.planning.bench import read_bench, read_run, write_bench
from lossassay.study.planning.describe import plan_as_data
from lossassay.study.planning.plan import make_plan
from lossassay.study.progress import Progress
from lossassay.study.training.out_folder import engine_of, write_folder
from lossassay.study.training.training import train_missing

CLASSES = 3


def study(images: Path, *, arms: int, replicates: int, size: int = 32, epochs: int = 30) -> Study:
    """A study of focal losses that differ in gamma."""
    gammas = [{"loss": "focal", "name": f"focal {index}", "gamma": 0.5 + index / 10} for index in range(arms)]
    training = {"epochs": epochs, "precision": "fp32", "threads": 1, "device": "cpu"}
    data = {"path": str(images), "image_size": size}
    evidence = {"replicates": replicates, "margin": 0.02}
    return parse_study({"name": "made up", "data": data, "arms": gammas, "training": training, "evidence": evidence})


def write_images(path: Path, number: int, size: int = 32) -> Path:
    """Noise of three classes, in the layout of MedMNIST."""
    generator = np.random.default_rng(0)
    parts: dict[str, Any] = {}
    for part, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        count = round(share * number)
        parts[f"{part}_images"] = generator.integers(0, 256, (count, size, size), dtype=np.uint8)
        parts[f"{part}_labels"] = (np.arange(count) % CLASSES)[:, None]
    np.savez(path, **parts)
    return path


def write_finished(folder: Path, made_of: Study) -> None:
    """Write what a finished study leaves, with scores drawn at random."""
    folder.mkdir(parents=True)
    cache = open_cache(made_of.data)
    plan = make_plan(made_of, cache)
    (folder / "study.toml").write_text(study_as_toml(made_of), encoding="utf-8")
    write_json(folder / "audit.json", {"findings": []})
    write_bench(plan, cache, folder, plan_as_data(plan, cache, "lossassay run study.toml"))
    register(folder, made_of, plan.metric)
    bench, store = read_bench(folder, Path(str(cache.images.filename))), Store(folder)
    for number, run in enumerate(plan.runs):
        facts, _spec, data = read_run(bench, run.id)
        store.write(run.id, facts, _result(data, made_of.training.epochs, number), data, bench.groups)


def _result(data: RunData, epochs: int, seed: int) -> RunResult:
    generator = np.random.default_rng(seed)
    history = tuple(_epoch(number, generator) for number in range(1, epochs + 1))
    return RunResult(
        status="finished",
        history=history,
        best_epoch=epochs,
        validation=_predictions(data, data.validation, generator),
        test=_predictions(data, data.test, generator),
        test_loss=0.5,
        calibration=None,
        weights={"weight": torch.zeros(4)},
        pixel_mean=(127.0,),
        pixel_sd=(70.0,),
        label_bytes=4 * len(data.train),
        peak_memory_bytes=2**29,
        init_digest=str(seed // 12),
        order_digest=str(seed // 12),
    )


def _epoch(number: int, generator: np.random.Generator) -> EpochRecord:
    a, b = generator.uniform(0.5, 1.0, 2)
    return EpochRecord(
        epoch=number, train_loss=a / number, train_accuracy=b, validation_loss=a, validation_accuracy=b,
        validation_yardstick=b, validation_nll=a, learning_rate=1e-3, train_seconds=1.0, loading_seconds=0.1,
        evaluation_seconds=0.1,
    )  # fmt: skip


def _predictions(data: RunData, rows: np.ndarray, generator: np.random.Generator) -> Predictions:
    scores = generator.normal(size=(len(rows), CLASSES)) + 1.5 * np.eye(CLASSES)[data.labels[rows]]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return Predictions(rows=rows, scores=scores.astype(np.float32), probabilities=probabilities.astype(np.float32))


def _resume(folder: Path, made_of: Study) -> None:
    """Start in a finished folder as `run_study` does, up to the analysis."""
    cache = open_cache(made_of.data)
    with Leases(folder) as leases:
        plan = make_plan(made_of, cache, engine_of(made_of, folder, leases))
        write_folder(plan, cache, folder, leases, "lossassay run study.toml")
        Store(folder).drop_leftovers()
        train_missing(folder, plan, Path(str(cache.images.filename)), leases, workers=1, progress=Progress())


def _train(made_of: Study) -> float:
    """Train one epoch of a small network on the whole training part."""
    widths = {"widths": [4, 4, 4, 4, 4], "dense": [8, 8]}
    training = made_of.training.model_copy(update={"epochs": 1, "model_options": widths})
    plan = make_plan(made_of.model_copy(update={"training": training}), open_cache(made_of.data))
    images, own = open_cache(made_of.data).images, plan.splits[0]
    few = own.test[:10]
    data = RunData(
        images=images,
        labels=plan.labels,
        num_classes=CLASSES,
        task="single_label",
        train=own.train,
        validation=few,
        test=few,
    )
    return train(replace(plan.runs[0].spec, training=training), data).history[0].train_seconds


def main() -> None:
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    images = folder.parent / f"images_{asked['images']}_{asked['size']}.npz"
    if not images.exists():
        write_images(images, asked["images"], asked["size"])
    made_of = study(images, arms=asked["arms"], replicates=asked["replicates"], size=asked["size"])
    started = time.perf_counter()
    if asked["what"] == "write":
        write_finished(folder, made_of)
    elif asked["what"] == "decode":
        open_cache(made_of.data)
    elif asked["what"] == "plan":
        make_plan(made_of, open_cache(made_of.data))
    elif asked["what"] == "resume":
        _resume(folder, made_of)
    elif asked["what"] == "report":
        report(folder)
    seconds = _train(made_of) if asked["what"] == "train" else time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
