"""What `lossassay explain` found, as plain records without torch, for the page and for files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic
from lossassay.data.manifest import Finding
from lossassay.stats.intervals import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedImage:
    """One image with its maps.

    Args:
        row: Of the study; None for a new image.
        number: From 1, in the order of the page.
        kind: ``"right"``, ``"wrong"``, ``"undecided"``, ``"row"`` (asked for by row) or ``"given"`` (new).
        label: Name of the true class, findings joined; None where it is not known.
        of_class: Name of the class that the maps are about.
        score: Of that class, before softmax or sigmoid.
        probability: Of that class.
        pixels: uint8 [H W C] or [D H W C].
        maps: Method → float32 [H W] or [D H W].
        region: bool [H W], where something was marked.
    """

    row: int | None
    number: int
    kind: str
    label: str | None
    of_class: str
    score: float
    probability: float
    pixels: Array
    maps: Mapping[str, Array]
    region: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number about a method.

    Args:
        method: Name of the method.
        what: ``"insertion"``, ``"deletion"``, ``"randomised"``, ``"agreement"`` or ``"regions"``.
        name: Which number of it, for example ``"gain_over_random"``.
        layer: Of the randomisation, down to which weights were mixed up.
        value: The number.
    """

    method: str
    what: str
    name: str
    layer: str | None = None
    value: MapStatistic


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Everything that the page shows.

    Args:
        run: Facts of the run: study, run, arm, replicate, model.
        class_names: Of the study.
        images: In their order.
        methods: How each kind of map was made.
        measures: What maps are worth; empty where that was not asked for.
        measured_images: How many images the measures are over.
        notes: What could not be measured, and why.
        findings: What came up while new images were read; only their messages go on the page, which have no file names.
        left_out: How many new images cannot be read.
    """

    run: Mapping[str, Any]
    class_names: tuple[str, ...]
    images: tuple[ExplainedImage, ...]
    methods: tuple[Mapping[str, Any], ...]
    measures: tuple[Measure, ...] = ()
    measured_images: int = 0
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_out: int = 0
