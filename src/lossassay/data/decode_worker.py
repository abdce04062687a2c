"""A process that decodes: one JSON message per line in, one out; pixels go straight into the array on disk.

Started by `lossassay.executors.local`, which also says why it is a command and no forked process.
"""

import errno
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any, NamedTuple

from PIL import Image

from lossassay.data.decode import Decoded, DecodeOptions, Item, NeedsSixteenBits, Problem, decode, digest


class Facts(NamedTuple):
    """What is known of one file; JSON carries it as a list.

    Args:
        content: Digest of the file's bytes.
        pixels: Digest of its decoded pixels, or empty.
        mode: What the file holds, in words.
        width_px: As stored.
        height_px: As stored.
        frames: How many images it holds.
        problem: Why it cannot be read.
        detail: The reason in words, where the problem has many.
        format: ``"PNG"``, ``"JPEG"``, ``"DICOM"`` ….
        jpeg_quality: 1 to 100; 0: no JPEG.
        bits: Of one channel, as stored.
        file_bytes: Size of the file, or of all files of a series.
        notes: Codes of what is worth a note though it can be read.
        spacing_mm: Height of a pixel, as stored; 0: not known.
    """

    content: str
    pixels: str
    mode: str
    width_px: int
    height_px: int
    frames: int
    problem: Problem | None
    detail: str = ""
    format: str = ""
    jpeg_quality: int = 0
    bits: int = 8
    file_bytes: int = 0
    notes: Sequence[str] = ()
    spacing_mm: float = 0.0


# Readers of what is no plain image file: ``read_item(item, options, deep=...) -> Decoded``, imported when needed.
READERS = {"dicom": "lossassay.data.dicom.read", "nifti": "lossassay.data.nifti.read"}


def decode_chunk(
    items: Sequence[Item],
    first: int,
    target: IO[bytes],
    options: DecodeOptions,
    *,
    kind: str,
    deep: bool,
    offset: int,
) -> list[Facts]:
    """Decode some files and write their pixels to consecutive rows of an array.

    Args:
        items: What the rows are read from.
        first: Row of the first one.
        target: The array's file, open for writing.
        options: As for `decode`.
        kind: Of the manifest.
        deep: Whether the array has 16 bits.
        offset: Where row 0 starts in the file, in bytes.

    Returns:
        For each file what is known of it; an unreadable file leaves its row unwritten.

    Raises:
        NeedsSixteenBits: If a file has 16 bits and ``deep`` is false.
    """
    read = _decode_file if kind == "files" else import_module(READERS[kind]).read_item
    decoded = [read(item, options, deep=deep) for item in items]
    row_bytes = options.image_size**options.dimensions * options.channels * (2 if deep else 1)
    if all(one.pixels is not None for one in decoded):
        target.seek(offset + first * row_bytes)
        target.write(b"".join(one.pixels or b"" for one in decoded))
    else:
        for row, one in enumerate(decoded, start=first):
            if one.pixels is not None:
                target.seek(offset + row * row_bytes)
                target.write(one.pixels)
    target.flush()  # a full disk shows here, where the chunk is known
    return [_facts(one, item) for one, item in zip(decoded, items, strict=True)]


def _decode_file(item: Item, options: DecodeOptions, *, deep: bool) -> Decoded:
    try:
        with open(item.names[0], "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return Decoded(b"", problem="not readable")
    return decode(content, options, deep=deep)


def _facts(one: Decoded, item: Item) -> Facts:
    pixels = "" if one.pixels is None else digest(one.pixels).hex()
    file_bytes = 0 if one.problem == "not readable" else sum(os.path.getsize(name) for name in item.names)
    return Facts(
        content=one.content.hex(),
        pixels=pixels,
        mode=one.mode,
        width_px=one.size[0],
        height_px=one.size[1],
        frames=one.frames,
        problem=one.problem,
        detail=one.detail,
        format=one.format,
        jpeg_quality=one.jpeg_quality,
        bits=one.bits,
        file_bytes=file_bytes,
        notes=one.notes,
        spacing_mm=one.spacing_mm,
    )


def set_warnings() -> None:
    """Let no setting of the user's decide what counts as damaged: only decompression bombs do."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def options_from(plain: dict[str, Any]) -> DecodeOptions:
    """Undo what JSON does to options."""
    return DecodeOptions(**plain | {"preprocess": tuple(plain["preprocess"])})


def is_disk_full(error: OSError) -> bool:
    """Whether the disk, or this user's share of it, is full."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def main() -> None:
    """Answer chunks until standard input closes."""
    set_warnings()
    setup = json.loads(sys.stdin.readline())
    options = options_from(setup["options"])
    with open(setup["target"], "r+b") as target:
        for line in sys.stdin:
            job = json.loads(line)
            answer = _answer(job, target, options, setup)
            sys.stdout.write(json.dumps({"id": job["id"], **answer}) + "\n")
            sys.stdout.flush()


def _answer(job: dict[str, Any], target: IO[bytes], options: DecodeOptions, setup: dict[str, Any]) -> dict[str, Any]:
    try:
        items = [Item(tuple(names), frame) for names, frame in job["items"]]
        layout = {"kind": setup["kind"], "deep": setup["deep"], "offset": setup["offset"]}
        facts = decode_chunk(items, job["id"], target, options, **layout)
    except NeedsSixteenBits:
        return {"event": "failed", "reason": "sixteen bits"}
    except OSError as error:
        return {"event": "failed", "reason": "disk full" if is_disk_full(error) else "error", "message": str(error)}
    return {"event": "done", "facts": facts}


if __name__ == "__main__":
    main()
