"""Images that a run has not seen, read exactly as its own study reads images."""

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.biomarkers.new_images.known import learnt_from
from lossassay.biomarkers.new_images.new_rows import new_rows
from lossassay.data.cache import ImageCache, open_manifest
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding, Manifest
from lossassay.engine.spec import Array
from lossassay.errors import DataError, UnreadableError
from lossassay.study.planning.describe import stored_facts

_FAR = 2.0  # sides this many times smaller or larger than any of the study are said


@dataclass(frozen=True, kw_only=True)
class NewImages:
    """Images that can be given to the network of a run.

    Args:
        images: [N H W C] or [N D H W C], of the size that the network takes; of one source a memory map.
        ids: Keyed hash of each image's path below its source, the same for this user in every call; never the path.
        groups: Keyed hash of each image's patient, or None.
        exams: Keyed hash of what is predicted together, or None.
        labels: Number of the class in the run's order, or multi-hot list with -1 for unknown; None: not known.
        findings: What came up while they were read.
        left_out: How many images cannot be read.
        largest_value: Of the type that the run was trained on: 255 or 65,535.
    """

    images: Array
    ids: tuple[str, ...]
    groups: tuple[str | None, ...]
    exams: tuple[str | None, ...]
    labels: tuple[Any, ...]
    findings: tuple[Finding, ...]
    left_out: int
    largest_value: int

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def block(self, first: int, count: int) -> Array:
        """Return some images in the pixel type that the run was trained on.

        Args:
            first: Where to start.
            count: How many at most.
        """
        return _in_type_of(self.largest_value, self.images[first : first + count])

    def release(self) -> None:
        """Give back the memory of the images that were read so far; they stay in their file.

        The system counts what was read of a memory map as the memory of this process, and it grows with the images.
        """
        mapped = getattr(self.images, "_mmap", None)
        if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


Source = str | Path


def open_new_images(
    run: LoadedRun,
    source: Source | Sequence[Source],
    *,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NewImages:
    """Read images as the study of a run does: same size, channels, presets, windows.

    Decoded images go to the cache, so that a second call on the same files reads none of them.

    Args:
        run: The run.
        source: A folder of images with or without class folders, a table with or without labels, one image, an .npz
            file, a tree of DICOM files, or ``"digits"``; or several of these, whose images come in that order.
        workers: Processes that decode; None: one for each core where that pays. Changes no result.
        on_progress: Called with the images decoded and in all; of several sources, with the sources.

    Raises:
        DataError: If there is nothing to read, or the images have another number of dimensions than the run's.
        UnreadableError: If not one image can be read.
    """
    if isinstance(source, str | Path):
        return _gathered(run, [_opened(run, source, workers, on_progress)], ())
    opened: list[ImageCache] = []
    broken: list[UnreadableError] = []
    places: list[str] = []
    for done, one in enumerate(source, start=1):
        try:
            opened.append(_opened(run, one, workers, None))
        except UnreadableError as error:  # one damaged file among others is left out, and said
            broken.append(error)
            places.append(str(one))
        if on_progress is not None:
            on_progress(done, len(source))
    if broken and not opened:
        raise broken[0]
    return _gathered(run, opened, _left_out(broken, places))


def _opened(
    run: LoadedRun, source: Source, workers: int | None, on_progress: Callable[[int, int], None] | None
) -> ImageCache:
    manifest = new_rows(run, source)
    expected = len(run.image_shape) - 1
    if manifest.dimensions != expected:
        words = {2: "flat images", 3: "volumes"}
        raise DataError(
            f"{source} holds {words[manifest.dimensions]}, and the run {run.id} was trained on {words[expected]}. "
            f"Expected {words[expected]}. Give it images of the kind that it was trained on."
        )
    try:
        cache = open_manifest(manifest, run.study.data, workers=workers, on_progress=on_progress)
    except UnreadableError as error:
        advice = "Expected whole image files. Check the files."
        raise UnreadableError(f"in {source}", error.reasons, advice) from None
    _refuse_other_shape(run, cache)
    return cache


def _gathered(run: LoadedRun, opened: Sequence[ImageCache], left_out: Sequence[Finding]) -> NewImages:
    """Put the images of all sources in one row."""
    of_decoding = [one for cache in opened for one in cache.manifest.findings]
    findings = (*_without_repeats([*of_decoding, *left_out]), *learnt_from(run, opened), *_differences(run, opened))
    largest = run.largest_value
    images = (
        opened[0].images
        if len(opened) == 1
        else np.concatenate([_in_type_of(largest, np.asarray(cache.images)) for cache in opened])
    )
    columns = pl.concat([cache.manifest.rows.select("path", "group", "exam", "label") for cache in opened])
    return NewImages(
        images=images,
        ids=tuple(image_ids(columns["path"].to_list())),
        groups=tuple(columns["group"].to_list()),
        exams=tuple(columns["exam"].to_list()),
        labels=tuple(columns["label"].to_list()),
        findings=findings,
        left_out=sum(len(one.paths) for one in (*of_decoding, *left_out) if one.code == "unreadable-image"),
        largest_value=largest,
    )


def _in_type_of(largest_value: int, stored: Array) -> Array:
    """Bring pixels to 8 bits (largest value 255) or 16."""
    if int(np.iinfo(stored.dtype).max) == largest_value:
        return np.asarray(stored)
    if largest_value == 65_535:
        return stored.astype(np.uint16) * np.uint16(257)
    return ((stored.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _left_out(broken: Sequence[UnreadableError], places: Sequence[str]) -> list[Finding]:
    if not broken:
        return []
    reasons = " ".join(dict.fromkeys(error.reasons for error in broken))
    return [
        Finding(
            code="unreadable-image",
            severity="issue",
            message=f"{len(broken)} of the files named cannot be read and were left out. {reasons}",
            advice="Check the files.",
            paths=tuple(places),
        )
    ]


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    """Say what is the same of several sources once, with the paths of all."""
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        first = found.setdefault((one.code, one.message), one)
        if first is not one:
            found[one.code, one.message] = replace(first, paths=(*first.paths, *one.paths))
    return list(found.values())


def image_ids(paths: Sequence[str]) -> list[str]:
    """Return a keyed hash of each path, and of a word before it.

    A file that is called like its patient has another hash than the patient.
    """
    return [str(one) for one in hash_groups([f"image {path}" for path in paths])]


def _refuse_other_shape(run: LoadedRun, cache: ImageCache) -> None:
    found = tuple(cache.images.shape[1:])
    if found != run.image_shape:
        raise DataError(
            f"The images become arrays of {found}, and the run {run.id} takes {run.image_shape}. Expected the study "
            "file beside the run to be the one it was trained with. Restore study.toml in its out folder."
        )


def _differences(run: LoadedRun, opened: Sequence[ImageCache]) -> list[Finding]:
    """Say how these images differ in storage from those of the study; they are preprocessed all the same."""
    known, found = run.plan["data"].get("stored") or {}, stored_facts(*opened)
    said = [*_other_kind(run, [cache.manifest for cache in opened])]
    if not known or not found:
        return said
    strange = {mode: count for mode, count in found["modes"].items() if mode not in known["modes"]}
    if strange:
        listed = ", ".join(f"{count} {mode}" for mode, count in strange.items())
        become = "grey" if run.image_shape[-1] == 1 else "RGB"
        said.append(
            Finding(
                code="other-mode",
                severity="note",
                message=f"{listed} images came, and the run was trained on images stored as "
                f"{', '.join(known['modes'])}. They become {become}, {8 if run.largest_value == 255 else 16} bits, "
                "as in the study.",
                advice="Check that they come from the same kind of device.",
            )
        )
    (low, _, high), (smallest, median, largest) = known["longer_side_px"], found["longer_side_px"]
    if smallest * _FAR < low or largest > high * _FAR:
        said.append(
            Finding(
                code="other-size",
                severity="note",
                message=f"The longer sides of the images are {smallest} to {largest} px (median {median}), those of "
                f"the study's images {low} to {high} px. They are brought to {run.image_shape[-2]} px as in the study.",
                advice="Check that they show as much of the body at the same detail.",
            )
        )
    return said


def _other_kind(run: LoadedRun, manifests: Sequence[Manifest]) -> list[Finding]:
    trained = run.plan["data"].get("kind")
    others = dict.fromkeys(one.kind for one in manifests if one.kind != trained)
    if trained is None or not others:
        return []
    words = {
        "files": "image files",
        "npz": "arrays",
        "digits": "scikit-learn's digits",
        "dicom": "DICOM files",
        "nifti": "NIfTI volumes",
    }
    came = " and ".join(words[kind] for kind in others)
    return [
        Finding(
            code="other-kind",
            severity="note",
            message=f"These are {came}, and the run was trained on {words[trained]}. Grey levels can have been made in "
            "another way.",
            advice="Compare a few decoded images of both before you trust what comes out.",
        )
    ]


def label_columns(labels: Sequence[Any], class_names: Sequence[str], task: str) -> dict[str, pl.Series]:
    """Return labels as columns for a table: the class name, or 1, 0 or null for each class of multi-label data."""
    if task != "multi_label":
        names = [None if label is None else class_names[label] for label in labels]
        return {"label": pl.Series(names, dtype=pl.String)}
    found = {}
    for place, name in enumerate(class_names):
        cells = [None if label is None or label[place] < 0 else int(label[place]) for label in labels]
        found[f"label_{name}"] = pl.Series(cells, dtype=pl.Int64)
    return found
