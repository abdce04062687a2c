"""Files that are on disk whole or not at all, and words for a disk that is full or read-only. Needs no torch."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError
from lossassay.study.folder.owners import own_name

_FULL = ("os error 28", "No space left", "os error 112", "not enough space on the disk")  # the last two: Windows


def read_finished(place: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a finished run or tuning job.

    Args:
        place: Its folder.
        name: The file.

    Raises:
        OutFolderError: If it is damaged.
    """
    try:
        found = json.loads((place / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise damaged(place, name) from error
    if not isinstance(found, dict):
        raise damaged(place, name)
    return found


def damaged(place: Path, name: str) -> OutFolderError:
    """Return the error for a finished run or tuning job of which a file cannot be read.

    Args:
        place: Its folder.
        name: The file.
    """
    return OutFolderError(
        f"{place / name} is missing, empty or damaged, as after a loss of power. Expected a file that was written "
        f"whole. Delete the folder {place} and give the command of the study again: only what was in it is trained "
        "again, with the same result."
    )


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is never half there."""
    write_bytes(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is never half there; one that holds the same already is left alone."""
    with suppress(OSError):
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    with replaced(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a name to write to, and move what was written there into place, whole."""
    partial = path.with_name(f".{path.name}.{own_name()}")
    try:
        yield partial
        _sync(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replaced_folder(place: Path) -> Iterator[Path]:
    """Give a folder to write into, which then takes its name at once, whole, unless another process was first.

    What is written is on the disk before it has its name, so that a loss of power leaves no empty files behind.

    Args:
        place: Where it is in the end.

    Raises:
        OSError: If it cannot be written, and no other process wrote it.
    """
    partial = place.with_name(f".{place.name}.{own_name()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in [*partial.iterdir(), partial]:
            _sync(path)
        partial.rename(place)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not (isinstance(error, OSError) and place.is_dir()):  # otherwise another process wrote the same first
            raise
    _sync(place.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir():
        with suppress(OSError):  # not every system can
            _sync_opened(path, os.O_RDONLY)
    else:
        _sync_opened(path, os.O_RDWR)


def _sync_opened(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an error that says what to do."""
    try:
        yield
    except Exception as error:  # safetensors and polars wrap the system's error in types of their own
        number = error.errno if isinstance(error, OSError) else None
        text = str(error)
        if number in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in _FULL):
            raise OutFolderError(
                f"The disk of {folder} is full. Everything that was finished is kept: "
                "free some space and give the same command again."
            ) from error
        if number in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise OutFolderError(f"{folder} cannot be written ({text}). Choose another --out folder.") from error
        raise
