"""What runs inside a Ray actor: one job at a time in a thread, whose messages are fetched in batches.

Knows neither Ray nor torch; what a job is, the function named by ``serve`` knows.
"""

import os
import queue
import re
import shutil
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

Message = dict[str, Any]
DoJob: TypeAlias = Callable[[Message, Callable[[Message], None]], None]

_POLL_SECONDS = 1.0  # how long a node keeps a question open when it has nothing to say


class NodeServer:
    """Computes jobs, one after the other.

    Args:
        serve: ``module:function``; called once with the setup, it returns what computes a job.
        setup: What all jobs share.
        sent_code: Folder of code that was sent here and is removed at the end, or None.
    """

    def __init__(self, serve: str, setup: Message, *, sent_code: Path | None = None) -> None:
        module, _, function = serve.partition(":")
        _drop_leftovers(Path(tempfile.gettempdir()))
        self._scratch = Path(tempfile.mkdtemp(prefix=f"lossassay-{os.getpid()}-{socket.gethostname()}-"))
        self._sent_code = sent_code
        open_jobs: Callable[[Message, Path], DoJob] = getattr(import_module(module), function)
        self._do_job = open_jobs(setup, self._scratch)
        self._messages: queue.Queue[Message] = queue.Queue()

    def start(self, job: Message) -> list[Message]:
        """Start a job and return its first messages."""
        threading.Thread(target=self._work, args=(job,), daemon=True).start()
        return self.next_messages()

    def next_messages(self) -> list[Message]:
        """Return what was said since the last question; wait a moment if that is nothing."""
        try:
            found = [self._messages.get(timeout=_POLL_SECONDS)]
        except queue.Empty:
            return []
        while not self._messages.empty():
            found.append(self._messages.get())
        return found

    def close(self) -> None:
        """Remove what was written on this node."""
        for folder in (self._scratch, self._sent_code):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _work(self, job: Message) -> None:
        try:
            self._do_job(job, self._messages.put)
        except BaseException:  # the driver waits for a last word
            self._messages.put({"event": "failed", "id": job["id"], "message": traceback.format_exc(limit=-3)})


def _drop_leftovers(folder: Path) -> None:
    """Remove what processes of this machine left that were killed, as all are when their driver is."""
    try:
        import psutil
    except ImportError:  # a node with nothing but Python: who lives cannot be told
        return
    name = re.compile(rf"lossassay-(?:code-)?(\d+)-{re.escape(socket.gethostname())}-[^-]+")
    for path in folder.glob("lossassay-*"):
        found = name.fullmatch(path.name)
        if found and not psutil.pid_exists(int(found.group(1))):
            shutil.rmtree(path, ignore_errors=True)
