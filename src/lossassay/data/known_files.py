"""Remembers the digest of every file by its path, size and time, so that a second start reads no image.

Paths are remembered as keyed hashes: names of files can hold patient numbers, and the cache is no place for them.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lossassay.data.groups import hash_groups
from lossassay.errors import DataError

# A file written this shortly before it was read may be written again within the clock's resolution.
_UNSETTLED_NANOSECONDS = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """Path, size and time of files, taken before they are read.

    Args:
        frame: Columns path (hashed), size_bytes, modified_ns.
        taken_ns: When.
    """

    frame: pl.DataFrame
    taken_ns: int

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return int(self.frame["size_bytes"].sum())


def take_stamps(paths: Sequence[str], names: Sequence[str]) -> Stamps:
    """Look at every file without reading it.

    Args:
        paths: What to call them.
        names: The same files, as the system understands them.
    """
    taken_ns = time.time_ns()
    sizes, times = [], []
    for name in names:
        try:
            found = os.stat(name)
            sizes.append(found.st_size)
            times.append(found.st_mtime_ns)
        except OSError:
            sizes.append(-1)
            times.append(-1)
    schema = {"path": pl.String(), "size_bytes": pl.Int64(), "modified_ns": pl.Int64()}
    frame = pl.DataFrame({"path": _hidden(paths), "size_bytes": sizes, "modified_ns": times}, schema=schema)
    return Stamps(frame=frame, taken_ns=taken_ns)


def _hidden(paths: Sequence[str]) -> list[str | None]:
    try:
        return hash_groups(paths)
    except DataError:  # no key can be kept: nothing is remembered, and the files are read again
        return [None] * len(paths)


def _index(root: Path, folder: Path) -> Path:
    name = hashlib.blake2b(str(folder.absolute()).encode(), digest_size=12).hexdigest()
    return root / "files" / f"{name}.parquet"


def recall(root: Path, folder: Path, stamps: Stamps) -> list[str | None]:
    """Return the digest of every file that is as it was when it was remembered, and None for the others.

    Args:
        root: The cache folder.
        folder: The folder of the data.
        stamps: Of the files now.
    """
    try:
        known = pl.read_parquet(_index(root, folder))
        columns = ["path", "size_bytes", "modified_ns"]
        joined = stamps.frame.join(known, on=columns, how="left", maintain_order="left")
        return joined["digest"].to_list()
    except (OSError, pl.exceptions.PolarsError):  # none yet, or damaged: the files are read again
        return [None] * len(stamps.frame)


def remember(root: Path, folder: Path, stamps: Stamps, digests: Sequence[str]) -> None:
    """Remember the digests of files; an empty one is of a file that could not be read."""
    frame = stamps.frame.with_columns(digest=pl.Series(digests, dtype=pl.String)).filter(
        pl.col("path").is_not_null(),
        pl.col("digest") != "",
        pl.col("modified_ns") < stamps.taken_ns - _UNSETTLED_NANOSECONDS,
    )
    target = _index(root, folder)
    partial = target.with_suffix(f".{secrets.token_hex(4)}")
    with suppress(OSError):  # only a shortcut: without it the files are read again
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(partial)
        partial.replace(target)
