"""The command `track`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossassay.cli import app
from lossassay.errors import OutFolderError
from lossassay.study.tracking.tracker import Sent

runner = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the public function was called with; it answers as if there was one run more than before."""
    calls: list[object] = []

    def track(folder: Path, trackers: object) -> tuple[Sent, ...]:
        calls.append(trackers)
        return (Sent(tracker="MLflow", place="http://here", added=1, there=5),)

    monkeypatch.setattr("lossassay.api.track", track)
    return calls


def test_options_become_trackers_and_the_answer_one_line(asked: list[object]) -> None:
    found = runner.invoke(app, ["track", "out", "--mlflow", "http://here", "--experiment", "x", "--tables-only"])
    assert found.exit_code == 0
    assert found.stdout == "MLflow (http://here): 1 run added, 5 already there\n"
    (trackers,) = asked
    assert (trackers.mlflow, trackers.experiment, trackers.with_report) == ("http://here", "x", False)  # type: ignore[attr-defined]


def test_json_is_for_programs(asked: list[object]) -> None:
    found = runner.invoke(app, ["track", "out", "--tensorboard", "board", "--json"])
    assert json.loads(found.stdout) == [{"tracker": "MLflow", "place": "http://here", "added": 1, "there": 5}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give --mlflow URI, --tensorboard DIR, or both"),
        (["--experiment", "x", "--tensorboard", "board"], "--experiment is for MLflow"),
        (["--tables-only"], "--tables-only is for MLflow"),
    ],
)
def test_options_that_say_nothing_are_refused(options: list[str], message: str, asked: list[object]) -> None:
    found = runner.invoke(app, ["track", "out", *options], env={"COLUMNS": "300", "NO_COLOR": "1"})
    assert found.exit_code == 2
    assert message in found.output
    assert asked == []


def test_run_takes_the_same_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[dict[str, object]] = []

    def run(study: Path, **options: object) -> None:
        calls.append(options)
        raise OutFolderError("stopped here")

    monkeypatch.setattr("lossassay.api.run", run)
    command = ["run", "study.toml", "--out", str(tmp_path / "out")]
    for options in (["--tensorboard", "board"], ["--mlflow", "http://here", "--tables-only"], []):
        assert isinstance(runner.invoke(app, command + options).exception, OutFolderError)
    board, server, nothing = (call["trackers"] for call in calls)
    assert (board.tensorboard, board.mlflow) == (Path("board"), None)  # type: ignore[attr-defined]
    assert (server.mlflow, server.with_report) == ("http://here", False)  # type: ignore[attr-defined]
    assert nothing is None
