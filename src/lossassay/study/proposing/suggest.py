"""Proposes losses for a data set from its counts, its task and the order of its classes, with the reason for each.

The rules are rules of thumb. What a loss is worth on these data, a study shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossassay.catalogue.loss_spec import Task
from lossassay.config import DataConfig
from lossassay.data.finding_columns import UNKNOWN
from lossassay.data.manifest import Manifest
from lossassay.data.scan import scan
from lossassay.study.proposing.proposal import Proposal

_UNEVEN = 5.0  # from this ratio of the largest to the smallest class on, losses that use counts are proposed
_FEW = 100  # images of the smallest class
_MANY_CLASSES = 20
_RARE = 0.2  # share of positive cells


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One loss to try.

    Args:
        loss: The catalogue's name.
        hyper_parameters: Where they are not the defaults.
        reason: Why, with the numbers of these data.
    """

    loss: str
    hyper_parameters: Mapping[str, Any] = field(default_factory=dict)
    reason: str


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """What the labels of a data set look like.

    Args:
        task: What they are.
        class_names: In the order of their numbers; of grades, from the lowest to the highest.
        counts: Images of each class, or with each finding.
        images: Images in all.
        unknown: Cells of findings of which nothing is known.
    """

    task: Task
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    images: int
    unknown: int = 0

    @property
    def ratio(self) -> float:
        """How many times larger the largest class is than the smallest."""
        return max(self.counts) / max(1, min(self.counts))

    @property
    def smallest(self) -> str:
        """The smallest class with its number of images, in words."""
        place = int(np.argmin(self.counts))
        return f"{self.class_names[place]} has {self.counts[place]:,} of {self.images:,} images"


def suggest(data: DataConfig | Proposal | Manifest) -> list[Suggestion]:
    """Propose losses, the reference first.

    Args:
        data: A data section, what a look proposed, or what a scan found. No image is decoded.

    Raises:
        DataError: If there is nothing to read, or something wrong with the labels.
    """
    return suggest_for(label_facts(data))


def label_facts(data: DataConfig | Proposal | Manifest) -> LabelFacts:
    """Count the labels of a data set; the arguments are those of `suggest`."""
    if isinstance(data, Proposal):
        data = DataConfig.model_validate(data.data)
    manifest = scan(data) if isinstance(data, DataConfig) else data
    labels = np.array(manifest.rows["label"].to_list())
    classes = len(manifest.class_names)
    many = manifest.task == "multi_label"
    counts = (labels == 1).sum(axis=0) if many else np.bincount(labels, minlength=classes)
    return LabelFacts(
        task=manifest.task,
        class_names=manifest.class_names,
        counts=tuple(int(count) for count in counts),
        images=len(labels),
        unknown=int((labels == UNKNOWN).sum()) if many else 0,
    )


def suggest_for(facts: LabelFacts) -> list[Suggestion]:
    """Propose losses for labels that are described already."""
    rules = {"single_label": _single, "ordinal": _grades, "multi_label": _findings}
    return list(rules[facts.task](facts))


def _single(facts: LabelFacts) -> Iterator[Suggestion]:
    classes = len(facts.counts)
    yield Suggestion(
        loss="categorical_crossentropy",
        reason=f"The reference for {facts.images:,} images of {classes} classes, one label each.",
    )
    if facts.ratio > _UNEVEN:
        yield from _uneven(facts)
    else:
        yield Suggestion(
            loss="focal",
            reason=f"The largest class is only {facts.ratio:.1f} times the smallest, so nothing needs balancing; this "
            "one counts hard images more than easy ones.",
        )
    if min(facts.counts) < _FEW:
        yield Suggestion(
            loss="label_smoothing",
            reason=f"{facts.smallest}: with fewer than {_FEW} of a class, scores grow too sure; this keeps them back.",
        )
    if classes == 2:
        low, high = sorted(facts.counts)
        yield Suggestion(
            loss="pairwise_auroc",
            reason=f"Two classes, {low:,} against {high:,} images: it trains the AUROC itself, that is the order of "
            f"the {low * high:,} pairs, and counts do not weigh in it.",
        )
    if classes >= _MANY_CLASSES:
        yield Suggestion(
            loss="arcface",
            reason=f"{classes} classes with {facts.images / classes:,.0f} images each on average: a margin between "
            "angles pulls many classes apart.",
        )
    yield Suggestion(
        loss="generalized_cross_entropy",
        reason=f"One wrong label in a hundred would be {max(1, round(facts.images / 100)):,} of {facts.images:,} "
        "images; this one is bounded, so that they cannot dominate.",
    )


def _uneven(facts: LabelFacts) -> Iterator[Suggestion]:
    times = f"the largest class is {facts.ratio:.1f} times the smallest"
    yield Suggestion(
        loss="logit_adjustment",
        reason=f"{facts.smallest}, and {times}: this one trains for equal classes by adding the log of the counts.",
    )
    yield Suggestion(
        loss="class_balanced",
        reason=f"{times.capitalize()}: images of rare classes weigh more, less than in inverse proportion.",
    )
    yield Suggestion(
        loss="ldam",
        reason=f"{times.capitalize()}: the {min(facts.counts):,} images of the smallest class get the widest margin.",
    )


def _grades(facts: LabelFacts) -> Iterator[Suggestion]:
    grades = len(facts.counts)
    steps = f"{grades} grades from {facts.class_names[0]} to {facts.class_names[-1]}"
    yield Suggestion(
        loss="categorical_crossentropy",
        reason=f"The reference for {facts.images:,} images; it does not know that the {grades} grades have an order.",
    )
    yield Suggestion(
        loss="earth_mover_distance",
        reason=f"{steps}: a miss by {grades - 1} grades costs more than a miss by 1.",
    )
    yield Suggestion(
        loss="coral", reason=f"{steps}: asks at {grades - 1} steps whether the grade is above, with one slope for all."
    )
    yield Suggestion(
        loss="cumulative_link",
        reason=f"{steps}: one number and {grades - 1} ordered thresholds, the proportional-odds model of statistics.",
    )
    if grades > 3:
        yield Suggestion(
            loss="corn",
            reason=f"{steps}: asks at each of {grades - 1} steps with a slope of its own whether the grade is above.",
        )
    if facts.ratio > _UNEVEN:
        yield Suggestion(
            loss="logit_adjustment",
            reason=f"{facts.smallest}, and the largest grade is {facts.ratio:.1f} times the smallest: this one trains "
            "for equal grades by adding the log of the counts; it does not know the order.",
        )


def _findings(facts: LabelFacts) -> Iterator[Suggestion]:
    findings = len(facts.counts)
    cells = facts.images * findings - facts.unknown
    share = sum(facts.counts) / max(1, cells)
    unknown = f" {facts.unknown:,} cells are unknown and cost nothing in any of these losses." if facts.unknown else ""
    yield Suggestion(
        loss="binary_crossentropy",
        reason=f"The reference for {findings} findings in {facts.images:,} images, each against its absence.{unknown}",
    )
    if share < _RARE:
        yield Suggestion(
            loss="asymmetric",
            reason=f"Only {100 * share:.1f} % of the known cells are positive: this one counts easy negatives less "
            "than positives.",
        )
    rarest = min(facts.counts)
    yield Suggestion(
        loss="sigmoid_focal",
        reason=f"{facts.smallest} ({100 * rarest / facts.images:.1f} %): it counts hard cells more than easy ones.",
    )
    yield Suggestion(
        loss="zlpr",
        reason=f"{sum(facts.counts) / facts.images:.1f} findings per image on average: it ranks those that are present "
        "above those that are absent, with 0 between them.",
    )


def as_arms(facts: LabelFacts, suggestions: Sequence[Suggestion]) -> str:
    """Return the suggestions as arms for a study file, with the reasons as comments."""
    import tomli_w

    lines = [f"# {_one_line(line)}" for line in in_words(facts)]
    for suggestion in suggestions:
        arm = tomli_w.dumps({"loss": suggestion.loss, **suggestion.hyper_parameters}).strip()
        lines += ["", f"# {_one_line(suggestion.reason)}", "[[arms]]", arm]
    return "\n".join(lines)


def in_words(facts: LabelFacts) -> list[str]:
    """Say what was counted."""
    noun = {"single_label": "classes", "ordinal": "grades, from low to high", "multi_label": "findings"}[facts.task]
    counts = ", ".join(f"{name} {count:,}" for name, count in zip(facts.class_names, facts.counts, strict=True))
    return [f"{facts.images:,} images, {len(facts.counts)} {noun}: {counts}"]


def _one_line(text: str) -> str:
    """A class name may hold anything; in a comment a line break would end the comment."""
    return "".join(character if character.isprintable() else "?" for character in text)
