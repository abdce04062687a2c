"""What this machine is and how runs are best computed on it; measured once and kept in the user's cache folder."""

import json
import os
import platform
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Literal

import platformdirs
import psutil
import torch

from lossassay.catalogue.models import MODELS
from lossassay.config import TrainingConfig
from lossassay.engine.spec import EngineChoice
from lossassay.errors import ModelError
from lossassay.models import build

_FASTER = 1.15  # bf16 is chosen where it is at least this much faster: below that, exactness is worth more
_PROCESS_BYTES = 600 * 2**20  # of a worker before its first batch: Python, torch, the libraries
_BACKWARD = 3.0  # activations, their gradients and working space, in units of the activations


def environment() -> dict[str, Any]:
    """Return versions and hardware for the record."""
    packages = ("lossassay", "torch", "numpy", "scipy", "scikit-learn", "polars", "pillow")
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": core_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "packages": {name: version(name) for name in packages},
    }


def processor_name() -> str:
    """Return the processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_engine(
    training: TrainingConfig, activation_bytes: int, num_runs: int, *, dimensions: int = 2
) -> EngineChoice:
    """Fix device, precision, kernels and threads for a study.

    Threads do not depend on how many workers are asked for, so that this changes no result.

    Args:
        training: What the study asks for.
        activation_bytes: Of one image in fp32, forward.
        num_runs: Of the whole study; fewer runs than cores get several threads each.
        dimensions: 2 for images, 3 for volumes.

    Raises:
        ModelError: If kernels or a precision are asked for where they cannot work.
    """
    device = training.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    at_once = min(num_runs, runs_that_fit(device, run_memory_bytes(training.batch_size, activation_bytes)))
    fitting = max(1, core_count() // max(1, at_once))
    return EngineChoice(
        device=device,
        precision=usable_precision(device, training, "training", dimensions=dimensions),
        kernels=usable_kernels(device, training, "training"),
        threads=fitting if training.threads == "auto" else training.threads,
    )


def usable_precision(device: str, training: TrainingConfig, where: str, *, dimensions: int) -> Literal["fp32", "bf16"]:
    """Return the precision that is asked for; without a wish, the faster one that can be trusted.

    On processors the gradient of the weights of a three-dimensional convolution over 2 x 2 x 2 voxels in bf16 reads
    memory that nobody wrote (oneDNN as in torch 2.13, on processors with AVX512-BF16): it comes out as nan, or wrong.

    Args:
        device: Where runs are computed.
        training: What is asked for.
        where: The place of that in the study file, for the message.
        dimensions: 2 for images, 3 for volumes.

    Raises:
        ModelError: If bf16 is asked for where it cannot be trusted.
    """
    if dimensions == 3 and device == "cpu":
        if training.precision == "bf16":
            raise ModelError(
                f'{where}: precision = "bf16" cannot be trusted for volumes on a processor, where gradients come out '
                'wrong. Set precision = "fp32", or "auto".'
            )
        return "fp32"
    return _fastest_precision(device) if training.precision == "auto" else training.precision


def usable_kernels(device: str, training: TrainingConfig, where: str) -> Literal["plain", "fused", "compiled"]:
    """Return the kernels that are asked for; without a wish, fused ones wherever they work.

    Args:
        device: Where runs are computed.
        training: What is asked for.
        where: The place of that in the study file, for the message.

    Raises:
        ModelError: If kernels are asked for where they cannot work.
    """
    if training.kernels == "plain":
        return "plain"
    wanted: Literal["fused", "compiled"] = "fused" if training.kernels == "auto" else training.kernels
    obstacles = _obstacles_to_compiling(device) if wanted == "compiled" else _obstacles_to_fusing(device)
    if training.kernels != "auto" and obstacles:
        raise ModelError(
            f'{where}: kernels = "{wanted}" cannot be had: {"; ".join(obstacles)}. '
            'Set kernels = "auto" to use them where they work, or "plain".'
        )
    return "plain" if obstacles else wanted


def _obstacles_to_fusing(device: str) -> list[str]:
    obstacles = []
    if device != "cpu":
        obstacles.append(f"they are written for processors, and the device is {device}")
    if find_spec("numba") is None:
        obstacles.append("numba is not installed (pip install 'lossassay[fast]')")
    return obstacles


def _obstacles_to_compiling(device: str) -> list[str]:
    if device == "cuda" and find_spec("triton") is None:
        return ["triton is not installed (pip install triton)"]
    if device == "cpu" and not any(which(name) for name in ("c++", "g++", "clang++", "cl")):
        return ["there is no C++ compiler (for example g++)"]
    return []


def obstacles(engine: EngineChoice) -> list[str]:
    """Say what keeps this machine from computing runs as they were computed on another one.

    Args:
        engine: As fixed on the other machine.
    """
    if engine.device == "cuda" and not torch.cuda.is_available():
        return ["it has no GPU that torch can use"]
    if engine.device == "mps" and not torch.backends.mps.is_available():
        return ["it has no Apple GPU that torch can use"]
    if engine.kernels == "fused":
        return _obstacles_to_fusing(engine.device)
    return _obstacles_to_compiling(engine.device) if engine.kernels == "compiled" else []


def run_memory_bytes(batch_size: int, activation_bytes: int) -> int:
    """Return about how much memory one run needs."""
    return _PROCESS_BYTES + int(_BACKWARD * batch_size * activation_bytes)


def runs_that_fit(device: str, memory_bytes: int) -> int:
    """Return how many runs may be computed at once: one per core as far as memory allows; one on a GPU."""
    if device != "cpu":
        return 1
    return max(1, min(core_count(), int(0.85 * psutil.virtual_memory().total // memory_bytes)))


def default_workers(engine: EngineChoice, memory_bytes: int) -> int:
    """Return how many workers give the highest total throughput."""
    fit = runs_that_fit(engine.device, memory_bytes)
    return max(1, min(fit, core_count() // engine.threads)) if engine.device == "cpu" else 1


def worker_environment(threads: int) -> dict[str, str]:
    """Return the environment variables of a process that trains.

    The C library (glibc; others do not read this) keeps what torch frees for the next step. By default it gives large
    blocks back, and the system clears every page of them anew: at 300 px that took a quarter of the time.
    """
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "MALLOC_MMAP_THRESHOLD_": str(2**33),
        "MALLOC_TRIM_THRESHOLD_": str(2**36),
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with a fixed workspace
    }


def _fastest_precision(device: str) -> Literal["fp32", "bf16"]:
    """Return bf16 where it is faster on this machine; measured once, then read from the cache folder."""
    if device == "mps":
        return "fp32"
    key = f"{device} {torch.cuda.get_device_name(0) if device == 'cuda' else processor_name()} {torch.__version__}"
    path = Path(os.environ.get("LOSSASSAY_CACHE") or platformdirs.user_cache_dir("lossassay")) / "precision.json"
    known: dict[str, Any] = {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass  # not measured yet, or not readable: measure
    if key not in known:
        with torch.random.fork_rng(devices=[]):  # dropout draws
            known[key] = {name: _step_seconds(device, dtype) for name, dtype in _PRECISIONS.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return "bf16" if known[key]["fp32"] >= _FASTER * known[key]["bf16"] else "fp32"


_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _step_seconds(device: str, dtype: torch.dtype) -> float:
    """Seconds of a training step of the paper's CNN, batch 32 at 64 px, one thread: the best of three."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    options = {name: parameter.default for name, parameter in MODELS["paper_cnn"].options.items()}
    model = build("paper_cnn", options, channels=1, image_size=64, dimensions=2, num_outputs=3, seed=0)
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.zeros(32, 1, 64, 64, device=device).to(memory_format=torch.channels_last)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            scores = model(images)
        scores.float().square().mean().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return min(times[2:])
