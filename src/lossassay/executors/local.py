"""Jobs in parallel processes on this machine.

A worker is a command that reads one JSON message per line from standard input and answers in JSON lines on standard
output. It is started afresh instead of forked or spawned by `multiprocessing`, so that it works the same in a script
without a main guard, in a notebook and on every system; and it leaves when its standard input closes, so that no
worker outlives the process that started it, however that one ends.
"""

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeAlias

from lossassay.errors import WorkerError

Message = dict[str, Any]
Messages: TypeAlias = "queue.Queue[tuple[_Worker, Message | None]]"  # None: the worker is gone

_OFFER_SECONDS = 1.0
_SILENT_DEATHS = 3


def run_jobs(
    jobs: Sequence[Message],
    *,
    command: Sequence[str],
    setup: Message,
    workers: int,
    on_message: Callable[[Message], None],
    more: Callable[[], Sequence[Message]] = tuple,
    take: Callable[[Message], bool] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run every job once, in the given order, on up to ``workers`` processes.

    Args:
        jobs: Messages with an ``"id"``; each goes to one worker.
        more: Called when all jobs so far have ended; the jobs it returns go to the same workers. Nothing: the end.
        take: Asked in the calling thread just before a job goes to a worker; a job that it refuses is offered again
            every second while other jobs run, and is dropped when none does: ``more`` may return it again.
        command: Starts a worker.
        setup: The first message that every worker gets.
        workers: How many processes at most.
        on_message: Called in the calling thread with each message of a worker. Every job ends with exactly one
            message whose ``"event"`` is ``"done"`` or ``"failed"``; a worker that dies gives ``"failed"``, with
            ``"died": True``. A worker may say ``{"event": "ready"}`` when it has started, which is not handed on.
        environment: Added to the environment of the workers.

    Raises:
        WorkerError: If three workers in a row die before they say anything.
    """
    around = {**os.environ, **(environment or {})}
    pool = _Pool(lambda messages: _Worker(command, setup, around, messages), workers, take)
    try:
        while jobs:
            pool.offer(jobs)
            while pool.busy:
                pool.next_message(on_message)
            jobs = more()
    finally:
        pool.stop()


class _Pool:
    """Jobs that wait, workers that work, and the one queue on which all workers are heard."""

    def __init__(
        self, new_worker: "Callable[[Messages], _Worker]", workers: int, take: Callable[[Message], bool] | None
    ) -> None:
        self._waiting: deque[Message] = deque()
        self._refused: list[Message] = []
        self._offer_again_at = 0.0
        self._new_worker, self._workers = new_worker, workers
        self._take = take or (lambda job: True)
        self._messages: Messages = queue.Queue()
        self._alive: set[_Worker] = set()
        self._silent_deaths = 0  # in a row
        self.busy: dict[_Worker, Message] = {}

    def offer(self, jobs: Sequence[Message]) -> None:
        """Put these jobs in the place of those that wait, and give them to workers."""
        self._waiting, self._refused = deque(jobs), []
        self._offer_again_at = time.monotonic() + _OFFER_SECONDS
        self._fill()

    def _offer_again(self) -> None:
        if self._refused and time.monotonic() >= self._offer_again_at:
            self.offer([*self._refused, *self._waiting])

    def _fill(self) -> None:
        """Give jobs to the workers that are idle and to new ones, up to the number of workers in all."""
        while len(self.busy) < self._workers and (job := self._next_job()) is not None:
            idle = self._alive - self.busy.keys()
            worker = next(iter(idle)) if idle else self._new_worker(self._messages)
            self._alive.add(worker)
            self.busy[worker] = job
            worker.send(job)

    def _next_job(self) -> Message | None:
        while self._waiting:
            job = self._waiting.popleft()
            if self._take(job):
                return job
            self._refused.append(job)
        return None

    def next_message(self, on_message: Callable[[Message], None]) -> None:
        self._offer_again()
        try:
            worker, message = self._messages.get(timeout=_OFFER_SECONDS if self._refused else None)
        except queue.Empty:
            return
        if message is None:
            self._bury(worker, on_message)
            return
        worker.has_spoken, self._silent_deaths = True, 0
        if message["event"] == "ready":
            return
        if message["event"] not in ("done", "failed"):
            on_message(message)
            return
        del self.busy[worker]
        on_message(message)
        self._fill()

    def stop(self) -> None:
        for worker in self._alive:
            worker.stop()

    def _bury(self, worker: "_Worker", on_message: Callable[[Message], None]) -> None:
        """A worker is gone: its job failed, and another worker takes its place while jobs wait."""
        self._alive.discard(worker)
        if worker in self.busy:
            job, last_words = self.busy.pop(worker), worker.last_words()
            on_message({"event": "failed", "id": job["id"], "message": last_words, "died": True})
            self._silent_deaths += not worker.has_spoken
            if self._silent_deaths == _SILENT_DEATHS:
                worker.stop()
                raise WorkerError(_SILENT_DEATHS, last_words)
            self._fill()
        worker.stop()


class _Worker:
    """One worker process and the thread that reads what it says."""

    def __init__(
        self,
        command: Sequence[str],
        setup: Message,
        environment: Mapping[str, str],
        messages: "Messages",
    ) -> None:
        self.has_spoken = False
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(environment),
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()
        self.send(setup)

    def _listen(self, messages: "Messages") -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        try:
            for line in self._process.stdout:
                if (message := _message_in(line)) is None:  # printed by other code, or cut off by the process's end
                    os.write(self._errors.fileno(), line.encode())
                else:
                    messages.put((self, message))
            self._process.wait()
        finally:
            messages.put((self, None))

    def send(self, message: Message) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # the worker is gone; its listener says so

    def close(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self._process.stdin.close()
        except OSError:
            pass

    def stop(self) -> None:
        self.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def last_words(self) -> str:
        """Say how the process ended, with the end of what it wrote to standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", errors="replace").strip().splitlines()
        code = self._process.returncode
        how = f"was killed by signal {-code} (out of memory?)" if code and code < 0 else f"ended with code {code}"
        return f"the worker process {how}" + (f": {' | '.join(lines[-3:])}" if lines else "")


def _message_in(line: str) -> Message | None:
    """Return the message that a line of a worker is, or None if it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None
