"""Which job is where on a cluster, and what happens when a node is lost or full. Knows no Ray."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lossassay.errors import ClusterError

Message = dict[str, Any]

LOSSES_AT_MOST = 3  # of the node under one job; after the next one the job has failed
_WAIT_SECONDS = 5.0
_PATIENCE_SECONDS = 20.0  # then people are told that the cluster has no room


class Named(Protocol):
    """A node's name."""

    @property
    def name(self) -> str:
        """For people."""


class Nodes(Protocol):
    """A cluster; see `ray_cluster`."""

    shared: bool

    @property
    def reports(self) -> Mapping[str, Named]:
        """The nodes that take part, by id."""

    def capacities(self) -> dict[str, int]:
        """How many jobs fit on each node that is alive, by id."""

    def start(self, node_id: str) -> tuple[Any, Any]:
        """An actor, and the call that ends when it is ready."""

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        """Something to wait for."""

    def wait(self, calls: Sequence[Any], seconds: float) -> list[Any]:
        """Those that have ended."""

    def answer(self, call: Any) -> "list[Message] | Exception":
        """What a call gave, or why it gave nothing."""

    def is_lost(self, error: Exception) -> bool:
        """Whether a process or node is gone."""

    def stop(self, actors: Sequence[Any]) -> None:
        """End actors."""


class Work(Protocol):
    """The part of `ray_cluster.ClusterWork` that matters here."""

    @property
    def prepare(self) -> Callable[[Message], Message]:
        """Adds to a job what a node needs."""

    @property
    def ended(self) -> Callable[[Message], Message | None]:
        """The last message of a job whose result is there."""

    @property
    def on_note(self) -> Callable[[str], None]:
        """Called with sentences for people."""


@dataclass(eq=False)
class _Seat:
    """An actor on a node, and what it was asked."""

    node_id: str
    actor: Any
    call: Any
    ready: bool = False
    job: Message | None = None


@dataclass
class _Trouble:
    """What went wrong so far."""

    losses: dict[str, int] = field(default_factory=dict)  # of each job
    moved: set[str] = field(default_factory=set)  # jobs that left a full disk
    shunned: set[str] = field(default_factory=set)  # nodes that get no more work
    reason: str = ""


class Pool:
    """Jobs that wait, and actors that work.

    Args:
        nodes: The cluster.
        work: What to compute.
        workers: Jobs at once at most; None: as many as fit.
        take: Asked before a job goes to an actor for the first time; a job that it refuses is offered again while
            other jobs run.
    """

    def __init__(
        self, nodes: Nodes, work: Work, workers: int | None, take: Callable[[Message], bool] = lambda job: True
    ) -> None:
        self._nodes = nodes
        self._work = work
        self._workers = workers
        self._take = take
        self._waiting: deque[Message] = deque()
        self._refused: list[Message] = []
        self._taken: set[str] = set()  # jobs that were handed out and have not ended
        self._seats: list[_Seat] = []
        self._trouble = _Trouble()
        self._impatient_at = time.monotonic() + _PATIENCE_SECONDS

    @property
    def unfinished(self) -> bool:
        """Whether any job waits or is computed."""
        return bool(self._waiting) or any(seat.job is not None for seat in self._seats)

    def offer(self, jobs: Sequence[Message]) -> None:
        """Put these jobs in the place of those that wait for an actor."""
        self._waiting, self._refused = deque(jobs), []

    def next_messages(self, on_message: Callable[[Message], None]) -> None:
        """Hand out what can be handed out, then wait for one answer and pass it on.

        Raises:
            ClusterError: If jobs wait and no node is left.
        """
        self._waiting.extend(self._refused)
        self._refused = []
        self._hand_out(on_message)
        self._grow()
        calls = {seat.call: seat for seat in self._seats if seat.call is not None}
        if not calls:
            if self._waiting:
                raise ClusterError(self._nobody_left())
            return
        for call in self._nodes.wait(list(calls), _WAIT_SECONDS):
            self._hear(calls[call], on_message)
        self._mention_waiting()

    def stop(self) -> None:
        """End every actor of ours; the cluster stays as it was."""
        self._nodes.stop([seat.actor for seat in self._seats])
        self._seats = []

    def _hand_out(self, on_message: Callable[[Message], None]) -> None:
        shunned = self._trouble.shunned
        idle = deque(seat for seat in self._seats if seat.ready and seat.job is None and seat.node_id not in shunned)
        while self._waiting and idle:
            job = self._waiting.popleft()
            there = self._work.ended(job)
            if there is not None:  # its node was lost after the result had arrived
                self._taken.discard(job["id"])
                on_message(there)
                continue
            if job["id"] not in self._taken and not self._take(job):
                self._refused.append(job)
                continue
            self._taken.add(job["id"])
            seat = idle.popleft()
            seat.job = job
            seat.call = self._nodes.call(seat.actor, "start", job if self._nodes.shared else self._work.prepare(job))

    def _grow(self) -> None:
        """Start as many actors as jobs wait for, spread over the nodes, the emptiest first."""
        wanted = len(self._waiting) - sum(not seat.ready for seat in self._seats)
        if wanted <= 0:
            return
        room = {
            node_id: capacity - sum(seat.node_id == node_id for seat in self._seats)
            for node_id, capacity in self._nodes.capacities().items()
            if node_id not in self._trouble.shunned
        }
        free = sum(max(0, one) for one in room.values())
        at_most = wanted if self._workers is None else min(wanted, self._workers - len(self._seats))
        for _ in range(min(at_most, free)):
            node_id = max(room, key=lambda one: room[one])
            room[node_id] -= 1
            actor, call = self._nodes.start(node_id)
            self._seats.append(_Seat(node_id, actor, call))

    def _hear(self, seat: _Seat, on_message: Callable[[Message], None]) -> None:
        answer = self._nodes.answer(seat.call)
        if isinstance(answer, Exception):
            self._bury(seat, answer, on_message)
            return
        seat.ready, seat.call = True, None
        for message in answer:
            self._pass_on(seat, message, on_message)
        if seat.job is not None:
            seat.call = self._nodes.call(seat.actor, "next_messages")
        elif seat.node_id in self._trouble.shunned:
            self._dismiss(seat)

    def _pass_on(self, seat: _Seat, message: Message, on_message: Callable[[Message], None]) -> None:
        if message["event"] in ("done", "failed"):
            job, seat.job = seat.job, None
            self._taken.discard(message["id"])
            if message.get("fatal"):
                message = message | {"message": f"On node {self._name(seat)}: {message['message']}"}
                if job is not None and self._moves(job, seat, message["message"]):
                    return
        on_message(message | {"node": self._name(seat)})

    def _moves(self, job: Message, seat: _Seat, reason: str) -> bool:
        """A node cannot write: its job goes elsewhere, once, and it gets no other."""
        self._trouble.shunned.add(seat.node_id)
        others = self._nodes.capacities().keys() - self._trouble.shunned
        if job["id"] in self._trouble.moved or not others:
            return False
        self._trouble.moved.add(job["id"])
        self._taken.add(job["id"])  # its lease is still ours
        self._waiting.appendleft(job)
        self._work.on_note(f"{reason} Its run goes to another node, and it gets no other")
        return True

    def _bury(self, seat: _Seat, error: Exception, on_message: Callable[[Message], None]) -> None:
        """An actor is gone: its job waits again, unless that has happened too often."""
        self._seats.remove(seat)
        self._trouble.reason = f"{self._name(seat)}: {_last_line(error)}"
        if not self._nodes.is_lost(error) or not seat.ready:
            self._trouble.shunned.add(seat.node_id)
            self._nodes.stop([seat.actor])
        job = seat.job
        if job is None:
            self._work.on_note(f"left out: node {self._trouble.reason}")
            return
        losses = self._trouble.losses[job["id"]] = self._trouble.losses.get(job["id"], 0) + 1
        if losses > LOSSES_AT_MOST:
            text = f"its node or process was lost {losses} times ({type(error).__name__}; out of memory?)"
            self._taken.discard(job["id"])
            on_message({"event": "failed", "id": job["id"], "message": text})
            return
        self._waiting.appendleft(job)
        self._work.on_note(f"lost: node or process {self._trouble.reason}. Its run goes on from its last checkpoint")

    def _dismiss(self, seat: _Seat) -> None:
        self._seats.remove(seat)
        self._nodes.stop([seat.actor])

    def _mention_waiting(self) -> None:
        if not any(seat.ready for seat in self._seats) and time.monotonic() > self._impatient_at:
            self._impatient_at = float("inf")
            self._work.on_note("waiting for the cluster, which has no free processors or is still starting processes")

    def _nobody_left(self) -> str:
        reason = f" (the last: node {self._trouble.reason})" if self._trouble.reason else ""
        return (
            f"No node of the cluster is left to work{reason}. Expected at least one. Everything that was finished is "
            "kept: mend or add nodes and give the same command again."
        )

    def _name(self, seat: _Seat) -> str:
        report = self._nodes.reports.get(seat.node_id)
        return report.name if report is not None else seat.node_id[:8]


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
