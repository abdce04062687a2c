"""Small data sets on disk, and folders of their own for cache and key."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Folder = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or fills the user's cache or key."""
    monkeypatch.setenv("LOSSASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def class_folders(tmp_path: Path) -> Folder:
    """Write ``counts[class]`` random grey PNG files into class folders; they look an hour old."""

    def write(counts: dict[str, int], *, size: tuple[int, int] = (40, 40), root: str = "images", seed: int = 0) -> Path:
        random = np.random.default_rng(seed)
        for name, count in counts.items():
            folder = tmp_path / root / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                path = folder / f"{number}.png"
                Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(path)
                settle(path)
        return tmp_path / root

    return write


def settle(path: Path) -> None:
    """Make a file look an hour old: what was just written is read again, lest a later change go unseen."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - 3_600_000_000_000))
