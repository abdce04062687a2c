"""What a node cleans up after actors that were killed with their driver."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossassay.executors.ray_node import NodeServer


def serve(setup: dict[str, Any], scratch: Path) -> Callable[..., None]:
    return lambda job, speak: speak({"event": "done", "id": job["id"]})


def test_folders_of_killed_actors_go_and_those_of_living_and_of_strangers_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended, host = subprocess.Popen([sys.executable, "-c", ""]), socket.gethostname()
    ended.wait()
    for name in (f"lossassay-{ended.pid}-{host}-a1", f"lossassay-code-{ended.pid}-{host}-a2"):
        (tmp_path / name).mkdir()
    stay = [f"lossassay-{os.getpid()}-{host}-b1", f"lossassay-{ended.pid}-another-node-b2", "lossassay-notes"]
    for name in stay:
        (tmp_path / name).mkdir()
    server = NodeServer(f"{__name__}:serve", {})
    (own,) = {path.name for path in tmp_path.iterdir()} - set(stay)
    assert own.startswith(f"lossassay-{os.getpid()}-{host}-")
    server.start({"id": "x"})
    server.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)
