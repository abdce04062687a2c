"""What the parent of a study does about tuning before each look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lossassay.study.tuning.storage import write_optuna
from lossassay.study.tuning_store import TuningStore

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
    """

    def __init__(self, folder: Path, plan: dict[str, Any], say: Callable[[str], None]) -> None:
        self._folder, self._jobs, self._say = folder, plan.get("tuning", []), say
        self._store = TuningStore(folder)
        self._written: set[str] | None = None
        self._died: set[str] = set()

    def finished(self) -> set[str]:
        """Return the ids of the jobs that are there, after their trials went into optuna's file."""
        there = self._store.finished() & {job["id"] for job in self._jobs}
        if self._jobs and there != self._written:
            if there and not write_optuna(self._folder, self._jobs) and not self._written:
                self._say(NO_OPTUNA)
            self._written = there
        return there

    def goes_on(self, message: dict[str, Any]) -> bool:
        """Return whether a failed job is tried once more: its worker was killed, which is no fault of the arm.

        Args:
            message: Of the failure.
        """
        name = message["id"]
        again = bool(message.get("died")) and name not in self._died and any(job["id"] == name for job in self._jobs)
        self._died.add(name)
        return again
