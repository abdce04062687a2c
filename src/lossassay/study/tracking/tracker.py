"""What a tracker does, whichever it is; and which trackers a user asked for."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from lossassay.errors import TrackerError
from lossassay.study.tracking.record import RunKey, TrackedRun, TrackedStudy


@dataclass(frozen=True, kw_only=True)
class Trackers:
    """Where runs are sent.

    Args:
        mlflow: Tracking URI of MLflow: ``http://...``, ``sqlite:///...``; None: no MLflow.
        experiment: Name of the experiment there; None: the name of the study.
        tensorboard: Folder of event files; None: none.
        with_report: Send report.html too, which shows small images of the data.
    """

    mlflow: str | None = None
    experiment: str | None = None
    tensorboard: Path | None = None
    with_report: bool = True


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a tracker got.

    Args:
        tracker: ``"MLflow"`` or ``"TensorBoard"``.
        place: Where it is, without passwords.
        added: Runs that it got now.
        there: Runs that it had already.
    """

    tracker: str
    place: str
    added: int
    there: int


class Tracker(Protocol):
    """A place that takes runs. Every method raises `TrackerError` where the place cannot be reached or refuses."""

    name: str
    place: str

    def begin(self, study: TrackedStudy) -> None:
        """Find or make the place of a study, and what is there already."""

    def has(self, key: RunKey) -> bool:
        """Return whether a run is there, whole."""

    def add(self, run: TrackedRun) -> None:
        """Send a run; one that was cut off before is completed."""

    def finish(self, study: TrackedStudy) -> None:
        """Send what is known only at the end: verdicts and artefacts. A second call changes nothing."""


def open_trackers(asked: Trackers) -> list[Tracker]:
    """Return the trackers that a user asked for; nothing is sent yet.

    Raises:
        TrackerError: If the package of one is not installed, or its folder is a file.
    """
    opened: list[Tracker] = []
    if asked.mlflow is not None:
        from lossassay.study.tracking.mlflow_runs import MlflowTracker

        _check_installed("mlflow", "--mlflow")
        opened.append(MlflowTracker(asked.mlflow, asked.experiment))
    if asked.tensorboard is not None:
        from lossassay.study.tracking.tensorboard_files import TensorBoardTracker

        _check_installed("tensorboard", "--tensorboard")
        opened.append(TensorBoardTracker(asked.tensorboard))
    return opened


def _check_installed(package: str, option: str) -> None:
    if find_spec(package) is None:
        raise TrackerError(
            f"{option} was given, but the package {package} is not installed. Install it with "
            f'pip install "lossassay[{package}]", or leave the option out.'
        )
