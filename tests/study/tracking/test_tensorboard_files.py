"""Event files, read back with TensorBoard's own reader."""

import socket
from pathlib import Path

import polars as pl
import pytest

from lossassay import api
from lossassay.errors import TrackerError
from lossassay.study.tracking.record import RunKey, StoredStudy
from lossassay.study.tracking.tensorboard_files import TensorBoardTracker

pytest.importorskip("tensorboard")


def read_back(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.fixture
def sent(finished: Path, tmp_path: Path) -> Path:
    found = api.track(finished, api.Trackers(tensorboard=tmp_path / "board"))
    assert [(one.tracker, one.added, one.there) for one in found] == [("TensorBoard", 6, 0)]
    return tmp_path / "board"


def test_every_run_has_its_folder_with_the_curves_of_its_history(finished: Path, sent: Path) -> None:
    stored = StoredStudy(finished)
    for key in stored.keys():
        events = read_back(sent / "small" / key.arm / f"replicate-{key.replicate}")
        history = pl.read_parquet(finished / "runs" / key.id / "history.parquet")
        scalars = events.Scalars("train/loss")
        assert [point.step for point in scalars] == [1, 2]
        assert [point.value for point in scalars] == pytest.approx(history["train_loss"].to_list(), rel=1e-6)
        assert scalars[0].wall_time < scalars[1].wall_time
        test = events.Scalars("test/balanced_accuracy")
        assert (len(test), test[0].step) == (1, 2)
        assert test[0].value == pytest.approx(stored.run(key.id).yardsticks["balanced_accuracy"], rel=1e-6)


def test_the_table_of_hyper_parameters_has_the_loss_and_the_yardsticks(finished: Path, sent: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = read_back(sent / "small" / "mean_squared_error" / "replicate-1")
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["loss"].string_value == "mean_squared_error"
    assert values["training/epochs"].number_value == 2
    columns = HParamsPluginData.FromString(
        events.summary_metadata["_hparams_/experiment"].plugin_data.content
    ).experiment
    tags = {one.name.tag for one in columns.metric_infos}
    assert "test/balanced_accuracy" in tags
    assert tags <= set(events.Tags()["scalars"])


def test_a_second_call_writes_only_what_is_missing(finished: Path, sent: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in sent.rglob("events*")}
    assert len(files) == 6
    gone = sorted(files)[2]
    gone.unlink()
    found = api.track(finished, api.Trackers(tensorboard=sent))
    assert (found[0].added, found[0].there) == (1, 5)
    again = {path: path.stat().st_mtime_ns for path in sent.rglob("events*")}
    assert set(again) == set(files)
    assert {path: time for path, time in again.items() if path != gone} == {
        path: time for path, time in files.items() if path != gone
    }


def test_the_same_study_gives_the_same_bytes(finished: Path, sent: Path, tmp_path: Path) -> None:
    api.track(finished, api.Trackers(tensorboard=tmp_path / "again"))
    for path in sent.rglob("events*"):
        assert (tmp_path / "again" / path.relative_to(sent)).read_bytes() == path.read_bytes()


def test_an_earlier_form_of_a_run_makes_room(finished: Path, tmp_path: Path) -> None:
    stored = StoredStudy(finished)
    tracker = TensorBoardTracker(tmp_path)
    tracker.begin(stored.study(with_report=False))
    key = stored.keys()[0]
    folder = tmp_path / "small" / key.arm / "replicate-0"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1700000000.lossassay.0123").write_bytes(b"")
    (folder / "events.out.tfevents.1700000000.stranger").write_bytes(b"")
    assert not tracker.has(key)
    tracker.add(stored.run(key.id))
    assert tracker.has(key)
    assert not tracker.has(RunKey(id="0123", arm=key.arm, replicate=0))
    assert (folder / "events.out.tfevents.1700000000.stranger").exists()


def test_neither_the_machine_nor_the_user_is_named(finished: Path, sent: Path) -> None:
    words = [socket.gethostname().encode(), str(finished.parent).encode()]
    groups = pl.read_parquet(finished / "rows.parquet")["group"].drop_nulls().unique().to_list()
    words += [one.encode() for one in groups]
    for path in sent.rglob("*"):
        assert socket.gethostname() not in path.name
        if path.is_file():
            content = path.read_bytes()
            assert not any(word in content for word in words)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("")
    with pytest.raises(TrackerError, match="is a file; expected a folder"):
        TensorBoardTracker(tmp_path / "board")


def test_a_folder_that_cannot_be_written_is_said(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("a file where the study's folder should be")
    with pytest.raises(TrackerError, match=r"cannot be written .* choose another folder"):
        api.track(finished, api.Trackers(tensorboard=tmp_path))
