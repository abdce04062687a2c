"""Sends runs while a study goes on. A thread of the parent does it: training never waits, and no failure stops it."""

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from lossassay.errors import LossassayError, UnfinishedError
from lossassay.study.folder.leases import analysis_turn
from lossassay.study.progress import Progress
from lossassay.study.tracking.record import StoredStudy
from lossassay.study.tracking.send import sending_turn, track_study
from lossassay.study.tracking.tracker import Tracker, Trackers, open_trackers


class LiveTracking:
    """Sends each run when it is done, and the rest of the study at the end.

    The first thing that goes wrong becomes one warning; after it nothing more is tried.

    Args:
        folder: The out folder.
        asked: Where to send; None: nowhere.
        on_warning: Called with a sentence, at most once.

    Raises:
        TrackerError: If a package is not installed, or a folder is a file: before anything is trained.
    """

    def __init__(self, folder: Path, asked: Trackers | None, on_warning: Callable[[str], None]) -> None:
        self._folder = folder
        self._asked = asked
        self._on_warning = on_warning
        self._trackers = [] if asked is None else open_trackers(asked)
        self._done: queue.Queue[str | None] = queue.Queue()  # ids of runs; None: no more will come
        self._failure: Exception | None = None
        self._warned = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "LiveTracking":
        if self._trackers:
            self._thread = threading.Thread(target=self._work, name="trackers", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.put(None)  # after an error nobody waits for the thread; it ends with its run
        if kind is UnfinishedError and self._thread is not None:  # no error of this process: its own runs go out
            self._thread.join()
            self._warn()

    def watching(self, progress: Progress) -> Progress:
        """Return a progress that also sends runs that are done."""

        def on_message(message: dict[str, Any]) -> None:
            if self._thread is not None and message["event"] == "done":
                self._done.put(message["id"])
            self._warn()
            progress.on_message(message)

        return replace(progress, on_message=on_message)

    def finish(self) -> None:
        """Wait for the runs that are under way, then send what is missing, verdicts, tables and report."""
        if self._thread is None or self._asked is None:
            return
        self._done.put(None)
        self._thread.join()
        if self._failure is None:
            try:
                with analysis_turn(self._folder):  # one process at a time: two would both send what is missing
                    track_study(self._folder, self._asked)
            except Exception as failure:  # the study is whole, whatever becomes of its copy
                self._failure = failure
        self._warn()

    def _warn(self) -> None:
        if self._failure is not None and not self._warned:
            self._warned = True
            self._on_warning(f"The study goes on without trackers. {_in_words(self._failure)}")

    def _work(self) -> None:
        """Send runs until there are no more, or until something goes wrong."""
        stored: StoredStudy | None = None
        while (run_id := self._done.get()) is not None:
            try:
                begin = stored is None
                stored = stored or StoredStudy(self._folder)
                with sending_turn(self._folder):  # another process may be sending from the same folder
                    for tracker in self._trackers:
                        self._send(stored, tracker, run_id, begin=begin)
            except Exception as failure:  # a thread has nobody to raise to
                self._failure = failure
                return

    def _send(self, stored: StoredStudy, tracker: Tracker, run_id: str, *, begin: bool) -> None:
        if begin:
            tracker.begin(stored.study(with_report=False))
        if stored.plans(run_id) and not tracker.has(stored.key(run_id)):
            tracker.add(stored.run(run_id))


def _in_words(failure: Exception) -> str:
    if isinstance(failure, LossassayError):
        return str(failure)
    return f"{type(failure).__name__}: {failure}. `lossassay track` sends the study later."
