"""One side of `benchmarks.step`: training steps of the paper's CNN on one thread, and where their time goes.

The only argument is JSON: size, batch_size, steps, precision, kernels (plain, fused or compiled).
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from lossassay.engine.fused import fuse
from lossassay.models import build
from lossassay.study.training.worker import be_deterministic

PARTS = {"convolution": "convolution", "ReluNormPool": "ReLU, normalisation, pooling"}
PLAIN_PARTS = ("batch_norm", "max_pool", "threshold", "clamp_min", "fill_")  # fill_ clears the gradient of pooling


def step_of(asked: dict[str, Any]) -> Callable[[], None]:
    """Return one training step on made-up images."""
    size, batch = asked["size"], asked["batch_size"]
    model = build("paper_cnn", {}, channels=1, image_size=size, dimensions=2, num_outputs=3, seed=0)
    if asked["kernels"] == "fused":
        fuse(model)
    model.to(memory_format=torch.channels_last)
    forward = torch.compile(model) if asked["kernels"] == "compiled" else model
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images = torch.randn(batch, 1, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % 3

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=asked["precision"] == "bf16"):
            scores = forward(images)
        loss = nn.functional.cross_entropy(scores.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def timed(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def shares(step: Callable[[], None]) -> dict[str, float]:
    """Return the share of a step's time by kind of work."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    found = dict.fromkeys([*PARTS.values(), "everything else"], 0.0)
    for event in profiled.key_averages():
        names = [part for word, part in PARTS.items() if word in event.key]
        if any(word in event.key for word in PLAIN_PARTS):
            names = [PARTS["ReluNormPool"]]
        found[names[0] if names else "everything else"] += event.self_cpu_time_total
    whole = sum(found.values())
    return {name: taken / whole for name, taken in found.items()}


def main() -> None:
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    be_deterministic()
    step = step_of(asked)
    first, _second = timed(step), timed(step)
    seconds = [timed(step) for _ in range(asked["steps"])]
    print(json.dumps({"first_seconds": first, "seconds": seconds, "shares": shares(step)}))


if __name__ == "__main__":
    main()
