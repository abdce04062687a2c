"""Names that say which process on which machine they belong to, and whether that process still runs."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

_START_FIELD = 19  # field 22 of /proc/<pid>/stat, in clock ticks; 0 is the state, which follows the name
_CLOCK_FROM = 10**9  # seconds: more is a time of the clock, as older versions wrote on Linux too

Life = Literal["alive", "gone", "elsewhere"]  # elsewhere: another machine, or another container; cannot be asked


@cache
def place() -> str:
    """Return a name for where process numbers mean something: this start of this machine, or of this container.

    The machine's name alone would not do: containers can share it, and have process numbers of their own.
    """
    facts = [socket.gethostname()]
    for known in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            path = Path(known)
            facts.append(os.readlink(path) if path.is_symlink() else path.read_text(encoding="ascii"))
        except OSError:
            facts.append("")  # not Linux: the machine's name has to do
    return hashlib.blake2b("\n".join(facts).encode(), digest_size=5).hexdigest()


def own_name() -> str:
    """Return the name of this process: number, start as `started_seconds` has it, place."""
    return f"{os.getpid()}-{started_seconds()}-{place()}"


def started_seconds(pid: int | None = None) -> int:
    """Return when a process started, in whole seconds: on Linux since the start of the machine, elsewhere of the clock.

    A clock that is set later would change what Linux says in the other way.

    Args:
        pid: Its number; None: this process.

    Raises:
        psutil.Error: If there is no such process.
    """
    try:
        fields = Path(f"/proc/{os.getpid() if pid is None else pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _started_by_the_clock(pid)
    after_name = fields.rpartition(")")[2].split()  # the name can hold spaces and brackets
    return int(after_name[_START_FIELD]) // os.sysconf("SC_CLK_TCK")


def _started_by_the_clock(pid: int | None) -> int:
    return int(psutil.Process(pid).create_time())


def life(name: str) -> Life:
    """Say whether the process that a name belongs to still runs.

    Args:
        name: As `own_name` returns it; a bare number, as older versions wrote, is taken for a process of this machine.
    """
    pid, _, rest = name.partition("-")
    started, _, where = rest.partition("-")
    if not pid.isdigit() or (rest and not started.isdigit()):
        return "elsewhere"
    if where and where != place():
        return "elsewhere"
    read = _started_by_the_clock if started and int(started) > _CLOCK_FROM else started_seconds
    try:
        same = not started or abs(read(int(pid)) - int(started)) < 2
    except psutil.Error:
        return "elsewhere" if _is_hidden(int(pid)) else "gone"
    return "alive" if same else "gone"


def _is_hidden(pid: int) -> bool:
    """Return whether there is such a process, of another user, on a system that does not show it (hidepid)."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return False
