"""Runs on disk: one folder per run, named by the hash of everything that determines it, whole or not there at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lossassay.engine.spec import Checkpoint, EpochRecord, Predictions, RunData, RunResult
from lossassay.errors import OutFolderError
from lossassay.study.folder.owners import life, own_name
from lossassay.study.folder.whole_files import damaged, explained, read_finished, replaced_folder, write_json

RUN_FILES = ("history.parquet", "predictions.parquet", "run.json", "weights.safetensors")


class RunStore(Protocol):
    """Where a worker keeps what it computes."""

    def load_checkpoint(self, run_id: str) -> Checkpoint | None:
        """Return the last state of an unfinished run, or None."""

    def save_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Keep the state after an epoch."""

    def write(self, run_id: str, facts: dict[str, Any], result: RunResult, data: RunData, groups: list[Any]) -> None:
        """Keep a finished run."""


class Store:
    """The runs and checkpoints of one out folder.

    Args:
        folder: The out folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.checkpoints = folder / "checkpoints"

    def finished(self) -> set[str]:
        """Return the ids of the runs that are there."""
        if not self.runs.is_dir():
            return set()
        with os.scandir(self.runs) as entries:
            return {entry.name for entry in entries if not entry.name.startswith(".")}

    def is_there(self, run_id: str) -> bool:
        """Return whether a run is there."""
        return (self.runs / run_id).is_dir()

    def write(self, run_id: str, facts: dict[str, Any], result: RunResult, data: RunData, groups: list[Any]) -> None:
        """Write a run whole, then drop its checkpoint.

        Args:
            run_id: Its name.
            facts: What goes into run.json besides the result.
            result: What the engine returned.
            data: Labels of the rows predicted.
            groups: Group of every row (keyed hashes), or Nones.
        """
        with self._whole(run_id) as partial:
            pl.DataFrame([asdict(record) for record in result.history]).write_parquet(partial / "history.parquet")
            _predictions(result, data, groups).write_parquet(partial / "predictions.parquet")
            if result.weights:
                save_file(result.weights, partial / "weights.safetensors")
            write_json(partial / "run.json", facts | _facts(result))

    def put_run(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Write a run that was made on another machine, whole, then drop its checkpoint.

        Args:
            run_id: Its name.
            files: Contents by name; only names of `RUN_FILES`.

        Raises:
            OutFolderError: If another name is among them, or the folder cannot be written.
        """
        strangers = sorted(set(files) - set(RUN_FILES))
        if strangers:
            raise OutFolderError(
                f"A node sent the file {strangers[0]!r} for a run. Expected only {', '.join(RUN_FILES)}. "
                "Check that every node has the same lossassay as this machine."
            )
        with self._whole(run_id) as partial:
            for name, content in files.items():
                (partial / name).write_bytes(content)

    @contextmanager
    def _whole(self, run_id: str) -> Iterator[Path]:
        """Give a folder to write a run into; at the end it becomes the run, unless another process was first."""
        with explained(self.folder), replaced_folder(self.runs / run_id) as partial:
            yield partial
        self.drop_checkpoint(run_id)

    def checkpoint_bytes(self, run_id: str) -> bytes | None:
        """Return the stored state of an unfinished run as it lies on disk, or None."""
        path = self.checkpoints / f"{run_id}.safetensors"
        return path.read_bytes() if path.is_file() else None

    def put_checkpoint(self, run_id: str, content: bytes) -> None:
        """Write a state that was made on another machine, replacing the one before."""
        with self._replaced_checkpoint(run_id) as partial:
            partial.write_bytes(content)

    def save_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Write the state after an epoch, replacing the one before."""
        state = {"best_epoch": checkpoint.best_epoch, "history": [asdict(record) for record in checkpoint.history]}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
        with self._replaced_checkpoint(run_id) as partial:
            save_file(tensors, partial, metadata={"state": json.dumps(state)})

    @contextmanager
    def _replaced_checkpoint(self, run_id: str) -> Iterator[Path]:
        """Give a name to write to; not synchronized, as a damaged state only costs time (see `load_checkpoint`)."""
        path = self.checkpoints / f"{run_id}.safetensors"
        partial = path.with_suffix(f".{own_name()}.partial")
        with explained(self.folder):
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            try:
                yield partial
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)

    def load_checkpoint(self, run_id: str) -> Checkpoint | None:
        """Return the last state of an unfinished run, or None."""
        path = self.checkpoints / f"{run_id}.safetensors"
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as stored:
                state = json.loads(stored.metadata()["state"])
                tensors: dict[str, torch.Tensor] = {name: stored.get_tensor(name) for name in stored.keys()}
        except (SafetensorError, KeyError, ValueError):
            return None  # unreadable: the run starts again, which costs time but no bits
        history = tuple(EpochRecord(**record) for record in state["history"])
        return Checkpoint(tensors=tensors, history=history, best_epoch=state["best_epoch"])

    def drop_checkpoint(self, run_id: str) -> None:
        """Forget the state of a run or trial that does not go on."""
        (self.checkpoints / f"{run_id}.safetensors").unlink(missing_ok=True)

    def drop_leftovers(self) -> None:
        """Remove what interrupted writes of this machine left; living processes and other machines keep theirs."""
        written = [path for place in ("", "tables", "figures") for path in (self.folder / place).glob(".*.*-*-*")]
        for path in [*written, *self.runs.glob(".*"), *self.checkpoints.glob("*.partial")]:
            if life(path.name.removesuffix(".partial").rpartition(".")[2]) == "gone":
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def facts(self, run_id: str) -> dict[str, Any]:
        """Return run.json; `damaged` if it cannot be read."""
        return read_finished(self.runs / run_id, "run.json")

    def history(self, run_id: str) -> pl.DataFrame:
        """Return one line per epoch."""
        return self.histories([run_id])[run_id]

    def predictions(self, run_id: str, part: str) -> pl.DataFrame:
        """Return the predictions of ``"validation"`` or ``"test"``: row, group, label, scores, probabilities."""
        return self.predictions_of([run_id], part)[run_id]

    def histories(self, run_ids: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Return the history of many runs, by id; read together, which takes a tenth of the time."""
        return self._read_many(run_ids, "history.parquet")

    def predictions_of(self, run_ids: Sequence[str], part: str) -> dict[str, pl.DataFrame]:
        """Return the predictions of many runs of one arm, by id; see `predictions`."""
        return self._read_many(run_ids, "predictions.parquet", pl.col("part") == part)

    def _read_many(self, run_ids: Sequence[str], name: str, kept: pl.Expr | None = None) -> dict[str, pl.DataFrame]:
        if not run_ids:
            return {}
        paths = [os.path.join(self.runs, run_id, name) for run_id in run_ids]
        try:
            frame = pl.read_parquet(paths, include_file_paths="file", glob=False)
        except (FileNotFoundError, pl.exceptions.PolarsError):
            _refuse_damaged([Path(path) for path in paths])
            raise
        frame = frame if kept is None else frame.filter(kept)
        rows, found = frame.drop("file"), dict.fromkeys(run_ids, frame.drop("file").head(0))
        start = 0
        for stretch in frame["file"].rle():
            found[os.path.basename(os.path.dirname(stretch["value"]))] = rows.slice(start, stretch["len"])
            start += stretch["len"]
        return found


def _refuse_damaged(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            pl.read_parquet(path, glob=False)
        except (FileNotFoundError, pl.exceptions.PolarsError) as error:
            raise damaged(path.parent, path.name) from error


def _facts(result: RunResult) -> dict[str, Any]:
    seconds = [record.train_seconds for record in result.history]
    return {
        "status": result.status,
        "best_epoch": result.best_epoch,
        "epochs": len(result.history),
        "test_loss": result.test_loss if np.isfinite(result.test_loss) else None,
        "calibration": None if result.calibration is None else asdict(result.calibration),
        "train_seconds": sum(seconds),
        "epoch_seconds": float(np.median(seconds)),
        "evaluation_seconds": sum(record.evaluation_seconds for record in result.history),
        "label_bytes": result.label_bytes,
        "peak_memory_bytes": result.peak_memory_bytes,
        "pixel_mean": result.pixel_mean,
        "pixel_sd": result.pixel_sd,
        "init_digest": result.init_digest,
        "order_digest": result.order_digest,
    }


def _predictions(result: RunResult, data: RunData, groups: list[Any]) -> pl.DataFrame:
    """The only hand-over to analysis: row, part, group, label, scores [S] and probabilities [K] in float32."""

    def part(name: str, predicted: Predictions) -> pl.DataFrame:
        width, classes = predicted.scores.shape[1], predicted.probabilities.shape[1]
        labels = data.labels[predicted.rows]
        label_type = pl.Int64 if labels.ndim == 1 else pl.Array(pl.Float32, classes)
        return pl.DataFrame(
            {
                "row": predicted.rows,
                "part": [name] * len(predicted.rows),
                "group": pl.Series([groups[row] for row in predicted.rows], dtype=pl.String),
                "label": pl.Series(labels, dtype=label_type),
                "scores": pl.Series(predicted.scores, dtype=pl.Array(pl.Float32, width)),
                "probabilities": pl.Series(predicted.probabilities, dtype=pl.Array(pl.Float32, classes)),
            }
        )

    return pl.concat([part("validation", result.validation), part("test", result.test)])
