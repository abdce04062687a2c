"""Runs as event files for TensorBoard: DIR/<study>/<arm>/replicate-<r>, one file per run, whole or not there at all.

The files are named after the run and not, as TensorBoard does, after the machine that wrote them.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lossassay.errors import TrackerError
from lossassay.study.tracking.names import safe_name, safe_names
from lossassay.study.tracking.record import RunKey, TrackedRun, TrackedStudy

_OURS = "events.out.tfevents.*.lossassay.*"


class TensorBoardTracker:
    """Event files in a folder.

    Args:
        folder: The folder that TensorBoard is pointed at; made if it is not there.
    """

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise TrackerError(f"--tensorboard {folder} is a file; expected a folder. Choose another name.")
        self.place = str(folder)
        self._folder = folder
        self._arms: dict[str, str] = {}
        self._study = Path()

    def begin(self, study: TrackedStudy) -> None:
        """Find the folder of the study."""
        self._arms = safe_names(study.arms)
        self._study = self._folder / safe_name(study.name)

    def has(self, key: RunKey) -> bool:
        """Return whether the event file of a run is there."""
        return any(path.name.endswith(f".{key.id}") for path in self._run_folder(key).glob(_OURS))

    def add(self, run: TrackedRun) -> None:
        """Write the event file of a run, in place of an earlier form of the run."""
        folder = self._run_folder(run.key)
        partial = folder / f".partial.{run.key.id}.{os.getpid()}"  # TensorBoard reads only names with "tfevents"
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            _write_events(partial, run)
            for earlier in folder.glob(_OURS):
                earlier.unlink(missing_ok=True)  # another process may send the same run
            partial.rename(folder / f"events.out.tfevents.{int(run.written_seconds)}.lossassay.{run.key.id}")

    def finish(self, study: TrackedStudy) -> None:
        """Do nothing: verdicts and tables have no place in TensorBoard."""

    def _run_folder(self, key: RunKey) -> Path:
        return self._study / self._arms[key.arm] / f"replicate-{key.replicate}"

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrackerError(
                f"The TensorBoard folder {self.place} cannot be written ({error.strerror}). "
                "Free some space, or choose another folder with --tensorboard."
            ) from error


def _write_events(path: Path, run: TrackedRun) -> None:
    """Write curves by epoch, the test part at the last epoch, and hyper-parameters for TensorBoard's table of runs."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    started = run.written_seconds - sum(run.epoch_seconds)
    with path.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=started, file_version="brain.Event:2").SerializeToString())
        for summary in _hyper_parameters(run):
            writer.write(Event(wall_time=started, summary=summary).SerializeToString())
        for name, epoch, seconds, value in _scalars(run):
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.write(Event(wall_time=seconds, step=epoch, summary=summary).SerializeToString())
        writer.flush()


def _scalars(run: TrackedRun) -> Iterator[tuple[str, int, float, float]]:
    """Return (name, epoch, seconds since 1970, value) of every point."""
    ends = run.epoch_ends()
    for name, points in run.curves.items():
        for epoch, value in points:
            yield name, epoch, ends[epoch - 1], value
    for name, value in run.yardsticks.items():
        yield f"test/{name}", len(ends), run.written_seconds, value


def _hyper_parameters(run: TrackedRun) -> list[Any]:
    """Return the three summaries of the hparams plugin: which columns there are, their values, how the run ended."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    start = plugin_data_pb2.SessionStartInfo(start_time_secs=run.written_seconds - sum(run.epoch_seconds))
    columns = []
    for name, text in run.params.items():
        number = _number(text)
        if number is None:
            start.hparams[name].string_value = text
        else:
            start.hparams[name].number_value = number
        kind = "DATA_TYPE_STRING" if number is None else "DATA_TYPE_FLOAT64"
        columns.append(api_pb2.HParamInfo(name=name, type=api_pb2.DataType.Value(kind)))
    experiment = api_pb2.Experiment(
        hparam_infos=columns,
        metric_infos=[api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"test/{name}")) for name in run.yardsticks],
    )
    status = "STATUS_SUCCESS" if run.status == "finished" else "STATUS_FAILURE"
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value(status), end_time_secs=run.written_seconds)
    data = plugin_data_pb2.HParamsPluginData
    return [
        _tagged(metadata.EXPERIMENT_TAG, data(experiment=experiment)),
        _tagged(metadata.SESSION_START_INFO_TAG, data(session_start_info=start)),
        _tagged(metadata.SESSION_END_INFO_TAG, data(session_end_info=end)),
    ]


def _tagged(tag: str, content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    return Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content))])


def _number(text: str) -> float | None:
    """Return a parameter as a number, or None where it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
