"""Training images per second of the paper's CNN: lossassay, Keras 3, PyTorch and Lightning, in turn.

    python -m benchmarks training --sizes 300 64 32 --rounds 5

In each round every side trains two epochs of made-up images in fresh processes, and the second epoch counts: imports,
building, compiling and the first steps do not. The sides take turns, each round in another order, and a ratio is one of
two speeds of the same round. The machine's peaks are measured at the start and at the end of each round.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import Answer, Goal, answers, facts, keep, middle, ours, peaks, peer, ratios, rotated, spread
from lossassay.study.planning.machine import worker_environment

TITLE = "Training images per second, the paper's CNN"
BATCH_SIZES = {300: 20}  # and 100 at all other sizes
IMAGES = {300: 40, 64: 1_000, 32: 3_000}  # of an epoch of a side that is slow: some five to ten seconds
FAST = 3  # times as many images for a process of a side that is fast, so that it takes about as long


@dataclass(frozen=True, kw_only=True)
class Task:
    """One size: what every side is told."""

    size: int
    batch_size: int
    images: int
    cores: int

    def options(self, times: int = 1) -> dict[str, int]:
        return {"size": self.size, "batch_size": self.batch_size, "images": times * self.images}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to train.

    Args:
        words: For the tables.
        commands: Of its processes, which run at once.
        environment: What is set for them, from the number of cores; the peers find out by themselves, and use all.
    """

    words: str
    commands: Callable[[Task], list[list[str]]]
    environment: Callable[[int], dict[str, str]] = lambda cores: {}


def _engine(words: str, precision: str, *, alone: bool = False, times: int = FAST) -> Side:
    def commands(task: Task) -> list[list[str]]:
        options = task.options(times) | {"threads": task.cores if alone else 1, "wait": not alone and task.cores > 1}
        return [ours("training_ours", precision=precision, **options)] * (1 if alone else task.cores)

    return Side(
        words=words,
        commands=commands,
        environment=lambda cores: worker_environment(cores if alone else 1),
    )


def _keras(words: str, backend: str, policy: str = "float32", *, times: int = 1) -> Side:
    return Side(
        words=words,
        commands=lambda task: [peer("train_keras", backend=backend, policy=policy, **task.options(times))],
    )


def _torch(words: str, *, fast: bool) -> Side:
    return Side(
        words=words,
        commands=lambda task: [peer("train_torch", channels_last_bf16=fast, **task.options(FAST if fast else 1))],
    )


OURS = "ours"
SIDES = {
    OURS: _engine("lossassay as in a study: a process for each core", "auto"),
    "ours_alone": _engine("lossassay, one process with all threads", "auto", alone=True),
    "ours_bf16": _engine("lossassay, a process for each core, bf16", "bf16"),
    "ours_fp32": _engine("lossassay, a process for each core, fp32", "fp32", times=1),
    "keras_tensorflow": _keras("Keras on TensorFlow", "tensorflow"),
    "keras_tensorflow_bf16": _keras("Keras on TensorFlow, mixed_bfloat16", "tensorflow", "mixed_bfloat16", times=2),
    "keras_jax": _keras("Keras on JAX", "jax"),
    "torch": _torch("PyTorch, the loop of its tutorial", fast=False),
    "torch_fast": _torch("PyTorch, channels-last, bf16 autocast", fast=True),
    "lightning": Side(words="Lightning", commands=lambda task: [peer("train_lightning", **task.options())]),
}

OWN = (OURS, "ours_alone", "ours_bf16", "ours_fp32")

GOALS = (  # size, peer, times as fast
    (300, "keras_tensorflow", 5.0),
    (64, "keras_tensorflow", 4.0),
    (32, "keras_tensorflow", 2.5),
    (300, "keras_tensorflow_bf16", 2.5),
    (300, "torch", 5.0),
)
GOAL_OF_PEAK = (300, 0.60)


# ---- measured ----


def measure(task: Task, names: Sequence[str], turn: int) -> dict[str, Any]:
    """Train every side once."""
    order = rotated(names, turn)
    before = peaks()
    sides: dict[str, Answer] = {}
    for name in order:
        side = SIDES[name]
        found = answers(side.commands(task), side.environment(task.cores))
        speed = sum(one["images"] / one["seconds"] for one in found)
        sides[name] = {"images_per_second": speed, "processes": found}
        print(f"{task.size} px, round {turn + 1}, {side.words}: {speed:,.1f} images/s", flush=True)
    return {"size": task.size, "order": order, "peaks": [before, peaks()], "sides": sides}


def flops_per_image(size: int) -> float:
    """Return the floating-point operations of one training step per image, forward and backward."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from lossassay.config import TrainingConfig
    from lossassay.models import build

    chosen = TrainingConfig()
    model = build(chosen.model, chosen.model_options, channels=1, image_size=size, dimensions=2, num_outputs=3, seed=0)
    batch = 2  # batch normalisation needs two
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(batch, 1, size, size)).sum().backward()
    return counter.get_total_flops() / batch


def summary(rounds: Sequence[Mapping[str, Any]], flops: Mapping[str, float]) -> dict[str, Any]:
    """Return medians over the rounds of each size: speeds, ratios within a round, shares of the bf16 peak."""
    found: dict[str, Any] = {}
    for size in flops:
        own = [one for one in rounds if str(one["size"]) == size]
        found[size] = {name: _of_side(name, own, flops[size]) for name in SIDES if name in own[0]["sides"]}
    return found


def _of_side(name: str, rounds: Sequence[Mapping[str, Any]], flops: float) -> dict[str, Any]:
    speeds = [one["sides"][name]["images_per_second"] for one in rounds]
    limits = [max(peak["bf16_gflops"] for peak in one["peaks"]) * 1e9 for one in rounds]
    found = {
        "images_per_second": middle(speeds),
        "share_of_bf16_peak": ratios([speed * flops for speed in speeds], limits),
    }
    processes = [process for one in rounds for process in one["sides"][name]["processes"]]
    if name in OWN:
        found["share_waiting_for_images"] = middle([one["loading_seconds"] / one["seconds"] for one in processes])
    if OURS in rounds[0]["sides"]:
        found["ours_is_times_as_fast"] = ratios([one["sides"][OURS]["images_per_second"] for one in rounds], speeds)
    return found


# ---- shown ----


def tables(record: Mapping[str, Any]) -> str:
    """Return a table for each size, and the peaks."""
    parts = []
    for size, sides in record["summary"].items():
        head = [
            f"{size} px, batch {_batch_size(int(size))}",
            "images/s (smallest, largest)",
            "ours is times as fast (smallest, largest)",
            "share of the bf16 peak",
        ]
        parts.append(table(head, [_row(SIDES[name].words, found) for name, found in sides.items()]))
    return "\n\n".join([*parts, _peaks(record)])


def _row(words: str, found: Mapping[str, Any]) -> list[str]:
    ratio = found.get("ours_is_times_as_fast")
    return [
        words,
        spread(found["images_per_second"], ",.1f"),
        spread(ratio, ".2f") if ratio else "",
        f"{100 * found['share_of_bf16_peak']['median']:.0f} %",
    ]


def _peaks(record: Mapping[str, Any]) -> str:
    measured = [peak for one in record["rounds"] for peak in one["peaks"]]
    words = {
        "bf16_gflops": "bf16 matrix product, GFLOP/s",
        "fp32_gflops": "fp32 matrix product, GFLOP/s",
        "copy_gbytes": "memory read and written in a copy, GB/s",
    }
    rows = [[text, spread(middle([one[key] for one in measured]), ",.0f")] for key, text in words.items()]
    rows += [
        [
            f"{size} px: share of an epoch in which ours waits for images",
            spread(sides[OURS]["share_waiting_for_images"], ".2%"),
        ]
        for size, sides in record["summary"].items()
        if OURS in sides
    ]
    rows += [
        [f"FLOP of an image of {size} px, forward and backward", f"{flops / 1e9:.3g} G"]
        for size, flops in record["flops_per_image"].items()
    ]
    return table(["the machine, all threads, and the work", "median (smallest, largest)"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return what was asked of training, beside what was found."""
    found = [
        Goal(
            asked=f"training at {size} px against {SIDES[peer_name].words}",
            found=_found(record, size, peer_name, "ours_is_times_as_fast"),
            least=least,
        )
        for size, peer_name, least in GOALS
    ]
    size, share = GOAL_OF_PEAK
    asked = f"share of the measured bf16 peak in training at {size} px"
    return [*found, Goal(asked=asked, found=_found(record, size, OURS, "share_of_bf16_peak"), least=share)]


def _found(record: Mapping[str, Any], size: int, name: str, key: str) -> float | None:
    values = record["summary"].get(str(size), {}).get(name, {}).get(key)
    return None if values is None else values["median"]


def _batch_size(size: int) -> int:
    return BATCH_SIZES.get(size, 100)


def main(arguments: list[str]) -> None:
    asked = _options(arguments)
    record = facts("training", arguments)
    cores = record["environment"]["cores"]
    tasks = list(_tasks(asked.sizes, asked.longer, cores))
    record |= {"cores": cores, "options": {"sides": asked.sides, "rounds": asked.rounds, "longer": asked.longer}}
    record["flops_per_image"] = {str(task.size): flops_per_image(task.size) for task in tasks}
    record["rounds"] = [measure(task, asked.sides, turn) for turn in range(asked.rounds) for task in tasks]
    record["summary"] = summary(record["rounds"], record["flops_per_image"])
    keep("training", TITLE, record, tables(record), asked.out)


def _tasks(sizes: Iterable[int], longer: float, cores: int) -> Iterable[Task]:
    for size in sizes:
        batch_size = _batch_size(size)
        wanted = IMAGES.get(size, 1_000 * (64 / size) ** 2) * longer
        whole_batches = max(1, round(wanted / batch_size))
        yield Task(size=size, batch_size=batch_size, images=whole_batches * batch_size, cores=cores)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 64, 32], help="sides of the images in px")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--longer", type=float, default=1.0, help="times as many images in an epoch")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--out", type=Path, help="folder of the record; default: benchmarks/records/<date>_training")
    return parser.parse_args(arguments)
