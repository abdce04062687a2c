"""One side of `bootstrap`, in a process of its own: prints seconds, standard errors and memory as JSON."""

import json
import resource
import sys
import time
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import bootstrap, rankdata

from lossassay import stats
from lossassay.metrics import TestedRows, weighted_yardstick

ARMS, REPLICATES, IMAGES, DRAWS = 12, 20, 2_000, 10_000
METRICS = ("balanced_accuracy", "macro_auroc")
PEER_DRAWS = 1_000


def make_parts() -> list[TestedRows]:
    """Return one fixed test part with probabilities of every arm and replicate; AUROC about 0.92."""
    random = np.random.default_rng(0)
    labels = (np.arange(IMAGES) % 2).astype(int)
    parts = []
    for _ in range(REPLICATES):
        scores = random.normal(size=(ARMS, IMAGES)) + 2 * labels - 1
        positive = (1 / (1 + np.exp(-scores))).astype(np.float32)
        probabilities = [np.stack([1 - p, p], axis=1) for p in positive]
        parts.append(TestedRows(patients=np.arange(IMAGES), labels=labels, probabilities=probabilities))
    return parts


def ours() -> dict[str, dict[str, float]]:
    """Time all arms, replicates and draws."""
    parts, found = make_parts(), {}
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


def peer() -> dict[str, dict[str, float]]:
    """Time one arm of one replicate and multiply."""
    first, found = make_parts()[0], {}
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


def main() -> None:
    found = SIDES[json.loads(sys.argv[1])["side"]]()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"metrics": found, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
