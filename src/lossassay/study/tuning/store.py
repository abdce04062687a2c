"""Tuning jobs on disk: one folder per job, whole or not there at all; beside `folder/store.py` the only such writer."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.study.folder.owners import life
from lossassay.study.folder.whole_files import damaged, explained, read_finished, replaced_folder, write_json

TRIAL_TYPES: dict[str, Any] = {
    "trial": pl.Int64,
    "status": pl.String,  # finished, pruned, diverged
    "epochs": pl.Int64,  # trained
    "value": pl.Float64,  # best validation yardstick so far; null: diverged
    "epoch_of_value": pl.Int64,
    "seconds": pl.Float64,
    "parameters": pl.String,  # JSON
    "chosen": pl.Boolean,
    "own_settings": pl.Boolean,
    "values": pl.List(pl.Float64),  # validation yardstick after each epoch
    "nlls": pl.List(pl.Float64),  # validation negative log-likelihood after each epoch
}


class TuningStore:
    """The tuning jobs of one out folder.

    Args:
        folder: The out folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "tuning"
        self._notes = folder / "checkpoints"

    def finished(self) -> set[str]:
        """Return the ids of the jobs that are there."""
        if not self.jobs.is_dir():
            return set()
        return {path.name for path in self.jobs.iterdir() if not path.name.startswith(".") and path.is_dir()}

    def is_there(self, job_id: str) -> bool:
        """Return whether a job is there."""
        return (self.jobs / job_id).is_dir()

    def write(self, job_id: str, facts: dict[str, Any], trials: list[dict[str, Any]]) -> None:
        """Write a job whole, then drop its notes.

        Args:
            job_id: Its name.
            facts: job.json.
            trials: One line for each trial, with the keys of `TRIAL_TYPES`.
        """
        with self._whole(job_id) as partial:
            pl.DataFrame(trials, schema=TRIAL_TYPES).write_parquet(partial / "trials.parquet")
            write_json(partial / "job.json", facts)
        self._note(job_id).unlink(missing_ok=True)

    @contextmanager
    def _whole(self, job_id: str) -> Iterator[Path]:
        """Give a folder to write into, which then takes the name of the job at once."""
        with explained(self.folder), replaced_folder(self.jobs / job_id) as partial:
            yield partial

    def files(self, job_id: str) -> dict[str, bytes]:
        """Return the files of a finished job by name."""
        return {path.name: path.read_bytes() for path in sorted((self.jobs / job_id).iterdir())}

    def put_job(self, job_id: str, files: Mapping[str, bytes]) -> None:
        """Write a finished job that came from elsewhere, whole; one that is there already stays."""
        if self.is_there(job_id):
            return
        with self._whole(job_id) as partial:
            for name, content in files.items():
                (partial / Path(name).name).write_bytes(content)

    def facts(self, job_id: str) -> dict[str, Any]:
        """Return job.json; `damaged` if it cannot be read."""
        return read_finished(self.jobs / job_id, "job.json")

    def trials(self, job_id: str) -> pl.DataFrame:
        """Return one line for each trial."""
        try:
            return pl.read_parquet(self.jobs / job_id / "trials.parquet")
        except (FileNotFoundError, pl.exceptions.PolarsError) as error:
            raise damaged(self.jobs / job_id, "trials.parquet") from error

    def save_notes(self, job_id: str, notes: dict[str, Any]) -> None:
        """Write what an unfinished job knows of its trials, replacing what it knew before."""
        with explained(self.folder):
            self._notes.mkdir(parents=True, exist_ok=True)
            write_json(self._note(job_id), notes)

    def load_notes(self, job_id: str) -> dict[str, Any]:
        """Return what an unfinished job knows of its trials; nothing if it has not begun."""
        try:
            return json.loads(self._note(job_id).read_text(encoding="utf-8"))  # type: ignore[no-any-return]
        except (FileNotFoundError, ValueError):  # unreadable: the job starts again, which costs time but no bits
            return {}

    def drop_leftovers(self) -> None:
        """Remove what interrupted writes of this machine left; living processes and other machines keep theirs."""
        for path in self.jobs.glob(".*"):
            if life(path.name.rpartition(".")[2]) == "gone":
                shutil.rmtree(path, ignore_errors=True)

    def _note(self, job_id: str) -> Path:
        return self._notes / f"{job_id}-trials.json"
