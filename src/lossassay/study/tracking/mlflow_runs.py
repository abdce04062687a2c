"""Runs in MLflow: an experiment for a study, a parent run for the study, a child run for each run.

A run is found again by its tag `lossassay.run_id`. Times are those of the stored run, so that a run that was cut off is
completed by sending the same values again: a server on a database keeps equal values once.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lossassay.errors import TrackerError
from lossassay.study.tracking.names import safe_names
from lossassay.study.tracking.record import RunKey, TrackedRun, TrackedStudy

# Read by MLflow when it is imported. Nothing is reported to its makers; a server that is away is given up soon.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
_STUDY, _DATA, _RUN, _WHOLE = "lossassay.study", "lossassay.data", "lossassay.run_id", "lossassay.whole"
_PARENT = "mlflow.parentRunId"  # MLflow's own: nests a run under another
_TAGS_AT_ONCE, _METRICS_AT_ONCE, _LONGEST_TAG, _LONGEST_PARAM = 90, 900, 8000, 6000  # limits of MLflow


class MlflowTracker:
    """A tracking server, or a database that MLflow opens itself.

    Args:
        uri: Tracking URI.
        experiment: Its name there; None: the name of the study.
    """

    name = "MLflow"

    def __init__(self, uri: str, experiment: str | None) -> None:
        self.place = without_password(uri)
        self._uri = uri
        self._experiment = experiment
        self._experiment_id = ""
        self._parent = ""
        self._there: dict[str, Any] = {}  # run id → MLflow's run
        self._opened: Any = None

    def begin(self, study: TrackedStudy) -> None:
        """Find or make experiment and parent run, and read which runs are there."""
        with self._explained():
            self._experiment_id = self._find_experiment(self._experiment or study.name)
            parents = self._search(f"tags.`{_DATA}` = '{study.digest}'")
            own = [run for run in parents if run.data.tags.get(_STUDY) == study.name]
            parent = own[0] if own else self._make_parent(study)
            self._parent = parent.info.run_id
            self._describe(parent, study)
            children = self._search(f"tags.`{_PARENT}` = '{self._parent}'")
            self._there = {run.data.tags[_RUN]: run for run in children if _RUN in run.data.tags}

    def has(self, key: RunKey) -> bool:
        """Return whether a run is there, whole."""
        return key.id in self._there and self._there[key.id].data.tags.get(_WHOLE) == "true"

    def add(self, run: TrackedRun) -> None:
        """Send a run; one that was cut off before is completed, and one that came from another process stays."""
        with self._explained():
            child = self._there.get(run.key.id) or self._find_child(run.key) or self._make_child(run)
            self._there[run.key.id] = child
            if self.has(run.key):
                return
            sent = child.info.run_id
            self._log(sent, params=run.params)
            self._log(sent, metrics=_metrics(run, child.info.start_time))
            self._client.set_tag(sent, _WHOLE, "true")
            status = "FINISHED" if run.status == "finished" else "FAILED"
            length_ms = round(1000 * sum(run.epoch_seconds))
            self._client.set_terminated(sent, status=status, end_time=child.info.start_time + length_ms)
            self._there[run.key.id] = self._client.get_run(sent)

    def finish(self, study: TrackedStudy) -> None:
        """Set the verdicts as tags of the parent run, and send tables and report where they changed."""
        with self._explained():
            self._log(self._parent, tags=_verdict_tags(study))
            digest = study.artefact_digest()
            parent = self._client.get_run(self._parent)
            if study.artefacts and parent.data.tags.get("lossassay.artefacts") != digest:
                for name, path in study.artefacts.items():
                    folder = name.rpartition("/")[0] or None
                    self._client.log_artifact(self._parent, str(path), artifact_path=folder)
                self._client.set_tag(self._parent, "lossassay.artefacts", digest)
            if study.analysed and parent.info.status == "RUNNING":
                self._client.set_terminated(self._parent)

    @property
    def _client(self) -> Any:
        if self._opened is None:
            for key, value in _SETTINGS.items():
                os.environ.setdefault(key, value)
            from mlflow.tracking import MlflowClient

            self._opened = MlflowClient(tracking_uri=self._uri)
        return self._opened

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        if found.lifecycle_stage != "active":
            raise TrackerError(
                f"The MLflow experiment {name!r} at {self.place} was deleted. Expected one that is in use, or none. "
                "Restore it there, or name another one with --experiment."
            )
        return str(found.experiment_id)

    def _make_parent(self, study: TrackedStudy) -> Any:
        tags = {_STUDY: study.name, _DATA: study.digest}
        return self._client.create_run(self._experiment_id, run_name=study.name, tags=tags)

    def _describe(self, parent: Any, study: TrackedStudy) -> None:
        """Set the parameters of the study; MLflow changes none, so one that changed later stands in a tag."""
        known = parent.data.params
        self._log(self._parent, params={key: text for key, text in study.params.items() if key not in known})
        changed = {key: text for key, text in study.params.items() if known.get(key, text) != text}
        self._log(self._parent, tags={f"lossassay.now.{key}": text for key, text in changed.items()})

    def _find_child(self, key: RunKey) -> Any:
        """Return a run that another process sent since `begin`, or None."""
        found = self._search(f"tags.`{_PARENT}` = '{self._parent}' and tags.`{_RUN}` = '{key.id}'")
        return found[0] if found else None

    def _make_child(self, run: TrackedRun) -> Any:
        tags = {
            _PARENT: self._parent,
            _RUN: run.key.id,
            "lossassay.arm": run.key.arm,
            "lossassay.replicate": str(run.key.replicate),
            "lossassay.status": run.status,
        }
        started_ms = round(1000 * (run.written_seconds - sum(run.epoch_seconds)))
        return self._client.create_run(self._experiment_id, started_ms, tags, run_name=run.title)

    def _search(self, condition: str) -> list[Any]:
        """Return every run of the experiment that fulfils a condition, oldest first."""
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], condition, order_by=["attributes.start_time ASC"], page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return found

    def _log(
        self,
        run_id: str,
        *,
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        metrics: Sequence[Any] = (),
    ) -> None:
        """Send values in portions that MLflow takes."""
        from mlflow.entities import Param, RunTag

        all_params = [Param(_key(key), text[:_LONGEST_PARAM]) for key, text in (params or {}).items()]
        all_tags = [RunTag(_key(key), text[:_LONGEST_TAG]) for key, text in (tags or {}).items()]
        for portion in _portions(metrics, _METRICS_AT_ONCE):
            self._client.log_batch(run_id, metrics=portion)
        for portion in _portions(all_params, _TAGS_AT_ONCE):
            self._client.log_batch(run_id, params=portion)
        for portion in _portions(all_tags, _TAGS_AT_ONCE):
            self._client.log_batch(run_id, tags=portion)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever MLflow, its database or the network raise into one error for people."""
        try:
            yield
        except TrackerError:
            raise
        except Exception as error:
            reason = str(error).replace(self._uri, self.place).split("\n")[0][:300]
            raise TrackerError(
                f"MLflow at {self.place} cannot be reached or refuses: {reason} Check the address and whether the "
                "server runs. Everything stays in the out folder: `lossassay track` sends it later."
            ) from error


def without_password(uri: str) -> str:
    """Return an address without user and password.

    Example:
        >>> without_password("http://name:secret@host:5000/path")
        'http://host:5000/path'
    """
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _metrics(run: TrackedRun, start_ms: int) -> list[Any]:
    """Return curves by epoch and the test part at the last epoch, at times counted from the start of the run."""
    from mlflow.entities import Metric

    written_ms = round(1000 * run.written_seconds)
    length_ms = round(1000 * sum(run.epoch_seconds))
    ends = [start_ms + length_ms + round(1000 * end) - written_ms for end in run.epoch_ends()]
    points = [
        Metric(_key(name), value, ends[epoch - 1], epoch)
        for name, curve in run.curves.items()
        for epoch, value in curve
    ]
    last = start_ms + length_ms
    return points + [Metric(_key(f"test/{name}"), value, last, len(ends)) for name, value in run.yardsticks.items()]


def _verdict_tags(study: TrackedStudy) -> dict[str, str]:
    names = safe_names(study.arms)
    return {f"lossassay.verdict.{names[one.arm_a]} vs {names[one.arm_b]}": one.text for one in study.verdicts}


def _key(name: str) -> str:
    """Return a name that MLflow takes as a key: letters, digits, and ``_-. :/``."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)[:250]


def _portions(values: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), most):
        yield values[start : start + most]
