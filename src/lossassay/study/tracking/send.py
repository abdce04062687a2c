"""Sends a stored study to trackers: what is missing there, and nothing twice."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lossassay.errors import OutFolderError
from lossassay.study.folder.leases import Leases
from lossassay.study.tracking.record import StoredStudy
from lossassay.study.tracking.tracker import Sent, Tracker, Trackers, open_trackers

_SENDING = "trackers"  # what the lease is for


def track_study(folder: Path, asked: Trackers) -> tuple[Sent, ...]:
    """Send every stored run of a study that a tracker lacks, then verdicts, tables and report.

    Args:
        folder: An out folder.
        asked: Where to send it.

    Returns:
        What each tracker got.

    Raises:
        OutFolderError: If the folder holds no study.
        TrackerError: If a tracker is not installed, cannot be reached or refuses.
    """
    stored = StoredStudy(folder)
    trackers = open_trackers(asked)
    with sending_turn(folder):
        return tuple(_send(stored, tracker, with_report=asked.with_report) for tracker in trackers)


@contextmanager
def sending_turn(folder: Path) -> Iterator[None]:
    """Wait until no other process sends the study of a folder: two would both send what a tracker lacks.

    Args:
        folder: An out folder. Where it cannot be written nobody trains, and no turn is needed.
    """
    with ExitStack() as stack:
        with suppress(OutFolderError):
            leases = stack.enter_context(Leases(folder))
            stack.enter_context(leases.turn(_SENDING))
        yield


def _send(stored: StoredStudy, tracker: Tracker, *, with_report: bool) -> Sent:
    study = stored.study(with_report=with_report)
    tracker.begin(study)
    keys = stored.keys()
    missing = [key for key in keys if not tracker.has(key)]
    for key in missing:
        tracker.add(stored.run(key.id))
    tracker.finish(study)
    return Sent(tracker=tracker.name, place=tracker.place, added=len(missing), there=len(keys) - len(missing))
