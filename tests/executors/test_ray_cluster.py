"""A real Ray cluster of three nodes on this machine: the same tables, also when a node is killed in the middle."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lossassay.config import Study
from lossassay.errors import ClusterError
from lossassay.executors.choice import Executor
from lossassay.executors.ray_cluster import connected
from lossassay.study.folder.store import Store
from lossassay.study.progress import Progress
from lossassay.study.run import run_study
from tests.study.helpers import assert_same_tables, small_study, write_images

ray = pytest.importorskip("ray")
STORE_BYTES = 80_000_000  # the least that Ray takes; continuous integration has little shared memory


class ThreeNodes:
    """A head and two more nodes, with one processor each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.others: list[Any] = []
        self.fill()

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def fill(self) -> None:
        """Start nodes until there are three."""
        while len(self.others) < 2:
            self.others.append(self.cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES))

    def further_node(self, name: str) -> Any:
        """The node that a message names, or None for the head, which cannot be lost."""
        return next((node for node in self.others if node.node_id[:8] in name), None)

    def kill(self, node: Any) -> None:
        """End a node's processes as a power failure would."""
        self.others.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[ThreeNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        started = ThreeNodes()
        try:
            yield started
        finally:
            ray.shutdown()
            started.cluster.shutdown()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Four runs of twelve epochs."""
    arms = [{"loss": "categorical_crossentropy"}, {"loss": "mean_squared_error"}]
    return small_study(write_images(tmp_path_factory.mktemp("ray-images")), epochs=12, arms=arms)


@pytest.fixture(scope="module")
def expected(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of the same study on the local executor."""
    out = tmp_path_factory.mktemp("ray-local") / "out"
    run_study(study, out, workers=2)
    return out


class Listener:
    """What a study said, and something to do at one moment of it."""

    def __init__(self, act: Callable[[dict[str, Any]], bool] = lambda message: True) -> None:
        self.messages: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._act, self._acted = act, False
        self.progress = Progress(on_message=self._on_message, on_stage=self.notes.append)

    def _on_message(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if not self._acted:
            self._acted = self._act(message)

    def ends(self) -> Counter[str]:
        return Counter(message["id"] for message in self.messages if message["event"] == "done")

    def epochs(self) -> Counter[tuple[str, int]]:
        return Counter((message["id"], message["epoch"]) for message in self.messages if message["event"] == "epoch")


@pytest.mark.parametrize("transfer", ["shared", pytest.param("object-store", marks=pytest.mark.slow)])
def test_a_node_killed_in_the_middle_changes_no_table(
    nodes: ThreeNodes, study: Study, expected: Path, tmp_path: Path, transfer: str
) -> None:
    def kill(message: dict[str, Any]) -> bool:
        node = nodes.further_node(message["node"])
        if node is None or message.get("epoch", 0) < 2:
            return False
        nodes.kill(node)
        killed.append(message["id"])
        return True

    killed: list[str] = []
    listener = Listener(kill)
    executor = Executor(kind="ray", address=nodes.address, transfer=transfer, checkpoint_seconds=0)
    run_study(study, tmp_path / "out", executor=executor, progress=listener.progress)
    nodes.fill()

    assert len(killed) == 1
    assert any(note.startswith("lost: node or process") for note in listener.notes), listener.notes
    assert listener.ends() == dict.fromkeys(Store(expected).finished(), 1)
    twice = {run: epoch for (run, epoch), count in listener.epochs().items() if count > 1}
    assert sum(listener.epochs().values()) <= 4 * 12 + 1, twice  # at most one epoch was computed again
    assert_same_tables(expected, tmp_path / "out")
    assert not list((tmp_path / "out" / "checkpoints").glob("*"))
    assert not list((tmp_path / "out").glob(".lossassay*"))


@pytest.mark.slow
def test_ctrl_c_leaves_the_cluster_as_it_was_and_keeps_what_was_computed(
    nodes: ThreeNodes, study: Study, tmp_path: Path
) -> None:
    def interrupt(message: dict[str, Any]) -> bool:
        if message.get("epoch") == 3:
            raise KeyboardInterrupt
        return False

    executor = Executor(kind="ray", address=nodes.address, transfer="object-store", checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "out", executor=executor, progress=Listener(interrupt).progress)
    assert list((tmp_path / "out" / "checkpoints").glob("*.safetensors"))
    assert not ray.is_initialized()
    with connected(executor) as joined:
        assert sum(node["Alive"] for node in joined.nodes()) == 3
        deadline = time.monotonic() + 30
        while joined.available_resources().get("CPU") != 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert joined.available_resources()["CPU"] == 3  # none of our actors holds a processor


def test_a_run_that_needs_more_than_any_node_has_is_refused(nodes: ThreeNodes, study: Study, tmp_path: Path) -> None:
    wide = study.model_copy(update={"training": study.training.model_copy(update={"threads": 2})})
    with pytest.raises(ClusterError, match=r"No node of the cluster has room for a run, which needs 2 CPU"):
        run_study(wide, tmp_path / "out", executor=Executor(kind="ray", address=nodes.address))
