"""Ends by a signal as orderly as by Ctrl-C: leases are given back, worker processes leave."""

import signal
import threading
from types import FrameType

STOPPED_CODE, TERMINATED_CODE = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, as Slurm at a time limit, `docker stop` and `kill` send it."""


def end_on_sigterm() -> None:
    """Turn the first SIGTERM into `Terminated`, and ignore later ones while this process tidies up."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)


def exit_code(stop: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped.

    Args:
        stop: How.
    """
    return TERMINATED_CODE if isinstance(stop, Terminated) else STOPPED_CODE


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
