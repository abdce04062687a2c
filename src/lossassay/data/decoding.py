"""Decodes many files on all cores into one array on disk."""

import errno
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossassay.data.array_file import BLOCK_BYTES, create
from lossassay.data.decode import LARGEST_IMAGE_PX, DecodeOptions, Item, NeedsSixteenBits, Problem
from lossassay.data.decode_worker import Facts, decode_chunk, options_from, set_warnings
from lossassay.data.manifest import Finding, Kind
from lossassay.errors import DataError
from lossassay.executors.local import run_jobs

OnProgress = Callable[[int, int], None]
OnChunk = Callable[[int, list[Facts]], None]

_LARGEST_CHUNK = 128  # files; small enough to keep every core busy to the end
_SMALLEST_WORK_SECONDS = 0.3  # below this, starting processes takes longer than they save


@dataclass(frozen=True, kw_only=True)
class FileList:
    """What to decode.

    Args:
        items: What each row is read from.
        paths: The same rows, as the manifest calls them.
        total_bytes: Size of their files, to judge the work by.
        kind: Of the manifest; says who reads them.
    """

    items: tuple[Item, ...]
    paths: tuple[str, ...]
    total_bytes: int
    kind: Kind = "files"


def decode_files(
    files: FileList, target: Path, options: DecodeOptions, *, workers: int | None, on_progress: OnProgress
) -> list[Facts]:
    """Decode every file into row i of a new .npy file; rows of unreadable files stay empty.

    The array has 16 bits if any file has.

    Args:
        files: What to decode.
        target: The .npy file.
        options: Size, channels and the rest.
        workers: Processes; None: one for each core where that pays.
        on_progress: Called with the files done and in all.

    Raises:
        DataError: If a worker ends unexpectedly.
        OSError: If the disk is full.
    """
    try:
        return _decode_all(files, target, options, False, workers, on_progress)
    except NeedsSixteenBits:
        return _decode_all(files, target, options, True, workers, on_progress)


def _decode_all(
    files: FileList, target: Path, options: DecodeOptions, deep: bool, workers: int | None, on_progress: OnProgress
) -> list[Facts]:
    shape = (len(files.items), *(options.image_size,) * options.dimensions, options.channels)
    offset = create(target, shape, "<u2" if deep else "u1")
    if workers is None:
        seconds = len(files.items) * 5e-5 + files.total_bytes * 25e-9  # measured on small PNG and JPEG files
        workers = core_count() if seconds > _SMALLEST_WORK_SECONDS else 0
    answers: dict[int, list[Facts]] = {}
    done = 0

    def on_chunk(first: int, facts: list[Facts]) -> None:
        nonlocal done
        answers[first] = facts
        done += len(facts)
        on_progress(done, len(files.items))

    chunks = _chunks(len(files.items), options, deep, max(1, workers))
    plain = options._asdict() | {"reading": dict(options.reading)}
    setup = {"target": str(target), "options": plain, "kind": files.kind, "deep": deep, "offset": offset}
    if workers < 1:
        _decode_here(files.items, chunks, setup, on_chunk)
    else:
        _decode_in_workers(files.items, chunks, setup, on_chunk, workers)
    return [one for first in sorted(answers) for one in answers[first]]


def core_count() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunks(count: int, options: DecodeOptions, deep: bool, workers: int) -> list[range]:
    image_bytes = options.image_size**options.dimensions * options.channels * (2 if deep else 1)
    rows = max(1, min(_LARGEST_CHUNK, BLOCK_BYTES // image_bytes, count // (8 * workers)))
    return [range(first, min(first + rows, count)) for first in range(0, count, rows)]


def _decode_here(items: Sequence[Item], chunks: Sequence[range], setup: dict[str, Any], on_chunk: OnChunk) -> None:
    options, layout = options_from(setup["options"]), {key: setup[key] for key in ("kind", "deep", "offset")}
    with open(setup["target"], "r+b") as target, warnings.catch_warnings():
        set_warnings()
        for chunk in chunks:
            own = items[chunk.start : chunk.stop]
            on_chunk(chunk.start, decode_chunk(own, chunk.start, target, options, **layout))


def _decode_in_workers(
    items: Sequence[Item], chunks: Sequence[range], setup: dict[str, Any], on_chunk: OnChunk, workers: int
) -> None:
    def on_message(message: dict[str, Any]) -> None:
        if message["event"] == "done":
            on_chunk(message["id"], [Facts(*one) for one in message["facts"]])
        elif message.get("reason") == "sixteen bits":
            raise NeedsSixteenBits
        elif message.get("reason") == "disk full":
            raise OSError(errno.ENOSPC, message["message"])
        else:
            raise DataError(f"Decoding stopped: {message['message']}. Nothing of it was kept; try with fewer workers.")

    run_jobs(
        [{"id": chunk.start, "items": items[chunk.start : chunk.stop]} for chunk in chunks],
        command=[sys.executable, "-m", "lossassay.data.decode_worker"],
        setup=setup,
        workers=workers,
        on_message=on_message,
    )


_PROBLEMS: dict[Problem, tuple[str, str]] = {
    "empty": ("are empty (0 bytes)", "Copy them again."),
    "no image": ("are no PNG, JPEG, BMP, TIFF or WebP images, whatever their names say", "Remove or convert them."),
    "damaged": ("are truncated or damaged", "Copy them again, or remove them."),
    "too large": (
        f"claim more than {LARGEST_IMAGE_PX / 1e6:.0f} million pixels and were not decoded",
        "Make them smaller first if they are images and not decompression bombs.",
    ),
    "unsupported pixels": (
        "have 32-bit pixels, expected 1, 8 or 16 bits",
        "Convert them to 16 bits with a window that suits them.",
    ),
    "not readable": ("cannot be opened", "Check that they exist and that you may read them."),
    "cannot be read": ("cannot be read", "Convert them, or leave them out."),
    "blank slice": ("", ""),  # a note of its own
}

# What readers note of files that can be read: what is the case, and what to do.
NOTES: dict[str, tuple[str, str]] = {
    "not-finite": (
        "hold values that are no finite numbers; these became the lowest value of their file",
        "Look at where they come from: they are often the outside of a mask.",
    ),
    "no-orientation": (
        "do not say how they lie in the patient; they are read as if stored from left to right, from back to front "
        "and upwards",
        "Write their sform or qform, or check that all of them lie alike.",
    ),
    "no-pixel-spacing": (
        "do not say how large their pixels are; they are scaled to fit, while the others are at the common spacing",
        "Leave them out, or leave data.spacing_mm out.",
    ),
    "no-spacing": (
        "do not say how large their voxels are, or say the impossible; voxels count as cubes there",
        "Correct their headers (pixdim).",
    ),
}


def decoding_findings(facts: Sequence[Facts], paths: Sequence[str]) -> tuple[Finding, ...]:
    """Say which files cannot be read, and in how many ways the others are stored."""
    return (
        *_unreadable(facts, paths),
        *blank_slices([one.problem == "blank slice" for one in facts], paths),
        *_mixed(facts),
        *_several_frames(facts, paths),
        *_noted(facts, paths),
    )


def blank_slices(blank: Sequence[bool], paths: Sequence[str]) -> Iterator[Finding]:
    """Say how many slices were left out because every pixel of them has the same value."""
    found = tuple(path for path, one in zip(paths, blank, strict=True) if one)
    if found:
        yield Finding(
            code="blank-slices",
            severity="note",
            message=f"{len(found)} of {len(blank)} slices have one value everywhere and are left out.",
            advice="Nothing, unless these are many; then look whether the slices lie where they should.",
            paths=found,
        )


def _noted(facts: Sequence[Facts], paths: Sequence[str]) -> Iterator[Finding]:
    for code, (words, advice) in NOTES.items():
        found = tuple(path for path, one in zip(paths, facts, strict=True) if code in one.notes and not one.problem)
        if found:
            message = f"{len(found)} of {len(facts)} images {words}."
            yield Finding(code=code, severity="note", message=message, advice=advice, paths=found)


def _unreadable(facts: Sequence[Facts], paths: Sequence[str]) -> Iterator[Finding]:
    broken = [(path, one.problem, one.detail) for path, one in zip(paths, facts, strict=True) if one.problem]
    broken = [reason for reason in broken if reason[1] != "blank slice"]
    reasons = {(problem, detail) for _, problem, detail in broken}
    for problem, detail in sorted(reasons, key=lambda reason: (list(_PROBLEMS).index(reason[0]), reason[1])):
        words, advice = _PROBLEMS[problem]
        found = tuple(path for path, *reason in broken if reason == [problem, detail])
        if found:
            because = f" ({detail})" if detail else ""
            message = f"{len(found)} of {len(facts)} image files {words}{because}; they are left out."
            yield Finding(code="unreadable-image", severity="issue", message=message, advice=advice, paths=found)


def _mixed(facts: Sequence[Facts]) -> Iterator[Finding]:
    readable = [one for one in facts if one.problem is None]
    modes = Counter(one.mode for one in readable)
    if len(modes) > 1:
        listed = ", ".join(f"{count} {mode}" for mode, count in modes.most_common())
        yield Finding(
            code="mixed-modes",
            severity="note",
            message=f"Images are stored in {len(modes)} ways: {listed}. All of them become the same kind of array.",
            advice="Check that the way of storage does not go with the class: a network can learn it.",
        )
    reduced = sum(count for mode, count in modes.items() if mode.startswith("16-bit") and mode != "16-bit grey")
    if reduced:
        yield Finding(
            code="colour-depth-reduced",
            severity="note",
            message=f"{reduced} colour images with 16 bits are read in 8 bits.",
            advice="Store them as 16-bit grey if their colours carry nothing.",
        )
    sizes = {(one.width_px, one.height_px) for one in readable}
    if len(sizes) > 1:
        sides = [side for size in sizes for side in size]
        yield Finding(
            code="mixed-sizes",
            severity="note",
            message=f"Images have {len(sizes)} sizes, with sides from {min(sides)} to {max(sides)} px.",
            advice="Nothing is needed: all are brought to the study's size. Look whether size goes with the class.",
        )


def _several_frames(facts: Sequence[Facts], paths: Sequence[str]) -> Iterator[Finding]:
    found = tuple(path for path, one in zip(paths, facts, strict=True) if one.frames > 1)
    if found:
        yield Finding(
            code="several-frames",
            severity="note",
            message=f"{len(found)} files hold more than one image; the first one of each is used.",
            advice="Write the others into files of their own if they belong to the study.",
            paths=found,
        )
