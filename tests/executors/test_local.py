"""The local executor: every job ends once, whatever its worker does."""

import sys
import threading
from pathlib import Path

import psutil
import pytest

from lossassay.errors import WorkerError
from lossassay.executors.local import run_jobs

ECHO = """
import json, os, signal, sys
setup = json.loads(sys.stdin.readline())
for line in sys.stdin:
    job = json.loads(line)
    if job["id"] == setup.get("dies_on"):
        print("last words", file=sys.stderr, flush=True)
        os._exit(7)
    print(json.dumps({"event": "epoch", "id": job["id"], "pid": os.getpid()}), flush=True)
    print(json.dumps({"event": "done", "id": job["id"]}), flush=True)
"""

SLOW = ECHO.replace("    job =", "    import time\n    time.sleep(3 * ('slow' in line))\n    job =")


def collect(jobs: list[str], workers: int, setup: dict[str, str]) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = []
    run_jobs(
        [{"id": job} for job in jobs],
        command=[sys.executable, "-c", ECHO],
        setup=setup,
        workers=workers,
        on_message=messages.append,
    )
    return messages


def test_every_job_is_done_once() -> None:
    jobs = [f"job {number}" for number in range(7)]
    messages = collect(jobs, workers=2, setup={})
    assert sorted(str(m["id"]) for m in messages if m["event"] == "done") == jobs
    assert len({m["pid"] for m in messages if m["event"] == "epoch"}) <= 2


def test_without_jobs_nothing_is_started() -> None:
    assert collect([], workers=2, setup={}) == []


def test_a_worker_that_dies_fails_its_job_only_and_is_replaced() -> None:
    messages = collect(["a", "b", "c"], workers=1, setup={"dies_on": "b"})
    ends = {str(m["id"]): m for m in messages if m["event"] in ("done", "failed")}
    assert {key: end["event"] for key, end in ends.items()} == {"a": "done", "b": "failed", "c": "done"}
    assert ends["b"]["message"] == "the worker process ended with code 7: last words"


def test_workers_are_gone_afterwards_also_after_an_error(tmp_path: Path) -> None:
    def fail(message: dict[str, object]) -> None:
        raise KeyboardInterrupt

    before = {child.pid for child in psutil.Process().children()}
    try:
        run_jobs([{"id": "a"}], command=[sys.executable, "-c", ECHO], setup={}, workers=1, on_message=fail)
    except KeyboardInterrupt:
        pass
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_job_that_is_refused_is_offered_again_while_others_run() -> None:
    refused: list[str] = []
    ended: list[str] = []

    def take(job: dict[str, object]) -> bool:
        free = job["id"] != "held" or len(refused) == 2
        if not free:
            refused.append(str(job["id"]))
        return free

    run_jobs(
        [{"id": "held"}, {"id": "slow"}],
        command=[sys.executable, "-c", SLOW],
        setup={},
        workers=2,
        on_message=lambda message: ended.append(str(message["id"])) if message["event"] == "done" else None,
        take=take,
    )
    assert refused == ["held", "held"]
    assert ended == ["held", "slow"]


def test_what_is_refused_to_the_end_comes_back_from_more_or_never() -> None:
    rounds = [[{"id": "a"}], []]
    asked: list[str] = []

    def take(job: dict[str, object]) -> bool:
        asked.append(str(job["id"]))
        return False

    run_jobs(
        [{"id": "a"}],
        command=[sys.executable, "-c", ECHO],
        setup={},
        workers=1,
        on_message=lambda message: None,
        more=lambda: rounds.pop(0),
        take=take,
    )
    assert asked == ["a", "a"]


def ends_within(seconds: float, code: str, jobs: list[str]) -> tuple[list[dict[str, object]], list[Exception]]:
    """Run jobs in a thread, so that a wait without an end is a failed test."""
    messages: list[dict[str, object]] = []
    problems: list[Exception] = []
    told = {"command": [sys.executable, "-c", code], "setup": {}, "workers": 1, "on_message": messages.append}

    def work() -> None:
        try:
            run_jobs([{"id": job} for job in jobs], **told)
        except Exception as error:
            problems.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive()
    return messages, problems


def test_a_worker_that_dies_in_the_middle_of_a_line_is_a_failed_job() -> None:
    code = "import sys; sys.stdin.readline(); sys.stdin.readline(); print('{', end='', flush=True)"
    messages, problems = ends_within(30, code, ["a"])
    assert [message["event"] for message in messages] == ["failed"]
    assert messages[0]["message"] == "the worker process ended with code 0: {"
    assert not problems


def test_what_other_code_prints_is_no_message() -> None:
    noise = "print('hello'); print('[1]'); print('{}'); sys.stdout.buffer.write(b'\\xff\\n')"
    code = ECHO.replace(
        '    print(json.dumps({"event": "epoch"', f'    {noise}\n    print(json.dumps({{"event": "epoch"'
    )
    assert noise in code
    messages, problems = ends_within(30, code, ["a", "b"])
    assert [message["event"] for message in messages] == ["epoch", "done"] * 2
    assert not problems


def test_workers_that_cannot_start_stop_the_work() -> None:
    messages, problems = ends_within(60, "raise ImportError('no such module')", [str(job) for job in range(10)])
    assert [message["event"] for message in messages] == ["failed"] * 3
    words = "3 training processes in a row ended before their first message; .* code 1: .*ImportError: no such module"
    with pytest.raises(WorkerError, match=words):
        raise problems[0]


def test_workers_that_started_and_die_at_their_jobs_fail_only_these() -> None:
    code = """
import json, sys
print(json.dumps({"event": "ready"}), flush=True)
sys.stdin.readline()
sys.stdin.readline()
"""
    messages, problems = ends_within(60, code, list("abcde"))
    assert [message["event"] for message in messages] == ["failed"] * 5
    assert not problems
