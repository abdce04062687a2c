"""How often intervals of an AUROC, of a difference of two, of a proportion and of the bootstrap hold what they should.

    python -m benchmarks.evidence_auroc --studies 400

Scores are normal; ``ratio`` is the spread of positives in units of that of negatives. Each share has a standard error
of about 1.1 % with 400 studies. A width is nan where the interval is undefined in some study, which then counts as one
that does not hold. Prints tables in Markdown.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import binom, norm

from lossassay.stats.auroc import auroc_interval, paired_auroc_difference
from lossassay.stats.cluster_bootstrap import cluster_bootstrap
from lossassay.stats.proportions import clopper_pearson, wilson

Array = np.ndarray[Any, np.dtype[Any]]
SIZES = ((1, 100), (10, 300), (30, 300), (300, 30), (100, 300), (500, 500))
AUROCS = (0.6, 0.75, 0.9, 0.97, 0.995)
RATIOS = (1.0, 2.0)
LEVEL = 0.95


def shift_of(auroc: float, ratio: float) -> float:
    """By how much positives score higher, for this AUROC."""
    return float(norm.ppf(auroc)) * (1 + ratio**2) ** 0.5


def holds(found: Any, true: float) -> bool:
    return bool(found.low <= true <= found.high)


def per_cent(share: float) -> str:
    return f"{100 * share:.1f}"


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    head = list(head)
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + " - |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def single_arms(studies: int) -> Iterable[list[object]]:
    """Coverage of the three intervals of one AUROC."""
    for ratio, (positives, negatives), auroc in product(RATIOS, SIZES, AUROCS):
        random = np.random.default_rng(0)
        truth = np.arange(positives + negatives) < positives
        scale = np.where(truth, ratio, 1.0)
        held, widths, delong_chosen = np.zeros(3), np.zeros(3), 0
        for _ in range(studies):
            scores = truth * shift_of(auroc, ratio) + scale * random.normal(size=len(truth))
            found = [auroc_interval(truth, scores, method=method) for method in ("auto", "delong", "score")]
            held += [holds(interval, auroc) for interval in found]
            widths += [interval.high - interval.low for interval in found]
            delong_chosen += found[0].method.startswith("DeLong")
        shares, widths = held / studies, widths / studies
        shown = [*map(per_cent, shares), *(f"{width:.3f}" for width in widths)]
        yield [ratio, positives, negatives, auroc, per_cent(delong_chosen / studies), *shown]


def clustered_arms(studies: int) -> Iterable[list[object]]:
    """Coverage where patients have several rows that resemble each other (half of the spread is between patients)."""
    for patients, labels, auroc in product((20, 100, 300), ("patient", "row"), (0.75, 0.9, 0.97)):
        random, held = np.random.default_rng(1), np.zeros(4)
        for _ in range(studies):
            groups = np.repeat(np.arange(patients), 1 + random.poisson(3, patients))
            half = random.random(patients if labels == "patient" else len(groups)) < 0.5
            truth = half[groups] if labels == "patient" else half
            noise = random.normal(size=patients)[groups] + random.normal(size=len(groups))
            scores = truth * norm.ppf(auroc) * 2 + noise
            found = [auroc_interval(truth, scores, groups=groups, method=name) for name in ("auto", "delong", "score")]
            found.append(auroc_interval(truth, scores))
            held += [holds(interval, auroc) for interval in found]
        yield [patients, labels, auroc, *(per_cent(share) for share in held / studies)]


def differences(studies: int) -> Iterable[list[object]]:
    """Coverage of the difference, and how often equal arms are called different."""
    pairs = ((0.75, 0.75), (0.9, 0.9), (0.9, 0.85), (0.97, 0.97), (0.97, 0.94))
    for (positives, negatives), ratio, (first, second) in product(((10, 300), (30, 300), (100, 300)), RATIOS, pairs):
        random, held, widths = np.random.default_rng(2), np.zeros(2), np.zeros(2)
        truth = np.arange(positives + negatives) < positives
        scale = np.where(truth, ratio, 1.0)
        for _ in range(studies):
            shared = random.normal(size=len(truth))
            arms = [
                truth * shift_of(auroc, ratio) + scale * (0.9 * shared + 0.19**0.5 * random.normal(size=len(truth)))
                for auroc in (first, second)
            ]
            found = [paired_auroc_difference(truth, *arms, method=name) for name in ("auto", "delong")]
            held += [holds(interval, first - second) for interval in found]
            widths += [interval.high - interval.low for interval in found]
        shown = [*map(per_cent, held / studies), *(f"{width:.3f}" for width in widths / studies)]
        yield [ratio, positives, negatives, first, second, *shown]


def auroc_of(truth: Array, scores: Array) -> Callable[[Array], float]:
    """AUROC of weighted rows without ties, sorted once."""
    order = np.argsort(scores)
    positive = truth[order].astype(float)

    def statistic(times: Array) -> float:
        weights = times[order]
        below = np.cumsum(weights * (1 - positive))
        pairs = below[-1] * (weights @ positive)
        return float(below @ (weights * positive) / pairs) if pairs else float("nan")

    return statistic


def bootstraps(studies: int) -> Iterable[list[object]]:
    """Coverage of the bootstrap of patients, 500 draws: a skewed mean, and an AUROC of 0.9."""
    for patients, name in product((20, 50, 200), ("mean of lognormal", "AUROC")):
        random, held = np.random.default_rng(3), np.zeros(2)
        for study in range(studies):
            groups = np.repeat(np.arange(patients), 1 + random.poisson(1, patients))
            noise = 0.5**0.5 * (random.normal(size=patients)[groups] + random.normal(size=len(groups)))
            if name == "AUROC":
                truth, true = (np.arange(patients) % 2 == 0)[groups], 0.9
                statistic = auroc_of(truth, truth * shift_of(true, 1.0) + noise)
            else:
                values, true = np.exp(noise), np.exp(0.5)
                statistic = mean_of(values)
            for column, method in enumerate(("percentile", "bca")):
                held[column] += holds(cluster_bootstrap(statistic, groups, draws=500, method=method, seed=study), true)
        yield [patients, name, *(per_cent(share) for share in held / studies)]


def mean_of(values: Array) -> Callable[[Array], float]:
    return lambda times: float(times @ values / times.sum())


def proportions() -> Iterable[list[object]]:
    """Exact coverage, over 999 true proportions: every outcome with its chance."""
    for trials, (name, interval) in product((10, 30, 100), (("Clopper-Pearson", clopper_pearson), ("Wilson", wilson))):
        found = [interval(successes, trials) for successes in range(trials + 1)]
        true = np.arange(1, 1000) / 1000
        covers = [[holds(limits, share) for limits in found] for share in true]
        chance = binom.pmf(np.arange(trials + 1), trials, true[:, None])
        coverage = (chance * np.array(covers)).sum(axis=1)
        yield [trials, name, per_cent(coverage.min()), per_cent(coverage.mean())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="in each cell")
    studies = parser.parse_args().studies
    started = time.perf_counter()
    sizes = ["ratio", "positives", "negatives"]
    table("Proportions, exact", ["trials", "interval", "lowest %", "mean %"], proportions())
    table(
        "One AUROC",
        [*sizes, "AUROC", "DeLong chosen %", "auto %", "DeLong %", "score %", "width auto", "DeLong", "score"],
        single_arms(studies),
    )
    table(
        "One AUROC, patients with 4 rows on average",
        ["patients", "labels by", "AUROC", "auto %", "DeLong %", "score %", "patients ignored %"],
        clustered_arms(studies // 2),
    )
    table(
        "Difference of two AUROCs",
        [*sizes, "AUROC a", "AUROC b", "auto %", "DeLong %", "width auto", "DeLong"],
        differences(studies),
    )
    table("Bootstrap of patients", ["patients", "statistic", "percentile %", "BCa %"], bootstraps(max(1, studies // 2)))
    print(f"\n{studies} studies in a cell (half as many with patients), {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
