"""A process that decodes: one JSON message per line in, one out; pixels go straight into the array on disk.

Started by `lossassay.executors.local`, which also says why it is a command and no forked process.
"""

import errno
import json
import sys
import warnings
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

from PIL import Image

from lossassay.data.decode import Decoded, DecodeOptions, NeedsSixteenBits, Problem, decode, digest


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
    """

    content: str
    pixels: str
    mode: str
    width_px: int
    height_px: int
    frames: int
    problem: Problem | None


def decode_chunk(
    names: Sequence[str], first: int, target: IO[bytes], options: DecodeOptions, *, deep: bool, offset: int
) -> list[Facts]:
    """Decode some files and write their pixels to consecutive rows of an array.

    Args:
        names: Paths that the system understands.
        first: Row of the first one.
        target: The array's file, open for writing.
        options: As for `decode`.
        deep: Whether the array has 16 bits.
        offset: Where row 0 starts in the file, in bytes.

    Returns:
        For each file what is known of it; an unreadable file leaves its row unwritten.

    Raises:
        NeedsSixteenBits: If a file has 16 bits and ``deep`` is false.
    """
    decoded = [_decode_file(name, options, deep) for name in names]
    row_bytes = options.image_size**2 * options.channels * (2 if deep else 1)
    if all(one.pixels is not None for one in decoded):
        target.seek(offset + first * row_bytes)
        target.write(b"".join(one.pixels or b"" for one in decoded))
    else:
        for row, one in enumerate(decoded, start=first):
            if one.pixels is not None:
                target.seek(offset + row * row_bytes)
                target.write(one.pixels)
    target.flush()  # a full disk shows here, where the chunk is known
    return [_facts(one) for one in decoded]


def _decode_file(name: str, options: DecodeOptions, deep: bool) -> Decoded:
    try:
        with open(name, "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return Decoded(b"", problem="not readable")
    return decode(content, options, deep=deep)


def _facts(one: Decoded) -> Facts:
    pixels = "" if one.pixels is None else digest(one.pixels).hex()
    return Facts(one.content.hex(), pixels, one.mode, *one.size, one.frames, one.problem)


def set_warnings() -> None:
    """Let no setting of the user's decide what counts as damaged: only decompression bombs do."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def is_disk_full(error: OSError) -> bool:
    """Whether the disk, or this user's share of it, is full."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def main() -> None:
    """Answer chunks until standard input closes."""
    set_warnings()
    setup = json.loads(sys.stdin.readline())
    options = DecodeOptions(**setup["options"])
    with open(setup["target"], "r+b") as target:
        for line in sys.stdin:
            job = json.loads(line)
            answer = _answer(job, target, options, setup)
            sys.stdout.write(json.dumps({"id": job["id"], **answer}) + "\n")
            sys.stdout.flush()


def _answer(job: dict[str, Any], target: IO[bytes], options: DecodeOptions, setup: dict[str, Any]) -> dict[str, Any]:
    try:
        facts = decode_chunk(job["names"], job["id"], target, options, deep=setup["deep"], offset=setup["offset"])
    except NeedsSixteenBits:
        return {"event": "failed", "reason": "sixteen bits"}
    except OSError as error:
        return {"event": "failed", "reason": "disk full" if is_disk_full(error) else "error", "message": str(error)}
    return {"event": "done", "facts": facts}


if __name__ == "__main__":
    main()
