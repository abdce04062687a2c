"""What the Ray executor adds to the local one.

    python -m benchmarks ray_overhead                                        # about 22 minutes on two cores
    python -m benchmarks ray_overhead --long-epochs 1 --short-epochs 1 --rounds 1     # small, to see that it works

Two comparisons on handwritten digits at 64 px, both sides in turn in every round, in this process: a few runs of about
60 s on one node with all cores, and twelve short runs on three nodes against the local executor with three processes.
The cluster is there before the clock starts; connecting to it, the questions to its nodes and the start of processes
are inside, as the start of processes is for the local executor. Tables must be equal, otherwise there is no record.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, facts, keep, middle, ratios, rotated, spread

TITLE = "What the Ray executor adds to the local one"
SIDES = ("local", "ray")
WORDS = {"long": "runs of about 60 s, one node", "short": "12 short runs, three nodes"}
OVERHEAD = 0.03  # of runs of about 60 s
STORE_BYTES = 200_000_000


def study(name: str, *, arms: int, replicates: int, epochs: int) -> Any:
    """Return a study of digits at 64 px with one thread for each run."""
    from lossassay.config import parse_study

    losses = ("categorical_crossentropy", "mean_squared_error", "binary_crossentropy")[:arms]
    return parse_study(
        {
            "name": name,
            "data": {"path": "digits", "image_size": 64},
            "arms": [{"loss": loss} for loss in losses],
            "training": {"epochs": epochs, "batch_size": 32, "precision": "fp32", "threads": 1, "device": "cpu"},
            "evidence": {"replicates": replicates},
        }
    )


@contextmanager
def cluster(nodes: int, cpus: int) -> Iterator[str]:
    """Start nodes on this machine and give their address."""
    from lossassay.executors.ray_cluster import import_ray

    import_ray()
    from ray.cluster_utils import Cluster

    options = {"num_cpus": cpus, "object_store_memory": STORE_BYTES}
    started = Cluster(initialize_head=True, head_node_args=options | {"include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            started.add_node(**options)
        yield str(started.address)
    finally:
        started.shutdown()


def training_seconds(planned: Any, folder: Path, *, workers: int, address: str | None) -> float:
    """Run a study and return the seconds between its plan and its analysis."""
    from lossassay.executors.choice import Executor
    from lossassay.study.progress import Progress
    from lossassay.study.run import run_study

    clock: dict[str, float] = {}

    def on_stage(stage: str) -> None:
        clock.setdefault(stage, time.perf_counter())

    progress = Progress(on_plan=lambda *_: on_stage("plan"), on_stage=on_stage)
    executor = Executor() if address is None else Executor(kind="ray", address=address)
    run_study(planned, folder, workers=workers, progress=progress, executor=executor)
    return clock["analysis"] - clock["plan"]


def compared(planned: Any, *, nodes: int, cpus: int, rounds: int) -> dict[str, Any]:
    """Run both sides in every round."""
    found: dict[str, Any] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as name, cluster(nodes, cpus) as address:
        for turn in range(rounds):
            for side in rotated(SIDES, turn):
                folder = Path(name) / f"{side}-{turn}"
                where = address if side == "ray" else None
                seconds = training_seconds(planned, folder, workers=nodes * cpus, address=where)
                found[side].append(seconds)
                print(planned.name, side, f"{seconds:.1f} s", flush=True)
            _refuse_other_answers(Path(name), turn)
        runs = pl.read_parquet(Path(name) / "local-0" / "tables" / "runs.parquet")
    return found | {"runs": len(runs), "run_seconds": runs["train_seconds"].mean()}


def _refuse_other_answers(folder: Path, turn: int) -> None:
    first, second = (pl.read_parquet(folder / f"{side}-{turn}" / "tables" / "comparisons.parquet") for side in SIDES)
    if not first.equals(second):
        raise SystemExit("The two executors gave different tables; there is no record of that.")


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each comparison."""
    rows = []
    for name, words in WORDS.items():
        one = record["compared"].get(name)
        if one:
            sides = [spread(middle(one[side]), ".1f") for side in SIDES]
            ratio = spread(ratios(one["ray"], one["local"]), ".3f")
            rows.append([words, str(one["runs"]), f"{one['run_seconds']:.1f}", *sides, ratio])
    return table(["what", "runs", "seconds of a run's training", "local, s", "Ray, s", "Ray / local"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return whether Ray costs little enough."""
    found = {
        name: ratios(one["local"], one["ray"])["median"] if (one := record["compared"].get(name)) else None
        for name in WORDS
    }
    return [
        Goal(asked="Ray on runs of 60 s: local time over Ray's", found=found["long"], least=1 / (1 + OVERHEAD)),
        Goal(asked="Ray on 12 short runs, three nodes: local time over Ray's", found=found["short"], least=1.0),
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ray_overhead", description=TITLE)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long-epochs", type=int, default=10, help="as many as make a run of about 60 s; 0: leave out")
    parser.add_argument("--short-epochs", type=int, default=2, help="0: leave out")
    parser.add_argument("--cpus", type=int, default=2, help="of the one node, for the long runs")
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("ray_overhead", arguments, peers=False) | {"compared": {}}
    if asked.long_epochs:
        planned = study("long", arms=2, replicates=2, epochs=asked.long_epochs)
        record["compared"]["long"] = compared(planned, nodes=1, cpus=asked.cpus, rounds=asked.rounds)
    if asked.short_epochs:
        planned = study("short", arms=3, replicates=4, epochs=asked.short_epochs)
        record["compared"]["short"] = compared(planned, nodes=3, cpus=1, rounds=asked.rounds)
    keep("ray_overhead", TITLE, record, tables(record), asked.out)
