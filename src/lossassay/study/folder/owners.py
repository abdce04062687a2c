"""Names that say which process on which machine they belong to, and whether that process still runs."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

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
    """Return the name of this process: number, start in whole seconds, place."""
    return f"{os.getpid()}-{started_seconds()}-{place()}"


def started_seconds(pid: int | None = None) -> int:
    """Return when a process started, in whole seconds as the system counts them.

    Args:
        pid: Its number; None: this process.

    Raises:
        psutil.Error: If there is no such process.
    """
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
    try:
        same = not started or abs(started_seconds(int(pid)) - int(started)) < 2
    except psutil.Error:
        return "gone"
    return "alive" if same else "gone"
