"""Digests that show pairing, and memory."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import psutil
import torch

from lossassay.engine.batches import epoch_order
from lossassay.engine.spec import Array

_CLEAR_PEAK = Path("/proc/self/clear_refs")


def digest_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return a digest of names, shapes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in tensors.items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def digest_of_orders(rows: Array, seed: int, epochs: int) -> str:
    """Return a digest of the order of rows over all epochs."""
    digest = hashlib.blake2b(digest_size=16)
    for epoch in range(1, epochs + 1):
        digest.update(epoch_order(rows, seed, epoch).astype("<i8").tobytes())
    return digest.hexdigest()


def start_counting_memory(device: str) -> None:
    """Forget the peak so far. On Linux and CUDA the peak is then the run's own, elsewhere the process's."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif _CLEAR_PEAK.exists():
        _CLEAR_PEAK.write_text("5", encoding="ascii")  # 5 resets the peak resident size, see proc(5)


def peak_memory_bytes(device: str) -> int:
    """Return the largest memory since `start_counting_memory`: on the device for CUDA, resident otherwise."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if _CLEAR_PEAK.exists():
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))  # Windows knows the peak; macOS only what is held now
