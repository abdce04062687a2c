"""What the parent of a study does about tuning before each look."""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError
from lossassay.study.folder.leases import Leases
from lossassay.study.tuning.jobs import has_optuna
from lossassay.study.tuning.storage import OptunaFile
from lossassay.study.tuning.store import TuningStore

_FILE = "optuna"  # what the lease is for
NO_OPTUNA = (
    "optuna is not installed, so tuning.sqlite3 for optuna-dashboard is not written; the tuning itself needs it not "
    '(pip install "lossassay[tune]")'
)


class TuningLook:
    """Knows which tuning jobs are there, and keeps optuna's file up to them.

    Args:
        folder: The out folder.
        plan: plan.json.
        say: Called with a line for people.
        leases: Of this process: one process at a time writes optuna's file.
    """

    def __init__(self, folder: Path, plan: dict[str, Any], say: Callable[[str], None], leases: Leases) -> None:
        self._folder, self._jobs, self._say, self._leases = folder, plan.get("tuning", []), say, leases
        self._store = TuningStore(folder)
        self._written: set[str] = set()
        self._thread: threading.Thread | None = None
        self._died: set[str] = set()

    def finished(self) -> set[str]:
        """Return the ids of the jobs that are there, and see that their trials go into optuna's file.

        A thread writes it, for that takes seconds a job, and the workers wait for the caller.
        """
        there = self._there()
        if there != self._written and not self._is_writing() and has_optuna():
            self._thread = threading.Thread(target=self._write_beside, args=(there,), name=_FILE, daemon=True)
            self._thread.start()
        return there

    def finish(self) -> None:
        """Bring optuna's file up to all jobs that are there; wait for whoever is at it.

        Raises:
            OutFolderError: If the folder cannot be written.
        """
        if not self._jobs:
            return
        if not has_optuna():
            self._say(NO_OPTUNA)
            return
        with self._leases.turn(_FILE):
            self._write(self._there())

    def is_there(self, job_id: str) -> bool:
        """Return whether a job is finished."""
        return self._store.is_there(job_id)

    def plans_any(self, names: Collection[str]) -> bool:
        """Return whether a tuning job is among these runs and jobs."""
        return any(job["id"] in names for job in self._jobs)

    def on_message(self, message: dict[str, Any]) -> None:
        """Keep optuna's file up while jobs come in.

        Args:
            message: Of a worker.
        """
        if message["event"] == "done" and any(job["id"] == message["id"] for job in self._jobs):
            self.finished()

    def _there(self) -> set[str]:
        return self._store.finished() & {job["id"] for job in self._jobs}

    def _is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _write_beside(self, there: set[str]) -> None:
        """Write the file unless another process is at it; whatever goes wrong, `finish` tries again and says it."""
        with suppress(Exception):
            if self._leases.take(_FILE):
                try:
                    self._written = there
                    OptunaFile(self._folder, self._jobs).update(there)
                finally:
                    self._leases.give_back(_FILE, done=False)

    def _write(self, there: set[str]) -> None:
        try:
            OptunaFile(self._folder, self._jobs).update(there)
        except OutFolderError:
            raise
        except Exception as error:  # of optuna, SQLAlchemy or SQLite: a copy for people, never a reason to stop
            self._say(f"tuning.sqlite3 was not written ({str(error).splitlines()[0]}); nothing else depends on it")

    def goes_on(self, message: dict[str, Any]) -> bool:
        """Return whether a failed job is tried once more: its worker was killed, which is no fault of the arm.

        Args:
            message: Of the failure.
        """
        name = message["id"]
        again = bool(message.get("died")) and name not in self._died and any(job["id"] == name for job in self._jobs)
        self._died.add(name)
        return again
