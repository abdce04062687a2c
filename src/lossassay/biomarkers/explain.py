"""Maps of a run for files that are named, rows of its study, or a gallery of its test images."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from lossassay.biomarkers.explanation import ExplainedImage, Explanation, Measure
from lossassay.biomarkers.gallery_choice import choose_gallery, evenly
from lossassay.biomarkers.given_images import read_given
from lossassay.biomarkers.heatmap_regions import region_worth
from lossassay.biomarkers.heatmap_sanity import randomisation, replicate_agreement
from lossassay.biomarkers.heatmap_worth import worth
from lossassay.biomarkers.heatmaps import METHODS, ClassScores, HeatmapOptions, facts_of, heatmaps
from lossassay.biomarkers.loaded_run import LoadedRun, finished_runs, load_run
from lossassay.biomarkers.map_statistics import MapStatistic
from lossassay.biomarkers.marked_regions import MarkedRegions, read_regions
from lossassay.data.cache import ImageCache, open_cache
from lossassay.data.grouping import group_numbers
from lossassay.engine.spec import Array
from lossassay.errors import DataError, LossassayError, OutFolderError, did_you_mean, unknown_name
from lossassay.study.plan import label_array
from lossassay.study.store import Store

OnStage = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """What is asked for.

    Args:
        methods: Names of `heatmaps.METHODS`.
        maps: How maps are made.
        of_class: Name of the class that all maps are about; None: the predicted one.
        images_per_kind: Of the gallery.
        worth: Whether maps are measured.
        worth_images: On how many test images, evenly spread.
        regions: Table of boxes or masks; None: none.
        seed: Of random maps and permutations.
    """

    methods: tuple[str, ...] = ("grad_cam",)
    maps: HeatmapOptions = field(default_factory=HeatmapOptions)
    of_class: str | None = None
    images_per_kind: int = 6
    worth: bool = False
    worth_images: int = 32
    regions: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.methods:
            if name not in METHODS:
                raise unknown_name("kind of heat map", name, METHODS)
        for what, number in (("images per kind", self.images_per_kind), ("images to measure", self.worth_images)):
            if number < 1:
                raise DataError(f"{number} {what} were asked for. Expected 1 or more.")


def explain_run(
    run: LoadedRun,
    paths: Sequence[str | Path] = (),
    *,
    rows: Sequence[int] = (),
    options: ExplainOptions | None = None,
    on_stage: OnStage = lambda words: None,
) -> Explanation:
    """Make maps of what is named, or of a gallery of test images where nothing is.

    Args:
        run: The run.
        paths: Image files.
        rows: Rows of the study.
        options: Methods and measures.
        on_stage: Called with a few words before each step.

    Raises:
        DataError: If an image cannot be read or is of another kind, a row or class does not exist, or captum is
            missing.
    """
    options = options or ExplainOptions()
    of_class = _class_number(run, options.of_class)
    cache = None if paths and not (rows or options.worth or options.regions) else study_images(run)
    regions = read_regions(options.regions, run, cache) if options.regions and cache else None
    maker = _Maker(run, options, of_class, cache, regions)
    on_stage("maps")
    if paths:
        maker.add_given(read_given(run, paths))
    if rows:
        maker.add_rows(rows)
    if not paths and not rows:
        maker.add_gallery()
    measures, measured, notes = _measured(run, options, cache, regions, on_stage)
    return Explanation(
        run={
            "study": run.plan["name"],
            "run": run.id,
            "arm": run.arm,
            "replicate": run.replicate,
            "model": run.study.training.model,
        },
        class_names=run.class_names,
        images=tuple(maker.images),
        methods=tuple(facts_of(method, options.maps) for method in options.methods),
        measures=tuple(measures),
        measured_images=measured,
        notes=tuple(notes),
    )


def study_images(run: LoadedRun) -> ImageCache:
    """Open the images of a run's study.

    Raises:
        OutFolderError: If they are no longer those that it was trained on.
    """
    cache = open_cache(run.study.data)
    if cache.digest != run.plan["data"]["digest"]:
        raise OutFolderError(
            f"The images in {run.study.data.path} are not those that this study was trained on. Expected the same "
            "files, labels and groups. Bring them back, or name image files to explain."
        )
    return cache


def _class_number(run: LoadedRun, name: str | None) -> int | None:
    if name is None:
        return None
    if name not in run.class_names:
        known = ", ".join(run.class_names)
        raise DataError(f"The study has no class {name!r}. Its classes: {known}.{did_you_mean(name, run.class_names)}")
    return run.class_names.index(name)


class _Maker:
    """Makes maps and collects explained images."""

    def __init__(
        self,
        run: LoadedRun,
        options: ExplainOptions,
        of_class: int | None,
        cache: ImageCache | None,
        regions: MarkedRegions | None,
    ) -> None:
        self._run, self._options, self._of_class = run, options, of_class
        self._cache, self._regions = cache, regions
        self.images: list[ExplainedImage] = []

    def add_given(self, images: Array) -> None:
        """Add files of the user's."""
        none: list[int | None] = [None] * len(images)
        self._add(images, none, ["given"] * len(images), None)

    def add_rows(self, rows: Sequence[int]) -> None:
        """Add rows of the study."""
        images = self._study.images
        for row in rows:
            if not 0 <= row < len(images):
                raise DataError(f"The study has no row {row}. Expected 0 to {len(images) - 1}.")
        self._add(images[list(rows)], list(rows), ["row"] * len(rows), None)

    def add_gallery(self) -> None:
        """Add test images that are right, wrong and undecided."""
        test = Store(self._run.folder).predictions(self._run.id, "test")
        rows = test["row"].to_numpy()
        labels, groups = label_array(self._study.manifest)[rows], group_numbers(self._study.manifest)[rows]
        chosen = choose_gallery(
            labels,
            test["probabilities"].to_numpy(),
            groups,
            most=self._options.images_per_kind,
            multi_label=self._run.task == "multi_label",
        )
        own = [int(rows[one.position]) for one in chosen]
        classes = np.array([one.of_class for one in chosen], dtype=np.int64)
        self._add(self._study.images[own], list(own), [one.kind for one in chosen], classes)

    @property
    def _study(self) -> ImageCache:
        if self._cache is None:
            self._cache = study_images(self._run)
        return self._cache

    def _add(self, images: Array, rows: list[int | None], kinds: Sequence[str], classes: Array | None) -> None:
        run = self._run
        scores, probabilities = class_scores(run, images)
        if self._of_class is not None:
            classes = np.full(len(images), self._of_class)
        elif classes is None:
            classes = probabilities.argmax(axis=1)
        maps = {
            method: heatmaps(run, images, classes, method=method, options=self._options.maps)
            for method in self._options.methods
        }
        for k, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
            number = int(classes[k])
            self.images.append(
                ExplainedImage(
                    row=row,
                    number=len(self.images) + 1,
                    kind=kind,
                    label=None if row is None else self._label(row),
                    of_class=run.class_names[number],
                    score=float(scores[k, number]),
                    probability=float(probabilities[k, number]),
                    pixels=_in_eight_bits(np.asarray(images[k])),
                    maps={method: of[k] for method, of in maps.items()},
                    region=None if self._regions is None or row is None else self._regions.masks.get(row),
                )
            )

    def _label(self, row: int) -> str:
        label = label_array(self._study.manifest)[row]
        if self._run.task != "multi_label":
            return self._run.class_names[int(label)]
        return ", ".join(name for name, there in zip(self._run.class_names, label, strict=True) if there == 1)


@torch.inference_mode()
def class_scores(run: LoadedRun, images: Array) -> tuple[Array, Array]:
    """Return the score and the probability of every class, [M K] each."""
    network, found, raw = ClassScores(run).eval(), [], []
    for first in range(0, len(images), 64):
        pixels = run.normalised(np.asarray(images[first : first + 64]))
        found.append(network(pixels).cpu().numpy())
        raw.append(run.model(pixels).float().cpu().numpy())
    return np.concatenate(found), run.probabilities(np.concatenate(raw))


def _in_eight_bits(image: Array) -> Array:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def _measured(
    run: LoadedRun,
    options: ExplainOptions,
    cache: ImageCache | None,
    regions: MarkedRegions | None,
    on_stage: OnStage,
) -> tuple[list[Measure], int, list[str]]:
    measures: list[Measure] = []
    notes: list[str] = []
    count = 0
    if cache is None:
        return measures, count, notes
    groups = group_numbers(cache.manifest)
    test = np.flatnonzero(run.parts() == 2)
    if regions is not None:
        for method in options.methods:
            on_stage(f"regions, {METHODS[method].title}")
            found, words = _against_regions(run, cache, regions, groups, method, options)
            measures += found
        notes += words
    if options.worth:
        rows = test[evenly(len(test), options.worth_images)]
        count = len(rows)
        for method in options.methods:
            found, words = _worth_of(run, cache, rows, groups, method, options, on_stage)
            measures += found
            notes += [one for one in words if one not in notes]
    return measures, count, notes


def _against_regions(
    run: LoadedRun, cache: ImageCache, regions: MarkedRegions, groups: Array, method: str, options: ExplainOptions
) -> tuple[list[Measure], list[str]]:
    """Measure maps of marked test images, about the class of the table, else the label."""
    test = run.parts() == 2
    rows = np.array([row for row in sorted(regions.masks) if test[row]], dtype=np.int64)
    left_out = len(regions.masks) - len(rows)
    words = [f"{left_out} marked images are in no test part of this run and were left out."] if left_out else []
    if not len(rows):
        return [], words
    labels = label_array(cache.manifest)
    if run.task == "multi_label" and any(int(row) not in regions.classes for row in rows):
        raise DataError("Regions of a study with several findings need the column class. Say which finding was marked.")
    classes = np.array([regions.classes.get(row, 0 if labels.ndim == 2 else int(labels[row])) for row in rows.tolist()])
    maps = heatmaps(run, cache.images[rows], classes, method=method, options=options.maps)
    found = region_worth(maps, np.stack([regions.masks[row] for row in rows.tolist()]), groups[rows])
    return [
        Measure(method=method, what="regions", name=name, value=MapStatistic(**value))
        for name, value in asdict(found).items()
    ], words


def _worth_of(
    run: LoadedRun,
    cache: ImageCache,
    rows: Array,
    groups: Array,
    method: str,
    options: ExplainOptions,
    on_stage: OnStage,
) -> tuple[list[Measure], list[str]]:
    title, images, own = METHODS[method].title, np.asarray(cache.images[rows]), groups[rows]
    classes = class_scores(run, images)[1].argmax(axis=1)
    on_stage(f"insertion and deletion, {title}")
    maps = heatmaps(run, images, classes, method=method, options=options.maps)
    measures = []
    for curve in worth(run, images, maps, classes, groups=own, seed=options.seed):
        names = ("area", "random", "moved", "gain_over_random", "gain_over_moved")
        measures += [Measure(method=method, what=curve.curve, name=name, value=getattr(curve, name)) for name in names]
    on_stage(f"random weights, {title}")
    for stage in randomisation(
        run, images, classes, method=method, options=options.maps, groups=own, seed=options.seed
    ):
        measures.append(
            Measure(method=method, what="randomised", name="likeness", layer=stage.layer, value=stage.likeness)
        )
        if stage.likeness_absolute is not None:
            measures.append(
                Measure(
                    method=method,
                    what="randomised",
                    name="likeness_absolute",
                    layer=stage.layer,
                    value=stage.likeness_absolute,
                )
            )
    on_stage(f"agreement of replicates, {title}")
    agreement, words = _agreement(run, cache, groups, method, options)
    return measures + agreement, words


def _agreement(
    run: LoadedRun, cache: ImageCache, groups: Array, method: str, options: ExplainOptions
) -> tuple[list[Measure], list[str]]:
    labels = label_array(cache.manifest)
    if labels.ndim == 2:  # of several findings, the first that is there
        labels = np.nan_to_num(labels).argmax(axis=1)
    runs = [
        load_run(run.folder / "runs" / run_id, device=run.device)
        for run_id, facts in finished_runs(run.folder, run.arm)
        if facts["status"] != "diverged"
    ]
    try:
        found = replicate_agreement(
            runs,
            cache.images,
            labels,
            method=method,
            options=options.maps,
            groups=groups,
            most_images=options.worth_images,
        )
    except LossassayError as error:
        return [], [str(error)]
    return [Measure(method=method, what="agreement", name="likeness", value=found)], []
