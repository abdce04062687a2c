"""A real Ray cluster of three nodes on this machine: the same tables, also when a node is killed in the middle."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lossassay import api
from lossassay.config import Study
from lossassay.executors.choice import Executor
from lossassay.study.progress import Progress
from lossassay.study.store import Store
from tests.study.helpers import assert_same_tables, small_study, write_images

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.xdist_group("ray"),
]
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

    def kill(self, node_id: str) -> None:
        """End a node's processes as a power failure would."""
        node = next(one for one in self.others if one.node_id == node_id)
        self.others.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[ThreeNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        started = ThreeNodes()
        try:
            yield started
        finally:
            ray.shutdown()
            started.cluster.shutdown()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Six runs of five epochs."""
    return small_study(write_images(tmp_path_factory.mktemp("ray-images")), epochs=5)


@pytest.fixture(scope="module")
def expected(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of the same study on the local executor."""
    out = tmp_path_factory.mktemp("ray-local") / "out"
    api.run(study, out, workers=2)
    return out


class Listener:
    """What a study said, and something to do at the first message that fits."""

    def __init__(self, act: Callable[[dict[str, Any]], bool] = lambda message: True) -> None:
        self.messages: list[dict[str, Any]] = []
        self.stages: list[str] = []
        self._act, self._acted = act, False
        self.progress = Progress(on_message=self._on_message, on_stage=self.stages.append)

    def _on_message(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if not self._acted:
            self._acted = self._act(message)

    def ends(self) -> Counter[str]:
        return Counter(message["id"] for message in self.messages if message["event"] in ("done", "failed"))


@pytest.mark.parametrize("transfer", ["shared", "object-store"])
def test_three_nodes_give_the_tables_of_one_machine(
    nodes: ThreeNodes, study: Study, expected: Path, tmp_path: Path, transfer: str
) -> None:
    nodes.fill()
    listener = Listener()
    executor = Executor(kind="ray", address=nodes.address, transfer=transfer)
    api.run(study, tmp_path / "out", executor=executor, progress=listener.progress)
    assert_same_tables(expected, tmp_path / "out")
    assert set(listener.ends().values()) == {1}
    assert listener.ends().keys() == Store(expected).finished()
    assert not list((tmp_path / "out" / "checkpoints").glob("*"))
    assert not list((tmp_path / "out").glob(".lossassay*"))
    assert not ray.is_initialized()
