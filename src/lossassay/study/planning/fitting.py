"""Whether the arms of a study can be trained on its labels; whatever cannot is refused before training."""

from collections.abc import Mapping, Sequence
from typing import Any

from lossassay.catalogue.arm_losses import spec_of
from lossassay.catalogue.compound import COMPOUND
from lossassay.catalogue.loss_spec import LossSpec
from lossassay.catalogue.losses import LOSSES
from lossassay.config import ArmConfig, Study
from lossassay.data.manifest import Manifest
from lossassay.data.split import Split
from lossassay.engine.inputs import class_counts
from lossassay.engine.spec import Array
from lossassay.errors import LabelError, StudyFileError

_STRIPE_PX = 4  # the least height of the stripe that stands for a source
_WORDS = {"single_label": "single-label", "ordinal": "ordered grades", "multi_label": "multi-label"}


def check_losses(study: Study, manifest: Manifest) -> None:
    """Refuse losses that cannot train these labels, all at once."""
    unfit = [arm for arm in study.arms if not spec_of(arm.loss, arm.hyper_parameters).trains(manifest.task)]
    if unfit:
        fitting = [name for name, spec in LOSSES.items() if spec.trains(manifest.task)]
        raise LabelError(
            f"The data are {task_in_words(manifest)}, and {len(unfit)} of the arms cannot be trained on them:\n  - "
            + "\n  - ".join(
                f"{arm.loss} {_why_unfit(spec_of(arm.loss, arm.hyper_parameters), manifest)}" for arm in unfit
            )
            + f"\nLosses that fit: {', '.join(fitting)}."
        )
    weighted = [arm.name for arm in study.arms if study.training_of(arm).class_weights != "none"]
    if weighted and manifest.task == "multi_label":
        raise LabelError(
            f"Class weights are defined for single labels; the data are multi-label. Arms: {', '.join(weighted)}. "
            'Set `class_weights = "none"`.'
        )
    for arm in study.arms:
        _check_sizes(study, arm, manifest)


def check_class_counts(
    study: Study, manifest: Manifest, labels: Array, splits: Sequence[Split], of: str | None = None
) -> None:
    """Refuse losses that need images of every class where a training part has none of one.

    Args:
        study: Its arms.
        manifest: The readable rows.
        labels: Of every row.
        splits: Of each replicate.
        of: Whose training part it is, where it is not that of a replicate.

    Raises:
        LabelError: Naming the class, the replicate, and losses that do without counts.
    """
    needing = [arm for arm in study.arms if "class_counts" in spec_of(arm.loss, arm.hyper_parameters).inputs]
    if not needing:
        return
    names = manifest.class_names
    for replicate, parts in enumerate(splits):
        counts = class_counts(labels[parts.train], len(names))
        empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
        if empty:
            whose = of or f"of replicate {replicate}"
            raise LabelError(
                f"{needing[0].loss} needs images of every class, and the training part {whose} has "
                f"none of {', '.join(empty)}. Leave such classes out or merge them with others, make the other parts "
                "smaller (data.split), or take losses that do without class counts, for example "
                f"{'binary_crossentropy' if manifest.task == 'multi_label' else 'categorical_crossentropy'}."
            )


def check_sources(study: Study, manifest: Manifest, splits: Sequence[Split]) -> None:
    """Refuse the control that sees the source alone where that could show nothing.

    Raises:
        StudyFileError: If there are fewer than two sources, too many for the image, or test sources that are new.
    """
    if "source_only" not in study.evidence.controls:
        return
    sources = manifest.rows["source"]
    found = sources.n_unique()
    most = study.data.image_size // _STRIPE_PX
    if found < 2 or found > most:
        named = "none" if sources.null_count() == len(sources) else str(found)
        raise _no_source_only(
            study,
            f"shows a network which source an image comes from; the data name {named}, and 2 to {most} are needed. "
            "Name a column with fewer values",
        )
    names = sources.to_numpy()
    for replicate, parts in enumerate(splits):
        new = sorted({str(name) for name in names[parts.test]} - {str(name) for name in names[parts.train]})
        if len(new) == len({str(name) for name in names[parts.test]}):
            raise _no_source_only(
                study, f"needs test sources that were trained on, and in replicate {replicate} all are new. Split them"
            )


def _no_source_only(study: Study, why: str) -> StudyFileError:
    text = f'evidence.control: "source_only" {why} (data.source, data.split), or leave this control out'
    return StudyFileError(study.name, [text])


def task_in_words(manifest: Manifest) -> str:
    """Say what the labels are."""
    return _WORDS[manifest.task]


def _why_unfit(spec: LossSpec, manifest: Manifest) -> str:
    if manifest.task == "multi_label" and spec.encoding == "integer":
        return "takes one class index per image, and an image here can have several labels or none"
    if manifest.task == "multi_label":
        return "compares one true class with the others, and an image here can have several labels or none"
    if spec.tasks == ("ordinal",):
        return "is for grades: name the classes from the lowest to the highest in data.order, if they have an order"
    return "is for findings that can occur together, and an image here has exactly one label"


def _check_sizes(study: Study, arm: ArmConfig, manifest: Manifest) -> None:
    """Refuse lists that must have one number for each class and have not."""
    classes = ", ".join(manifest.class_names)
    weights = study.training_of(arm).class_weights
    if isinstance(weights, tuple) and len(weights) != len(manifest.class_names):
        raise LabelError(
            f"arm {arm.name!r}: {len(weights)} class weights for {len(manifest.class_names)} classes "
            f"({classes}). Give one for each class, in this order."
        )
    for loss, hyper_parameters in _terms(arm):
        for key, parameter in spec_of(loss, {}).hyper_parameters.items():
            problem = parameter.size_problem(hyper_parameters.get(key), len(manifest.class_names))
            if problem:
                raise LabelError(f"arm {arm.name!r}: {key}: {problem} ({classes}), in this order.")


def _terms(arm: ArmConfig) -> list[tuple[str, Mapping[str, Any]]]:
    """The losses of an arm: its own, or the terms of its sum."""
    if arm.loss != COMPOUND:
        return [(arm.loss, arm.hyper_parameters)]
    return [(term["name"], term) for term in arm.hyper_parameters["terms"]]
