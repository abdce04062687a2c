"""Trains the runs of a study that are missing, look by look, beside other processes that do the same."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError, UnfinishedError
from lossassay.executors.choice import LOCAL, Executor
from lossassay.study.analysis.runs import RunReader
from lossassay.study.analysis.stopping import Stages
from lossassay.study.folder.leases import Leases
from lossassay.study.folder.results import read_plan
from lossassay.study.planning.plan import Plan
from lossassay.study.progress import Progress
from lossassay.study.training.executor import run_jobs
from lossassay.study.tuning.look import TuningLook

_POLL_SECONDS = 1.0

Job = dict[str, Any]


def train_missing(
    folder: Path,
    plan: Plan,
    images: Path,
    leases: Leases,
    *,
    workers: int | None,
    wait: bool = True,
    progress: Progress,
    executor: Executor = LOCAL,
) -> dict[str, str]:
    """Train every run, and before it every tuning job, that the next look needs, until no look needs any.

    Args:
        folder: The out folder, with what `bench.write_bench` writes.
        plan: The plan.
        images: The memory-mapped image array.
        leases: Of this process on the folder. Jobs that other processes hold are theirs, unless these die.
        workers: Processes at once; None only with a cluster: as many as it has room for.
        wait: Wait for the runs that other processes train; tuning jobs of others are waited for in any case.
        progress: What to call on the way.
        executor: Where runs are computed.

    Returns:
        Messages of runs and tuning jobs that failed, by id.

    Raises:
        ClusterError: If there is no cluster, or its nodes cannot compute the study.
        OutFolderError: If the folder cannot be written.
        UnfinishedError: Without ``wait``, if other processes hold all that is left.
    """
    facts = read_plan(folder)
    reader = RunReader(folder, facts)
    tuning = TuningLook(folder, facts, progress.on_stage, leases)
    shared = _SharedJobs(Stages(plan.study, facts, reader), reader, tuning, leases, progress, wait=wait)
    run_jobs(
        shared.more(),
        executor=executor,
        folder=folder,
        plan=plan,
        images=images,
        workers=workers,
        on_message=shared.on_message,
        more=shared.more,
        take=shared.take,
        on_note=progress.on_stage,
    )
    return shared.failures


class _SharedJobs:
    """The jobs of a study that several processes may work at.

    Args:
        stages: The looks, which say what is needed.
        reader: Of the stored runs.
        tuning: Of the tuning jobs.
        leases: Of this process; a job is ours from `take` to its last message.
        progress: What to call on the way.
        wait: Wait for runs that other processes train.
    """

    def __init__(
        self,
        stages: Stages,
        reader: RunReader,
        tuning: TuningLook,
        leases: Leases,
        progress: Progress,
        *,
        wait: bool,
    ) -> None:
        self.failures: dict[str, str] = {}
        self._stages, self._leases, self._progress, self._wait = stages, leases, progress, wait
        self._store, self._tuning = reader.store, tuning
        self._there = self._at_first = self._store.finished()
        self._listed_at = time.monotonic()
        self._wanted: set[str] = set()
        self._own: set[str] = set()
        self._took = True

    def more(self) -> Sequence[Job]:
        """Return the jobs that the next look needs; some may be held by other processes."""
        if not self._took:
            if not self._wait:
                self._leave_to_others()
            time.sleep(_POLL_SECONDS)
        self._took = False
        self._list_again()
        jobs = self._stages.jobs(self._there, self._tuning.finished(), self.failures)
        names = [job["id"] for job in jobs]
        if not jobs or not self._wanted.issuperset(names):
            self._progress.on_look(len(self._there), names)
        self._wanted = set(names)
        self._tell_of_others()
        return jobs

    def take(self, job: Job) -> bool:
        """Say whether a job is still to be done and ours to do; if so, its lease goes with it."""
        if time.monotonic() - self._listed_at > _POLL_SECONDS:
            self._list_again()
            self._tell_of_others()
        name = job["id"]
        if name in self._there or not self._leases.take(name):
            return False
        if self._store.is_there(name) or self._tuning.is_there(name):  # finished by its holder just before
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
        if event == "failed" and not message.get("lost") and not self._tuning.goes_on(message):
            self.failures[name] = message["message"]
            if message.get("fatal"):
                raise OutFolderError(message["message"])
        self._tuning.on_message(message)
        self._progress.on_message(message)

    def _leave_to_others(self) -> None:
        """Leave, if others train what is left; what was refused because it has just been finished is no reason.

        Where others are at tuning jobs, the runs that follow are nobody's yet: then we stay to share them.
        """
        self._list_again()
        left = self._wanted - self._there
        if not self._tuning.plans_any(left) and left & self._leases.taken_by_others():
            raise UnfinishedError(len(left))

    def _list_again(self) -> None:
        self._there, self._listed_at = self._store.finished(), time.monotonic()

    def _tell_of_others(self) -> None:
        """Say how many runs others finished since we started, and how many they are at."""
        finished = len(self._there - self._at_first - self._own)
        self._progress.on_others(finished, len(self._leases.taken_by_others() & self._wanted))
