"""Keeps what a run does to random numbers and threads away from its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lossassay.engine.spec import RunSpec


@contextmanager
def isolated(run: RunSpec) -> Iterator[None]:
    """Keep random numbers and threads to this run.

    Args:
        run: Says on which device, with how many threads.
    """
    threads = torch.get_num_threads()
    devices = list(range(torch.cuda.device_count())) if run.engine.device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.set_num_threads(run.engine.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def seed_dropout(seed: int, device: str) -> None:
    """Seed the generator that layers draw from on this device, and no other.

    Args:
        seed: 0 or more.
        device: Of the run.
    """
    if device == "cuda":
        torch.cuda.manual_seed(seed)
    elif device == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
