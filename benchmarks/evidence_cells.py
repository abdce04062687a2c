"""Whole studies with a known truth: what noise, how many arms, which rule, and where the arms truly stand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lossassay.stats import Looks

Array = np.ndarray[Any, np.dtype[Any]]
Noise = Callable[[np.random.Generator, int, int, int], Array]  # random, studies, replicates, arms -> scores [S R A]

SHARED, OWN = 0.02, 0.01  # spread of what a replicate's arms share (the split), and of each run


def normal(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Shared split effect and own noise, both normal."""
    shared = SHARED * random.normal(size=(studies, replicates, 1))
    return 0.9 + shared + OWN * random.normal(size=(studies, replicates, arms))


def tied(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Accuracies on 60 test images: a difference of 0 is common."""
    return _accuracies(random, (studies, replicates, arms), images=60, mean=0.9)


def near_one(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Accuracies near 0.99 on 200 test images."""
    return _accuracies(random, (studies, replicates, arms), images=200, mean=0.99)


def skewed(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Exponential own noise: now and then a run is far worse."""
    shared = SHARED * random.normal(size=(studies, replicates, 1))
    return 0.9 + shared - 1.5 * OWN * random.exponential(size=(studies, replicates, arms))


def rare_failures(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """One run in twenty loses 0.3, as one that diverges does."""
    failed = random.random((studies, replicates, arms)) < 0.05
    return 0.95 + 0.5 * OWN * random.normal(size=(studies, replicates, arms)) - 0.3 * failed


def unequal_shapes(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Equal means; the last arm has exponential noise, the others normal: the differences are not symmetric."""
    scores = normal(random, studies, replicates, arms)
    scores[..., -1] = 0.9 - 2 * OWN * (random.exponential(size=(studies, replicates)) - 1)
    return scores


def unequal_spreads(random: np.random.Generator, studies: int, replicates: int, arms: int) -> Array:
    """Equal means, normal noise, spreads from half to twice."""
    spreads = np.geomspace(0.5, 2, arms) * OWN
    return 0.9 + spreads * random.normal(size=(studies, replicates, arms))


def _accuracies(random: np.random.Generator, shape: tuple[int, int, int], *, images: int, mean: float) -> Array:
    level = np.clip(mean + (1 - mean) * 0.2 * random.normal(size=(*shape[:2], 1)), 0, 1)
    return random.binomial(images, np.broadcast_to(level, shape)) / images


NOISES: dict[str, Noise] = {
    "normal": normal,
    "tied": tied,
    "near one": near_one,
    "skewed": skewed,
    "rare failures": rare_failures,
    "unequal shapes": unequal_shapes,
    "unequal spreads": unequal_spreads,
}
EXCHANGEABLE = ("normal", "tied", "near one", "skewed", "rare failures")  # gated; the others are reported
RULES = {
    **{f"fixed {n}": Looks(kind="fixed", first=n, last=n) for n in (5, 10, 20, 30)},
    "planned 6 to 30": Looks(kind="planned", first=6, last=30),
    "anytime 6 to 30": Looks(kind="anytime", first=6, last=30),
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of study.

    Args:
        noise: Name of the noise.
        arms: How many.
        rule: Name of the looks.
        at_margin: Whether the last arm lies exactly the margin below the others; else all means are equal.
        studies: To simulate.
    """

    noise: str
    arms: int
    rule: str
    at_margin: bool
    studies: int

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"{self.noise}, {self.arms} arms, {self.rule}, {'at the margin' if self.at_margin else 'null'}"

    @property
    def gated(self) -> bool:
        """Whether the error rate must hold."""
        return self.noise in EXCHANGEABLE

    @property
    def margin(self) -> float:
        """One and a half spreads of a paired difference, in whole test images where scores are ties."""
        return {"tied": 5 / 60, "near one": 3 / 200, "rare failures": 0.1}.get(self.noise, 1.5 * 2**0.5 * OWN)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of arms."""
        return list(combinations(range(self.arms), 2))

    def draw(self, random: np.random.Generator, studies: int) -> Array:
        """Return scores [S R A]."""
        scores = NOISES[self.noise](random, studies, RULES[self.rule].last, self.arms)
        scores[..., -1] -= self.margin * self.at_margin
        return scores

    def truth(self) -> Array:
        """Return the true difference of each pair."""
        return np.array([self.margin * self.at_margin * (b == self.arms - 1) for _, b in self.pairs])


NAMED = (  # ten thousand studies each
    ("normal", 3, "fixed 10", False),
    ("normal", 6, "planned 6 to 30", False),
    ("normal", 6, "planned 6 to 30", True),
    ("normal", 6, "anytime 6 to 30", False),
    ("normal", 12, "planned 6 to 30", False),
    ("tied", 3, "fixed 5", False),
    ("tied", 6, "planned 6 to 30", False),
    ("tied", 3, "planned 6 to 30", True),
    ("near one", 3, "planned 6 to 30", False),
    ("skewed", 6, "planned 6 to 30", False),
    ("skewed", 3, "planned 6 to 30", True),
    ("rare failures", 3, "planned 6 to 30", False),
)


def cells(named_studies: int, other_studies: int) -> Iterator[Cell]:
    """Yield the named cells, then every other combination."""
    for noise, arms, rule, at_margin in NAMED:
        yield Cell(noise=noise, arms=arms, rule=rule, at_margin=at_margin, studies=named_studies)
    for noise in NOISES:
        for arms in (3, 6, 12):
            for rule in RULES:
                for at_margin in (False, True):
                    if (noise, arms, rule, at_margin) not in NAMED:
                        yield Cell(noise=noise, arms=arms, rule=rule, at_margin=at_margin, studies=other_studies)
