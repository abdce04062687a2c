"""Decoded once into one memory-mapped array; a second study on the same images starts at once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data import entries, known_files
from lossassay.data.array_file import drop_rows, open_array
from lossassay.data.decode import DECODER_VERSION, DecodeOptions
from lossassay.data.decoding import FileList, core_count, decode_files, decoding_findings
from lossassay.data.entries import Entry, cache_entries, clear_cache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Finding, Manifest, keep_rows
from lossassay.data.names import join_path
from lossassay.data.scan import scan
from lossassay.data.volumes import write_arrays
from lossassay.errors import DataError

__all__ = ["ImageCache", "cache_entries", "clear_cache", "open_cache"]

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class ImageCache:
    """All images of a study, decoded.

    Args:
        images: [N H W C] or [N D H W C], uint8 or uint16, a read-only memory map; position i is row i of the manifest.
        manifest: The readable rows; its findings are those of the scan and of decoding.
        digest: Of everything that training sees: content of the files, decoding options, labels, which rows share a
            group, official parts, class names. Paths and group identifiers are no part of it.
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
    manifest = scan(data)
    root = entries.cache_root(cache_folder)
    options = DecodeOptions(
        image_size=data.image_size,
        channels=data.channels,
        resize=data.resize,
        padding=data.padding,
        background=data.background,
    )
    request = _Request(manifest, root, options, workers, on_progress or (lambda done, total: None))
    entry = _open_files(request) if manifest.kind == "files" else _open_array(request)
    images = open_array(entry.images)
    entries.mark_used(entry, images)
    kept, findings = _outcome(entry, manifest)
    manifest = keep_rows(manifest, kept, findings)
    return ImageCache(
        images=images, manifest=manifest, digest=_digest(entry.folder.name, manifest), folder=entry.folder
    )


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
        facts = [DECODER_VERSION, self.manifest.kind, self.options._asdict(), list(content)]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()

    def needed_bytes(self, item_bytes: int) -> int:
        """Size of the array."""
        volume = self.options.image_size**self.manifest.dimensions
        return int(len(self.manifest.rows) * volume * self.options.channels * item_bytes)


def _open_files(request: _Request) -> Entry:
    manifest, root = request.manifest, request.root
    folder = manifest.root or Path()
    paths = manifest.rows["path"].to_list()
    names = [join_path(folder, manifest.names_on_disk.get(path, path)) for path in paths]
    stamps = known_files.take_stamps(paths, names)
    digests = known_files.recall(root, folder, stamps)
    if any(digests):  # where nothing is known, one pass reads each file once, for digest and pixels together
        content = _fill_in(digests, names)
        known_files.remember(root, folder, stamps, content)
        entry = entries.find(root, request.key(content))
        if entry is not None:
            return entry
    files = FileList(names=tuple(names), paths=tuple(paths), total_bytes=stamps.total_bytes)
    with entries.building(root, request.needed_bytes(1)) as partial:
        facts = decode_files(
            files, partial / "images.npy", request.options, workers=request.workers, on_progress=request.on_progress
        )
        kept = [one.problem is None for one in facts]
        findings = decoding_findings(facts, paths)
        _refuse_all_unreadable(kept, findings, folder)
        if not all(kept):
            drop_rows(partial / "images.npy", kept)
        content = [one.content for one in facts]
        pixels = [one.pixels for one in facts if one.problem is None]
        entry = _publish(request, partial, content, pixels, kept, findings)
    known_files.remember(root, folder, stamps, content)
    return entry


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
        raise DataError(f"No image below {folder} can be read. {reasons} Check data.path and the files.")


def _publish(
    request: _Request,
    partial: Path,
    content: Sequence[str],
    pixels: Sequence[str],
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
    pl.DataFrame({"pixels": pl.Series(pixels, dtype=pl.String)}).write_parquet(partial / "pixels.parquet")
    entry = entries.publish(partial, request.root, request.key(content), facts)
    entries.evict(request.root, keep=entry)
    return entry


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
        return _publish(request, partial, [content], pixels, [True] * len(pixels), [])


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


def pixel_digests(cache: ImageCache) -> list[str]:
    """Return the digest of each image's decoded pixels; equal images have equal digests."""
    return pl.read_parquet(cache.folder / "pixels.parquet")["pixels"].to_list()


def _digest(key: str, manifest: Manifest) -> str:
    facts = [
        key,
        manifest.rows["label"].to_list(),
        group_numbers(manifest).tolist(),
        manifest.rows["part"].to_list(),
        manifest.class_names,
        manifest.task,
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
