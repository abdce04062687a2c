"""Which arms are compared, which comparisons share alpha, and when they are looked at."""

from itertools import combinations

from lossassay.config import Study
from lossassay.config.schema import EvidenceConfig
from lossassay.stats import Looks

Pair = tuple[int, int]  # places of two arms in the study's order


def compared_pairs(study: Study) -> list[Pair]:
    """Return every pair of arms that gets an interval: all, or those with the reference arm."""
    names = [arm.name for arm in study.arms]
    asked = study.evidence.compare
    return [(a, b) for a, b in combinations(range(len(names)), 2) if asked in ("all", names[a], names[b])]


def family(study: Study, same: set[tuple[str, str]]) -> list[Pair]:
    """Return the pairs that share alpha: those compared, without pairs that are one function.

    Args:
        study: The study.
        same: Names of the pairs that were found to be one function before training.
    """
    names = [arm.name for arm in study.arms]
    return [(a, b) for a, b in compared_pairs(study) if (names[a], names[b]) not in same]


def looks_of(evidence: EvidenceConfig) -> Looks:
    """Return when a study is looked at."""
    kind = evidence.stopping if evidence.sequential else "fixed"
    return Looks(kind=kind, first=evidence.fewest, last=evidence.most)
