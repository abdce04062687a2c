"""Files that are on disk whole or not at all, and words for a disk that is full or read-only. Needs no torch."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError
from lossassay.study.folder.owners import own_name


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
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an error that says what to do."""
    try:
        yield
    except Exception as error:  # safetensors and polars wrap the system's error in types of their own
        number = error.errno if isinstance(error, OSError) else None
        text = str(error)
        if number in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in text or "No space left" in text:
            raise OutFolderError(
                f"The disk of {folder} is full. Everything that was finished is kept: "
                "free some space and give the same command again."
            ) from error
        if number in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise OutFolderError(f"{folder} cannot be written ({text}). Choose another --out folder.") from error
        raise
