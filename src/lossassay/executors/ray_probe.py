"""Which nodes of a cluster can be used, after what each of them said."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
