"""A cluster without Ray: nodes that do what a script says."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


class GoneError(Exception):
    """A node or its process is lost."""


@dataclass
class Report:
    name: str


@dataclass
class FakeNodes:
    """Every call has ended at once; ``script(node, method, job)`` says with what."""

    rooms: dict[str, int]
    script: Callable[[str, str, Message | None], "list[Message] | Exception"]
    shared: bool = True
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    calls: deque[tuple[int, Any]] = field(default_factory=deque)

    @property
    def reports(self) -> dict[str, Report]:
        return {name: Report(f"host {name}") for name in self.rooms}

    def capacities(self) -> dict[str, int]:
        return dict(self.rooms)

    def start(self, node_id: str) -> tuple[Any, Any]:
        self.started.append(node_id)
        return node_id, (len(self.started), node_id, "open", None)

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        return (object(), actor, method, arguments[0]["id"] if arguments else None)

    def wait(self, calls: Sequence[Any], seconds: float) -> list[Any]:
        return list(calls[:1])

    def answer(self, call: Any) -> "list[Message] | Exception":
        _, node, method, job = call
        return [] if method == "open" and node in self.rooms else self.script(node, method, job)

    def is_lost(self, error: Exception) -> bool:
        return isinstance(error, GoneError)

    def stop(self, actors: Sequence[Any]) -> None:
        self.stopped.extend(actors)


@dataclass
class FakeWork:
    """Nothing to prepare; ``there`` are the jobs whose result has arrived."""

    there: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def prepare(self, job: Message) -> Message:
        return job | {"checkpoint": None}

    def ended(self, job: Message) -> Message | None:
        return {"event": "done", "id": job["id"], "status": "finished"} if job["id"] in self.there else None

    def on_note(self, note: str) -> None:
        self.notes.append(note)
