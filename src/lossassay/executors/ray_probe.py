"""What a node is asked before it gets work, and which nodes can be used after the answers."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossassay.errors import ClusterError

MUST_AGREE = ("python", "torch", "numpy", "numba", "lossassay", "results_version", "code")  # otherwise bits differ
_WORDS = {"results_version": "version of results", "code": "lossassay source"}


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """What a node said.

    Args:
        node_id: Ray's name of it.
        name: For people: host name and address.
        versions: Of what must agree, by name; None: not installed.
        sees: Whether it reads and writes the shared folders.
        why: If not, why.
        processor: Its name.
    """

    node_id: str
    name: str
    versions: Mapping[str, str | None]
    sees: bool
    why: str
    processor: str

    @property
    def lacks_code(self) -> bool:
        """Whether lossassay itself has to be sent there."""
        return self.versions["lossassay"] is None


def probe_function() -> Callable[[Sequence[tuple[str, int, str]], str | None], dict[str, Any]]:
    """Return the question: a function that needs nothing but Python, for a node that may not have lossassay.

    It is made inside this one so that Ray sends its code, not its name.
    """

    def probe(witnesses: Sequence[tuple[str, int, str]], reply: str | None) -> dict[str, Any]:
        import hashlib
        import importlib.metadata
        import importlib.util
        import platform
        import re
        from pathlib import Path

        def version(name: str) -> str | None:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                return None

        def digest_of_code(root: Path) -> str:
            found = hashlib.sha256()
            for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
                found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
            return found.hexdigest()[:12]

        def processor() -> str:
            info = Path("/proc/cpuinfo")
            lines = info.read_text(errors="replace").splitlines() if info.exists() else []
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
            return names[0] if names else platform.processor()

        def complaint() -> str:
            try:
                for name, size, digest in witnesses:
                    if Path(name).stat().st_size != size:
                        return f"{name} is another file there"
                    with Path(name).open("rb") as file:
                        if hashlib.sha256(file.read(65536)).hexdigest() != digest:
                            return f"{name} is another file there"
                if reply is not None:
                    Path(reply).write_text("here", encoding="utf-8")
            except OSError as error:
                return str(error)
            return ""

        versions = {name: version(name) for name in ("torch", "numpy", "numba", "lossassay")}
        versions["python"] = ".".join(platform.python_version_tuple()[:2])
        versions["code"] = versions["results_version"] = None
        spec = importlib.util.find_spec("lossassay")
        if spec is None or spec.origin is None:
            versions["lossassay"] = None
        else:
            root = Path(spec.origin).parent
            stated = re.search(r"^RESULTS_VERSION = (\d+)", (root / "study" / "plan.py").read_text(), re.MULTILINE)
            versions["code"] = digest_of_code(root)
            versions["results_version"] = stated.group(1) if stated else None
            versions["lossassay"] = versions["lossassay"] or "0"
        return {"versions": versions, "why": complaint(), "processor": processor(), "host": platform.node()}

    return probe


def refuse_differences(ours: Mapping[str, str | None], reports: Sequence[NodeReport]) -> None:
    """Refuse a cluster whose nodes would compute other bits.

    A node without lossassay is no difference: the code is sent there. It needs all else.

    Raises:
        ClusterError: With each node that differs and how.
    """
    lines = []
    for report in reports:
        own = ("lossassay", "results_version", "code") if report.lacks_code else ()
        differing = [name for name in MUST_AGREE if name not in own and report.versions[name] != ours[name]]
        if differing:
            parts = [
                f"{_WORDS.get(name, name)} {report.versions[name] or 'missing'} (here {ours[name] or 'missing'})"
                for name in differing
            ]
            lines.append(f"  - {report.name}: {', '.join(parts)}")
    if lines:
        raise ClusterError(
            f"{len(lines)} of {len(reports)} nodes differ from this machine:\n" + "\n".join(lines) + "\n"
            "Expected the same versions everywhere, since others give other bits. "
            "Install the same versions on these nodes, or take them out of the cluster."
        )


def choose_transfer(transfer: str, reports: Sequence[NodeReport]) -> tuple[bool, list[NodeReport], list[str]]:
    """Decide how data travel and which nodes take part.

    Args:
        transfer: What is asked for.
        reports: Of all nodes.

    Returns:
        Whether the folders are shared; the nodes that take part; notes for people.

    Raises:
        ClusterError: If shared folders are asked for and no node sees them.
    """
    if transfer == "object-store":
        return False, list(reports), []
    blind = [report for report in reports if not report.sees]
    seeing = [report for report in reports if report.sees]
    if not blind:
        return True, seeing, []
    listed = "; ".join(f"{report.name} ({report.why})" for report in blind)
    if transfer == "auto":
        return False, list(reports), [f"data go through Ray's object store, as the folders are not seen by {listed}"]
    if not seeing:
        raise ClusterError(
            f"No node sees the shared folders: {listed}. Expected the out folder and the cache on a path that every "
            "node has. Mount them on each node, or use --transfer object-store."
        )
    return True, seeing, [f"left out, as the shared folders are not seen there: {listed}"]


def note_on_processors(reports: Sequence[NodeReport]) -> list[str]:
    """Say that bits can differ where processors do."""
    nodes_of: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        nodes_of[report.processor].append(report.name)
    if len(nodes_of) < 2:
        return []
    listed = "; ".join(f"{name or 'unknown'}: {', '.join(nodes)}" for name, nodes in sorted(nodes_of.items()))
    return [f"nodes have different processors, so that last digits can depend on the node ({listed})"]


def witness(path: Path) -> tuple[str, int, str]:
    """Return what a node must find at a path: its name, size in bytes and a digest of its beginning."""
    with path.open("rb") as file:
        return str(path), path.stat().st_size, hashlib.sha256(file.read(65536)).hexdigest()
