"""Leases: who of several processes on one out folder does what.

A lease is a file ``leases/<name>.<generation>.json``. The file with the highest generation counts, and it is made by
a hard link, which exactly one process can make, on shared file systems too. Its holder changes a counter in it every
few seconds, through the file that it opened itself: whatever the name leads to by then, it changes nobody else's lease.

A lease is dead when it was given back, when its holder is a process of this machine that is gone, or when its content
did not change for `EXPIRY_SECONDS` of the clock of whoever watches. No clock is compared with that of another machine.
A dead lease is taken over by making the next generation. Lower ones are deleted only by the holder of a higher one, so
that a process that slept through all of that finds the higher one, and gives up.

A holder that was stopped for longer than the expiry finds out before its next write, from the same rule. Should it
write all the same between looking and writing, nothing is lost: a run has the same bits whoever trains it, and
`study.folder.store` moves whole folders into place.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from lossassay.study.folder.owners import life, own_name
from lossassay.study.folder.whole_files import explained

FOLDER = "leases"
BEAT_SECONDS = 5.0
EXPIRY_SECONDS = 60.0
START, ANALYSIS = "start", "analysis"  # what one process at a time does
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0  # of waiting without a word
_LENGTH = 512  # bytes of a lease
_PRESENT = "process-"


class Leases:
    """The leases of one process on one out folder; a context manager, which gives all of them back at its end.

    Args:
        folder: The out folder.
        beat_seconds: How often the leases that are held are renewed.
        expiry_seconds: How long a lease of another machine must stay unchanged to be dead.
    """

    def __init__(
        self, folder: Path, *, beat_seconds: float = BEAT_SECONDS, expiry_seconds: float = EXPIRY_SECONDS
    ) -> None:
        self.folder = folder / FOLDER
        self._beat_seconds, self._expiry_seconds = beat_seconds, expiry_seconds
        self._nonce = secrets.token_hex(8)
        self._held: dict[str, _Held] = {}
        self._seen: dict[str, tuple[bytes, float]] = {}  # content of leases of others, and since when
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._renewer = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> "Leases":
        with explained(self.folder.parent):
            self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{_PRESENT}*.json"):  # of processes that were killed; the names never come again
            if _life_of(_content(path)) == "gone":
                with suppress(OSError):  # a shared folder may refuse files of other users
                    path.unlink(missing_ok=True)
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._renewer.join()
        for name in list(self._held):
            self.give_back(name, done=name.startswith(_PRESENT))

    def take(self, name: str) -> bool:
        """Take a lease that nobody holds; return whether it is ours now.

        Whoever takes a lease must look again whether the work is still to be done: it can have been finished since.

        Args:
            name: What it is for: a run, or a part of the study that only one process may do at a time.
        """
        if name in self._held:
            return False  # by this process, for a job that has not ended
        highest = self._highest(name)
        if highest and not self._is_dead(self._path(name, highest)):
            return False
        with explained(self.folder.parent):
            held = _Held.make(self._path(name, highest + 1), name, self._nonce)
        if held is None:
            return False  # another process was faster
        if self._highest(name) != highest + 1:
            held.forget()  # we slept, and others went on
            return False
        with self._lock:
            self._held[name] = held
        self._drop_lower(name, highest + 1)
        return True

    def give_back(self, name: str, *, done: bool) -> None:
        """End a lease of ours.

        Args:
            name: What it was for.
            done: The work is on disk, so that nothing of the lease is needed any more; otherwise the next holder must
                know that there was one.
        """
        with self._lock:
            held = self._held.pop(name, None)
        if held is None:
            return
        if done:
            self._drop_lower(name, held.generation)
            held.forget()
        else:
            held.mark_given_back()

    def token(self, name: str) -> str:
        """Return what `still_held` needs, in another process, to know this lease of ours again."""
        return self._held[name].path.name

    def taken_by_others(self) -> set[str]:
        """Return the names of all leases that other processes hold."""
        names = {path.name.rsplit(".", 2)[0] for path in self.folder.glob("[!.]*.json")} - self._held.keys()
        return {name for name in names if self._is_alive(name)}

    @contextmanager
    def turn(self, name: str, on_wait: Callable[[str], None] = lambda line: None) -> Iterator[None]:
        """Wait for a lease, and hold it.

        Args:
            name: `START` or `ANALYSIS`.
            on_wait: Called once with a line for people, if that takes more than a few seconds.
        """
        speak_at: float | None = time.monotonic() + _PATIENCE_SECONDS
        while not self.take(name):
            if speak_at is not None and time.monotonic() > speak_at:
                on_wait(f"waiting for another process on this folder, which is at: {name}")
                speak_at = None
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            self.give_back(name, done=False)

    def announce(self) -> None:
        """Say that this process works at the study as it stands in the folder now; see `others`."""
        self.take(f"{_PRESENT}{self._nonce}")

    def others(self) -> bool:
        """Return whether another process has announced itself and is alive.

        Where one on another machine was cut off, finding that out takes the expiry.
        """
        present = [path for path in self.folder.glob(f"{_PRESENT}*.json") if self._nonce not in path.name]
        first: dict[Path, bytes] = {}
        while present:
            found = {path: _content(path) for path in present if not self._is_dead(path)}
            there = {path: content for path, content in found.items() if content is not None}  # others have left
            if any(first.setdefault(path, now) != now or _life_of(now) == "alive" for path, now in there.items()):
                return True
            present = list(there)
            if present:
                time.sleep(min(_POLL_SECONDS, self._expiry_seconds / 4))
        return False

    def _is_alive(self, name: str) -> bool:
        highest = self._highest(name)
        return bool(highest) and not self._is_dead(self._path(name, highest))

    def _highest(self, name: str) -> int:
        return max(_generations(self.folder, name), default=0)

    def _path(self, name: str, generation: int) -> Path:
        return self.folder / f"{name}.{generation}.json"

    def _is_dead(self, path: Path) -> bool:
        content = _content(path)
        if content is None:
            return False  # gone just now: somebody else is at it; whoever asks looks again
        known = _life_of(content)
        if known in ("gone", "given back"):
            return True
        now = time.monotonic()
        before, since = self._seen.get(path.name, (b"", now))
        if content != before:
            self._seen[path.name] = (content, now)
            return False
        return now - since > self._expiry_seconds

    def _drop_lower(self, name: str, generation: int) -> None:
        for lower in _generations(self.folder, name):
            if lower < generation:
                with suppress(OSError):  # some systems keep a file that a sleeping process has open
                    self._path(name, lower).unlink(missing_ok=True)
                self._seen.pop(self._path(name, lower).name, None)

    def _renew(self) -> None:
        while not self._over.wait(self._beat_seconds):
            with self._lock:
                for held in self._held.values():
                    with suppress(OSError):  # a full disk: the lease may expire, which costs time, but no bits
                        held.beat()


class _Held:
    """A lease of ours: its file, open."""

    def __init__(self, path: Path, file: int, facts: dict[str, Any]) -> None:
        self.path, self._file, self._facts = path, file, facts
        self.generation = int(path.name.split(".")[-2])
        self._beats = 0

    @classmethod
    def make(cls, path: Path, name: str, nonce: str) -> "_Held | None":
        """Make the file, whole; None: it is there already."""
        facts = {"for": name, "holder": nonce, "host": socket.gethostname(), "process": own_name()}
        partial = path.with_name(f".{path.name}.{nonce}")
        file = os.open(partial, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
        held = cls(path, file, facts)
        try:
            held.beat()
            if not _linked(partial, path, file):
                os.close(file)
                return None
        except OSError:
            os.close(file)
            raise
        finally:
            with suppress(OSError):  # some systems keep a name of a file that is open
                partial.unlink(missing_ok=True)
        return held

    def beat(self) -> None:
        """Change the content, so that watchers see that the holder lives."""
        self._write(self._facts | {"beat": self._beats})
        self._beats += 1

    def mark_given_back(self) -> None:
        with suppress(OSError):
            self._write({"for": self._facts["for"], "given_back": True})
        os.close(self._file)

    def forget(self) -> None:
        """Delete the file, which nobody needs any more; where that is refused, it says that it was given back."""
        content = _content(self.path)
        ours = content is not None and self._facts["holder"].encode() in content
        try:
            if ours:
                self.path.unlink(missing_ok=True)
        except OSError:  # another process reads it, some systems want it closed first, some folders refuse
            self.mark_given_back()
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        else:
            os.close(self._file)

    def _write(self, facts: dict[str, Any]) -> None:
        text = json.dumps(facts).encode()
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, text.ljust(_LENGTH))  # one write of fixed length: whoever reads sees no mixture
        os.fsync(self._file)


@contextmanager
def analysis_turn(folder: Path, on_wait: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Wait until no other process analyses or draws the study of a folder, and keep others from it meanwhile.

    Args:
        folder: The out folder.
        on_wait: See `Leases.turn`.
    """
    with Leases(folder) as leases, leases.turn(ANALYSIS, on_wait):
        yield


def still_held(folder: Path, token: str | None) -> bool:
    """Return whether the lease that a job came with still counts; True for a job without one.

    Args:
        folder: The out folder.
        token: Of `Leases.token`.
    """
    return token is None or _is_highest(folder / FOLDER / token)


def _is_highest(path: Path) -> bool:
    name, generation, _ = path.name.rsplit(".", 2)
    return max(_generations(path.parent, name), default=0) == int(generation)


def _generations(folder: Path, name: str) -> list[int]:
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            own, _, rest = entry.name.removesuffix(".json").rpartition(".")
            if own == name and rest.isdigit() and entry.name.endswith(".json"):
                found.append(int(rest))
    return found


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _life_of(content: bytes | None) -> str:
    """Return what is known of a holder without waiting: alive, gone, elsewhere, or that it gave the lease back."""
    try:
        facts = json.loads(content or b"")
    except ValueError:
        return "elsewhere"  # damaged: it expires
    return "given back" if facts.get("given_back") else life(str(facts.get("process", "")))


def _linked(partial: Path, path: Path, file: int) -> bool:
    """Give a finished file its name, if the name is free."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return os.fstat(file).st_nlink == 2  # on NFS the answer to a link that worked can get lost
    except OSError:  # a file system without hard links
        return _created(path, file)
    return True


def _created(path: Path, file: int) -> bool:
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    except FileExistsError:
        return False
    os.lseek(file, 0, os.SEEK_SET)
    os.write(made, os.read(file, _LENGTH))
    os.dup2(made, file)  # from now on the open file is the one with the name
    os.close(made)
    return True
