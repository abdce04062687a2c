"""Maps of a run for new images, rows of its study, or a gallery of its test images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage, Explanation
from lossassay.biomarkers.heatmaps.gallery_choice import choose_gallery
from lossassay.biomarkers.heatmaps.maps import METHODS, class_scores, facts_of, heatmaps
from lossassay.biomarkers.heatmaps.marked_regions import MarkedRegions, read_regions
from lossassay.biomarkers.heatmaps.measures import ExplainOptions, OnProgress, measures_of
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.biomarkers.new_images.images import NewImages, open_new_images
from lossassay.data.cache import ImageCache, open_cache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Finding
from lossassay.engine.spec import Array
from lossassay.errors import DataError, OutFolderError, did_you_mean
from lossassay.study.folder.store import Store
from lossassay.study.planning.plan import label_array

__all__ = ["ExplainOptions", "explain_run", "study_images"]

LARGEST_PAGE = 200  # images; more would make a page that nobody can open


def explain_run(
    run: LoadedRun,
    paths: Sequence[str | Path] = (),
    *,
    rows: Sequence[int] = (),
    options: ExplainOptions | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Explanation:
    """Make maps of what is named, or of a gallery of test images where nothing is.

    Args:
        run: The run.
        paths: New images in any form that `open_new_images` reads: files, folders, tables, trees of DICOM files.
        rows: Rows of the study.
        options: Methods and measures.
        on_progress: Called with what is done in a few words, the images done and in all.

    Raises:
        DataError: If an image is of another kind, none can be read, there are more than fit on a page, a row or class
            does not exist, or captum is missing.
    """
    options = options or ExplainOptions()
    of_class = _class_number(run, options.of_class)
    cache = None if paths and not (rows or options.worth or options.regions) else study_images(run)
    regions = read_regions(options.regions, run, cache) if options.regions and cache else None
    maker = _Maker(run, options, of_class, cache, regions, on_progress)
    if paths:
        maker.add_given(_given(run, paths, on_progress))
    if rows:
        maker.add_rows(rows)
    if not paths and not rows:
        maker.add_gallery()
    measures, measured, notes = measures_of(run, options, cache, regions, on_progress)
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
        findings=maker.findings,
        left_out=maker.left_out,
    )


def _given(run: LoadedRun, paths: Sequence[str | Path], on_progress: OnProgress) -> NewImages:
    found = open_new_images(
        run,
        paths[0] if len(paths) == 1 else paths,
        on_progress=lambda done, total: on_progress("Decoding images", done, total),
    )
    if len(found) > LARGEST_PAGE:
        raise DataError(
            f"{len(found):,} images came. Expected {LARGEST_PAGE} or fewer, which a page can show. Name some of them."
        )
    return found


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
        on_progress: OnProgress,
    ) -> None:
        self._run, self._options, self._of_class = run, options, of_class
        self._cache, self._regions = cache, regions
        self._on_progress = on_progress
        self.images: list[ExplainedImage] = []
        self.findings: tuple[Finding, ...] = ()
        self.left_out = 0

    def add_given(self, new: NewImages) -> None:
        """Add images of the user's."""
        none: list[int | None] = [None] * len(new)
        labels = [self._in_words(label) for label in new.labels]
        self.findings, self.left_out = new.findings, new.left_out
        self._add(new.block(0, len(new)), none, ["given"] * len(new), None, labels)

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

    def _add(
        self,
        images: Array,
        rows: list[int | None],
        kinds: Sequence[str],
        classes: Array | None,
        labels: Sequence[str | None] | None = None,
    ) -> None:
        run = self._run
        labels = labels or [None if row is None else self._label(row) for row in rows]
        scores, probabilities = class_scores(run, images)
        if self._of_class is not None:
            classes = np.full(len(images), self._of_class)
        elif classes is None:
            classes = probabilities.argmax(axis=1)
        maps = {method: self._maps(images, classes, method) for method in self._options.methods}
        for k, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
            number = int(classes[k])
            self.images.append(
                ExplainedImage(
                    row=row,
                    number=len(self.images) + 1,
                    kind=kind,
                    label=labels[k],
                    of_class=run.class_names[number],
                    score=float(scores[k, number]),
                    probability=float(probabilities[k, number]),
                    pixels=_in_eight_bits(np.asarray(images[k])),
                    maps={method: of[k] for method, of in maps.items()},
                    region=None if self._regions is None or row is None else self._regions.masks.get(row),
                )
            )

    def _maps(self, images: Array, classes: Array, method: str) -> Array:
        words = f"Maps by {METHODS[method].title}"
        return heatmaps(
            self._run,
            images,
            classes,
            method=method,
            options=self._options.maps,
            on_progress=lambda done: self._on_progress(words, done, len(images)),
        )

    def _label(self, row: int) -> str | None:
        return self._in_words(self._study.manifest.rows["label"][row])

    def _in_words(self, label: Any) -> str | None:
        """Name the class, or every finding that is there; None where nothing is known."""
        if label is None:
            return None
        if self._run.task != "multi_label":
            return self._run.class_names[int(label)]
        return ", ".join(name for name, there in zip(self._run.class_names, label, strict=True) if there == 1)


def _in_eight_bits(image: Array) -> Array:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
