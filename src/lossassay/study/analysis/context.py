"""A study as analysis sees it: its runs, and which of them count."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import CONTROL_ARMS, UNTUNED, Study, load_study
from lossassay.study.analysis.patients import TestedPatients
from lossassay.study.analysis.runs import Run, RunReader
from lossassay.study.analysis.stopping import Stages, same_function_pairs
from lossassay.study.analysis.units import Units, units_of
from lossassay.study.folder.registered import Registered, read_registered
from lossassay.study.folder.results import read_plan


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every table needs.

    Args:
        study: As resolved.
        plan: plan.json.
        runs: Those that count: early stopping leaves out replicates after an arm was decided.
        control: Runs of the A/A control.
        damaged: Runs of each control with a damaged input, by its name in the study file.
        stages: The looks.
        table: Runs that count, of each arm, by replicate; None where one is missing.
        raced: Where the looks stand; early stopping only.
        registered: What was stated before the first run.
        missing: Runs that are still needed.
        folder: The out folder.
        untuned: Of a study that tunes: runs of each arm with the study's own settings, by the arm's name.
        memory: What was computed once, for `judge`.
    """

    study: Study
    plan: dict[str, Any]
    runs: list[Run]
    control: list[Run]
    damaged: dict[str, list[Run]]
    stages: Stages
    table: list[list[Run | None]]
    raced: stats.Race | None
    registered: Registered
    missing: int
    folder: Path
    untuned: dict[str, list[Run]] = field(default_factory=dict)
    memory: dict[tuple[str, str, bool], Any] = field(default_factory=dict)

    @property
    def arms(self) -> list[str]:
        """Names of the arms, in the study's order."""
        return self.stages.arms

    @property
    def controls(self) -> list[Run]:
        """Runs of all controls."""
        return [*self.control, *(run for runs in self.damaged.values() for run in runs)]

    @property
    def metric(self) -> str:
        """The primary yardstick."""
        return self.stages.metric

    @property
    def same(self) -> set[tuple[str, str]]:
        """Pairs of arms that were found to be one function before training."""
        return same_function_pairs(self.plan)

    @property
    def units(self) -> Units:
        """What counts as one observation."""
        return units_of(self.study.data.split, self.plan["data"].get("split", {}).get("sites") or 0)

    @property
    def task(self) -> Any:
        """What the labels are."""
        return self.plan["data"]["task"]

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.plan["data"]["class_names"]  # type: ignore[no-any-return]

    def of(self, arm: str) -> list[Run]:
        """Return the runs of an arm, by replicate."""
        return self._by_arm.get(arm, [])

    @cached_property
    def tested_patients(self) -> TestedPatients:
        """What each test row says of its patient, for every arm and yardstick."""
        return TestedPatients(self.table)

    @cached_property
    def _by_arm(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.arm, []).append(run)
        return found

    def metric_names(self) -> list[str]:
        """Return the yardsticks that are defined for the task."""
        return [name for name, spec in YARDSTICKS.items() if self.task in spec.tasks]


def read_context(folder: Path) -> Context:
    """Read the study of an out folder and those of its runs that are there."""
    study, plan = load_study(folder / "study.toml"), read_plan(folder)
    reader = RunReader(folder, plan)
    stages = Stages(study, plan, reader)
    there = reader.store.finished()
    reached = stages.reached(there) if study.evidence.sequential else study.evidence.most
    table = stages.table(there, max(1, reached))
    raced = None
    if study.evidence.sequential:
        raced = stages.race(table)
        for runs, looked in zip(table, raced.arm_replicates[0], strict=True):
            runs[looked:] = [None] * (len(runs) - looked)
    reader.read_all([entry["id"] for entry in plan["runs"] if entry["id"] in there and _is_beside(entry)])
    counted = [run for of_replicate in zip(*table, strict=True) for run in of_replicate if isinstance(run, Run)]
    controls = {
        name: [reader(entry["id"]) for entry in plan["runs"] if entry["arm"] == arm and entry["id"] in there]
        for name, arm in CONTROL_ARMS.items()
        if name in study.evidence.controls
    }
    return Context(
        study=study,
        plan=plan,
        runs=counted,
        control=controls.pop("same", []),
        damaged={str(name): runs for name, runs in controls.items()},
        stages=stages,
        table=table,
        raced=raced,
        registered=read_registered(folder),
        missing=len(stages.needed(there)),
        folder=folder,
        untuned=_untuned(plan, reader, there),
    )


def _is_beside(entry: dict[str, Any]) -> bool:
    """Whether a planned run is no run of an arm, but of a control or of an arm with the study's own settings."""
    return entry["arm"] in CONTROL_ARMS.values() or bool(entry.get("untuned"))


def _untuned(plan: dict[str, Any], reader: RunReader, there: set[str]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for entry in plan["runs"]:
        if entry.get("untuned"):
            runs = found.setdefault(entry["arm"].removeprefix(UNTUNED), [])
            runs += [reader(entry["id"])] if entry["id"] in there else []
    return found
