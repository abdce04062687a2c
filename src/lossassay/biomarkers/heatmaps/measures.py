"""What is asked of the maps of a run, and what they are worth by all that was asked for."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from lossassay.biomarkers.heatmaps.explanation import Measure
from lossassay.biomarkers.heatmaps.gallery_choice import evenly
from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic
from lossassay.biomarkers.heatmaps.maps import METHODS, HeatmapOptions, class_scores, heatmaps
from lossassay.biomarkers.heatmaps.marked_regions import MarkedRegions
from lossassay.biomarkers.heatmaps.regions import region_worth
from lossassay.biomarkers.heatmaps.sanity import randomisation, replicate_agreement, stages
from lossassay.biomarkers.heatmaps.worth import worth
from lossassay.biomarkers.loaded_run import LoadedRun, finished_runs, load_run
from lossassay.data.cache import ImageCache
from lossassay.data.grouping import group_numbers
from lossassay.engine.spec import Array
from lossassay.errors import DataError, LossassayError, unknown_name
from lossassay.study.planning.plan import label_array

OnProgress = Callable[[str, int, int], None]  # what is done in a few words, how much of it, and in all


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


def measures_of(
    run: LoadedRun,
    options: ExplainOptions,
    cache: ImageCache | None,
    regions: MarkedRegions | None,
    on_progress: OnProgress,
) -> tuple[list[Measure], int, list[str]]:
    """Measure the maps of a run as far as that was asked for.

    Args:
        run: The run.
        options: What was asked for.
        cache: The images of its study; None: nothing is measured.
        regions: What was marked, or None.
        on_progress: As for `explain_run`.

    Returns:
        The measures, the images that those of `ExplainOptions.worth` are over, and what could not be measured.
    """
    measures: list[Measure] = []
    notes: list[str] = []
    if cache is None:
        return measures, 0, notes
    work = _Measuring(run=run, options=options, cache=cache, on_progress=on_progress)
    if regions is not None:
        for method in options.methods:
            measures += work.against_regions(regions, method)
        notes += work.outside_test(regions)
    if not options.worth:
        return measures, 0, notes
    for method in options.methods:
        found, words = work.worth_of(method)
        measures += found
        notes += [one for one in words if one not in notes]
    return measures, len(work.rows), notes


@dataclass(frozen=True, kw_only=True)
class _Measuring:
    """What all measures of a run need."""

    run: LoadedRun
    options: ExplainOptions
    cache: ImageCache
    on_progress: OnProgress
    random_areas: dict[str, Array] = field(default_factory=dict)  # of maps without knowledge: the same for all methods

    @cached_property
    def groups(self) -> Array:
        return group_numbers(self.cache.manifest)

    @cached_property
    def test(self) -> Array:
        found: Array = self.run.parts() == 2
        return found

    @cached_property
    def rows(self) -> Array:
        """Test images that are measured without regions, evenly spread."""
        test = np.flatnonzero(self.test)
        return np.asarray(test[evenly(len(test), self.options.worth_images)])

    @cached_property
    def runs(self) -> list[LoadedRun]:
        """All replicates of the arm."""
        run = self.run
        return [
            load_run(run.folder / "runs" / run_id, device=run.device)
            for run_id, facts in finished_runs(run.folder, run.arm)
            if facts["status"] != "diverged"
        ]

    def step(self, words: str, method: str, total: int) -> Callable[[int], None]:
        """Return what is called with the images done of one step."""
        name = f"{METHODS[method].title}: {words}"
        self.on_progress(name, 0, total)
        return lambda done: self.on_progress(name, done, total)

    def outside_test(self, regions: MarkedRegions) -> list[str]:
        count = sum(not self.test[row] for row in regions.masks)
        if not count:
            return []
        return [f"{count} marked images are in no test part of this run and were left out."]

    def against_regions(self, regions: MarkedRegions, method: str) -> list[Measure]:
        """Measure maps of marked test images, about the class of the table, else the label."""
        rows = np.array([row for row in sorted(regions.masks) if self.test[row]], dtype=np.int64)
        if not len(rows):
            return []
        labels = label_array(self.cache.manifest)
        if self.run.task == "multi_label" and any(int(row) not in regions.classes for row in rows):
            raise DataError(
                "Regions of a study with several findings need the column class. Say which finding was marked."
            )
        none = labels.ndim == 2
        classes = np.array([regions.classes.get(row, 0 if none else int(labels[row])) for row in rows.tolist()])
        maps = heatmaps(
            self.run,
            self.cache.images[rows],
            classes,
            method=method,
            options=self.options.maps,
            on_progress=self.step("marked regions", method, len(rows)),
        )
        found = region_worth(maps, np.stack([regions.masks[row] for row in rows.tolist()]), self.groups[rows])
        return [
            Measure(method=method, what="regions", name=name, value=MapStatistic(**value))
            for name, value in asdict(found).items()
        ]

    def worth_of(self, method: str) -> tuple[list[Measure], list[str]]:
        images, own = np.asarray(self.cache.images[self.rows]), self.groups[self.rows]
        classes = class_scores(self.run, images)[1].argmax(axis=1)
        told = self.step("maps to be measured", method, len(images))
        maps = heatmaps(self.run, images, classes, method=method, options=self.options.maps, on_progress=told)
        measures = [*self._curves(method, images, maps, classes, own), *self._randomised(method, images, maps, classes)]
        agreement, words = self._agreement(method)
        return measures + agreement, words

    def _curves(self, method: str, images: Array, maps: Array, classes: Array, own: Array) -> Iterator[Measure]:
        told = self.step("insertion and deletion", method, len(images))
        curves = worth(
            self.run,
            images,
            maps,
            classes,
            groups=own,
            seed=self.options.seed,
            random_areas=self.random_areas,
            on_progress=told,
        )
        for curve in curves:
            for name in ("area", "random", "moved", "gain_over_random", "gain_over_moved"):
                yield Measure(method=method, what=curve.curve, name=name, value=getattr(curve, name))

    def _randomised(self, method: str, images: Array, maps: Array, classes: Array) -> Iterator[Measure]:
        told = self.step("random weights", method, len(images) * len(stages(self.run.model)))
        found = randomisation(
            self.run,
            images,
            classes,
            method=method,
            options=self.options.maps,
            groups=self.groups[self.rows],
            seed=self.options.seed,
            before=maps,
            on_progress=told,
        )
        for stage in found:
            for name in ("likeness", "likeness_absolute"):
                value = getattr(stage, name)
                if value is not None:
                    yield Measure(method=method, what="randomised", name=name, layer=stage.layer, value=value)

    def _agreement(self, method: str) -> tuple[list[Measure], list[str]]:
        labels = label_array(self.cache.manifest)
        if labels.ndim == 2:  # of several findings, the first that is there
            labels = np.nan_to_num(labels).argmax(axis=1)
        try:
            found = replicate_agreement(
                self.runs,
                self.cache.images,
                labels,
                method=method,
                options=self.options.maps,
                groups=self.groups,
                most_images=self.options.worth_images,
                on_progress=partial(self.on_progress, f"{METHODS[method].title}: agreement of replicates"),
            )
        except LossassayError as error:
            return [], [str(error)]
        return [Measure(method=method, what="agreement", name="likeness", value=found)], []
