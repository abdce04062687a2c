"""Which runs a study still needs: all that are planned, or those that its looks ask for."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import CONTROL_ARMS, UNTUNED, Study
from lossassay.engine.spec import Array
from lossassay.study.analysis.family import family, looks_of
from lossassay.study.analysis.patients import patient_part
from lossassay.study.analysis.runs import Run, RunReader


class Stages:
    """The looks of one study at its stored runs.

    Args:
        study: The study.
        plan: plan.json.
        reader: Of its runs.
    """

    def __init__(self, study: Study, plan: dict[str, Any], reader: RunReader) -> None:
        self.study, self.plan, self._reader = study, plan, reader
        self.metric: str = plan["metric"]
        self.arms = [arm.name for arm in study.arms]
        self.looks = looks_of(study.evidence)
        self.family = family(study, same_function_pairs(plan))

    def needed(self, there: Collection[str], failed: Collection[str] = ()) -> list[str]:
        """Return the ids of the runs to train before the next look, in order; none: the study has its answer.

        Args:
            there: Runs that are stored.
            failed: Runs that could not be trained; the looks go on without them.
        """
        entries = [entry for entry in self.plan["runs"] if entry["id"] not in failed]
        if self.looks.kind == "fixed":
            return [entry["id"] for entry in entries if entry["id"] not in there]
        active = set(self.arms)
        for n in range(self.looks.first, self.looks.last + 1):
            wanted = [e for e in entries if e["replicate"] < n and _trained_for(e["arm"], self.study) in active]
            missing = [entry["id"] for entry in wanted if entry["id"] not in there]
            if missing:
                return missing
            raced = self.race(self.table(there, n))
            active = {arm for arm, on in zip(self.arms, raced.active[0], strict=True) if on}
            if not active:
                break
        return []

    def jobs(
        self, there: Collection[str], tuned: Collection[str], failed: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Return what to train before the next look: first the tuning jobs of the runs that it needs, then the runs.

        Args:
            there: Runs that are stored.
            tuned: Tuning jobs that are stored.
            failed: Runs and tuning jobs that could not be trained; runs of a failed job cannot either.
        """
        untrainable = {entry["id"] for entry in self.plan["runs"] if entry.get("tuned_by") in failed}
        needed = self.needed(there, {*failed, *untrainable})
        by_run = {entry["id"]: entry.get("tuned_by") for entry in self.plan["runs"]}
        wanted = {by_run[run_id] for run_id in needed} - {None} - set(tuned)
        if wanted:
            jobs = [job["id"] for job in self.plan["tuning"] if job["id"] in wanted]
            return [{"id": job_id, "kind": "tuning"} for job_id in jobs]
        return [{"id": run_id} for run_id in needed]

    def reached(self, there: Collection[str]) -> int:
        """Return the replicates of the last look that all needed runs of arms are there for, or that was gone past.

        A look sees arms alone: a control or an untuned run that is missing takes no look back.
        """
        beside = {entry["id"] for entry in self.plan["runs"] if entry["arm"] not in self.arms}
        of_arms = [entry for entry in self.plan["runs"] if entry["id"] not in beside]
        furthest: int = max((entry["replicate"] + 1 for entry in of_arms if entry["id"] in there), default=0)
        needed = set(self.needed(there, beside))
        open_looks = [entry["replicate"] + 1 for entry in of_arms if entry["id"] in needed]
        if self.looks.kind == "fixed" or not open_looks or furthest > max(open_looks):
            return furthest
        return int(max(min(open_looks) - 1, min(furthest, self.looks.first)))

    def table(self, there: Collection[str], replicates: int) -> list[list[Run | None]]:
        """Return the runs of each arm, by replicate, None where there is none."""
        found: list[list[Run | None]] = [[None] * replicates for _ in self.arms]
        entries = [
            entry
            for entry in self.plan["runs"]
            if entry["id"] in there and entry["replicate"] < replicates and entry["arm"] in self.arms
        ]
        self._reader.read_all([entry["id"] for entry in entries])
        for entry in entries:
            found[self.arms.index(entry["arm"])][entry["replicate"]] = self._reader(entry["id"])
        return found

    def race(self, table: Sequence[Sequence[Run | None]], *, without_diverged: bool = False) -> stats.Race:
        """Look at the runs as they came in.

        Args:
            table: Runs of each arm, by replicate.
            without_diverged: Leave out replicates in which some run diverged.
        """
        return stats.race(
            score_table(table, self.metric, without_diverged=without_diverged)[None],
            self.family,
            looks=self.looks,
            alpha=self.study.evidence.alpha,
            margin=self.study.evidence.margin,
            higher_is_better=YARDSTICKS[self.metric].best == "high",
            patients=self.patients(table),
        )

    def patients(self, table: Sequence[Sequence[Run | None]]) -> stats.PatientPart | None:
        """Return the patients' part of the uncertainty where the study's scope asks for it."""
        if self.study.evidence.scope == "procedure":
            return None
        return patient_part(table, self.metric, self.family)


def score_table(table: Sequence[Sequence[Run | None]], metric: str, *, without_diverged: bool = False) -> Array:
    """Return one yardstick of every run, [R A]; nan where a run is missing.

    Args:
        table: Runs of each arm, by replicate.
        metric: A yardstick.
        without_diverged: Whole replicates in which some run diverged are nan.
    """
    scores = np.full((len(table[0]), len(table)), np.nan)
    for arm, runs in enumerate(table):
        for replicate, run in enumerate(runs):
            if run is not None:
                scores[replicate, arm] = run.values[metric]
    if without_diverged:
        scores[[any(run is not None and run.diverged for run in runs) for runs in zip(*table, strict=True)]] = np.nan
    return scores


def same_function_pairs(plan: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the pairs of arms that were found to be one function before training."""
    return {(pair["arm_a"], pair["arm_b"]) for pair in plan["identities"] if pair["relation"] == "same function"}


def _trained_for(arm: str, study: Study) -> str:
    """Return the arm whose decision decides about a run: controls go with their reference, untuned runs with theirs."""
    return study.reference if arm in CONTROL_ARMS.values() else arm.removeprefix(UNTUNED)
