"""What simulated runs scatter like; a chunk's random numbers."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int, int]  # studies, replicates, arms
NUMBERS = 1_000_000  # scores of all pairs in a chunk: a process stays below half a GiB
SPLIT = 2.0  # standard deviation of what all arms of a replicate share; that of a run's own noise is 1


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A kind of scatter.

    Args:
        draw: Scores of arms that are equal on average [S R A].
        words: What it stands for.
        sd: Of the paired difference of two arms, the unit of shifts and margins.
        mean: Of one run.
        spread: Standard deviation of one run.
        equal_shapes: Whether arms are exchangeable; if not, they have equal means only.
        gated: Whether the error rate must hold; if not, it is reported.
    """

    draw: Callable[[np.random.Generator, Shape], Array]
    words: str
    sd: float = 2**0.5
    mean: float = 0.0
    spread: float = (SPLIT**2 + 1) ** 0.5
    equal_shapes: bool = True
    gated: bool = True


def chunks_of(studies: int, numbers: int) -> list[int]:
    """Return how many studies to draw at a time, where a study has that many numbers."""
    size = max(1, NUMBERS // numbers)
    whole, rest = divmod(studies, size)
    return [size] * whole + [rest] * (rest > 0)


def generator_of(name: str, chunk: int) -> np.random.Generator:
    """Return random numbers that depend on a name and a chunk alone, not on what runs beside it."""
    return np.random.default_rng([zlib.crc32(name.encode()), chunk])


def _split(random: np.random.Generator, shape: Shape) -> Array:
    return SPLIT * random.normal(size=(*shape[:2], 1))


def _normal(random: np.random.Generator, shape: Shape) -> Array:
    return _split(random, shape) + random.normal(size=shape)


def _skewed(random: np.random.Generator, shape: Shape) -> Array:
    return _split(random, shape) + 1 - random.exponential(size=shape)


def _collapse(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 0.5 - 5.0 * (random.random(shape) < 0.1)


def _collapsing(random: np.random.Generator, shape: Shape) -> Array:
    return _normal(random, shape) + _collapse(random, shape)


def _two_values(random: np.random.Generator, shape: Shape) -> Array:
    return _split(random, shape) + np.where(random.random(shape) < 0.5, 1.0, -1.0)


def _accuracy(words: str, images: int, hard: float, easy_right: float) -> Noise:
    """Which images are hard depends on the split and holds for all arms."""

    def draw(random: np.random.Generator, shape: Shape) -> Array:
        of_split = random.binomial(images, hard, size=(*shape[:2], 1))
        right = random.binomial(np.broadcast_to(of_split, shape), 0.5)
        return np.asarray((right + random.binomial(images - of_split, easy_right, size=shape)) / images)

    of_pair = 2 * images * (hard / 4 + (1 - hard) * easy_right * (1 - easy_right))
    mean = hard / 2 + (1 - hard) * easy_right
    spread = (mean * (1 - mean) / images) ** 0.5
    return Noise(draw=draw, words=words, sd=of_pair**0.5 / images, mean=mean, spread=spread)


def _one_skewed(random: np.random.Generator, shape: Shape) -> Array:
    own = random.normal(size=shape)
    own[..., 0] = 1 - random.exponential(size=shape[:2])
    return _split(random, shape) + own


def _unequal_spreads(random: np.random.Generator, shape: Shape) -> Array:
    return _split(random, shape) + np.geomspace(0.5, 2, shape[2]) * random.normal(size=shape)


def _one_collapses(random: np.random.Generator, shape: Shape) -> Array:
    scores = _normal(random, shape)
    scores[..., 0] += _collapse(random, shape[:2])
    return scores


def _one_never_errs(random: np.random.Generator, shape: Shape) -> Array:
    """Lowered to the mean of the others, so that the shift of one margin makes it 1."""
    scores = random.binomial(20, 0.98, size=shape) / 20
    scores[..., 0] = 0.98
    return np.asarray(scores)


def _unequal(draw: Callable[[np.random.Generator, Shape], Array], words: str, sd: float = 2**0.5) -> Noise:
    return Noise(draw=draw, words=words, sd=sd, equal_shapes=False, gated=False)


NOISES = {
    "normal": Noise(draw=_normal, words="normal runs"),
    "tied": _accuracy("accuracies of 0.89 on 20 test images: one difference in five is 0", 20, 0.2, 0.99),
    "mostly tied": _accuracy("accuracies of 0.99 on 20 test images: nine differences in ten are 0", 20, 0.02, 1.0),
    "near 1": _accuracy("accuracies of 0.989 on 250 test images", 250, 0.02, 0.999),
    "skewed": Noise(draw=_skewed, words="exponential runs, with a tail towards bad scores"),
    "collapsing": Noise(
        draw=_collapsing,
        words="normal runs, one in ten far below",
        sd=6.5**0.5,
        spread=(SPLIT**2 + 3.25) ** 0.5,
    ),
    "two values": Noise(draw=_two_values, words="each run ends in one of two solutions", gated=False),
    "one arm skewed": _unequal(_one_skewed, "the first arm exponential, the others normal"),
    "unequal spreads": _unequal(_unequal_spreads, "normal runs; spreads from half to twice"),
    "one arm collapses": _unequal(_one_collapses, "one run in ten of the first arm is far below", 4.25**0.5),
    "one arm never errs": _unequal(
        _one_never_errs, "accuracies on 20 test images: the first arm constant, the others 0.98 on average", 0.02
    ),
}
