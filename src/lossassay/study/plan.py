"""A study as a list of runs, each named by the hash of everything that determines it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from lossassay.catalogue.loss_spec import Task
from lossassay.catalogue.own_losses import is_own, own_source
from lossassay.catalogue.yardsticks import PRIMARY, YARDSTICKS
from lossassay.config import CONTROL_ARMS, Study
from lossassay.config.schema import ArmConfig, Damage, SplitConfig
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
from lossassay.study.fitting import check_class_counts, check_losses, check_sources, task_in_words
from lossassay.study.identity import Identity, find_identities, gradient_scales
from lossassay.study.machine import choose_engine, run_memory_bytes, usable_kernels, usable_precision

# Raised by anything that alters a result for an unchanged study; see CHANGELOG.md, "Numbers that change".
RESULTS_VERSION = 5
_TRAINING_VERSION = 3  # the part of it that alters trained runs, and with them their names


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One arm, or a control, in one replicate."""

    id: str
    arm: str
    replicate: int
    spec: RunSpec


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
        gradient_scales: Of every arm at zero scores.
        runs: In the order in which they are trained: replicate by replicate, so that arms stay complete pairs. With
            early stopping these are the most that may be needed.
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
    check_losses(study, manifest)
    _check_scope(study, manifest)
    check_exams(manifest)
    metric = _primary_metric(study, manifest)
    labels = label_array(manifest)
    classes = len(manifest.class_names)
    seeds = [
        replicate_seeds(study.evidence.seed, replicate, study.evidence.vary) for replicate in range(study.evidence.most)
    ]
    splits, exams = _splits(study, manifest, seeds), exam_numbers(manifest)
    _check_whole(exams, splits)
    check_sources(study, manifest, splits)
    check_class_counts(study, manifest, labels, splits)
    model, activations = _model_facts(study, cache.images, classes)
    dimensions = cache.manifest.dimensions
    engine = engine or choose_engine(study.training, activations, len(study.arms) * len(seeds), dimensions=dimensions)
    for arm in study.arms:
        usable_kernels(engine.device, study.training_of(arm), f"arm {arm.name!r}")
        usable_precision(engine.device, study.training_of(arm), f"arm {arm.name!r}", dimensions=dimensions)
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
        identities=tuple(find_identities(study, labels, classes)),
        gradient_scales=gradient_scales(study, labels, classes),
        runs=tuple(_planned_runs(study, cache.digest, seeds, splits, engine, metric)),
    )


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
    study: Study, digest: str, seeds: list[Seeds], splits: Sequence[Split], engine: EngineChoice, metric: str
) -> Iterator[PlannedRun]:
    reference = next(arm for arm in study.arms if arm.name == study.reference)
    for replicate, own in enumerate(seeds):
        trained: list[tuple[str, ArmConfig, Seeds, Damage | None]] = [(arm.name, arm, own, None) for arm in study.arms]
        for control in study.evidence.controls:
            if control == "same":
                fresh = control_seeds(study.evidence.seed, replicate, own)
                trained.append((CONTROL_ARMS[control], reference, fresh, None))
            else:  # with the seeds of the reference: the damage is all that differs
                trained.append((CONTROL_ARMS[control], reference, own, control))
        for name, arm, run_seeds, damage in trained:
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
            yield PlannedRun(
                id=run_id(spec, study, digest, splits[replicate]), arm=name, replicate=replicate, spec=spec
            )


def run_id(spec: RunSpec, study: Study, data_digest: str, parts: Split) -> str:
    """Return the hash of everything that determines a run; the name of an arm or a study is no part of it."""
    training = spec.training.model_dump(mode="json", exclude={"device", "precision", "kernels", "threads"})
    everything = {
        "results_version": _TRAINING_VERSION,
        "torch": torch.__version__,
        "data": data_digest,
        "split": _split_facts(study.data.split, parts),
        "loss": spec.loss,
        "hyper_parameters": spec.hyper_parameters,
        **({"source": own_source(spec.loss)} if is_own(spec.loss) else {}),
        "training": training,
        "seeds": spec.seeds.as_dict(),
        "engine": asdict(spec.engine),
        "metric": spec.metric if spec.training.selection == "best" else None,
        **({} if spec.damage is None else {"damage": spec.damage}),
    }
    text = json.dumps(everything, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _split_facts(split: SplitConfig, parts: Split) -> dict[str, Any]:
    """Return what names a split; a plain hold-out is named as it was before there were other kinds.

    Of the other kinds the rows themselves are part of the name: they depend on sources and times, which the digest of
    the data leaves out.
    """
    if split.kind == "holdout":
        return split.model_dump(mode="json", exclude={"kind", "folds", "by"})
    digest = hashlib.blake2b(digest_size=16)
    for rows in (parts.train, parts.validation, parts.test):
        digest.update(len(rows).to_bytes(8, "little") + rows.astype("<i8").tobytes())
    return split.model_dump(mode="json", exclude={"by"}) | {"rows": digest.hexdigest()}


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


def _primary_metric(study: Study, manifest: Manifest) -> str:
    metric = study.evidence.metric or PRIMARY[manifest.task]
    if manifest.task not in YARDSTICKS[metric].tasks:
        fitting = [name for name, spec in YARDSTICKS.items() if manifest.task in spec.tasks]
        raise StudyFileError(
            study.name,
            [
                f"evidence.metric: {metric} is not defined for {task_in_words(manifest)} data; "
                f"choose one of {', '.join(fitting)}"
            ],
        )
    return metric
