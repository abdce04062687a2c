"""Crossed bootstrap draws per second: lossassay for all arms and replicates, scipy.stats.bootstrap for one, in turn.

    python -m benchmarks.bootstrap --record bootstrap

Data: 12 arms x 20 replicates, all tested on the same 2,000 images of as many patients, two classes.
Ours: 10,000 draws of balanced accuracy, then of AUROC, each with the percentile intervals of all 66 pairs and the
chance of being best, on two threads; preparation counts.
scipy: `scipy.stats.bootstrap` has no weights that several samples share, so it draws one arm of one replicate,
paired rows, with a vectorised statistic, `method="percentile"`; its seconds per draw are then multiplied by 10,000
draws x 240 runs. It does so much less: intervals of single runs, no differences, no replicates.
Both sides run in fresh processes, one after the other, in an order that alternates; imports do not count.
`standard_error` is that of the first run, over patients, on both sides: they must agree.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import bootstrap, rankdata

from benchmarks.decoding import processor
from benchmarks.record import commit, new_record
from lossassay import stats
from lossassay.metrics import TestedRows, weighted_yardstick

ARMS, REPLICATES, IMAGES, DRAWS = 12, 20, 2_000, 10_000
METRICS = ("balanced_accuracy", "macro_auroc")
PEER_DRAWS = 1_000


def make_parts(separation: float) -> list[TestedRows]:
    """Return one fixed test part with probabilities of every arm and replicate; AUROC about 0.92 at separation 1."""
    random = np.random.default_rng(0)
    labels = (np.arange(IMAGES) % 2).astype(int)
    parts = []
    for _ in range(REPLICATES):
        scores = random.normal(size=(ARMS, IMAGES)) + separation * (2 * labels - 1)
        positive = (1 / (1 + np.exp(-scores))).astype(np.float32)
        probabilities = [np.stack([1 - p, p], axis=1) for p in positive]
        parts.append(TestedRows(patients=np.arange(IMAGES), labels=labels, probabilities=probabilities))
    return parts


def ours(separation: float) -> dict[str, dict[str, float]]:
    """Time all arms, replicates and draws."""
    parts, found = make_parts(separation), {}
    for metric in METRICS:
        start = time.perf_counter()
        score = weighted_yardstick(metric, parts, task="single_label")
        pairs = list(combinations(range(ARMS), 2))
        told = {"num_patients": score.num_patients, "draws": DRAWS, "threads": 2}
        stats.crossed_bootstrap(score.of_replicates, pairs, alpha=0.05, family_size=len(pairs), **told)
        seconds = time.perf_counter() - start
        weights = np.random.default_rng(0).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=PEER_DRAWS)
        of_first = score.of_replicates[0](weights.T.astype(np.float32))[0]
        found[metric] = {"seconds": seconds, "standard_error": float(of_first.std(ddof=1))}
    return found


def balanced_accuracy(labels: Any, positive: Any, axis: int = -1) -> Any:
    right = (positive > 0.5) == labels
    return sum((right & (labels == k)).sum(axis=axis) / (labels == k).sum(axis=axis) for k in (0, 1)) / 2


def auroc(labels: Any, positive: Any, axis: int = -1) -> Any:
    count = labels.sum(axis=axis)
    wins = (rankdata(positive, axis=axis) * labels).sum(axis=axis) - count * (count + 1) / 2
    return wins / count / (labels.shape[axis] - count)


def peer(separation: float) -> dict[str, dict[str, float]]:
    """Time one arm of one replicate and multiply."""
    first, found = make_parts(separation)[0], {}
    positive = np.asarray(first.probabilities[0])[:, 1]
    for metric, statistic in zip(METRICS, (balanced_accuracy, auroc), strict=True):
        start = time.perf_counter()
        result = bootstrap(
            (first.labels, positive),
            statistic,
            n_resamples=PEER_DRAWS,
            batch=100,
            paired=True,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(0),
        )
        seconds = (time.perf_counter() - start) / PEER_DRAWS * DRAWS * ARMS * REPLICATES
        found[metric] = {"seconds": seconds, "standard_error": float(result.standard_error)}
    return found


SIDES = {"ours": ours, "scipy": peer}


def run_side(side: str, separation: float) -> dict[str, Any]:
    """Run one side in a fresh process and return what it prints."""
    command = [sys.executable, "-m", "benchmarks.bootstrap", "--side", side, "--separation", str(separation)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The side {side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(rounds: int, separation: float) -> list[dict[str, Any]]:
    """Run both sides in turn."""
    records = []
    for number in range(rounds):
        order = ("ours", "scipy") if number % 2 == 0 else ("scipy", "ours")
        sides = {side: run_side(side, separation) for side in order}
        records.append(sides)
        print(f"round {number + 1}: {json.dumps(sides)}", file=sys.stderr, flush=True)
    return records


def summarise(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians and ranges of seconds, ratios of each round, and the largest memory of ours."""
    summary: dict[str, Any] = {}
    for metric in METRICS:
        seconds = {side: [r[side]["metrics"][metric]["seconds"] for r in records] for side in SIDES}
        ratios = [there / here for here, there in zip(seconds["ours"], seconds["scipy"], strict=True)]
        summary[metric] = {
            **{f"{side}_seconds": statistics.median(values) for side, values in seconds.items()},
            "ours_slowest_seconds": max(seconds["ours"]),
            "times_faster": statistics.median(ratios),
            "smallest_times_faster": min(ratios),
            **{f"{side}_standard_error": records[0][side]["metrics"][metric]["standard_error"] for side in SIDES},
        }
    together = [sum(r["ours"]["metrics"][metric]["seconds"] for metric in METRICS) for r in records]
    summary["ours_both_metrics_seconds"] = {"median": statistics.median(together), "slowest": max(together)}
    summary["ours_peak_memory_bytes"] = max(r["ours"]["peak_memory_bytes"] for r in records)
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--separation", type=float, default=1.0, help="of the classes, in standard deviations by 2")
    parser.add_argument("--record", help="name of a record to write, for example bootstrap")
    parser.add_argument("--side", choices=list(SIDES), help="run one side only and print its numbers")
    options = parser.parse_args()
    if options.side:
        metrics = SIDES[options.side](options.separation)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"metrics": metrics, "peak_memory_bytes": memory}))
        return
    rounds = measure(options.rounds, options.separation)
    result = {
        "what": f"{DRAWS} draws, {ARMS} arms x {REPLICATES} replicates x {IMAGES} test images, both sides in turn, "
        f"{options.rounds} rounds; scipy: {PEER_DRAWS} draws of one run, multiplied",
        "separation": options.separation,
        "summary": summarise(rounds),
        "rounds": rounds,
        "hardware": {"processor": processor(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            "system": platform.system(),
            **{name: version(name) for name in ("lossassay", "numpy", "scipy")},
        },
        "commit": commit(),
    }
    print(json.dumps(result["summary"], indent=2))
    if options.record:
        path = new_record(options.record) / "bootstrap.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"Now write {path.parent.name}/README.md.")


if __name__ == "__main__":
    main()
