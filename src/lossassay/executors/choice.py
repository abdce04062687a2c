"""Which executor computes the runs, as the user asks for it."""

import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from lossassay.errors import ClusterError, unknown_name

EXECUTORS = ("local", "ray")
TRANSFERS = ("auto", "shared", "object-store")
_REACH_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where the runs of a study are computed; changes no result on the same kind of hardware.

    Args:
        kind: ``"local"``: processes on this machine; ``"ray"``: a Ray cluster.
        address: Of the cluster: ``"auto"``, ``"host:port"`` or ``"ray://host:port"``; None starts Ray on this machine
            and stops it at the end.
        transfer: How data and results travel: ``"shared"`` folders that every node sees, ``"object-store"``: through
            Ray; ``"auto"``: shared where every node sees the folders.
        gpu_share: Of one GPU for each run, in (0, 1]; asked for only where the study trains on a CUDA device.
        checkpoint_seconds: Through the object store a run hands over its state at most this often, at the end of an
            epoch; a lost node costs what was computed since. 0: every epoch. In a shared folder it is every epoch.
    """

    kind: str = "local"
    address: str | None = None
    transfer: str = "auto"
    gpu_share: float = 1.0
    checkpoint_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UnknownNameError: If an executor or a transfer is not known.
            ClusterError: If a number or a combination makes no sense.
        """
        if self.kind not in EXECUTORS:
            raise unknown_name("executor", self.kind, EXECUTORS)
        if self.transfer not in TRANSFERS:
            raise unknown_name("transfer", self.transfer, TRANSFERS)
        if self.kind == "local" and (self.address is not None or self.transfer != "auto"):
            raise ClusterError(
                "--address and --transfer came with the local executor, which has no cluster. "
                "Expected --executor ray beside them. Add it, or leave them out."
            )
        if not 0 < self.gpu_share <= 1:
            raise ClusterError(
                f"--gpu-share is {self.gpu_share:g}; expected a share of one GPU above 0 and up to 1. "
                "For example 0.5 lets two runs share a GPU."
            )
        if self.checkpoint_seconds < 0:
            raise ClusterError(
                f"checkpoint_seconds is {self.checkpoint_seconds:g}; expected 0 or more. Use 0 for every epoch."
            )


LOCAL = Executor()


def check_reachable(address: str) -> None:
    """Fail within seconds where nothing listens, since Ray itself would wait for minutes.

    Args:
        address: ``"host:port"`` or ``"ray://host:port"``; anything else is left to Ray.

    Raises:
        ClusterError: If nothing answers there.
    """
    if address in ("auto", "local"):
        return
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("", "ray") or host is None or port is None:
        raise ClusterError(
            f"The address {address!r} is not one of a Ray cluster. "
            "Expected auto, HOST:PORT (port 6379 as a rule) or ray://HOST:PORT (port 10001 as a rule)."
        )
    try:
        with socket.create_connection((host, port), timeout=_REACH_SECONDS) as line:
            answers = os.environ.get("RAY_USE_TLS") == "1" or _speaks_http2(line)
    except OSError as error:
        raise no_cluster(address, f"{error}.") from error
    if not answers:
        raise no_cluster(address, "what listens there is no Ray.")


def _speaks_http2(line: socket.socket) -> bool:
    """Open a connection as gRPC does (RFC 9113, 3.4); every part of Ray answers that with a SETTINGS frame."""
    line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
    header = b""
    while len(header) < 4:
        received = line.recv(4 - len(header))
        if not received:
            return False
        header += received
    return header[3] == 4


def no_cluster(address: str, reason: str) -> ClusterError:
    """Build the error for an address where no cluster answers, or none that lets us in."""
    return ClusterError(
        f"There is no Ray cluster at {address!r}: {reason.strip()} Expected a running one. Start it with "
        "`ray start --head` (then `ray start --address=HOST:6379` on each further node), or leave --address out "
        "to use this machine alone. If the cluster asks for a token, as `ray start` of Ray 2.60 makes it, set "
        "RAY_AUTH_MODE=token here. Nothing was lost."
    )
