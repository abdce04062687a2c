"""Which arms are compared, which comparisons share alpha, and when they are looked at."""

from itertools import combinations

from lossassay.config import Study
from lossassay.config.schema import EvidenceConfig
from lossassay.stats import Looks

Pair = tuple[int, int]  # places of two arms in the study's order


def compared_pairs(study: Study) -> list[Pair]:
    """Return every pair of arms that gets an interval: all, or each other arm with the reference arm behind it."""
    names = [arm.name for arm in study.arms]
    if study.evidence.compare == "all":
        return list(combinations(range(len(names)), 2))
    reference = names.index(study.evidence.compare)
    return [(place, reference) for place in range(len(names)) if place != reference]


def family(study: Study, same: set[tuple[str, str]]) -> list[Pair]:
    """Return the pairs that share alpha: those compared, without pairs that are one function.

    Args:
        study: The study.
        same: Names of the pairs that were found to be one function before training.
    """
    names = [arm.name for arm in study.arms]
    return [(a, b) for a, b in compared_pairs(study) if not {(names[a], names[b]), (names[b], names[a])} & same]


def looks_of(evidence: EvidenceConfig) -> Looks:
    """Return when a study is looked at."""
    kind = evidence.stopping if evidence.sequential else "fixed"
    return Looks(kind=kind, first=evidence.fewest, last=evidence.most)
