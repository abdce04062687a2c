"""A study as a list of runs, each named by the hash of everything that determines it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lossassay.catalogue.loss_spec import Task
from lossassay.catalogue.yardsticks import PRIMARY, YARDSTICKS
from lossassay.config import CONTROL_ARMS, UNTUNED, Study
from lossassay.config.schema import ArmConfig, Damage
from lossassay.config.tuning_space import TUNABLE
from lossassay.data.cache import ImageCache
from lossassay.data.finding_columns import UNKNOWN
from lossassay.data.grouping import check_exams, exam_numbers
from lossassay.data.manifest import Manifest
from lossassay.data.split import Split
from lossassay.data.split_kinds import replicate_splits
from lossassay.engine.seeds import Seeds, control_seeds, replicate_seeds
from lossassay.engine.spec import Array, EngineChoice, RunSpec
from lossassay.errors import DataError, StudyFileError
from lossassay.models import ModelDescription, activation_bytes, build, describe
from lossassay.study.planning.fitting import check_class_counts, check_losses, check_sources, task_in_words
from lossassay.study.planning.identity import Identity, find_identities, gradient_scales
from lossassay.study.planning.machine import choose_engine, run_memory_bytes, usable_kernels, usable_precision
from lossassay.study.planning.run_names import run_id
from lossassay.study.tuning.jobs import Place, TuningJob, check_sampler, once_seeds, tuning_jobs
from lossassay.study.tuning.once import split_once

# Raised by anything that alters a result for an unchanged study; see CHANGELOG.md, "Numbers that change". What alters
# trained runs raises the version in run_names.py too.
RESULTS_VERSION = 6


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One arm, a control or an untuned arm in one replicate.

    Args:
        id: Its name.
        arm: Name of the arm.
        replicate: From 0.
        spec: What to train; of a tuned run with the study's own settings, in place of those that will be chosen.
        tuned_by: The tuning job that chooses its settings.
        untuned: An arm with the study's own settings, beside its tuned runs.
    """

    id: str
    arm: str
    replicate: int
    spec: RunSpec
    tuned_by: str | None = None
    untuned: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is decided before the first run.

    Args:
        study: As resolved.
        manifest: The readable rows.
        labels: int64 [N], or multi-hot float32 [N K].
        exams: Number of each row's exam, int64 [N]; None: every row is predicted alone.
        digest: Of the data.
        metric: The primary yardstick.
        splits: One for each replicate.
        engine: Device, precision, kernels and threads of every run whose arm asks for nothing else.
        model: Parameters and work.
        run_memory_bytes: About what one run needs.
        identities: Of every pair of arms.
        gradient_scales: Of every arm at its first scores.
        runs: In the order in which they are trained: replicate by replicate, so that arms stay complete pairs. With
            early stopping these are the most that may be needed.
        jobs: Tuning jobs, which come before the runs that they tune.
        tuning_split: Parts of tuning once, without a test part; None: jobs tune on the replicates' own parts.
    """

    study: Study
    manifest: Manifest
    labels: Array
    exams: Array | None
    digest: str
    metric: str
    splits: tuple[Split, ...]
    engine: EngineChoice
    model: ModelDescription
    run_memory_bytes: int
    identities: tuple[Identity, ...]
    gradient_scales: dict[str, float]
    runs: tuple[PlannedRun, ...]
    jobs: tuple[TuningJob, ...] = ()
    tuning_split: Split | None = None


def make_plan(study: Study, cache: ImageCache, engine: EngineChoice | None = None) -> Plan:
    """Plan every run of a study.

    Args:
        study: As resolved.
        cache: Its decoded images.
        engine: As fixed when the study first started; None chooses for this machine.

    Raises:
        LabelError: If an arm's loss cannot train these labels, or lacks images of a class to learn from.
        StudyFileError: If the metric is not defined for them, or a control needs sources that they do not have.
        DataError: If the rows cannot be split, or the images of an exam differ in label or group.
        ModelError: If the model cannot be built for the images, or not with the kernels that an arm asks for.
    """
    manifest = cache.manifest
    check_sampler(study)
    check_losses(study, manifest)
    _check_scope(study, manifest)
    check_exams(manifest)
    metric = _metric(study, manifest, "evidence.metric", study.evidence.metric or PRIMARY[manifest.task])
    labels = label_array(manifest)
    classes = len(manifest.class_names)
    seeds = [
        replicate_seeds(study.evidence.seed, replicate, study.evidence.vary) for replicate in range(study.evidence.most)
    ]
    splits, exams = _splits(study, manifest, seeds), exam_numbers(manifest)
    _check_whole(exams, splits)
    check_sources(study, manifest, splits)
    check_class_counts(study, manifest, labels, splits)
    tuning_split = None
    if study.tuning is not None and study.tuning.scope == "once":
        tuning_split, splits = split_once(study, study.tuning, manifest, splits)
        check_class_counts(study, manifest, labels, [tuning_split], "of the patients that are tuned on")
    model, activations = _model_facts(study, cache.images, classes)
    dimensions = cache.manifest.dimensions
    engine = engine or choose_engine(study.training, activations, len(study.arms) * len(seeds), dimensions=dimensions)
    for arm in study.arms:
        usable_kernels(engine.device, study.training_of(arm), f"arm {arm.name!r}")
        usable_precision(engine.device, study.training_of(arm), f"arm {arm.name!r}", dimensions=dimensions)
    scales = gradient_scales(study, labels, classes)
    jobs = _jobs(study, cache, seeds, splits, tuning_split, engine, scales)
    return Plan(
        study=study,
        manifest=manifest,
        labels=labels,
        exams=exams,
        digest=cache.digest,
        metric=metric,
        splits=splits,
        engine=engine,
        model=model,
        run_memory_bytes=run_memory_bytes(study.training.batch_size, activations),
        identities=_identities(find_identities(study, labels, classes), jobs),
        gradient_scales=scales,
        runs=tuple(_planned_runs(study, cache.digest, seeds, splits, engine, metric, jobs)),
        jobs=tuple(jobs),
        tuning_split=tuning_split,
    )


def _jobs(
    study: Study,
    cache: ImageCache,
    seeds: Sequence[Seeds],
    splits: Sequence[Split],
    once: Split | None,
    engine: EngineChoice,
    scales: dict[str, float],
) -> list[TuningJob]:
    if study.tuning is None:
        return []
    places = [
        Place(replicate=replicate, seeds=own, parts=parts)
        for replicate, (own, parts) in enumerate(zip(seeds, splits, strict=True))
    ]
    if once is not None:
        places = [Place(replicate=None, seeds=once_seeds(study.evidence.seed), parts=once)]
    wanted = study.tuning.metric or study.evidence.metric or PRIMARY[cache.manifest.task]
    metric = _metric(study, cache.manifest, "tuning.metric", wanted)
    return tuning_jobs(study, cache.digest, places, engine, metric=metric, scales=scales)


def _identities(found: list[Identity], jobs: Sequence[TuningJob]) -> tuple[Identity, ...]:
    """Arms that are one function at the study's own settings stay so where their recipe is tuned in the same ranges.

    Where a parameter of their loss is tuned they need not: they can differ elsewhere.
    """
    jobs_of = {job.arm: job for job in jobs}
    return tuple(
        replace(pair, relation="same loss, other training")
        if pair.relation == "same function" and not _tuned_alike(jobs_of.get(pair.arm_a), jobs_of.get(pair.arm_b))
        else pair
        for pair in found
    )


def _tuned_alike(first: TuningJob | None, second: TuningJob | None) -> bool:
    if first is None or second is None:
        return first is second
    return (first.space, first.own) == (second.space, second.own) and set(first.space) <= set(TUNABLE)


def label_array(manifest: Manifest) -> Array:
    """Return the labels as the engine takes them: int64 [N], or multi-hot float32 [N K] with nan for unknown."""
    return labels_of(manifest.rows["label"], manifest.task)


def labels_of(column: pl.Series, task: Task) -> Array:
    """Return a label column of rows.parquet as the engine takes it; see `label_array`."""
    if task != "multi_label":
        return column.to_numpy().astype(np.int64)
    hot = np.array(column.to_list(), dtype=np.float32)
    return np.where(hot == UNKNOWN, np.float32("nan"), hot)


def _splits(study: Study, manifest: Manifest, seeds: list[Seeds]) -> tuple[Split, ...]:
    return replicate_splits(manifest, study.data.split, [own.split for own in seeds])


def _check_whole(exams: Array | None, splits: tuple[Split, ...]) -> None:
    """Refuse parts that cut an exam: official ones can."""
    if exams is None:
        return
    for own in splits:
        parts = [np.unique(exams[rows]) for rows in (own.train, own.validation, own.test)]
        cut = int((np.bincount(np.concatenate(parts)) > 1).sum())
        if cut:
            raise DataError(
                f"{cut} of {exams.max() + 1} exams have images in more than one part of the split. An exam is "
                "predicted as one, so it must be in one part. Correct the official parts, or give shares in data.split."
            )


def _planned_runs(
    study: Study,
    digest: str,
    seeds: list[Seeds],
    splits: Sequence[Split],
    engine: EngineChoice,
    metric: str,
    jobs: Sequence[TuningJob],
) -> Iterator[PlannedRun]:
    job_of = {(job.arm, job.replicate): job.id for job in jobs}
    for replicate, own in enumerate(seeds):
        for name, arm, run_seeds, damage in _trained(study, replicate, own):
            asked = ((name, replicate), (arm.name, replicate), (arm.name, None))
            tuned_by = next((job_of[key] for key in asked if key in job_of), None)
            untuned = name.startswith(UNTUNED)
            training = study.training_of(arm)
            spec = RunSpec(
                loss=arm.loss,
                hyper_parameters=arm.hyper_parameters,
                training=training,
                seeds=run_seeds,
                engine=engine.of(training),
                metric=metric,
                damage=damage,
            )
            tuned_by = None if untuned else tuned_by
            own_id = run_id(spec, study, digest, splits[replicate], tuned_by)
            yield PlannedRun(id=own_id, arm=name, replicate=replicate, spec=spec, tuned_by=tuned_by, untuned=untuned)


def _trained(study: Study, replicate: int, own: Seeds) -> Iterator[tuple[str, ArmConfig, Seeds, Damage | None]]:
    """Yield name, arm, seeds and damage of everything that is trained in a replicate.

    Controls train with the settings of their reference, tuned ones where it is tuned; the A/A control of a study that
    tunes in every replicate has a job of its own.
    """
    reference = next(arm for arm in study.arms if arm.name == study.reference)
    for arm in study.arms:
        yield arm.name, arm, own, None
    for control in study.evidence.controls:
        if control == "same":
            yield CONTROL_ARMS[control], reference, control_seeds(study.evidence.seed, replicate, own), None
        else:  # with the seeds of the reference: the damage is all that differs
            yield CONTROL_ARMS[control], reference, own, control
    if study.tuning is not None and study.tuning.untuned:
        for arm in study.arms:
            yield UNTUNED + arm.name, arm, own, None


def _model_facts(study: Study, images: Array, num_outputs: int) -> tuple[ModelDescription, int]:
    shape = {"channels": images.shape[-1], "image_size": images.shape[-2], "dimensions": images.ndim - 2}
    model = build(study.training.model, study.training.model_options, **shape, num_outputs=num_outputs, seed=0)
    return describe(model, **shape), activation_bytes(model, **shape)


def _check_scope(study: Study, manifest: Manifest) -> None:
    """Refuse claims about new patients where findings are unknown: their variance is not worked out."""
    unknown = manifest.task == "multi_label" and manifest.rows["label"].list.contains(UNKNOWN).any()
    if unknown and study.evidence.scope == "population":
        raise StudyFileError(
            study.name,
            [
                'evidence.scope: "population" is not available where findings are unknown; use scope = "procedure", or '
                'data.uncertain = "zeros" or "ones" and data.unmentioned = "absent"'
            ],
        )


def _metric(study: Study, manifest: Manifest, key: str, metric: str) -> str:
    if manifest.task not in YARDSTICKS[metric].tasks:
        fitting = [name for name, spec in YARDSTICKS.items() if manifest.task in spec.tasks]
        raise StudyFileError(
            study.name,
            [f"{key}: {metric} is not defined for {task_in_words(manifest)} data; choose one of {', '.join(fitting)}"],
        )
    return metric
