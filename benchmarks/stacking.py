"""Several arms in one network against one network after the other: is training stacked worth a room of its own?

    python -m benchmarks stacking

All arms of a replicate see the same batches, so their networks can be stacked: each convolution becomes one grouped
convolution, each dense layer a batch of matrix products. Both sides run in this process on one thread, in turn, with
bf16 and fused kernels, and train the same number of networks on the same made-up images.
"""

import argparse
import copy
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.evidence_tables import table
from benchmarks.runner import facts, keep, middle, ratios
from lossassay.engine.fused import fuse
from lossassay.models import build

TITLE = "Several networks stacked into one, against one after the other"
WIDTHS, DENSE, CLASSES = (32, 64, 128, 256, 256), (256, 128), 3
WORTH_IT = 1.3  # what stacking must gain before it is built
STEPS = 3  # of each side in a round


class StackedDense(nn.Module):
    """One dense layer for each arm: [A B F] to [A B F']."""

    def __init__(self, arms: int, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(arms, before, after) / before**0.5)
        self.bias = nn.Parameter(torch.zeros(arms, 1, after))

    def forward(self, features: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, features, self.weight)


class Stacked(nn.Module):
    """The paper's network ``arms`` times, in one: images [B 1 H W] to scores [A B K]."""

    def __init__(self, arms: int, size: int) -> None:
        super().__init__()
        self.arms = arms
        sizes = list(zip((1, *(arms * width for width in WIDTHS)), (arms * width for width in WIDTHS), strict=False))
        self.blocks = nn.Sequential(*(_block(*pair, groups=1 if pair[0] == 1 else arms) for pair in sizes))
        left = WIDTHS[-1] * (size // 32) ** 2
        self.dense = nn.ModuleList(
            StackedDense(arms, *pair) for pair in zip((left, *DENSE), (*DENSE, CLASSES), strict=True)
        )

    def forward(self, images: Tensor) -> Tensor:
        features = self.blocks(images).unflatten(1, (self.arms, -1)).movedim(1, 0).flatten(2)
        for number, layer in enumerate(self.dense):
            features = layer(features)
            if number < len(DENSE):
                features = nn.functional.dropout(torch.relu(features), 0.5)
        return features


def _block(before: int, after: int, groups: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, padding=1, groups=groups)
    return nn.Sequential(convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(after), nn.MaxPool2d(2))


def step_of(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return one training step."""
    fuse(model)
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = model(images)
        wanted = labels.expand(len(scores), -1).flatten() if scores.ndim == 3 else labels
        loss = nn.functional.cross_entropy(scores.float().flatten(0, -2), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def measure(size: int, arms: int, batch: int, rounds: int) -> dict[str, Any]:
    """Return the seconds of a step of all arms, both ways, in each round."""
    images = torch.randn(batch, 1, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % CLASSES
    plain = build("paper_cnn", {}, channels=1, image_size=size, dimensions=2, num_outputs=CLASSES, seed=0)
    alone = [step_of(copy.deepcopy(plain), images, labels) for _ in range(arms)]
    sides = {"stacked": [step_of(Stacked(arms, size), images, labels)], "one after the other": alone}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):  # the first warms up
        for name in sorted(sides, reverse=turn % 2 == 1):
            taken = _seconds(sides[name])
            if turn:
                seconds[name].append(taken)
    gain = ratios(seconds["one after the other"], seconds["stacked"])
    return {"size": size, "arms": arms, "batch_size": batch, "seconds": seconds, "gain": gain}


def _seconds(steps: Sequence[Callable[[], None]]) -> float:
    started = time.perf_counter()
    for _ in range(STEPS):
        for step in steps:
            step()
    return (time.perf_counter() - started) / STEPS


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each size and number of arms."""
    head = ["size, px", "arms", "batch", "one after the other, s", "stacked, s", "gain (smallest, largest)"]
    rows = []
    for cell in record["cells"]:
        own = {name: middle(values)["median"] for name, values in cell["seconds"].items()}
        gain = cell["gain"]
        rows.append(
            [
                str(cell["size"]),
                str(cell["arms"]),
                str(cell["batch_size"]),
                f"{own['one after the other']:.3f}",
                f"{own['stacked']:.3f}",
                f"{gain['median']:.2f} ({gain['smallest']:.2f}, {gain['largest']:.2f})",
            ]
        )
    return table(head, rows) + f"\n\nBuilt only where the gain reaches {WORTH_IT}."


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks stacking", description=TITLE)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--arms", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    record = facts("stacking", arguments, peers=False)
    record["cells"] = [
        measure(size, arms, asked.batch_size, asked.rounds) for size in asked.sizes for arms in asked.arms
    ]
    keep("stacking", TITLE, record, tables(record), asked.out)
