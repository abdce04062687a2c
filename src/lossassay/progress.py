"""One progress display for a whole study, on standard error: runs done, epochs, validation yardstick, time left."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from lossassay.config import CONTROL_ARMS, UNTUNED
from lossassay.study.planning.plan import Plan, PlannedRun
from lossassay.study.progress import Progress
from lossassay.study.tuning.jobs import TuningJob


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What is shown of a run or a tuning job."""

    noun: str
    arm: str
    replicate: int
    label: str
    epochs: int
    metric: str

    @classmethod
    def of_run(cls, run: PlannedRun) -> "_Shown":
        return cls(
            noun="run",
            arm=run.arm,
            replicate=run.replicate,
            label=f"{run.arm}, replicate {run.replicate}",
            epochs=run.spec.training.epochs,
            metric=run.spec.metric,
        )

    @classmethod
    def of_job(cls, job: TuningJob) -> "_Shown":
        return cls(
            noun="tuning job",
            arm=job.arm,
            replicate=job.replicate or 0,
            label=f"tuning {job.arm}, " + ("once" if job.replicate is None else f"replicate {job.replicate}"),
            epochs=job.epochs,
            metric=job.spec.metric,
        )


class StudyDisplay:
    """Shows what a study is doing; on anything but a terminal it prints one line per finished run instead of bars."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._live = self.console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self._live,
        )
        self._decoding: TaskID | None = None
        self._audit: TaskID | None = None
        self._features: TaskID | None = None
        self._total: TaskID | None = None
        self._epochs: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._planned: dict[str, _Shown] = {}
        self._done = 0
        self._others = (0, 0)  # runs that other processes finished, and are at
        self._expected = 0
        self._sequential, self._looked = False, False
        self._started = time.monotonic()
        self.progress = Progress(
            on_decoding=self._on_decoding,
            on_audit=self._on_audit,
            on_plan=self._on_plan,
            on_look=self._on_look,
            on_others=self._on_others,
            on_message=self._on_message,
            on_stage=self._on_stage,
            on_warning=self._on_warning,
            on_features=self._on_features,
        )

    def __enter__(self) -> "StudyDisplay":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def _on_decoding(self, done: int, total: int) -> None:
        if self._decoding is None:
            self._decoding = self._bars.add_task("Decoding images", total=total, note="once; kept for the next study")
        self._bars.update(self._decoding, completed=done)

    def _on_audit(self, part: str, done: int, total: int) -> None:
        if self._audit is None:
            if not self._live:
                self._print("auditing the data ...")
            self._audit = self._bars.add_task("Auditing the data", total=total, note="")
        self._bars.update(self._audit, completed=done, note=part)

    def _on_plan(self, plan: Plan, there: int, unused: int, workers: int | None) -> None:
        self._planned = {run.id: _Shown.of_run(run) for run in plan.runs}
        self._planned |= {job.id: _Shown.of_job(job) for job in plan.jobs}
        engine, evidence = plan.engine, plan.study.evidence
        self._sequential = evidence.sequential
        replicates = f"{evidence.fewest} to {evidence.most}" if evidence.sequential else f"{evidence.most}"
        controls = len(evidence.controls)
        at_once = "as many at once as the cluster has room for," if workers is None else f"{workers} at once"
        control = "" if not controls else " and a control" if controls == 1 else f" and {controls} controls"
        if plan.study.tuning is not None and plan.study.tuning.untuned:
            control += ", tuned and untuned,"
        self._print(
            f"{plan.study.name}: {'up to ' if evidence.sequential else ''}{len(plan.runs)} runs "
            f"({len(plan.study.arms)} arms{control} x {replicates} replicates) on {engine.device} in "
            f"{engine.precision}, {engine.kernels} kernels, {at_once} "
            f"with {_count(engine.threads, 'thread')} each"
        )
        if plan.study.tuning is not None:
            jobs, trials = _count(len(plan.jobs), "tuning job"), _count(plan.study.tuning.trials, "trial")
            self._print(f"{jobs} of {trials} come before the runs that they tune")
        model = plan.model
        self._print(
            f"{plan.study.training.model}: {model.parameters:,} parameters, "
            f"{model.multiply_accumulates / 1e6:,.1f} million multiply-accumulates per image"
        )
        if there:
            self._print(f"{there} of them are there already and stay valid")
        if unused:
            self._print(f"{_count(unused, 'run')} in the folder belong to an earlier form of the study; kept, not used")
        for identity in plan.identities:
            if identity.relation == "same function":
                self._print(f"same function: {identity.arm_a} and {identity.arm_b} (found before training)")
            elif identity.relation == "proportional":
                self._print(
                    f"proportional: {identity.arm_a} = {identity.factor:.6g} x {identity.arm_b} in every gradient"
                )
        self._done = there
        self._started = time.monotonic()

    def _on_look(self, there: int, needed: list[str]) -> None:
        """Say which runs the next look needs; without early stopping that is every run that is missing."""
        tuning = any(self._planned[one].noun != "run" for one in needed)
        if self._sequential and self._looked and not tuning:
            replicate = max((self._planned[run].replicate for run in needed), default=None)
            arms = sorted({self._planned[run].arm.removeprefix(UNTUNED) for run in needed} - set(CONTROL_ARMS.values()))
            self._print(
                f"looked: {_count(len(arms), 'arm')} undecided, replicate {replicate} is trained for {', '.join(arms)}"
                if needed
                else "looked: every comparison is decided, or the last planned replicate is there"
            )
        if not needed:
            return
        self._looked = self._looked or not tuning
        epochs = sum(self._planned[run].epochs for run in needed)
        if self._total is None:
            self._total = self._bars.add_task("Runs", total=0, note="")
            self._epochs = self._bars.add_task("Epochs of these runs", total=0, note="")
        self._expected = self._done + len(needed)
        self._bars.update(self._total, total=self._expected, completed=self._done)
        if self._epochs is not None:
            self._bars.reset(self._epochs, total=epochs)

    def _on_others(self, finished: int, at_work: int) -> None:
        """Say it once when others begin, and when they end; in between the bar's note says it."""
        before, self._others = self._others, (finished, at_work)
        if self._others == before:
            return
        if at_work and not any(before):
            self._print("other processes train runs of this study too; none is trained twice")
        elif finished and not at_work:
            self._print(
                f"{_count(finished, 'run')} were trained by other processes"
                if finished > 1
                else "1 run was trained by another process"
            )
        if self._total is not None:
            note = f"{finished} by other processes, which train {at_work}" if finished or at_work else ""
            self._bars.update(self._total, note=note)

    def _on_message(self, message: dict[str, Any]) -> None:
        run = self._planned[message["id"]]
        if message["event"] == "epoch":
            if message["id"] not in self._running:
                self._running[message["id"]] = self._bars.add_task(f"  {run.label}", total=run.epochs, note="")
            value = message["yardstick"]
            note = f"trial {message['trial']} " if "trial" in message else ""
            note += "" if value is None else f"validation {run.metric.replace('_', ' ')} {value:.4f}"
            note += f" on {message['node']}" if "node" in message else ""
            done = {"advance": 1} if "trial" in message else {"completed": message["epoch"]}
            self._bars.update(self._running[message["id"]], note=note, **done)
            if self._epochs is not None:
                self._bars.advance(self._epochs)
            return
        if message["id"] in self._running:
            self._bars.remove_task(self._running.pop(message["id"]))
        if message.get("lost"):
            return  # another process trains it
        self._done += 1
        if self._total is not None:
            self._bars.update(self._total, completed=self._done)
        if not self._live or message["event"] == "failed":
            outcome = message.get("status") or f"failed: {message['message']}"
            spent = time.monotonic() - self._started
            self._print(f"{run.noun} {self._done} of {self._expected} ({run.label}): {outcome}; {spent:.0f} s")

    def _on_stage(self, stage: str) -> None:
        self._print(f"{stage} ...")

    def _on_warning(self, text: str) -> None:
        self._print(f"Warning: {text}")

    def _on_features(self, done: int, total: int) -> None:
        if self._features is None:
            self._features = self._bars.add_task("Features of runs", total=total, note="")
        self._bars.update(self._features, completed=done)
        if not self._live:
            self._print(f"features: {done} of {total}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        sys.stderr.flush()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class StepsDisplay:
    """Shows one bar for each step of a longer job, with the time left.

    Args:
        lines: On anything but a terminal, print a line for each step; otherwise nothing is shown there.
    """

    def __init__(self, *, lines: bool = True) -> None:
        self._console, self._lines = Console(stderr=True), lines
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "StepsDisplay":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def on_progress(self, step: str, done: int, total: int) -> None:
        """Show how much of a step is done."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
            if self._lines and not self._console.is_terminal:
                self._console.print(f"{step} ...", markup=False, highlight=False, soft_wrap=True)
        self._bars.update(self._tasks[step], completed=done, total=total)
