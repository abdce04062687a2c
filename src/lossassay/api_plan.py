"""The public functions that say what a study will cost and can show; `lossassay.api` has them beside the others."""

from dataclasses import dataclass
from pathlib import Path

from lossassay.config import Study, load_study
from lossassay.data.cache import open_cache
from lossassay.errors import DataError
from lossassay.study.analysis.outlook import (
    Outlook,
    earlier_spread,
    outlook,
    pilot_of,
    refuse,
    stated_spread,
)
from lossassay.study.planning.estimate import Estimate, estimate
from lossassay.study.planning.plan import Plan, make_plan
from lossassay.study.progress import Progress
from lossassay.study.proposing.plan_words import plan_words
from lossassay.study.run import run_study

__all__ = [
    "PlannedStudy",
    "plan",
    "plan_in_words",
]


@dataclass(frozen=True, kw_only=True)
class PlannedStudy:
    """What `plan` found.

    Args:
        plan: Every run, with its seeds.
        cost: Time, memory and disk on this machine.
        outlook: What the design can show, and what stands against it.
    """

    plan: Plan
    cost: Estimate
    outlook: Outlook


def plan(
    study: Study | str | Path,
    *,
    workers: int | None = None,
    spread: float | None = None,
    earlier: str | Path | None = None,
    pilot: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> PlannedStudy:
    """List the runs of a study, measure what it will cost on this machine, and say what it could show.

    Nothing is trained but a pilot, if one is asked for; its runs go to a folder of their own and never count.

    Args:
        study: A study, or the path of a study file.
        workers: Training processes at once; None chooses for the highest throughput.
        spread: Standard deviation of paired differences in the primary metric, if it is known.
        earlier: An out folder to take the spread from.
        pilot: Replicates of a pilot to train for the spread, without tuning.
        strict: Raise where the design cannot succeed, instead of saying so.
        progress: What to call on the way.

    Raises:
        StudyFileError: With ``strict``, if the design cannot succeed.
        LossassayError: With a message for people.
    """
    if sum(way is not None for way in (spread, earlier, pilot)) > 1:
        raise DataError("Several ways to the spread were given. Choose one of spread, earlier study and pilot.")
    resolved = study if isinstance(study, Study) else load_study(study)
    progress = progress or Progress()
    cache = open_cache(resolved.data, on_progress=progress.on_decoding)
    planned = make_plan(resolved, cache)
    cost = estimate(planned, cache.images, workers)
    known = None
    if spread is not None:
        known = stated_spread(spread)
    elif earlier is not None:
        known = earlier_spread(Path(earlier), planned.metric)
    elif pilot is not None:
        folder = Path(f"{resolved.name if isinstance(study, Study) else Path(study).stem}-pilot")
        run_study(pilot_of(resolved, pilot), folder, workers=workers, command="pilot", progress=progress)
        noun = "the pilot" if resolved.tuning is None else "the pilot, which did not tune"
        known = earlier_spread(folder, planned.metric, noun)
    found = outlook(planned, known)
    if strict:
        refuse(resolved, found)
    return PlannedStudy(plan=planned, cost=cost, outlook=found)


def plan_in_words(planned: PlannedStudy) -> list[str]:
    """Say what a plan holds, costs and can show, one line each."""
    return plan_words(planned.plan, planned.cost, planned.outlook)
