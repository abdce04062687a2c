"""Lists the files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from lossassay.data.names import join_path


def files_below(root: Path) -> Iterator[str]:
    """Posix paths of all files that are not hidden; a link back to a folder above it is not followed.

    Args:
        root: Where paths start.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(join_path(root, folder)) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if not _is_folder(entry):
                    yield name
                elif not (entry.is_symlink() and Path(entry.path).resolve() in Path(entry.path).absolute().parents):
                    waiting.append(name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
