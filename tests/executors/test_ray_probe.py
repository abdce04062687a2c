"""Which nodes can be used, and what people are told of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossassay.errors import ClusterError
from lossassay.executors import ray_on_node
from lossassay.executors.code_parcel import is_installed, pack_modules
from lossassay.executors.ray_cluster import why_no_report
from lossassay.executors.ray_probe import NodeReport, choose_transfer, note_on_processors, refuse_differences

HERE = ray_on_node.ask([], None)["versions"]


def report(name: str, *, why: str = "", processor: str = "one", **versions: str | None) -> NodeReport:
    found = HERE | versions
    return NodeReport(node_id=name, name=name, versions=found, sees=not why, why=why, processor=processor)


def test_this_process_agrees_with_itself() -> None:
    refuse_differences(HERE, [report("a"), report("b")])
    assert HERE["results_version"] is not None
    assert HERE["torch"] is not None


def test_nodes_that_differ_are_refused_with_their_versions() -> None:
    with pytest.raises(ClusterError, match=r"1 of 2 nodes differ .*\n  - b: torch 1.0 \(here .*numba missing"):
        refuse_differences(HERE, [report("a"), report("b", torch="1.0", numba=None)])


def test_other_source_of_lossassay_is_refused_and_none_at_all_is_not() -> None:
    refuse_differences(HERE, [report("a", lossassay=None, results_version=None, code=None)])
    with pytest.raises(ClusterError, match=r"lossassay source 0123 \(here"):
        refuse_differences(HERE, [report("a", code="0123")])


def test_auto_takes_shared_folders_only_where_every_node_sees_them() -> None:
    assert choose_transfer("auto", [report("a"), report("b")])[0] is True
    shared, chosen, notes = choose_transfer("auto", [report("a"), report("b", why="no such file")])
    assert (shared, len(chosen)) == (False, 2)
    assert "not seen by b (no such file)" in notes[0]


def test_shared_names_the_node_that_is_left_out() -> None:
    shared, chosen, notes = choose_transfer("shared", [report("a"), report("b", why="no such file")])
    assert (shared, [one.name for one in chosen]) == (True, ["a"])
    assert notes == ["left out, as the shared folders are not seen there: b (no such file)"]
    with pytest.raises(ClusterError, match="No node sees the shared folders: b"):
        choose_transfer("shared", [report("b", why="no such file")])


def test_different_processors_are_mentioned() -> None:
    assert note_on_processors([report("a"), report("b")]) == []
    assert "one: a; two: b" in note_on_processors([report("a"), report("b", processor="two")])[0]


def test_a_node_answers_a_file_that_it_sees_and_complains_of_others(tmp_path: Path) -> None:
    seen, reply = tmp_path / "seen", tmp_path / "reply"
    seen.write_text("nonce")
    expected = ray_on_node.witness(seen)
    assert ray_on_node.ask([expected], str(reply))["why"] == ""
    assert reply.read_text() == "here"
    seen.write_text("other")
    assert "is another file there" in ray_on_node.ask([expected], None)["why"]
    seen.unlink()
    assert "No such file" in ray_on_node.ask([expected], None)["why"]


def test_a_node_without_lossassay_works_with_the_code_that_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_job_of_test.py").write_text(
        "def open_jobs(setup, scratch):\n"
        "    def work(job, speak):\n"
        "        speak({'event': 'done', 'id': job['id'], 'said': setup['word']})\n"
        "    return work\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed("own_job_of_test")
    assert is_installed("numpy")
    assert is_installed("json")
    (tmp_path / "code.zip").write_bytes(pack_modules(["lossassay", "own_job_of_test"]))
    script = (
        f"import importlib.util, pathlib\nassert importlib.util.find_spec('lossassay') is None\n"
        f"exec(pathlib.Path({ray_on_node.__file__!r}).read_text())\n"
        f"actor = Actor()\n"
        f"actor.open('own_job_of_test:open_jobs', {{'word': 'hello'}}, pathlib.Path('code.zip').read_bytes())\n"
        f"print(actor.start({{'id': 'x'}}))\nactor.close()\n"
    )
    bare = [sys.executable, "-I", "-S", "-c", script]  # no installed packages at all
    answer = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout.strip() == "[{'event': 'done', 'id': 'x', 'said': 'hello'}]", answer.stderr


def test_a_node_whose_check_failed_is_left_out_with_the_cause() -> None:
    exceptions = pytest.importorskip("ray").exceptions
    traceback = "ray::ask() (pid=7)\n  File \"probe.py\", line 3\nModuleNotFoundError: No module named 'numpy'\n"
    failed = exceptions.RayTaskError("ask", traceback, ModuleNotFoundError("No module named 'numpy'"))
    assert why_no_report(failed, lost=False) == "the check of it failed (ModuleNotFoundError: No module named 'numpy')"
    gone = exceptions.GetTimeoutError("no answer")
    assert why_no_report(gone, lost=True) == "it does not answer (GetTimeoutError)"
