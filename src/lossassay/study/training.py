"""Trains the runs of a study that are missing, look by look, beside other processes that do the same."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError, UnfinishedError
from lossassay.executors.local import run_jobs
from lossassay.study.leases import Leases
from lossassay.study.machine import worker_environment
from lossassay.study.plan import Plan
from lossassay.study.progress import Progress
from lossassay.study.results import read_plan
from lossassay.study.runs import RunReader
from lossassay.study.stopping import Stages

_POLL_SECONDS = 1.0

Job = dict[str, Any]


def train_missing(
    folder: Path, plan: Plan, images: Path, leases: Leases, *, workers: int, wait: bool = True, progress: Progress
) -> dict[str, str]:
    """Train every run that the next look needs and that is not there, until no look needs any.

    Args:
        folder: The out folder, with what `bench.write_bench` writes.
        plan: The plan.
        images: The memory-mapped image array.
        leases: Of this process on the folder. Runs that other processes hold are theirs, unless these die.
        workers: Processes at once.
        wait: Wait for the runs that other processes hold.
        progress: What to call on the way.

    Returns:
        Messages of runs that failed, by id.

    Raises:
        OutFolderError: If the folder cannot be written.
        UnfinishedError: Without ``wait``, if other processes hold all the runs that are left.
    """
    facts = read_plan(folder)
    reader = RunReader(folder, facts)
    shared = _SharedJobs(Stages(plan.study, facts, reader), reader, leases, progress, wait=wait)
    run_jobs(
        shared.more(),
        command=[sys.executable, "-m", "lossassay.study.worker"],
        setup={"folder": str(folder.resolve()), "images": str(images)},
        workers=workers,
        on_message=shared.on_message,
        more=shared.more,
        take=shared.take,
        environment=worker_environment(plan.engine.threads),
    )
    return shared.failures


class _SharedJobs:
    """The jobs of a study that several processes may work at.

    Args:
        stages: The looks, which say what is needed.
        reader: Of the stored runs.
        leases: Of this process; a job is ours from `take` to its last message.
        progress: What to call on the way.
        wait: Wait for jobs that other processes hold.
    """

    def __init__(self, stages: Stages, reader: RunReader, leases: Leases, progress: Progress, *, wait: bool) -> None:
        self.failures: dict[str, str] = {}
        self._stages, self._leases, self._progress, self._wait = stages, leases, progress, wait
        self._store = reader.store
        self._there = self._at_first = self._store.finished()
        self._listed_at = time.monotonic()
        self._wanted: set[str] = set()
        self._own: set[str] = set()
        self._took = True

    def more(self) -> Sequence[Job]:
        """Return the jobs that the next look needs; some may be held by other processes."""
        if not self._took:
            if not self._wait:
                raise UnfinishedError(len(self._wanted))
            time.sleep(_POLL_SECONDS)
        self._took = False
        self._list_again()
        runs = self._stages.needed(self._there, self.failures)
        if not runs or not self._wanted.issuperset(runs):
            self._progress.on_look(len(self._there), runs)
        self._wanted = set(runs)
        self._tell_of_others()
        return [{"id": run_id} for run_id in runs]

    def take(self, job: Job) -> bool:
        """Say whether a job is still to be done and ours to do; if so, its lease goes with it."""
        if time.monotonic() - self._listed_at > _POLL_SECONDS:
            self._list_again()
            self._tell_of_others()
        name = job["id"]
        if name in self._there or not self._leases.take(name):
            return False
        if self._store.is_there(name):  # finished by its holder between looking and taking
            self._leases.give_back(name, done=True)
            return False
        job["lease"] = self._leases.token(name)
        self._took = True
        return True

    def on_message(self, message: dict[str, Any]) -> None:
        """Note how a job ended, and give its lease back."""
        name, event = message["id"], message["event"]
        if event == "done":
            self._own.add(name)
        if event in ("done", "failed"):
            self._leases.give_back(name, done=event == "done")
        if event == "failed" and not message.get("lost"):
            self.failures[name] = message["message"]
            if message.get("fatal"):
                raise OutFolderError(message["message"])
        self._progress.on_message(message)

    def _list_again(self) -> None:
        self._there, self._listed_at = self._store.finished(), time.monotonic()

    def _tell_of_others(self) -> None:
        """Say how many runs others finished since we started, and how many they are at."""
        finished = len(self._there - self._at_first - self._own)
        self._progress.on_others(finished, len(self._leases.taken_by_others() & self._wanted))
