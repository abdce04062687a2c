"""Calibration by simulation: whole studies with a known truth, judged by the rule that judges real ones."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from lossassay.stats import mean_interval, paired_differences, verdict

ALPHA = 0.05
STUDIES = 1_000
PAIRS = list(combinations(range(4), 2))


def studies(arm_means: list[float], replicates: int, noise: str, seed: int = 0) -> Any:
    """Scores [studies R A]: noise that all arms of a replicate share (the split), and noise of each run."""
    random = np.random.default_rng(seed)
    shape = (STUDIES, replicates, len(arm_means))
    own = {
        "normal": lambda: random.normal(size=shape),
        "heavy tails": lambda: random.standard_t(4, size=shape),
        "unequal": lambda: random.normal(size=shape) * np.linspace(0.5, 2, len(arm_means)),
    }[noise]()
    return np.array(arm_means) + 2 * random.normal(size=(*shape[:2], 1)) + own


def at_most(rate: float) -> float:
    """The rate and 3.5 Monte-Carlo standard errors."""
    return rate + 3.5 * (rate * (1 - rate) / STUDIES) ** 0.5


@pytest.mark.parametrize("noise", ["normal", "heavy tails", "unequal"])
def test_studies_without_any_difference_rarely_have_a_false_verdict(noise: str) -> None:
    false = 0
    for scores in studies([0.0] * 4, 8, noise):
        found = paired_differences(scores, PAIRS, alpha=ALPHA, family_size=len(PAIRS))
        words = [verdict(d, margin=None, same_function=False, higher_is_better=True)[0] for d in found]
        false += any(word != "undecided" for word in words)
    assert false / STUDIES <= at_most(ALPHA)
    assert false > 0  # a rule that never decides would pass too


def test_all_intervals_of_a_study_hold_together_and_a_single_one_holds_as_often_as_it_says() -> None:
    means = [0.0, 0.3, 0.3, 1.0]
    together = alone = 0
    for scores in studies(means, 8, "normal"):
        family = paired_differences(scores, PAIRS, alpha=ALPHA, family_size=len(PAIRS))
        together += all(d.low <= means[a] - means[b] <= d.high for d, (a, b) in zip(family, PAIRS, strict=True))
        (single,) = paired_differences(scores, [(0, 3)], alpha=ALPHA, family_size=1)
        alone += single.low <= -1.0 <= single.high
    assert 1 - together / STUDIES <= at_most(ALPHA)
    assert abs(1 - alone / STUDIES - ALPHA) <= at_most(ALPHA) - ALPHA


def test_arms_that_differ_by_the_margin_are_rarely_called_equivalent() -> None:
    margin = 2.0
    wrong = right = 0
    for different, equal in zip(
        studies([margin, 0.0], 12, "normal"), studies([0.0, 0.0], 12, "normal", seed=1), strict=True
    ):
        for scores, is_wrong in ((different, True), (equal, False)):
            (found,) = paired_differences(scores, [(0, 1)], alpha=ALPHA, family_size=1)
            called = verdict(found, margin=margin, same_function=False, higher_is_better=True)[0] == "equivalent"
            wrong += called and is_wrong
            right += called and not is_wrong
    assert wrong / STUDIES <= at_most(ALPHA / 2)  # one of the interval's two sides
    assert right / STUDIES > 0.8


def test_p_values_are_uniform_under_the_null() -> None:
    p_values = [
        paired_differences(scores, [(0, 1)], alpha=ALPHA, family_size=1)[0].p_value
        for scores in studies([0.0, 0.0], 5, "normal")
    ]
    for quantile in (0.01, 0.05, 0.25, 0.5, 0.9):
        share = np.mean(np.array(p_values) <= quantile)
        assert abs(share - quantile) <= 3.5 * (quantile * (1 - quantile) / STUDIES) ** 0.5


def test_coarse_scores_of_a_small_test_part_do_not_raise_the_error_rate() -> None:
    """With 20 test images equal differences are common; they must not count as certainty."""
    random = np.random.default_rng(0)
    for replicates in (2, 3, 8):
        scores = random.binomial(20, 0.9, size=(STUDIES, replicates, 2)) / 20
        found = [paired_differences(s, [(0, 1)], alpha=ALPHA, family_size=1)[0] for s in scores]
        assert np.mean([d.low > 0 or d.high < 0 for d in found]) <= at_most(ALPHA)


def test_the_interval_of_an_arm_covers_its_mean() -> None:
    covered = [
        (found := mean_interval(scores[:, 0])).low <= 0.0 <= found.high for scores in studies([0.0], 5, "normal")
    ]
    assert abs(np.mean(covered) - 0.95) <= at_most(0.05) - 0.05
