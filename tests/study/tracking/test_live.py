"""Trackers while a study runs: each finished run at once, and no failure that stops or delays training."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lossassay import api
from lossassay.errors import TrackerError, UnfinishedError
from lossassay.study.progress import Progress
from lossassay.study.tracking import tracker
from lossassay.study.tracking.live import LiveTracking
from lossassay.study.tracking.record import RunKey, StoredStudy, TrackedRun, TrackedStudy
from lossassay.study.tracking.send import sending_turn
from tests.study.helpers import assert_same_tables, small_study


class Recorder:
    """A tracker that remembers, and fails at the run that it is told."""

    name, place = "Recorder", "here"

    def __init__(self, *, fails_at: int = -1) -> None:
        self.calls: list[tuple[str, str]] = []
        self.threads: set[str] = set()
        self._fails_at = fails_at

    def begin(self, study: TrackedStudy) -> None:
        self.calls.append(("begin", study.name))

    def has(self, key: RunKey) -> bool:
        return ("add", key.id) in self.calls

    def add(self, run: TrackedRun) -> None:
        self.threads.add(threading.current_thread().name)
        if self._fails_at == sum(what == "add" for what, _ in self.calls):
            raise TrackerError("Recorder refuses.")
        self.calls.append(("add", run.key.id))

    def finish(self, study: TrackedStudy) -> None:
        self.calls.append(("finish", study.name))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return use(Recorder(), monkeypatch)


def use(recorder: Recorder, patch: pytest.MonkeyPatch) -> Recorder:
    for module in ("live", "send"):
        patch.setattr(f"lossassay.study.tracking.{module}.open_trackers", lambda asked: [recorder])
    return recorder


def done(run_id: str) -> dict[str, Any]:
    return {"event": "done", "id": run_id, "status": "finished"}


def test_runs_are_sent_as_they_finish_by_a_thread_and_the_rest_at_the_end(finished: Path, recorder: Recorder) -> None:
    keys = StoredStudy(finished).keys()
    passed_on: list[dict[str, Any]] = []
    warnings: list[str] = []
    with LiveTracking(finished, tracker.Trackers(), warnings.append) as tracking:
        watched = tracking.watching(Progress(on_message=passed_on.append))
        watched.on_message({"event": "epoch", "id": keys[3].id, "epoch": 1, "yardstick": None})
        watched.on_message(done(keys[3].id))
        watched.on_message({"event": "failed", "id": keys[4].id, "message": "no"})
        tracking.finish()
    assert [message["event"] for message in passed_on] == ["epoch", "done", "failed"]
    assert recorder.calls[:2] == [("begin", "small"), ("add", keys[3].id)]
    assert {run_id for what, run_id in recorder.calls if what == "add"} == {key.id for key in keys}
    assert recorder.calls[-1] == ("finish", "small")
    assert recorder.threads == {"trackers", "MainThread"}
    assert warnings == []


def test_a_failure_becomes_one_warning_and_nothing_more_is_tried(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = use(Recorder(fails_at=1), monkeypatch)
    warnings: list[str] = []
    with LiveTracking(finished, tracker.Trackers(), warnings.append) as tracking:
        watched = tracking.watching(Progress())
        for key in StoredStudy(finished).keys():
            watched.on_message(done(key.id))
        tracking.finish()
    assert warnings == ["The study goes on without trackers. Recorder refuses."]
    assert [what for what, _ in recorder.calls] == ["begin", "add"]


def test_a_trial_of_tuning_is_no_run_of_the_study(finished: Path, recorder: Recorder) -> None:
    with LiveTracking(finished, tracker.Trackers(), pytest.fail) as tracking:
        tracking.watching(Progress()).on_message(done("0123456789"))
        tracking.finish()
    assert ("add", "0123456789") not in recorder.calls


def test_a_process_that_leaves_the_rest_to_others_sends_its_own_runs(finished: Path, recorder: Recorder) -> None:
    key = StoredStudy(finished).keys()[0]
    with LiveTracking(finished, tracker.Trackers(), pytest.fail) as tracking:
        tracking.watching(Progress()).on_message(done(key.id))
        tracking.__exit__(UnfinishedError, UnfinishedError(3), None)
        assert recorder.calls == [("begin", "small"), ("add", key.id)]


def test_one_process_at_a_time_sends_the_runs_of_a_folder(finished: Path, recorder: Recorder) -> None:
    key = StoredStudy(finished).keys()[0]
    with LiveTracking(finished, tracker.Trackers(), pytest.fail) as tracking:
        with sending_turn(finished):  # as another process
            tracking.watching(Progress()).on_message(done(key.id))
            time.sleep(0.3)
            assert recorder.calls == []
        tracking.finish()
    assert recorder.calls[:2] == [("begin", "small"), ("add", key.id)]


def test_the_plan_is_read_once(finished: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def opening(folder: Path) -> StoredStudy:
        opened.append(folder)
        return StoredStudy(folder)

    monkeypatch.setattr("lossassay.study.tracking.live.StoredStudy", opening)
    with LiveTracking(finished, tracker.Trackers(), pytest.fail) as tracking:
        for key in StoredStudy(finished).keys():
            tracking.watching(Progress()).on_message(done(key.id))
        tracking.finish()
    assert opened == [finished]


def test_a_study_in_a_folder_that_cannot_be_written_is_sent_all_the_same(
    finished: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, **_options: object) -> None:
        raise PermissionError(13, "read-only", str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    api.track(finished, tracker.Trackers())
    assert recorder.calls[-1] == ("finish", "small")


def test_whatever_a_tracker_raises_stops_nothing(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = use(Recorder(), monkeypatch)
    monkeypatch.setattr(recorder, "finish", lambda study: 1 / 0)
    warnings: list[str] = []
    with LiveTracking(finished, tracker.Trackers(), warnings.append) as tracking:
        tracking.finish()
    assert warnings == [
        "The study goes on without trackers. ZeroDivisionError: division by zero. "
        "`lossassay track` sends the study later."
    ]


def test_without_trackers_nothing_is_started(finished: Path) -> None:
    with LiveTracking(finished, None, pytest.fail) as tracking:
        tracking.finish()
    assert "trackers" not in {thread.name for thread in threading.enumerate()}


def test_a_study_that_is_watched_gives_the_numbers_of_one_that_is_not(
    images: Path, finished: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    study = small_study(images)
    api.run(study, tmp_path / "out", workers=1, trackers=api.Trackers(tensorboard=tmp_path / "board"))
    assert_same_tables(finished, tmp_path / "out")
    assert len(list((tmp_path / "board").rglob("events*"))) == 6


@pytest.mark.slow
def test_a_server_that_is_away_gives_one_warning_and_a_whole_study(images: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    study = small_study(images, epochs=1, replicates=2)
    study = study.model_copy(update={"arms": study.arms[1:]})
    trackers = api.Trackers(mlflow="http://me:secret@127.0.0.1:9", tensorboard=tmp_path / "board")
    with pytest.warns(UserWarning, match=r"without trackers. MLflow at http://127.0.0.1:9 cannot be reached") as seen:
        results = api.run(study, tmp_path / "out", workers=1, trackers=trackers)
    assert len(results.runs) == 4
    assert len([one for one in seen if "trackers" in str(one.message)]) == 1
    assert "secret" not in str(seen[0].message)


def test_a_package_that_is_missing_is_said_before_anything_is_trained(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "find_spec", lambda package: None)
    for option, trackers in (
        ("mlflow", api.Trackers(mlflow="http://127.0.0.1:9")),
        ("tensorboard", api.Trackers(tensorboard=tmp_path / "board")),
    ):
        with pytest.raises(TrackerError, match=rf'--{option} was given.*pip install "lossassay\[{option}\]"'):
            api.run(small_study(images), tmp_path / "out", trackers=trackers)
        assert not (tmp_path / "out").exists()


def test_the_package_of_a_tracker_is_imported_only_when_one_is_asked_for(finished: Path) -> None:
    code = (
        f"import sys; from lossassay import api; api.track({str(finished)!r}, api.Trackers())\n"
        "print(sorted({'mlflow', 'tensorboard'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
