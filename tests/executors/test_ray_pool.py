"""What happens to jobs when nodes are lost or full, without Ray."""

from typing import Any

import pytest

from lossassay.errors import ClusterError
from lossassay.executors.ray_pool import LOSSES_AT_MOST, Pool
from tests.executors.fake_cluster import FakeNodes, FakeWork, GoneError

Message = dict[str, Any]


def done(job: str | None) -> Message:
    return {"event": "done", "id": job, "status": "finished"}


def run(pool: Pool, jobs: list[str]) -> list[Message]:
    heard: list[Message] = []
    pool.offer([{"id": job} for job in jobs])
    while pool.unfinished:
        pool.next_messages(heard.append)
    return heard


def test_jobs_are_spread_over_the_nodes_and_each_ends_once() -> None:
    nodes = FakeNodes({"a": 2, "b": 1}, lambda node, method, job: [done(job)])
    heard = run(Pool(nodes, FakeWork(), None), ["1", "2", "3", "4", "5"])
    assert sorted(message["id"] for message in heard) == ["1", "2", "3", "4", "5"]
    assert sorted(nodes.started) == ["a", "a", "b"]
    assert {message["node"] for message in heard} <= {"host a", "host b"}


def test_no_more_actors_than_workers() -> None:
    nodes = FakeNodes({"a": 2, "b": 2}, lambda node, method, job: [done(job)])
    run(Pool(nodes, FakeWork(), 1), ["1", "2", "3"])
    assert len(nodes.started) == 1


def test_a_lost_node_costs_no_job() -> None:
    def script(node: str, method: str, job: str | None) -> Any:
        if node == "a":
            nodes.rooms.pop("a", None)
            return GoneError("the power failed")
        return [done(job)]

    nodes, work = FakeNodes({"a": 1, "b": 1}, script), FakeWork()
    heard = run(Pool(nodes, work, None), ["1", "2", "3"])
    assert sorted(message["id"] for message in heard) == ["1", "2", "3"]
    assert any(note.startswith("lost: node or process") and "the power failed" in note for note in work.notes)


def test_a_result_that_arrived_before_its_node_was_lost_is_not_computed_again() -> None:
    def script(node: str, method: str, job: str | None) -> Any:
        computed.append(job)
        work.there.add(str(job))
        return GoneError("lost after writing") if len(computed) == 1 else [done(job)]

    computed: list[str | None] = []
    nodes, work = FakeNodes({"a": 1}, script), FakeWork()
    heard = run(Pool(nodes, work, None), ["1"])
    assert (computed, heard) == (["1"], [done("1")])


def test_a_job_under_which_every_process_dies_fails_and_the_others_go_on() -> None:
    def script(node: str, method: str, job: str | None) -> Any:
        return GoneError("killed") if job == "bad" else [done(job)]

    nodes = FakeNodes({"a": 1, "b": 1}, script)
    heard = {message["id"]: message for message in run(Pool(nodes, FakeWork(), None), ["bad", "good"])}
    assert heard["good"]["event"] == "done"
    assert heard["bad"]["event"] == "failed"
    assert f"lost {LOSSES_AT_MOST + 1} times" in heard["bad"]["message"]


def test_the_job_of_a_node_with_a_full_disk_goes_to_another_once() -> None:
    def script(node: str, method: str, job: str | None) -> Any:
        asked.append(node)
        full = {"event": "failed", "id": job, "message": "The disk of /tmp is full.", "fatal": True}
        return [full] if node == "a" else [done(job)]

    asked: list[str] = []
    nodes, work = FakeNodes({"a": 2, "b": 1}, script), FakeWork()
    heard = run(Pool(nodes, work, 1), ["1", "2", "3"])
    assert [message["event"] for message in heard] == ["done"] * 3
    assert asked.count("a") == 1
    assert "On node host a: The disk of /tmp is full." in work.notes[0]
    assert "a" in nodes.stopped


def test_full_disks_everywhere_end_the_study() -> None:
    def script(node: str, method: str, job: str | None) -> Any:
        return [{"event": "failed", "id": job, "message": "The disk of /out is full.", "fatal": True}]

    heard = run(Pool(FakeNodes({"a": 1, "b": 1}, script), FakeWork(), 1), ["1"])
    assert [message.get("fatal") for message in heard] == [True]
    assert heard[0]["message"] == "On node host b: The disk of /out is full."


def test_code_that_fails_on_a_node_is_no_reason_to_wait_for_ever() -> None:
    class Failing(FakeNodes):
        def answer(self, call: Any) -> Any:
            return ValueError("no module named polars")

    with pytest.raises(ClusterError, match=r"No node of the cluster is left to work .*no module named polars"):
        run(Pool(Failing({"a": 1, "b": 1}, lambda *_: []), FakeWork(), None), ["1"])


def test_without_shared_folders_a_job_is_prepared_each_time_it_is_handed_out() -> None:
    class Preparing(FakeWork):
        def prepare(self, job: Message) -> Message:
            prepared.append(job["id"])
            return job

    def script(node: str, method: str, job: str | None) -> Any:
        return GoneError("killed") if len(prepared) == 1 else [done(job)]

    prepared: list[str] = []
    run(Pool(FakeNodes({"a": 1}, script, shared=False), Preparing(), None), ["1"])
    assert prepared == ["1", "1"]


def test_a_job_that_is_not_ours_is_left_out_and_offered_again_while_others_run() -> None:
    asked: list[str] = []

    def take(job: Message) -> bool:
        asked.append(job["id"])
        return job["id"] == "ours" or asked.count(job["id"]) > 2

    nodes = FakeNodes({"a": 1}, lambda node, method, job: [done(job)])
    pool = Pool(nodes, FakeWork(), None, take)
    heard: list[Message] = []
    pool.offer([{"id": "theirs"}, {"id": "ours"}])
    while pool.unfinished:
        pool.next_messages(heard.append)
    assert heard[0]["id"] == "ours"
    assert asked[:2] == ["theirs", "ours"]


def test_a_job_whose_node_was_lost_is_not_asked_for_again() -> None:
    asked: list[str] = []
    answers: list[Any] = [GoneError("the power failed"), [done("1")]]

    def script(node: str, method: str, job: str | None) -> Any:
        return answers.pop(0)

    pool = Pool(FakeNodes({"a": 1, "b": 1}, script), FakeWork(), 1, lambda job: bool(asked.append(job["id"])) or True)
    assert [message["event"] for message in run(pool, ["1"])] == ["done"]
    assert asked == ["1"]


def test_stop_ends_every_actor() -> None:
    nodes = FakeNodes({"a": 1, "b": 1}, lambda node, method, job: [])
    pool = Pool(nodes, FakeWork(), None)
    pool.offer([{"id": "1"}, {"id": "2"}])
    pool.next_messages(lambda message: None)
    pool.stop()
    assert sorted(nodes.stopped) == ["a", "b"]
