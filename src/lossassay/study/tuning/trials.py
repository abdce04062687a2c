"""Trains the trials of one tuning job, and chooses; what is finished or under way survives any end of the process."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.engine import one
from lossassay.engine.spec import Checkpoint, EpochRecord, Partial
from lossassay.study.folder.store import Store
from lossassay.study.planning.bench import Bench, arm_of, read_trial
from lossassay.study.tuning.halving import Rung, better, ranking, rungs
from lossassay.study.tuning.space import trial_parameters
from lossassay.study.tuning.store import TuningStore

OnEpoch = Callable[[int, EpochRecord], None]  # number of the trial, and its last epoch


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is known of a trial.

    Args:
        parameters: That it trains with.
        values: Validation yardstick after each epoch; None where it is not a number.
        epoch_of_value: The epoch that is kept so far, from 1; 0: none was trained.
        seconds: Of training and evaluation.
        diverged: Training failed.
        nlls: Validation negative log-likelihood after each epoch, for ties; None where it is not a number.
    """

    parameters: dict[str, Any]
    values: tuple[float | None, ...] = ()
    epoch_of_value: int = 0
    seconds: float = 0.0
    diverged: bool = False
    nlls: tuple[float | None, ...] = ()

    @property
    def value(self) -> float | None:
        """The yardstick at the kept epoch; None: the trial is worse than any other."""
        return None if self.diverged or not self.epoch_of_value else self.values[self.epoch_of_value - 1]

    @property
    def nll(self) -> float | None:
        """The negative log-likelihood at the kept epoch; None: not known."""
        return self.nlls[self.epoch_of_value - 1] if 0 < self.epoch_of_value <= len(self.nlls) else None

    def at(self, epoch: int, *, high: bool, last: bool) -> "Trial":
        """Return the trial as it stood after an epoch, whatever it did later.

        Args:
            epoch: From 1.
            high: Whether high values are good.
            last: Whether the last epoch is the one that is kept, and not the best.
        """
        if len(self.values) <= epoch:
            return self
        kept = self.epoch_of_value
        if last or kept > epoch:
            kept = epoch if last else self._best(epoch, high=high)
        return replace(self, values=self.values[:epoch], nlls=self.nlls[:epoch], epoch_of_value=kept, diverged=False)

    def _best(self, until: int, *, high: bool) -> int:
        """Return the best of the first epochs, as `engine.one` chooses it."""
        epochs = {epoch: replace(self, epoch_of_value=epoch, diverged=False) for epoch in range(1, until + 1)}
        nlls = {epoch: trial.nll for epoch, trial in epochs.items()}
        return next(iter(ranking({epoch: trial.value for epoch, trial in epochs.items()}, high=high, nlls=nlls)))


@dataclass
class _Work:
    """A job under way: where its trials are kept, and what is known of them."""

    job: dict[str, Any]
    bench: Bench
    on_epoch: OnEpoch
    trials: dict[int, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store, self.tuning = Store(self.bench.folder), TuningStore(self.bench.folder)
        self.high = YARDSTICKS[self.job["metric"]].best == "high"
        self.last = arm_of(self.bench, self.job)["training"]["selection"] == "last"
        for number, known in self.tuning.load_notes(self.job["id"]).items():
            self.trials[int(number)] = Trial(**{**known, **{name: tuple(known[name]) for name in ("values", "nlls")}})

    def train(self, number: int, parameters: dict[str, Any], until: int) -> None:
        """Bring a trial to an epoch, from where it is."""
        name, known = f"{self.job['id']}-{number}", self._known(number, parameters)
        if known.diverged or len(known.values) >= until:
            return
        spec, data = read_trial(self.bench, self.job, parameters)
        partial = one.train_until(
            until,
            spec,
            data,
            resume=self._state(name, until),
            save=lambda checkpoint: self.store.save_checkpoint(name, checkpoint),
            on_epoch=lambda record: self.on_epoch(number, record),
        )
        self.trials[number] = _trial(parameters, partial)
        self._note()
        if partial.diverged or until == self.job["epochs"]:
            self.store.drop_checkpoint(name)

    def _known(self, number: int, parameters: dict[str, Any]) -> Trial:
        """Return what is known of a trial, and note its parameters before anything is kept of it.

        What was noted of other parameters is dropped: another version of optuna can ask for other points.
        """
        known = self.trials.get(number)
        if known is None or known.parameters != json.loads(json.dumps(parameters)):
            self.store.drop_checkpoint(f"{self.job['id']}-{number}")
            self.trials[number] = known = Trial(parameters=parameters)
            self._note()
        return known

    def _state(self, name: str, until: int) -> Checkpoint | None:
        """Return where a trial goes on. A state beyond the epoch, of notes that were lost, would be too good."""
        state = self.store.load_checkpoint(name)
        return None if state is None or len(state.history) > until else state

    def keep(self, numbers: list[int]) -> None:
        """Forget the state of all other trials."""
        for number in self.trials.keys() - set(numbers):
            self.store.drop_checkpoint(f"{self.job['id']}-{number}")

    def better(self, numbers: list[int], rung: Rung) -> list[int]:
        """Return the trials that go on after a rung; some may be beyond it, when the job was cut off there."""
        own = {number: self.trials[number].at(rung.epoch, high=self.high, last=self.last) for number in numbers}
        nlls = {number: trial.nll for number, trial in own.items()}
        return better({number: trial.value for number, trial in own.items()}, rung.kept, high=self.high, nlls=nlls)

    def _note(self) -> None:
        notes = {str(number): trial.__dict__ for number, trial in sorted(self.trials.items())}
        self.tuning.save_notes(self.job["id"], notes)


def run_job(job: dict[str, Any], bench: Bench, on_epoch: OnEpoch = lambda number, record: None) -> None:
    """Train the trials of a job, choose, and write it.

    The result depends on the plan alone, also when the process ends after any epoch and another goes on.

    Args:
        job: Entry of plan.json.
        bench: What all runs share.
        on_epoch: Called after each epoch of each trial.

    Raises:
        LossassayError: If a trial cannot be trained at all.
    """
    work = _Work(job, bench, on_epoch)
    if job["sampler"] == "tpe":
        _one_by_one(work)
    else:
        _rung_by_rung(work)
    chosen = choose(job, work.trials)
    work.tuning.write(job["id"], _facts(job, work.trials, chosen), _rows(job, work.trials, chosen))
    work.keep([])


def choose(job: Mapping[str, Any], trials: Mapping[int, Trial]) -> int:
    """Return the number of the best trial among those that trained to the end; ties go as in `ranking`.

    Where none did, the study's own settings stand: trial 0.

    Args:
        job: Entry of plan.json.
        trials: All of them.
    """
    done = {number: own for number, own in trials.items() if _status(job, own) == "finished"}
    values = {number: own.value for number, own in done.items()}
    nlls = {number: own.nll for number, own in done.items()}
    best = next(iter(ranking(values, high=YARDSTICKS[job["metric"]].best == "high", nlls=nlls)), None)
    return 0 if best is None or values[best] is None else best


def _rung_by_rung(work: _Work) -> None:
    parameters = trial_parameters(work.job)
    going = list(range(work.job["trials"]))
    for rung in rungs(work.job["trials"], work.job["epochs"], work.job["pruning"]):
        for number in going:
            work.train(number, parameters[number], rung.epoch)
        if rung.epoch < work.job["epochs"]:
            going = work.better(going, rung)
            work.keep(going)


def _one_by_one(work: _Work) -> None:
    """Let the sampler see each trial before it proposes the next; trials that are there already are told again."""
    from lossassay.study.tuning.storage import TreeSampler

    sampler = TreeSampler(work.job, trial_parameters(work.job))
    for number in range(work.job["trials"]):
        parameters = sampler.ask()
        work.train(number, parameters, work.job["epochs"])
        sampler.tell(work.trials[number].value)


def _trial(parameters: dict[str, Any], partial: Partial) -> Trial:
    return Trial(
        parameters=parameters,
        values=_finite(record.validation_yardstick for record in partial.history),
        nlls=_finite(record.validation_nll for record in partial.history),
        epoch_of_value=partial.best_epoch,
        seconds=sum(record.train_seconds + record.evaluation_seconds for record in partial.history),
        diverged=partial.diverged,
    )


def _finite(values: Iterable[float]) -> tuple[float | None, ...]:
    return tuple(value if math.isfinite(value) else None for value in values)


def _status(job: Mapping[str, Any], trial: Trial) -> str:
    if trial.diverged:
        return "diverged"
    return "finished" if len(trial.values) == job["epochs"] else "pruned"


def _rows(job: Mapping[str, Any], trials: Mapping[int, Trial], chosen: int) -> list[dict[str, Any]]:
    return [
        {
            "trial": number,
            "status": _status(job, trial),
            "epochs": len(trial.values),
            "value": trial.value,
            "epoch_of_value": trial.epoch_of_value,
            "seconds": trial.seconds,
            "parameters": json.dumps(trial.parameters),
            "chosen": number == chosen,
            "own_settings": number == 0,
            "values": list(trial.values),
            "nlls": list(trial.nlls),
        }
        for number, trial in sorted(trials.items())
    ]


def _facts(job: dict[str, Any], trials: Mapping[int, Trial], chosen: int) -> dict[str, Any]:
    best = trials[chosen]
    return job | {
        "chosen": {
            "trial": chosen,
            "value": best.value,
            "epoch": best.epoch_of_value,
            "parameters": best.parameters,
        },
        "statuses": dict(Counter(_status(job, trial) for trial in trials.values())),
        "epochs_spent": sum(len(trial.values) for trial in trials.values()),
        "seconds": sum(trial.seconds for trial in trials.values()),
    }
