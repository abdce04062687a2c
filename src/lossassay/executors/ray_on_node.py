"""What Ray sends to a node as code: a question, and the actor that makes lossassay importable where it is not.

Imports nothing but Python's own library, since a node may not have lossassay. `ray_cluster` has Ray send these
functions by value, not by name.
"""

import hashlib
import importlib.util
import io
import os
import platform
import re
import socket
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "numba")


def ask(witnesses: Sequence[tuple[str, int, str]], reply: str | None) -> dict[str, Any]:
    """Say which versions are here, and whether the shared folders can be read and written.

    Args:
        witnesses: Files that must be here: path, size in bytes, digest of the beginning.
        reply: A file to write, or None.
    """
    versions = {name: _version(name) for name in PACKAGES} | _own_versions()
    versions["python"] = ".".join(platform.python_version_tuple()[:2])
    return {"versions": versions, "why": _complaint(witnesses, reply), "processor": _processor()}


def witness(path: Path) -> tuple[str, int, str]:
    """Return what a node must find at a path: its name, size in bytes and a digest of its beginning."""
    with path.open("rb") as file:
        return str(path), path.stat().st_size, hashlib.sha256(file.read(65536)).hexdigest()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _own_versions() -> dict[str, str | None]:
    """Version of lossassay, of its results, and a digest of its source; nothing of it is imported."""
    spec = importlib.util.find_spec("lossassay")
    if spec is None or spec.origin is None:
        return {"lossassay": None, "results_version": None, "code": None}
    root = Path(spec.origin).parent
    plan = (root / "study" / "planning" / "plan.py").read_text("utf-8")
    stated = re.search(r"^RESULTS_VERSION = (\d+)", plan, re.MULTILINE)
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return {
        "lossassay": _version("lossassay") or "of no version",
        "results_version": stated.group(1) if stated else None,
        "code": digest.hexdigest()[:12],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _complaint(witnesses: Sequence[tuple[str, int, str]], reply: str | None) -> str:
    try:
        for expected in witnesses:
            if witness(Path(expected[0])) != tuple(expected):
                return f"{expected[0]} is another file there"
        if reply is not None:
            Path(reply).write_text("here", encoding="utf-8")
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return ""


class Actor:
    """Computes jobs on a node; see `ray_node.NodeServer`, which does the work."""

    def open(self, serve: str, setup: dict[str, Any], code: bytes) -> list[Any]:
        """Take the code that was sent, if any, and make everything ready."""
        folder = None
        if code:
            folder = Path(tempfile.mkdtemp(prefix=f"lossassay-code-{os.getpid()}-{socket.gethostname()}-"))
            with zipfile.ZipFile(io.BytesIO(code)) as archive:
                archive.extractall(folder)
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()
        server = importlib.import_module("lossassay.executors.ray_node").NodeServer
        self.server = server(serve, setup, sent_code=folder)
        return []

    def start(self, job: dict[str, Any]) -> list[Any]:
        """Start a job."""
        return self.server.start(job)  # type: ignore[no-any-return]

    def next_messages(self) -> list[Any]:
        """Return what was said since the last question."""
        return self.server.next_messages()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Remove what was written on this node."""
        self.server.close()
