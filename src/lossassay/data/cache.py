"""Decoded once into one memory-mapped array; a second study on the same images starts at once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data import entries, known_files, preprocess
from lossassay.data.array_file import drop_rows, open_array
from lossassay.data.decode import DECODER_VERSION, DecodeOptions, Item
from lossassay.data.decode_worker import Facts
from lossassay.data.decoding import FileList, blank_slices, core_count, decode_files, decoding_findings
from lossassay.data.entries import Entry, cache_entries, clear_cache
from lossassay.data.grouping import exam_numbers, group_numbers
from lossassay.data.manifest import Finding, Manifest, keep_rows
from lossassay.data.names import join_path
from lossassay.data.scan import scan
from lossassay.data.volumes import write_arrays
from lossassay.errors import DataError, UnreadableError

__all__ = ["ImageCache", "cache_entries", "clear_cache", "open_cache"]

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class ImageCache:
    """All images of a study, decoded.

    Args:
        images: [N H W C] or [N D H W C], uint8 or uint16, a read-only memory map; position i is row i of the manifest.
        manifest: The readable rows; its findings are those of the scan and of decoding.
        digest: Of everything that training sees: content of the files, decoding options, labels, which rows share a
            group or an exam, official parts, class names. Paths and group identifiers are no part of it.
        folder: Where the array is.
    """

    images: "np.memmap[Any, np.dtype[Any]]"
    manifest: Manifest
    digest: str
    folder: Path


def open_cache(
    data: DataConfig,
    *,
    cache_folder: Path | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> ImageCache:
    """Scan the data and open its decoded images; decode them where that was not done before.

    Args:
        data: The study's data section.
        cache_folder: Where decoded images are kept; by default ``$LOSSASSAY_CACHE``, else the user's cache folder.
        workers: Processes that decode; None: one for each core where that pays. Changes no result.
        on_progress: Called with the images done and in all, while they are decoded.

    Raises:
        DataError: If the data cannot be used, no image can be read, or the disk has no room.
    """
    return open_manifest(scan(data), data, cache_folder=cache_folder, workers=workers, on_progress=on_progress)


def open_manifest(
    manifest: Manifest,
    data: DataConfig,
    *,
    cache_folder: Path | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> ImageCache:
    """Open the decoded images of rows that are listed already; decode them where that was not done before.

    Args:
        manifest: The rows.
        data: How they are decoded.
        cache_folder: As for `open_cache`.
        workers: As for `open_cache`.
        on_progress: As for `open_cache`.

    Raises:
        DataError: If no image can be read, or the disk has no room.
    """
    root = entries.cache_root(cache_folder)
    request = _Request(
        manifest, root, decode_options(data, manifest), workers, on_progress or (lambda done, total: None)
    )
    entry = _open_array(request) if manifest.kind in ("npz", "digits") else _open_files(request)
    images = open_array(entry.images)
    entries.mark_used(entry, images)
    kept, findings = _outcome(entry, manifest)
    manifest = keep_rows(manifest, kept, findings)
    return ImageCache(
        images=images, manifest=manifest, digest=_digest(entry.folder.name, manifest), folder=entry.folder
    )


def decode_options(data: DataConfig, manifest: Manifest) -> DecodeOptions:
    """Return how every row becomes the same array, as plain data for the processes that decode.

    Raises:
        DataError: If a preset of preprocessing cannot be applied to these images.
    """
    preprocess.check(data.preprocess, dimensions=manifest.dimensions)
    return DecodeOptions(
        image_size=data.image_size,
        channels=data.channels,
        resize=data.resize,
        padding=data.padding,
        background=data.background,
        dimensions=manifest.dimensions,
        spacing_mm=data.spacing_mm,
        preprocess=data.preprocess,
        reading=_reading(data, manifest),
    )


def _reading(data: DataConfig, manifest: Manifest) -> dict[str, Any]:
    """What readers are told besides: the sections of the study file that are about their kind of file."""
    told: dict[str, Any] = {}
    if manifest.kind == "dicom":
        told["dicom"] = data.dicom.model_dump(mode="json", include={"unit", "window"})
    if manifest.kind == "nifti" or manifest.dimensions == 3 or data.volume.form != "volume":
        told["volume"] = data.volume.model_dump(mode="json")
    return told if manifest.kind in ("dicom", "nifti") or data.volume.form != "volume" else {}


@dataclass(frozen=True)
class _Request:
    """What to decode, how and where to."""

    manifest: Manifest
    root: Path
    options: DecodeOptions
    workers: int | None
    on_progress: OnProgress

    def key(self, content: Sequence[str]) -> str:
        """Name the entry by the content of all files, in their order, and by how they are decoded."""
        facts = [DECODER_VERSION, self.manifest.kind, self.options.as_facts(), list(content)]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()

    def needed_bytes(self, item_bytes: int) -> int:
        """Size of the array."""
        volume = self.options.image_size**self.manifest.dimensions
        return int(len(self.manifest.rows) * volume * self.options.channels * item_bytes)


def _open_files(request: _Request) -> Entry:
    manifest, root = request.manifest, request.root
    folder = manifest.root or Path()
    paths = manifest.rows["path"].to_list()
    items = _items(manifest, folder)
    names = list(dict.fromkeys(name for item in items for name in item.names))
    plain = manifest.kind == "files"  # one file for each row
    stamps = known_files.take_stamps(paths if plain else names, names)
    digests = known_files.recall(root, folder, stamps)
    content = None
    if any(digests) or not plain:  # else one pass reads each file once, for digest and pixels together
        of_files = _fill_in(digests, names)
        known_files.remember(root, folder, stamps, of_files)
        content = _content_of_rows(items, dict(zip(names, of_files, strict=True)))
        entry = entries.find(root, request.key(content))
        if entry is not None:
            return entry
    files = FileList(items=items, paths=tuple(paths), total_bytes=stamps.total_bytes, kind=manifest.kind)
    with entries.building(root, request.needed_bytes(1)) as partial:
        facts = decode_files(
            files, partial / "images.npy", request.options, workers=request.workers, on_progress=request.on_progress
        )
        kept = [one.problem is None for one in facts]
        findings = decoding_findings(facts, paths)
        _refuse_all_unreadable(kept, findings, folder)
        if not all(kept):
            drop_rows(partial / "images.npy", kept)
        if plain:  # as it was when it was decoded
            content = [one.content for one in facts]
            known_files.remember(root, folder, stamps, content)
        readable = [one for one in facts if one.problem is None]
        return _publish(request, partial, content or [], readable, kept, findings)


def _items(manifest: Manifest, folder: Path) -> tuple[Item, ...]:
    frames = manifest.rows["frame"].to_list()
    return tuple(
        Item(tuple(join_path(folder, name) for name in manifest.files_of(path)), frame)
        for path, frame in zip(manifest.rows["path"].to_list(), frames, strict=True)
    )


def _content_of_rows(items: Sequence[Item], digest_of: Mapping[str, str]) -> list[str]:
    """Name what each row is read from: its file's digest alone for a whole file."""
    return [
        " ".join([*(digest_of[name] for name in item.names), *([] if item.frame is None else [f"#{item.frame}"])])
        for item in items
    ]


def _fill_in(digests: Sequence[str | None], names: Sequence[str]) -> list[str]:
    """Read the files whose digest is not known."""
    unknown = [name for digest, name in zip(digests, names, strict=True) if digest is None]
    with ThreadPoolExecutor(core_count()) as pool:
        read = iter(list(pool.map(_digest_of_file, unknown)))
    return [next(read) if digest is None else digest for digest in digests]


def _digest_of_file(name: str) -> str:
    try:
        with open(name, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    except OSError:
        return ""
    return digest.hexdigest()


def _refuse_all_unreadable(kept: Sequence[bool], findings: Sequence[Finding], folder: Path) -> None:
    if not any(kept):
        reasons = " ".join(finding.message for finding in findings if finding.code == "unreadable-image")
        raise UnreadableError(f"below {folder}", reasons, "Check data.path and the files.")


def _publish(
    request: _Request,
    partial: Path,
    content: Sequence[str],
    readable: Sequence[Facts],
    kept: Sequence[bool],
    findings: Sequence[Finding],
) -> Entry:
    array = open_array(partial / "images.npy")
    facts = {
        "shape": array.shape,
        "pixel_type": str(array.dtype),
        "unreadable": [row for row, one in enumerate(kept) if not one],
        "findings": [_as_data(finding, request.manifest) for finding in findings],
    }
    del array  # Windows moves no folder with a mapped file in it
    _facts_frame(readable).write_parquet(partial / "file_facts.parquet")
    entry = entries.publish(partial, request.root, request.key(content), facts)
    entries.evict(request.root, keep=entry)
    return entry


_FACTS: dict[str, type[pl.DataType]] = {
    "pixels": pl.String,
    "mode": pl.String,
    "width_px": pl.Int64,
    "height_px": pl.Int64,
    "format": pl.String,
    "jpeg_quality": pl.Int64,
    "bits": pl.Int64,
    "file_bytes": pl.Int64,
    "spacing_mm": pl.Float64,
}


def _facts_frame(readable: Sequence[Facts]) -> pl.DataFrame:
    """One row per image: digest of its pixels, and how its file stores it. No name and no place."""
    return pl.DataFrame({name: [getattr(one, name) for one in readable] for name in _FACTS}, schema=_FACTS)


def _as_data(finding: Finding, manifest: Manifest) -> dict[str, Any]:
    """A finding in plain data, with rows of the scan in place of paths: the same content may lie elsewhere."""
    row_of = {path: row for row, path in enumerate(manifest.rows["path"].to_list())} if finding.paths else {}
    plain = {"code": finding.code, "severity": finding.severity, "message": finding.message, "advice": finding.advice}
    return plain | {"scanned_rows": [row_of[path] for path in finding.paths]}


def _outcome(entry: Entry, manifest: Manifest) -> tuple[list[bool], list[Finding]]:
    """Which scanned rows can be read, and what decoding brought up."""
    paths = manifest.rows["path"].to_list()
    unreadable = set(entry.facts["unreadable"])
    findings = [
        Finding(
            **{key: value for key, value in plain.items() if key != "scanned_rows"},
            paths=tuple(paths[row] for row in plain["scanned_rows"]),
        )
        for plain in entry.facts["findings"]
    ]
    return [row not in unreadable for row in range(len(paths))], findings


def _open_array(request: _Request) -> Entry:
    """Open or write the entry of an .npz file or of the digits."""
    content = _content_of_array(request)
    entry = entries.find(request.root, request.key([content]))
    if entry is not None:
        return entry
    with entries.building(request.root, request.needed_bytes(1)) as partial:
        pixels = write_arrays(
            request.manifest, partial / "images.npy", request.options, on_progress=request.on_progress
        )
        kept = [bool(one) for one in pixels]
        if not all(kept):
            _refuse_all_blank(kept, request.manifest)
            drop_rows(partial / "images.npy", kept)
        facts = [Facts("", one, "", 0, 0, 1, None) for one in pixels if one]
        findings = list(blank_slices([not one for one in kept], request.manifest.rows["path"].to_list()))
        return _publish(request, partial, [content], facts, kept, findings)


def _refuse_all_blank(kept: Sequence[bool], manifest: Manifest) -> None:
    if not any(kept):
        raise DataError(
            f"Every slice of {manifest.root} has one value only. Expected images. Check data.volume.axis and slices."
        )


def _content_of_array(request: _Request) -> str:
    path = request.manifest.root
    if path is None:
        return "scikit-learn digits"
    stamps = known_files.take_stamps([path.name], [str(path)])
    known = known_files.recall(request.root, path, stamps)
    content = _fill_in(known, [str(path)])
    if known != content:
        known_files.remember(request.root, path, stamps, content)
    return content[0]


def file_facts(cache: ImageCache) -> pl.DataFrame:
    """Return how each image is stored; row i is row i of the manifest. Arrays have nothing but pixels.

    Returns:
        Columns pixels (digest of the decoded ones), mode, width_px, height_px, format, jpeg_quality (0: no JPEG), bits
        (of one channel), file_bytes, spacing_mm (height of a pixel; 0: not known).
    """
    found = pl.read_parquet(cache.folder / "file_facts.parquet")
    later = {name: pl.lit(0 if kind.is_numeric() else "", dtype=kind) for name, kind in _FACTS.items()}
    return found.with_columns(**{name: value for name, value in later.items() if name not in found.columns})


def pixel_digests(cache: ImageCache) -> list[str]:
    """Return the digest of each image's decoded pixels; equal images have equal digests."""
    return file_facts(cache)["pixels"].to_list()


def _digest(key: str, manifest: Manifest) -> str:
    facts = [
        key,
        manifest.rows["label"].to_list(),
        group_numbers(manifest).tolist(),
        manifest.rows["part"].to_list(),
        manifest.class_names,
        manifest.task,
    ]
    exams = exam_numbers(manifest)
    if exams is not None:
        facts.append(exams.tolist())
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
