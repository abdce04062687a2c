"""How often verdicts differ with and without tuning where tuning changes nothing, and how often a shift is shown.

    python -m benchmarks.tuning_words                 # 2,000 studies in each cell, about two minutes
    python -m benchmarks.tuning_words --studies 200

writes benchmarks/records/<date>_tuning_words/. Four arms against a fifth. A run scores the mean of its arm, what its
split adds to all arms (standard deviation 2) and noise of its own (1); untuned and tuned runs have the same means and
splits, and noise of their own. Differences, margins and shifts are judged by the code that judges studies. Unit: the
standard deviation of a paired difference over replicates.
"""

import argparse
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from benchmarks.evidence_tables import share, table
from benchmarks.runner import facts, keep
from lossassay import stats

TITLE = "Words that differ where tuning changes nothing"
ALPHA, ARMS, SPLIT = 0.05, 5, 2.0
UNIT = 2**0.5  # of a paired difference, with noise of 1 in either run
REPLICATES, DIFFERENCES, MARGINS = (6, 12, 20), (0.0, 0.5, 1.0, 2.0), (0.5, 1.0, 2.0)
PAIRS = [(arm, 0) for arm in range(1, ARMS)]


def judged(scores: Any, margin: float) -> list[str]:
    """Return the word of every pair."""
    found = stats.paired_differences(scores, PAIRS, alpha=ALPHA, family_size=len(PAIRS))
    return [stats.verdict(one, margin=margin, same_function=False, higher_is_better=True)[0] for one in found]


def moved(untuned: Any, tuned: Any) -> list[bool]:
    """Return for every pair whether its difference is shown to have moved."""
    both = [scores[:, a] - scores[:, b] for a, b in PAIRS for scores in (tuned, untuned)]
    columns = [(2 * place, 2 * place + 1) for place in range(len(PAIRS))]
    found = stats.paired_differences(np.stack(both, axis=1), columns, alpha=ALPHA, family_size=len(PAIRS))
    return [one.low > 0 or one.high < 0 for one in found]


def simulate(replicates: int, difference: float, margin: float, studies: int) -> dict[str, Any]:
    """Count pairs whose words differ, and studies in which some difference is said to have moved."""
    random = np.random.default_rng([replicates, round(100 * difference), round(100 * margin)])
    means = np.array([0.0] + [difference * UNIT] * (ARMS - 1))
    words = shifts = 0
    for _ in range(studies):
        split = SPLIT * random.normal(size=(replicates, 1))
        untuned, tuned = (means + split + random.normal(size=(replicates, ARMS)) for _ in range(2))
        before, after = (judged(scores, margin * UNIT) for scores in (untuned, tuned))
        words += sum(a != b for a, b in zip(before, after, strict=True))
        shifts += any(moved(untuned, tuned))
    cell = {"replicates": replicates, "difference": difference, "margin": margin}
    return cell | {"studies": studies, "pairs": studies * len(PAIRS), "words_differ": words, "any_moved": shifts}


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each cell."""
    head = ["replicates", "true difference", "margin", "pairs whose words differ, %", "studies with a shift shown, %"]
    return table(
        head,
        [
            [
                one["replicates"],
                one["difference"],
                one["margin"],
                share(one["words_differ"], one["pairs"]),
                share(one["any_moved"], one["studies"]),
            ]
            for one in record["cells"]
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning_words", description=TITLE)
    parser.add_argument("--studies", type=int, default=2_000, help="in each cell")
    asked = parser.parse_args()
    record = facts("tuning_words", [], peers=False) | {"page": "docs/tuning.md"}
    record["command"] = f"python -m benchmarks.tuning_words --studies {asked.studies}"
    record["cells"] = [simulate(*cell, asked.studies) for cell in product(REPLICATES, DIFFERENCES, MARGINS)]
    keep("tuning_words", TITLE, record, tables(record))


if __name__ == "__main__":
    main()
