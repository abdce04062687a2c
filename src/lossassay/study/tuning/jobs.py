"""The tuning jobs of a study: one arm in one replicate, or one arm once, each named by what determines it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from lossassay.config import CONTROL_ARM, ArmConfig, Study
from lossassay.config.tuning_space import Range
from lossassay.data.split import Split
from lossassay.engine.seeds import Seeds, control_seeds, derive
from lossassay.engine.spec import EngineChoice, RunSpec
from lossassay.errors import DataError
from lossassay.study.planning.run_names import name_of, run_facts
from lossassay.study.tuning.halving import budget_epochs
from lossassay.study.tuning.space import own_settings, ranges_of

_CHOOSING_VERSION = 2  # of the rule that stops and chooses trials; it is part of the name of a job


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """All trials of one arm in one replicate, or once.

    Args:
        id: Its name.
        arm: Whose parameters are chosen; or the A/A control, which tunes its reference arm again.
        replicate: From 0; None: once, for all replicates.
        spec: The run of the study's own settings; its metric is that of the tuning.
        sampler_seed: Of study and replicate alone, so that all arms try the same points; the A/A control has its own.
        space: Ranges by parameter.
        own: The study's own values of these parameters.
        epochs: That the job spends, if no trial diverges.
    """

    id: str
    arm: str
    replicate: int | None
    spec: RunSpec
    sampler_seed: int
    space: dict[str, Range]
    own: dict[str, Any]
    epochs: int


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is tuned: an arm, or the A/A control, with its seeds in one place."""

    name: str
    arm: ArmConfig
    seeds: Seeds
    sampler_seed: int
    place: "Place"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where jobs tune: the parts and seeds of a replicate, or those of tuning once (replicate None)."""

    replicate: int | None
    seeds: Seeds
    parts: Split


def check_sampler(study: Study) -> None:
    """Refuse a sampler that is not installed, before anything is trained.

    Raises:
        DataError: With the extra to install.
    """
    if study.tuning is not None and study.tuning.sampler == "tpe" and not has_optuna():
        raise DataError(
            'tuning.sampler = "tpe" needs optuna, which is not installed. Expected the extra `tune`: install it with '
            '`pip install "lossassay[tune]"`, or take sampler = "quasi_random", which needs nothing more.'
        )


def has_optuna() -> bool:
    """Return whether optuna is installed."""
    return find_spec("optuna") is not None


def tuning_jobs(
    study: Study,
    digest: str,
    places: Sequence[Place],
    engine: EngineChoice,
    *,
    metric: str,
    scales: Mapping[str, float],
) -> list[TuningJob]:
    """Return the jobs of a study, replicate by replicate; none without the section ``[tuning]``.

    Where every replicate tunes anew, the A/A control does the whole procedure again: it has jobs of its own, with other
    points and other seeds. Settings that were chosen once are part of the claim, so that there it takes them over.

    Args:
        study: As resolved.
        digest: Of the data.
        places: One for each replicate, or one alone.
        engine: Of every run whose arm asks for nothing else.
        metric: The validation yardstick that chooses.
        scales: Norm of every arm's gradient at its first scores.
    """
    if study.tuning is None:
        return []
    return [_job(study, digest, one, engine, metric, scales) for place in places for one in _wanted(study, place)]


def _wanted(study: Study, place: Place) -> Iterator[_Wanted]:
    seed = study.evidence.seed
    points = derive(seed, "tuning", "once" if place.replicate is None else place.replicate)
    for arm in study.arms:
        yield _Wanted(name=arm.name, arm=arm, seeds=place.seeds, sampler_seed=points, place=place)
    if place.replicate is not None and "same" in study.evidence.controls:
        yield _Wanted(
            name=CONTROL_ARM,
            arm=next(arm for arm in study.arms if arm.name == study.reference),
            seeds=control_seeds(seed, place.replicate, place.seeds),
            sampler_seed=derive(seed, "tuning", place.replicate, "control"),
            place=place,
        )


def _job(
    study: Study,
    digest: str,
    wanted: _Wanted,
    engine: EngineChoice,
    metric: str,
    scales: Mapping[str, float],
) -> TuningJob:
    arm, tuning = wanted.arm, study.tuning
    training = study.training_of(arm)
    assert tuning is not None  # noqa: S101 - for the type checker
    spec = RunSpec(
        loss=arm.loss,
        hyper_parameters=arm.hyper_parameters,
        training=training,
        seeds=wanted.seeds,
        engine=engine.of(training),
        metric=metric,
    )
    space = ranges_of(study, arm, scales)
    own = own_settings(study, arm, space)
    settings = tuning.model_dump(mode="json", exclude={"untuned", "space", "arms", "metric"})
    facts = settings | {
        "metric": metric,
        "choosing": _CHOOSING_VERSION,
        "space": {name: one.as_data() for name, one in space.items()},
        "parameters": list(tuning.parameters),
        "own": own,
        "sampler_seed": wanted.sampler_seed,
    }
    return TuningJob(
        id=name_of(run_facts(spec, study, digest, wanted.place.parts) | {"tuning": facts}),
        arm=wanted.name,
        replicate=wanted.place.replicate,
        spec=spec,
        sampler_seed=wanted.sampler_seed,
        space=space,
        own=own,
        epochs=budget_epochs(tuning.trials, training.epochs, tuning.pruning),
    )


def once_seeds(study_seed: int) -> Seeds:
    """Return the seeds of tuning once: none that a replicate has.

    Args:
        study_seed: ``evidence.seed``.
    """
    return Seeds(**{source: derive(study_seed, "tuning", source) for source in Seeds.__dataclass_fields__})


def job_entry(job: TuningJob, study: Study) -> dict[str, Any]:
    """Return the entry of plan.json.

    Args:
        job: The job.
        study: Its study, for the settings that all jobs share.
    """
    tuning = study.tuning
    assert tuning is not None  # noqa: S101 - for the type checker
    return {
        "id": job.id,
        "arm": job.arm,
        "replicate": job.replicate,
        "scope": tuning.scope,
        "seeds": job.spec.seeds.as_dict(),
        "metric": job.spec.metric,
        "trials": tuning.trials,
        "sampler": tuning.sampler,
        "sampler_seed": job.sampler_seed,
        "pruning": tuning.pruning,
        "epochs": job.spec.training.epochs,
        "epochs_planned": job.epochs,
        "parameters": list(tuning.parameters),
        "space": {name: one.as_data() for name, one in job.space.items()},
        "own": job.own,
    }
