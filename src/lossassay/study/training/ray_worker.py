"""A worker on a node of a Ray cluster: the same jobs as `study.training.worker`, with shared folders or without."""

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.engine.spec import Checkpoint, RunData, RunResult
from lossassay.study.folder.store import Store
from lossassay.study.folder.whole_files import explained
from lossassay.study.planning.bench import bench_of, read_bench
from lossassay.study.training.worker import be_deterministic, do_job
from lossassay.study.tuning.store import TuningStore

Message = dict[str, Any]
Speak = Callable[[Message], None]


def open_shared(setup: Message, scratch: Path) -> Callable[[Message, Speak], None]:
    """Return what computes a job where this node sees the out folder and the cache.

    Args:
        setup: ``folder`` and ``images``, as paths.
        scratch: Not needed: everything goes to the out folder.
    """
    be_deterministic()
    bench, store = read_bench(Path(setup["folder"]), Path(setup["images"])), Store(Path(setup["folder"]))

    def work(job: Message, speak: Speak) -> None:
        do_job(job, store, bench, speak)

    return work


def open_remote(setup: Message, scratch: Path) -> Callable[[Message, Speak], None]:
    """Return what computes a job where nothing is shared: data came through Ray, results leave as bytes.

    Args:
        setup: ``plan``, ``rows`` (Parquet as bytes), ``splits``, ``tuning_split`` and ``images`` (arrays),
            ``checkpoint_seconds``.
        scratch: A folder on this node; it holds what tuning jobs chose.
    """
    be_deterministic()
    bench = bench_of(
        plan=setup["plan"],
        rows=pl.read_parquet(io.BytesIO(setup["rows"])),
        parts=setup["splits"],
        images=setup["images"],
        folder=scratch,
        tuning_parts=setup["tuning_split"],
    )
    tuning = TuningStore(scratch)

    def work(job: Message, speak: Speak) -> None:
        for job_id, files in job["tuning"].items():
            tuning.put_job(job_id, files)
        store = RemoteStore(scratch, job.get("checkpoint"), speak, seconds=setup["checkpoint_seconds"])
        do_job({key: job[key] for key in ("id", "kind") if key in job}, store, bench, _with_trials(tuning, speak))

    return work


def _with_trials(tuning: TuningStore, speak: Speak) -> Speak:
    """Send the files of a tuning job before the word that it is done."""

    def speak_of(message: Message) -> None:
        if message["event"] == "done" and tuning.is_there(message["id"]):
            speak({"event": "trials", "id": message["id"], "files": tuning.files(message["id"])})
        speak(message)

    return speak_of


class RemoteStore:
    """Keeps what a run leaves behind by sending it to the first machine, which alone writes the out folder.

    Args:
        scratch: A folder on this node for files on their way.
        checkpoint: The last state of the run that the first machine has, or None.
        speak: Called with ``{"event": "checkpoint", "content": ...}`` and ``{"event": "files", "files": ...}``.
        seconds: States are sent at most this often.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        scratch: Path,
        checkpoint: bytes | None,
        speak: Speak,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scratch = scratch
        self._checkpoint = checkpoint
        self._speak = speak
        self._seconds = seconds
        self._clock = clock
        self._sent = clock()

    def load_checkpoint(self, run_id: str) -> Checkpoint | None:
        """Return the state that came with the job, or None."""
        if self._checkpoint is None:
            return None
        with explained(self._scratch), tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            store = Store(Path(folder))
            store.put_checkpoint(run_id, self._checkpoint)
            return store.load_checkpoint(run_id)

    def save_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Send the state after an epoch, unless one was sent a moment ago."""
        if self._clock() - self._sent < self._seconds:
            return
        with explained(self._scratch), tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            store = Store(Path(folder))
            store.save_checkpoint(run_id, checkpoint)
            content = store.checkpoint_bytes(run_id)
        self._speak({"event": "checkpoint", "id": run_id, "content": content})
        self._sent = self._clock()

    def write(self, run_id: str, facts: dict[str, Any], result: RunResult, data: RunData, groups: list[Any]) -> None:
        """Send a finished run."""
        with explained(self._scratch), tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            store = Store(Path(folder))
            store.write(run_id, facts, result, data, groups)
            files = {path.name: path.read_bytes() for path in sorted((store.runs / run_id).iterdir())}
        self._speak({"event": "files", "id": run_id, "files": files})
