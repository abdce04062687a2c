"""Simulated studies with a known truth: each cell is data, a kind of noise, arms, when it is looked at, and a margin.

Arms are exchangeable but for shifts of known size, unless the noise says otherwise. Shared with
tests/stats/test_calibration.py.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.evidence_noise import NOISES, Array, chunks_of, generator_of
from lossassay.stats import Looks, PatientPart

ALPHA = 0.05
LOOKS = {
    "fixed 5": Looks(kind="fixed", first=5, last=5),
    "fixed 10": Looks(kind="fixed", first=10, last=10),
    "fixed 30": Looks(kind="fixed", first=30, last=30),
    "planned": Looks(kind="planned", first=6, last=30),
    "anytime": Looks(kind="anytime", first=6, last=30),
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A kind of study.

    Args:
        noise: Its name.
        shifts: True mean of each arm, in standard deviations of the paired difference.
        looks: When it is looked at: a name of `LOOKS`.
        margin: In the same unit; None: nothing is equivalent.
        higher_is_better: The metric's direction.
        patients: Patients of a fixed test part, for scope population; 0: scope procedure.
    """

    noise: str
    shifts: tuple[float, ...]
    looks: str
    margin: float | None = None
    higher_is_better: bool = True
    patients: int = 0

    @property
    def name(self) -> str:
        scope = "population, " * (self.patients > 0)
        return f"{self.truth}, {scope}{self.noise}, {self.arms} arms, {self.looks}"

    @property
    def truth(self) -> str:
        return "equal arms" if self.margin is None else "at the margin"

    @property
    def gated(self) -> bool:
        return NOISES[self.noise].gated

    @property
    def arms(self) -> int:
        return len(self.shifts)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(self.arms), 2))

    @property
    def rule(self) -> Looks:
        return LOOKS[self.looks]

    @property
    def true_differences(self) -> Array:
        """Of each pair, in the unit of the scores."""
        means = NOISES[self.noise].sd * np.array(self.shifts)
        return np.array([means[a] - means[b] for a, b in self.pairs])

    @property
    def true_margin(self) -> float | None:
        """In the unit of the scores."""
        return None if self.margin is None else self.margin * NOISES[self.noise].sd

    def chunks(self, studies: int) -> list[int]:
        """Return how many studies to draw at a time."""
        return chunks_of(studies, self.rule.last * len(self.pairs))

    def draw(self, chunk: int, studies: int) -> tuple[Array, PatientPart | None]:
        """Return scores [S R A], and in scope population what patients add."""
        noise, random = NOISES[self.noise], generator_of(self.name, chunk)
        scores = noise.draw(random, (studies, self.rule.last, self.arms)) + noise.sd * np.array(self.shifts)
        if not self.patients:
            return scores, None
        values = noise.sd * random.normal(size=(studies, self.patients, self.arms))
        of_pairs = np.stack([values[:, :, a] - values[:, :, b] for a, b in self.pairs], axis=2)
        error = of_pairs.std(axis=1, ddof=1)[:, None] / self.patients**0.5
        error = np.broadcast_to(error, (studies, self.rule.last, len(self.pairs)))
        freedom = np.full(error.shape, self.patients - 1.0)
        return scores + values.mean(axis=1)[:, None], PatientPart(error=error, freedom=freedom, floor=error)


def _equal(noise: str, arms: int, looks: str) -> Cell:
    return Cell(noise=noise, shifts=(0.0,) * arms, looks=looks)


def _at_margin(noise: str, arms: int, looks: str) -> Cell:
    """Half of the arms lie one margin above the others: the most pairs that can. Of unequal shapes, one arm does."""
    above = arms // 2 if NOISES[noise].equal_shapes else 1
    shifts = (1.0,) * above + (0.0,) * (arms - above)
    return Cell(noise=noise, shifts=shifts, looks=looks, margin=1.0, higher_is_better=noise != "skewed")


def _population(arms: int, looks: str) -> Cell:
    return Cell(noise="normal", shifts=(0.0,) * arms, looks=looks, patients=40)


EXCHANGEABLE = tuple(name for name, noise in NOISES.items() if noise.equal_shapes)
UNEQUAL = tuple(name for name in NOISES if name not in EXCHANGEABLE)
CELLS = {
    cell.name: cell
    for cell in (
        *(_equal(noise, arms, looks) for noise in EXCHANGEABLE for arms in (2, 3, 6, 12) for looks in LOOKS),
        *(_at_margin(noise, arms, looks) for noise in EXCHANGEABLE for arms in (2, 6) for looks in LOOKS),
        *(_population(arms, looks) for arms in (2, 6) for looks in ("planned", "anytime")),
        *(make(noise, arms, k) for make in (_equal, _at_margin) for noise in UNEQUAL for arms in (2, 6) for k in LOOKS),
    )
}
