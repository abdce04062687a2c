"""What a study could show, before it is trained: from a stated spread, an earlier study or a pilot."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np

from lossassay import stats
from lossassay.config import Study
from lossassay.data.sites import site_names
from lossassay.engine.seeds import derive
from lossassay.errors import DataError, StudyFileError
from lossassay.study.analysis.context import read_context
from lossassay.study.analysis.family import family, looks_of
from lossassay.study.analysis.patients import differences
from lossassay.study.analysis.units import Units, units_of
from lossassay.study.planning.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far paired differences of two arms scatter between replicates.

    Args:
        sd: Standard deviation, in the unit of the primary metric: the largest of all pairs.
        source: Where it comes from, in words.
    """

    sd: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a design can show.

    Args:
        family_size: Pairs that share alpha.
        spread: Of paired differences; None: not known.
        design: What follows from it; None without a spread.
        problems: Why verdicts would stay undecided, and what would help; empty: nothing stands against it.
    """

    family_size: int
    spread: Spread | None
    design: stats.Design | None
    problems: tuple[str, ...]


def outlook(plan: Plan, spread: Spread | None) -> Outlook:
    """Return what a plan can show.

    Args:
        plan: The plan.
        spread: Of paired differences; None leaves all but the method's own limits open.

    Raises:
        DataError: If the spread is not above 0.
    """
    evidence = plan.study.evidence
    same = {(pair.arm_a, pair.arm_b) for pair in plan.identities if pair.relation == "same function"}
    size = len(family(plan.study, same))
    units = units_of(plan.study.data.split, len(site_names(plan.manifest)))
    design, looks = None, looks_of(evidence)
    if units.sites:
        looks = stats.Looks(kind="fixed", first=units.count(evidence.most), last=units.count(evidence.most))
    if spread is not None and size and looks.last >= 2:
        design = stats.design(
            looks=looks,
            sd=spread.sd,
            alpha=evidence.alpha,
            family_size=size,
            margin=evidence.margin,
            test_share_ratio=units.test_share_ratio,
        )
    found = Outlook(family_size=size, spread=spread, design=design, problems=())
    return replace(found, problems=tuple(_problems(plan.study, found, units)))


def refuse(study: Study, found: Outlook) -> None:
    """Stop a study that cannot succeed.

    Raises:
        StudyFileError: If there is a problem.
    """
    if found.problems:
        raise StudyFileError(study.name, [*found.problems, "without --strict such a study runs, and says so"])


def stated_spread(sd: float) -> Spread:
    """Return a spread that the user states."""
    return Spread(sd=sd, source="as stated")


def earlier_spread(folder: Path, metric: str, noun: str = "earlier runs") -> Spread:
    """Return the largest spread of any pair in an out folder.

    Args:
        folder: An out folder with two or more replicates.
        metric: The primary metric of the study that is planned.
        noun: What to call its runs.

    Raises:
        OutFolderError: If the folder holds no study.
        DataError: If it has too few runs, or another kind of metric.
    """
    context = read_context(folder)
    if metric not in context.metric_names():
        raise DataError(f"The runs in {folder} have no {metric}; they have {', '.join(context.metric_names())}.")
    spreads, replicates = [], 0
    for a, b in context.stages.family:
        own = differences(context.table[a], context.table[b], metric)
        replicates = max(replicates, int(np.isfinite(own).sum()))
        own = context.units.values(own)
        own = own[np.isfinite(own)]
        if len(own) >= 2:
            spreads.append(float(own.std(ddof=1)))
    if not spreads or max(spreads) == 0:
        raise DataError(
            f"The runs in {folder} show no spread: expected two or more replicates of two or more arms that are "
            "different functions. State one instead: --spread 0.01"
        )
    source = f"the largest of {len(spreads)} pairs in {noun}, {replicates} replicates"
    return Spread(sd=max(spreads), source=source)


def pilot_of(study: Study, replicates: int) -> Study:
    """Return a study of a few replicates with seeds of its own; its runs never count as evidence.

    It does not tune: every trial would cost a training, and what is asked for is the noise of the arms. What the choice
    of settings adds to it in a study that tunes in every replicate, a pilot leaves out.

    Args:
        study: The study that is planned.
        replicates: 2 or more.

    Raises:
        DataError: If there are fewer, or if they are no whole repetitions of folds.
    """
    if replicates < 2:
        raise DataError(f"A pilot of {replicates} replicates shows no spread. Ask for 2 or more.")
    split = study.data.split
    if split.kind == "cross_validation" and replicates % split.folds:
        raise DataError(
            f"A pilot of {replicates} replicates is no whole repetition of {split.folds} folds. Ask for a multiple of "
            f"{split.folds}."
        )
    changes = {
        "replicates": replicates,
        "control": False,
        "stopping": "planned",
        "method": "t",
        "seed": derive(study.evidence.seed, "pilot"),
    }
    return study.model_copy(
        update={"name": f"{study.name} (pilot)", "tuning": None, "evidence": study.evidence.model_copy(update=changes)}
    )


def outlook_in_words(study: Study, found: Outlook, metric: str) -> Iterator[str]:
    """Say what a design can show, one line each."""
    design, evidence = found.design, study.evidence
    name = metric.replace("_", " ")
    if not found.family_size:
        yield "evidence: no two arms are different functions, so there is nothing to decide"
        return
    if design is None or found.spread is None:
        if evidence.most >= 2:
            yield (
                "evidence: what this design can show depends on the spread of paired differences; state it "
                "(--spread 0.01), take it from an earlier study (--earlier DIR), or measure it (--pilot 3)"
            )
    else:
        yield f"spread of a paired difference in {name}: {design.sd:.4g} ({found.spread.source})"
        yield (
            f"smallest difference found with power 0.80: {_number(design.detectable_80)}; "
            f"with power 0.90: {_number(design.detectable_90)}"
        )
        yield (
            f"smallest margin that can be shown: {_number(design.smallest_margin)}; equal arms are called equivalent "
            f"with power 0.80 from a margin of {_number(design.equivalence_80)} on"
        )
        if evidence.margin is not None:
            yield f"power for a true difference of the margin, {evidence.margin:g}: {design.power_at_margin:.2f}"
        if evidence.sequential:
            yield _stopping_in_words(design)
    yield from (f"problem: {problem}" for problem in found.problems)


def _stopping_in_words(design: stats.Design) -> str:
    words = (
        f"early stopping: median {design.replicates_if_equal:.0f} of {design.replicates} replicates if arms are equal"
    )
    if isfinite(design.replicates_at_margin):
        words += f", {design.replicates_at_margin:.0f} if they differ by twice the margin"
    return words


def _problems(study: Study, found: Outlook, units: Units) -> Iterator[str]:
    evidence, design = study.evidence, found.design
    if not found.family_size:
        return
    floor = stats.floor_in_words(evidence.method, units.count(evidence.most), evidence.alpha)
    if floor is not None:
        yield f"evidence.replicates: {floor}"
    if design is not None and evidence.margin is not None and design.smallest_margin >= evidence.margin:
        yield (
            f"evidence.margin: {evidence.margin:g} is below what {design.replicates} {units.noun} can show with this "
            f"spread, {_number(design.smallest_margin)}: nothing would be called equivalent; ask for more {units.noun}"
        )
    if design is not None and not isfinite(design.detectable_80):
        yield (
            f"evidence.replicates: with {design.replicates} {units.noun} and {found.family_size} pairs no difference "
            f"of less than 20 spreads would be found; ask for more {units.noun} or compare fewer arms"
        )


def _number(value: float) -> str:
    return f"{value:.4f}" if isfinite(value) else "none"
