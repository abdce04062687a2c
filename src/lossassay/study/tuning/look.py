"""What the parent of a study does about tuning before each look."""

from collections.abc import Callable
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
        self._died: set[str] = set()

    def finished(self) -> set[str]:
        """Return the ids of the jobs that are there, after their trials went into optuna's file.

        Where another process is at that file, they go there the next time.
        """
        there = self._store.finished() & {job["id"] for job in self._jobs}
        if there != self._written and self._leases.take(_FILE):
            try:
                self._write(there)
                self._written = there
            finally:
                self._leases.give_back(_FILE, done=False)
        return there

    def is_there(self, job_id: str) -> bool:
        """Return whether a job is finished."""
        return self._store.is_there(job_id)

    def on_message(self, message: dict[str, Any]) -> None:
        """Keep optuna's file up while jobs come in.

        Args:
            message: Of a worker.
        """
        if message["event"] == "done" and any(job["id"] == message["id"] for job in self._jobs):
            self.finished()

    def _write(self, there: set[str]) -> None:
        if not has_optuna():
            if not self._written:
                self._say(NO_OPTUNA)
            return
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
