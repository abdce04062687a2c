"""Training reads images out of a file as it needs them: the file may be far larger than the memory."""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from lossassay.data.array_file import create, open_array
from lossassay.engine.one import train
from lossassay.engine.spec import RunData
from tests.engine.helpers import make_data, make_spec

TIMES = 10  # the file is as many times larger than the memory
SPARE_BYTES = 128 * 2**20  # above what a short run takes: labels and order of a million rows
SIDE_PX = 64
SIMPLE = "tests.models.own_models:good"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a process below a limit reached."""

    limit_bytes: int
    file_bytes: int
    used_bytes: int  # of the rows that the run reads
    copied: bool  # whether a copy of all images fitted
    status: str


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory that a process may write to")
def test_a_cache_ten_times_larger_than_memory_still_trains(tmp_path: Path) -> None:
    """The limit counts all that a process may write to, so any copy of the images, but no read-only map of a file."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(train_below_a_limit, tmp_path / "images.npy").result()
    assert found.file_bytes >= TIMES * found.limit_bytes
    assert found.used_bytes > found.limit_bytes  # not even the rows that are read would fit
    assert not found.copied, "the limit does not bite"
    assert found.status == "finished"


def train_below_a_limit(path: Path) -> Outcome:
    """Train for an epoch; the process keeps the limit."""
    import resource  # not there on Windows

    spec = make_spec("sparse_categorical_crossentropy", epochs=1, batch_size=50, model=SIMPLE, model_options={})
    train(spec, spread_over(path, num_images=1_000))  # loads all libraries and starts their threads
    limit_bytes = _writable_bytes() + SPARE_BYTES
    data = spread_over(path, num_images=1 + TIMES * limit_bytes // SIDE_PX**2)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    used = len(data.train) + len(data.validation) + len(data.test)
    return Outcome(
        limit_bytes=limit_bytes,
        file_bytes=data.images.nbytes,
        used_bytes=used * SIDE_PX**2,
        copied=_fits(data),
        status=train(spec, data).status,
    )


def spread_over(path: Path, num_images: int) -> RunData:
    """A ninth of the images, from all over a file that is empty, so that it takes no room on the disk."""
    create(path, (num_images, SIDE_PX, SIDE_PX, 1), np.uint8)
    rows, labels = np.arange(0, num_images, TIMES - 1), np.arange(num_images) % 3
    few = make_data()
    return replace(
        few, images=open_array(path), labels=labels, train=rows[100:], validation=rows[:50], test=rows[50:100]
    )


def _fits(data: RunData) -> bool:
    try:
        np.array(data.images)
    except MemoryError:
        return False
    return True


def _writable_bytes() -> int:
    """Return what RLIMIT_DATA counts."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:"))
