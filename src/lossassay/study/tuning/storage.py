"""All that is done with optuna: its sampler that learns, and its SQLite file, which optuna-dashboard opens."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.tuning_space import Range
from lossassay.study.folder.whole_files import explained
from lossassay.study.tuning.store import TuningStore

FILE = "tuning.sqlite3"
_JOB = "lossassay job"
_STATES = {"finished": "COMPLETE", "pruned": "PRUNED", "diverged": "FAIL"}


class TreeSampler:
    """The tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS 24), asked and told one trial at a time.

    The same answers give the same questions: a job that goes on is told again what was found before.

    Args:
        job: Entry of plan.json.
        first: Parameters of the trials that come before it learns; the same points for every arm.
    """

    def __init__(self, job: Mapping[str, Any], first: Sequence[dict[str, Any]]) -> None:
        import optuna

        with _quiet():
            sampler = optuna.samplers.TPESampler(seed=job["sampler_seed"] % 2**32, n_startup_trials=len(first))
            self._study = optuna.create_study(direction=_direction(job), sampler=sampler)
        self._first, self._asked = list(first), 0
        self._ranges, self._distributions = _ranges(job), _distributions(job)
        self._trial: Any = None
        self._parameters: dict[str, Any] = {}

    def ask(self) -> dict[str, Any]:
        """Return the parameters of the next trial."""
        if self._asked < len(self._first):
            self._parameters, self._trial = self._first[self._asked], None
        else:
            self._trial = self._study.ask(self._distributions)
            self._parameters = dict(self._trial.params)
        self._asked += 1
        return self._parameters

    def tell(self, value: float | None) -> None:
        """Say what the last trial reached; None: it diverged.

        Args:
            value: Validation yardstick at the kept epoch.
        """
        import optuna

        state = optuna.trial.TrialState.FAIL if value is None else optuna.trial.TrialState.COMPLETE
        if self._trial is not None:
            self._study.tell(self._trial, value, state=state)
        elif all(own.holds(self._parameters[name]) for name, own in self._ranges.items()):
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=state, value=value, params=self._parameters, distributions=self._distributions
                )
            )  # the study's own settings may lie outside of the ranges; then the sampler does not hear of them


class OptunaFile:
    """OUT/tuning.sqlite3: one study of optuna for each finished job, made from what `study.tuning.store` keeps.

    Args:
        folder: The out folder.
        jobs: Entries of plan.json.
    """

    def __init__(self, folder: Path, jobs: Sequence[Mapping[str, Any]]) -> None:
        self._folder, self._jobs = folder, jobs
        self._store = TuningStore(folder)

    def update(self, there: set[str]) -> None:
        """Add the jobs that the file lacks, and drop what belongs to no job of the plan.

        Args:
            there: Ids of the jobs that are finished.
        """
        import optuna

        with explained(self._folder), _quiet():
            # no address with the path in it: there a "?", "%" or "{" would be more than a letter
            storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": self._connect})
            try:
                known = {
                    study.study_name: study.user_attrs.get(_JOB) for study in optuna.get_all_study_summaries(storage)
                }
                wanted = {study_name(job): job for job in self._jobs if job["id"] in there}
                for name, job_id in known.items():
                    if name not in wanted or wanted[name]["id"] != job_id:  # of an earlier plan, or cut off
                        optuna.delete_study(study_name=name, storage=storage)
                for name, job in wanted.items():
                    if known.get(name) != job["id"]:
                        _write_job(storage, job, self._store)
            finally:
                storage.remove_session()
                storage.engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / FILE)


def study_name(job: Mapping[str, Any]) -> str:
    """Return what a job is called in optuna's file.

    Args:
        job: Entry of plan.json.
    """
    return f"{job['arm']}, once" if job["replicate"] is None else f"{job['arm']}, replicate {job['replicate']}"


def _write_job(storage: Any, job: Mapping[str, Any], store: TuningStore) -> None:
    import optuna

    study = optuna.create_study(storage=storage, study_name=study_name(job), direction=_direction(job))
    study.set_user_attr("metric", job["metric"])
    ranges, distributions = _ranges(job), _distributions(job)
    for row in store.trials(job["id"]).iter_rows(named=True):
        parameters = json.loads(row["parameters"])
        inside = {name: own for name, own in distributions.items() if ranges[name].holds(parameters[name])}
        status = "diverged" if row["value"] is None else row["status"]
        state = optuna.trial.TrialState[_STATES[status]]
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=row["value"] if state == optuna.trial.TrialState.COMPLETE else None,
                params={name: parameters[name] for name in inside},
                distributions=inside,
                user_attrs={"chosen": row["chosen"], "own settings": row["own_settings"], "parameters": parameters},
                intermediate_values={
                    epoch: value for epoch, value in enumerate(row["values"], start=1) if value is not None
                },
            )
        )
    study.set_user_attr(_JOB, job["id"])  # last: a study without it was cut off


def _ranges(job: Mapping[str, Any]) -> dict[str, Range]:
    return {name: Range.of_data(data) for name, data in job["space"].items()}


def _distributions(job: Mapping[str, Any]) -> dict[str, Any]:
    from optuna import distributions as kinds

    found: dict[str, Any] = {}
    for name, own in _ranges(job).items():
        if own.kind == "choices":
            found[name] = kinds.CategoricalDistribution(own.choices)
        elif own.kind == "integer":
            found[name] = kinds.IntDistribution(low=int(own.ends[0]), high=int(own.ends[1]))
        else:
            found[name] = kinds.FloatDistribution(*own.ends, log=own.kind == "log")
    return found


def _direction(job: Mapping[str, Any]) -> Literal["maximize", "minimize"]:
    return "maximize" if YARDSTICKS[job["metric"]].best == "high" else "minimize"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep optuna's own lines off the terminal, and leave its setting as it was."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
