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
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeAlias

Message = dict[str, Any]
Messages: TypeAlias = "queue.Queue[tuple[_Worker, Message | None]]"  # None: the worker is gone


def run_jobs(
    jobs: Sequence[Message],
    *,
    command: Sequence[str],
    setup: Message,
    workers: int,
    on_message: Callable[[Message], None],
    more: Callable[[], Sequence[Message]] = tuple,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run every job once, in the given order, on up to ``workers`` processes.

    Args:
        jobs: Messages with an ``"id"``; each goes to one worker.
        more: Called when all jobs so far have ended; the jobs it returns go to the same workers. Nothing: the end.
        command: Starts a worker.
        setup: The first message that every worker gets.
        workers: How many processes at most.
        on_message: Called in the calling thread with each message of a worker. Every job ends with exactly one
            message whose ``"event"`` is ``"done"`` or ``"failed"``; a worker that dies gives ``"failed"``, with
            ``"died": True``.
        environment: Added to the environment of the workers.
    """
    pool = _Pool(lambda messages: _Worker(command, setup, {**os.environ, **(environment or {})}, messages))
    try:
        while jobs:
            pool.take(jobs, workers)
            while pool.busy:
                pool.next_message(on_message)
            jobs = more()
    finally:
        pool.stop()


class _Pool:
    """Jobs that wait, workers that work, and the one queue on which all workers are heard."""

    def __init__(self, new_worker: "Callable[[Messages], _Worker]") -> None:
        self._waiting: deque[Message] = deque()
        self._new_worker = new_worker
        self._messages: Messages = queue.Queue()
        self._alive: set[_Worker] = set()
        self.busy: dict[_Worker, Message] = {}

    def take(self, jobs: Sequence[Message], workers: int) -> None:
        """Give jobs to the workers that are idle and to new ones, up to ``workers`` in all."""
        self._waiting.extend(jobs)
        for worker in self._alive - self.busy.keys():
            self._assign(worker)
        while self._waiting and len(self._alive) < workers:
            self._start()

    def _start(self) -> None:
        worker = self._new_worker(self._messages)
        self._alive.add(worker)
        self._assign(worker)

    def next_message(self, on_message: Callable[[Message], None]) -> None:
        worker, message = self._messages.get()
        if message is None:
            self._bury(worker, on_message)
            return
        if message["event"] in ("done", "failed"):
            del self.busy[worker]
            self._assign(worker)
        on_message(message)

    def stop(self) -> None:
        for worker in self._alive:
            worker.stop()

    def _assign(self, worker: "_Worker") -> None:
        """Give a worker the next job, if one waits."""
        if self._waiting:
            self.busy[worker] = self._waiting.popleft()
            worker.send(self.busy[worker])

    def _bury(self, worker: "_Worker", on_message: Callable[[Message], None]) -> None:
        """A worker is gone: its job failed, and another worker takes its place while jobs wait."""
        self._alive.discard(worker)
        if worker in self.busy:
            job = self.busy.pop(worker)
            failure = {"event": "failed", "id": job["id"], "message": worker.last_words(), "died": True}
            if self._waiting:
                self._start()
            on_message(failure)
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
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(environment),
            text=True,
            encoding="utf-8",
        )
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()
        self.send(setup)

    def _listen(self, messages: "Messages") -> None:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        for line in self._process.stdout:
            messages.put((self, json.loads(line)))
        self._process.wait()
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
