"""Jobs on the nodes of a Ray cluster; the only file that imports Ray.

One actor per run at a time: it takes job after job, so that a process imports torch once. Ray restarts nothing by
itself; a job whose node is lost is handed out again here, because only here is known whether its result has arrived.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossassay.errors import ClusterError
from lossassay.executors import ray_on_node
from lossassay.executors.choice import Executor, check_reachable, no_cluster
from lossassay.executors.code_parcel import pack_modules
from lossassay.executors.ray_pool import Pool
from lossassay.executors.ray_probe import (
    NodeReport,
    choose_transfer,
    note_on_processors,
    refuse_differences,
)

Message = dict[str, Any]

_PROBE_SECONDS = 60.0
_GOODBYE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class ClusterWork:
    """What is computed, as the caller knows it.

    Args:
        serve: ``module:function`` for a node; called with the setup and a scratch folder, it returns what does a job.
            By whether the folders are shared.
        setup: What all jobs share; by whether the folders are shared.
        shared: A folder that nodes write to.
        read: Files that nodes read.
        prepare: Adds to a job what a node needs, if folders are not shared; called each time a job is handed out.
        ended: The last message of a job whose result is there already, or None.
        cpus: Of one job.
        gpus: Of one job; 0 for none.
        environment: Added to the environment of the processes.
        own_modules: Modules of the user that nodes may lack.
        on_note: Called with sentences for people.
    """

    serve: Callable[[bool], str]
    setup: Callable[[bool], Message]
    shared: Path
    read: tuple[Path, ...]
    prepare: Callable[[Message], Message]
    ended: Callable[[Message], Message | None]
    cpus: int
    gpus: float
    environment: Mapping[str, str]
    own_modules: tuple[str, ...] = ()
    on_note: Callable[[str], None] = lambda note: None


def run_jobs(
    jobs: Sequence[Message],
    *,
    work: ClusterWork,
    executor: Executor,
    workers: int | None,
    on_message: Callable[[Message], None],
    more: Callable[[], Sequence[Message]] = tuple,
    take: Callable[[Message], bool] = lambda job: True,
) -> None:
    """Run every job on some node of a cluster; like `local.run_jobs`, but a job outlives the node that it ran on.

    Args:
        jobs: Messages with an ``"id"``.
        work: What to compute.
        executor: Which cluster, and how data travel.
        workers: How many jobs at once at most; None: as many as the nodes have processors for.
        on_message: Called in the calling thread with each message of a node, which is named in ``"node"``. Every job
            ends with exactly one message whose ``"event"`` is ``"done"`` or ``"failed"``.
        more: Called when all jobs so far have ended; the jobs it returns go to the same actors. Nothing: the end.
        take: Asked before a job goes to an actor for the first time; see `local.run_jobs`.

    Raises:
        ClusterError: If there is no cluster, or its nodes cannot compute these jobs.
    """
    if not jobs:
        return
    with connected(executor, None if workers is None else workers * work.cpus) as ray:
        pool = Pool(_Nodes(ray, work, executor), work, workers, take)
        try:
            while jobs:
                pool.offer(jobs)
                while pool.unfinished:
                    pool.next_messages(on_message)
                jobs = more()
        finally:
            pool.stop()


@contextmanager
def connected(executor: Executor, cpus: int | None = None) -> Iterator[Any]:
    """Give the module ``ray``, connected; at the end leave the cluster, and stop it only if it was started here.

    Args:
        executor: Its address.
        cpus: Of a cluster that is started here; None: all.

    Raises:
        ClusterError: If Ray is not installed, or there is no cluster.
    """
    ray = import_ray()
    if ray.is_initialized():  # the caller's own connection
        yield ray
        return
    address = executor.address or os.environ.get("RAY_ADDRESS") or "local"
    stated = os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address
    check_reachable(stated)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        options |= {"include_dashboard": False, "num_cpus": cpus}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters comes as an error
            ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise no_cluster(address, str(error)) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Return the module ``ray``, told to send nothing anywhere and to print nothing.

    Raises:
        ClusterError: If it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # what Ray prints to standard output: that is for data
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a cluster that is started here: as the local executor
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            "--executor ray needs Ray, which is not installed. Expected the extra `ray`. "
            'Install it with `pip install "lossassay[ray]"` here and on every node.'
        ) from error
    return ray


class _Nodes:
    """The cluster as the pool sees it: places for actors, calls that can fail, and no other word of Ray."""

    def __init__(self, ray: Any, work: ClusterWork, executor: Executor) -> None:
        self._ray = ray
        ray.cloudpickle.register_pickle_by_value(ray_on_node)  # a node without lossassay knows it by no name
        self._work = work
        self._executor = executor
        self.shared, self.reports = self._ask_all()
        self._setup = ray.put(work.setup(self.shared))
        packed = pack_modules([*work.own_modules, *(["lossassay"] if self._code_is_missing() else [])])
        self._code = ray.put(packed)
        self._actor_class = ray.remote(ray_on_node.Actor)

    def capacities(self) -> dict[str, int]:
        """Return how many jobs fit on each node that is alive and takes part, by id."""
        return {
            node["NodeID"]: _fitting(node["Resources"], self._work)
            for node in self._ray.nodes()
            if node["Alive"] and node["NodeID"] in self.reports
        }

    def start(self, node_id: str) -> tuple[Any, Any]:
        """Start an actor on a node; return it, and the call that ends when it is ready."""
        options = {
            "num_cpus": self._work.cpus,
            "num_gpus": self._work.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": _on_node(node_id),
            "runtime_env": {"env_vars": dict(self._work.environment)},
        }
        actor = self._actor_class.options(**options).remote()
        return actor, actor.open.remote(self._work.serve(self.shared), self._setup, self._code)

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        """Call a method of an actor; return what can be waited for."""
        return getattr(actor, method).remote(*arguments)

    def wait(self, calls: Sequence[Any], seconds: float) -> list[Any]:
        """Return the calls that have ended, after ``seconds`` at most."""
        return list(self._ray.wait(list(calls), num_returns=1, timeout=seconds)[0])

    def answer(self, call: Any) -> "list[Message] | Exception":
        """Return what a call gave, or why it gave nothing."""
        try:
            found: list[Message] = self._ray.get(call)
        except Exception as error:
            lost: Exception = error
            if not isinstance(error, self._ray.exceptions.RayError):
                raise
            return lost
        return found

    def is_lost(self, error: Exception) -> bool:
        """Return whether an error means that a process or node is gone, and not that code failed."""
        return not isinstance(error, self._ray.exceptions.RayTaskError)

    def stop(self, actors: Sequence[Any]) -> None:
        """Let actors remove what they wrote, then end them."""
        goodbyes = [actor.close.remote() for actor in actors]
        if goodbyes:
            self._ray.wait(goodbyes, num_returns=len(goodbyes), timeout=_GOODBYE_SECONDS)
        for actor in actors:
            self._ray.kill(actor)

    def _ask_all(self) -> tuple[bool, dict[str, NodeReport]]:
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        fitting = [node for node in nodes if _fitting(node["Resources"], self._work)]
        if not fitting:
            raise ClusterError(_too_small(nodes, self._work))
        reports = self._ask(fitting)
        if not reports:
            raise ClusterError(
                f"None of {len(fitting)} nodes answered within {_PROBE_SECONDS:.0f} s. Expected a cluster at rest or "
                "with room for one more process on each node. Look at `ray status`, then give the same command again."
            )
        refuse_differences(_asked_here()["versions"], reports)
        shared, chosen, notes = choose_transfer(self._executor.transfer, reports)
        for note in [*notes, *note_on_processors(chosen)]:
            self._work.on_note(note)
        return shared, {report.node_id: report for report in chosen}

    def _ask(self, nodes: Sequence[Mapping[str, Any]]) -> list[NodeReport]:
        """Ask every node at once; who does not answer in time is left out, and named."""
        nonce = secrets.token_hex(8)
        call, witness_file = f".lossassay-{nonce}.call", self._work.shared / f".lossassay-{nonce}.call"
        witness_file.write_text(call, encoding="utf-8")
        witnesses = [ray_on_node.witness(path.resolve()) for path in (witness_file, *self._work.read)]
        replies = {
            node["NodeID"]: witness_file.with_name(f".lossassay-{nonce}.{node['NodeID'][:12]}") for node in nodes
        }
        try:
            question = self._ray.remote(ray_on_node.ask)
            calls = {
                question.options(num_cpus=0, max_retries=0, scheduling_strategy=_on_node(node["NodeID"])).remote(
                    witnesses, str(replies[node["NodeID"]].resolve())
                ): node
                for node in nodes
            }
            self._ray.wait(list(calls), num_returns=len(calls), timeout=_PROBE_SECONDS)
            found = [self._report(call, node, replies[node["NodeID"]]) for call, node in calls.items()]
            return [report for report in found if report is not None]
        finally:
            for path in (witness_file, *replies.values()):
                path.unlink(missing_ok=True)

    def _report(self, call: Any, node: Mapping[str, Any], reply: Path) -> NodeReport | None:
        try:
            said = self._ray.get(call, timeout=0)
        except self._ray.exceptions.RayError as error:
            self._work.on_note(f"left out, as {why_no_report(error, lost=self.is_lost(error))}: node {node_name(node)}")
            return None
        why = said["why"] or ("" if reply.is_file() else "what the node writes is not seen here")
        return NodeReport(
            node_id=node["NodeID"],
            name=node_name(node),
            versions=said["versions"],
            sees=not why,
            why=why,
            processor=said["processor"],
        )

    def _code_is_missing(self) -> bool:
        return any(report.lacks_code for report in self.reports.values())


def node_name(node: Mapping[str, Any]) -> str:
    """Return a node's name for people: host, address and the beginning of Ray's id."""
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def why_no_report(error: Exception, *, lost: bool) -> str:
    """Say why a node did not report.

    Args:
        error: What came instead.
        lost: Its process or the node is gone, or slow; otherwise the code that asked failed there.
    """
    if lost:
        return f"it does not answer ({type(error).__name__})"
    lines = str(error).strip().splitlines()  # of a traceback on the node
    return f"the check of it failed ({lines[-1].strip() if lines else type(error).__name__})"


def _asked_here() -> Message:
    return ray_on_node.ask([], None)


def _on_node(node_id: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def _fitting(resources: Mapping[str, float], work: ClusterWork) -> int:
    by_cpu = int(resources.get("CPU", 0) // work.cpus)
    return by_cpu if not work.gpus else min(by_cpu, int(resources.get("GPU", 0) / work.gpus + 1e-9))


def _too_small(nodes: Sequence[Mapping[str, Any]], work: ClusterWork) -> str:
    needs = f"{work.cpus} CPU" + (f" and {work.gpus:g} GPU" if work.gpus else "")
    has = "; ".join(
        f"{node_name(node)}: {node['Resources'].get('CPU', 0):g} CPU, {node['Resources'].get('GPU', 0):g} GPU"
        for node in nodes
    )
    return (
        f"No node of the cluster has room for a run, which needs {needs} ({has or 'no node is alive'}). "
        "Expected at least one such node. Add one, or set training.threads or training.device in the study file."
    )
