"""What a step of each loss costs beside cross-entropy, forward and backward, and the memory that it takes.

    python -m benchmarks loss_cost

Batches of 128 with 3, 16, 100 and 1,000 classes, one thread, fp32. In each round every loss takes its turn right after
`torch.nn.functional.cross_entropy`, and the ratio of the two counts. Beside them stand Keras (torch backend) and focal
loss as torchvision writes it, with one-hot labels. Memory is what tensors take at most during a step beyond what was
there before it.
"""

import argparse
import os
import statistics
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, facts, keep, middle
from lossassay import losses
from lossassay.catalogue.losses import FAMILY_OF, LOSSES
from lossassay.errors import LossInputError

TITLE = "What a step of each loss costs"
BATCH_SIZE = 128
CLASSES = (3, 16, 100, 1_000)
MOST_GRADES = 100  # nobody grades finer; tables of soft labels take K^3 steps, once
REFERENCE = "F.cross_entropy"
GOAL = 1.3
SLOWEST = 5  # of the others, shown on the page
PLAIN = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "focal",
    "label_smoothing",
    "poly1",
    "logit_adjustment",
    "balanced_softmax",
    "class_weighted_crossentropy",
    "mean_absolute_error_probability",
    "generalized_cross_entropy",
)
_SHORTEST_SECONDS = 0.02  # of one measurement, so that the clock's own noise does not count

Step = Callable[[], None]


def step_of(loss: Callable[[torch.Tensor], torch.Tensor], scores: torch.Tensor) -> Step:
    """Return forward and backward of the mean."""

    def step() -> None:
        scores.grad = None
        loss(scores).mean().backward()  # type: ignore[no-untyped-call]

    return step


def sides(num_classes: int) -> dict[str, Step]:
    """Return a step of every loss that takes K scores for one true class, and of the others'."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.randint(num_classes, (BATCH_SIZE,), generator=draws)
    rows = F.one_hot(labels, num_classes).float()
    counts = torch.linspace(1_000, 10, num_classes)
    inputs = {"epoch": 1, "epochs": 10, "rows": torch.arange(BATCH_SIZE)}

    def scores() -> torch.Tensor:
        return torch.randn(BATCH_SIZE, num_classes, generator=draws).requires_grad_()

    found: dict[str, Step] = {REFERENCE: step_of(lambda z: F.cross_entropy(z, labels, reduction="none"), scores())}
    for name, spec in LOSSES.items():
        if spec.head != "linear" or set(spec.inputs) - {"class_counts", *inputs}:
            continue
        if spec.tasks == ("ordinal",) and num_classes > MOST_GRADES:
            continue
        loss = losses.get(name, class_counts=counts)
        own = labels if spec.encoding == "integer" else rows
        step = step_of(lambda z, loss=loss, own=own: loss(z, own, **inputs), scores())
        try:
            step()
        except LossInputError:  # beta_soft_labels has tables for few grades only
            continue
        found[name] = step
    return found | {name: step_of(other, scores()) for name, other in others(labels, rows).items()}


def others(labels: torch.Tensor, rows: torch.Tensor) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Return losses as other libraries have them."""
    import keras

    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    focal = keras.losses.CategoricalFocalCrossentropy(from_logits=True, reduction=None, alpha=1.0)

    def sigmoid_focal(z: torch.Tensor) -> torch.Tensor:
        p = z.sigmoid()
        right = p * rows + (1 - p) * (1 - rows)
        bce = F.binary_cross_entropy_with_logits(z, rows, reduction="none")
        return ((0.25 * rows + 0.75 * (1 - rows)) * bce * (1 - right) ** 2).sum(-1)

    return {
        "keras sparse": lambda z: sparse(labels, z),
        "keras focal": lambda z: focal(rows, z),
        "sigmoid focal as in torchvision": sigmoid_focal,
    }


def seconds_of(step: Step) -> float:
    """Return the seconds of one step, over as many as the clock needs."""
    repeats = 1
    while True:
        started = time.perf_counter()
        for _ in range(repeats):
            step()
        taken = time.perf_counter() - started
        if taken >= _SHORTEST_SECONDS:
            return taken / repeats
        repeats = max(2 * repeats, int(repeats * _SHORTEST_SECONDS / max(taken, 1e-6)))


class _Live(TorchDispatchMode):
    """Counts the bytes of tensors that operations make, while they live."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.highest = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = [leaf.untyped_storage() for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if not isinstance(leaf, torch.Tensor):
                continue
            storage = leaf.untyped_storage()
            if storage not in self._known and all(storage.data_ptr() != other.data_ptr() for other in before):
                self._known.add(storage)
                self.held += storage.nbytes()
                self.highest = max(self.highest, self.held)
                weakref.finalize(storage, self._drop, storage.nbytes())
        return found

    def _drop(self, size: int) -> None:
        self.held -= size


def peak_bytes(step: Step) -> int:
    """Return what tensors take at most beyond what was there; buffers inside one operation are not seen."""
    step()
    with _Live() as live:
        step()
    return live.highest


def measure(num_classes: int, rounds: int) -> dict[str, Any]:
    """Return seconds and ratios of every side."""
    steps = sides(num_classes)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    ratio: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):  # the first warms up
        names = list(steps)[:: 1 if turn % 2 else -1]
        for name in names:
            reference, taken = seconds_of(steps[REFERENCE]), seconds_of(steps[name])
            if turn:
                seconds[name].append(taken)
                ratio[name].append(taken / reference)
    return {
        "classes": num_classes,
        "batch_size": BATCH_SIZE,
        "seconds": seconds,
        "ratio": {name: middle(values) for name, values in ratio.items()},
        "peak_bytes": {name: peak_bytes(step) for name, step in steps.items()},
    }


def tables(record: Mapping[str, Any]) -> str:
    """Return the plain losses, those of other libraries, and the slowest of ours; the record has all."""
    largest = max(record["cells"], key=lambda cell: cell["classes"])  # without grades
    ours = [name for name in largest["ratio"] if name in LOSSES and name not in PLAIN]
    slowest = sorted(ours, key=lambda name: -largest["ratio"][name]["median"])[:SLOWEST]
    return full_table(record, {REFERENCE, *PLAIN, *slowest} | {name for name in largest["ratio"] if name not in LOSSES})


def full_table(record: Mapping[str, Any], chosen: Collection[str] | None = None) -> str:
    """Return one line for each loss: ratio to cross-entropy by number of classes, and memory at the largest."""
    cells = {cell["classes"]: cell for cell in record["cells"]}
    largest = max(cells)
    head = ["loss", "family", *(f"K = {k:,}" for k in cells), f"memory at K = {largest:,}, KiB"]
    rows = []
    for name in dict.fromkeys(name for cell in cells.values() for name in cell["ratio"]):
        if chosen is not None and name not in chosen:
            continue
        label = f"`{name}`" if name in LOSSES else name
        ratios = [f"{cell['ratio'][name]['median']:.2f}" if name in cell["ratio"] else "" for cell in cells.values()]
        peak = cells[largest]["peak_bytes"].get(name)
        memory = "" if peak is None else f"{peak / 1024:,.0f}"
        rows.append([label, FAMILY_OF.get(name, ""), *ratios, memory])
    reference = ", ".join(
        f"{1e6 * statistics.median(cell['seconds'][REFERENCE]):.0f} µs at K = {k:,}" for k, cell in cells.items()
    )
    return f"{table(head, rows)}\n\n{REFERENCE} takes {reference}."


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return whether the plain families stay within 1.3 times cross-entropy; told the other way round, as a speed."""
    worst = max(
        (cell["ratio"][name]["median"], name, cell["classes"])
        for cell in record["cells"]
        for name in PLAIN
        if name in cell["ratio"]
    )
    slowest = f"slowest: {worst[1]}, K = {worst[2]:,}"
    asked = f"speed of the plain losses, {REFERENCE} = 1 ({slowest})"
    return [Goal(asked=asked, found=1 / worst[0], least=1 / GOAL)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks loss_cost", description=TITLE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    record = facts("loss_cost", arguments, peers=False)
    record["cells"] = [measure(num_classes, asked.rounds) for num_classes in CLASSES]
    keep("loss_cost", TITLE, record, full_table(record), asked.out)
