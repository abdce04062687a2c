"""The cache folder: entries that appear whole or not at all, and leave when they are the longest unused.

```
<cache folder>/entries/<key>/     images.npy, entry.json, in-use.* (one for each living user)
<cache folder>/files/<root>.parquet     path, size and time of each file → digest of its bytes
<cache folder>/leaving.*, partial.*     half made or half deleted; no one looks inside, and they are cleared away
```
"""

import errno
import json
import os
import re
import secrets
import shutil
import socket
import threading
import time
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psutil
from platformdirs import user_cache_path

from lossassay.errors import DataError

_DEFAULT_LIMIT_GB = 20.0
_UNKNOWN_OWNER_HOURS = 24.0  # processes of other machines cannot be asked whether they live
_RENEWAL_SECONDS = 3600.0  # of a mark of use, so that the hours above never pass while its process lives

_ENTRY_COLUMNS = {
    "key": pl.String(),
    "images": pl.Int64(),
    "shape": pl.List(pl.Int64),
    "pixel_type": pl.String(),
    "bytes": pl.Int64(),
    "last_used": pl.Datetime("us", "UTC"),
    "in_use": pl.Boolean(),
}


def cache_root(cache_folder: Path | None = None) -> Path:
    """Return the cache folder: as given, else ``$LOSSASSAY_CACHE``, else the user's cache folder."""
    return Path(cache_folder or os.environ.get("LOSSASSAY_CACHE") or user_cache_path("lossassay")).absolute()


def cache_limit_bytes() -> int:
    """Return how large the cache may grow: ``$LOSSASSAY_CACHE_LIMIT_GB`` GiB, 20 by default.

    Raises:
        DataError: If the variable is no number above 0.
    """
    text = os.environ.get("LOSSASSAY_CACHE_LIMIT_GB", str(_DEFAULT_LIMIT_GB))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise DataError(f"LOSSASSAY_CACHE_LIMIT_GB is {text!r}, expected a number above 0, in GiB.")
    return int(limit * 2**30)


@dataclass(frozen=True)
class Entry:
    """One decoded data set on disk.

    Args:
        folder: Where it is; its name is the key.
        facts: entry.json.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def images(self) -> Path:
        """The array."""
        return self.folder / "images.npy"


def find(root: Path, key: str) -> Entry | None:
    """Return the entry with this key, or None if there is none or it is not what was written."""
    folder = root / "entries" / key
    try:
        facts = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        whole = (folder / "images.npy").stat().st_size == facts["bytes"] and (folder / "file_facts.parquet").exists()
    except (OSError, ValueError, KeyError):
        return None
    return Entry(folder, facts) if whole else None


@contextmanager
def building(root: Path, needed_bytes: int) -> Iterator[Path]:
    """Give a folder to build an entry in; it is gone afterwards unless `publish` has moved it.

    Raises:
        DataError: If the disk has no room, or the cache folder cannot be written.
    """
    folder = root / f"partial.{_owner()}"
    try:
        folder.mkdir(parents=True)
        clear_leftovers(root)
        _check_room(root, needed_bytes)
        yield folder
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            array = folder / "images.npy"  # twice what was expected where 16-bit images came up
            wanted = array.stat().st_size if array.exists() else 0
            raise _no_room(root, max(needed_bytes, wanted)) from None
        raise DataError(
            f"The cache folder {root} cannot be used: {error}. Expected a folder that can be written. "
            "Name another one with the environment variable LOSSASSAY_CACHE."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, root: Path, key: str, facts: dict[str, Any]) -> Entry:
    """Turn a finished folder into the entry ``key``, in one step; where it is already there, keep that one."""
    facts = facts | {"bytes": (folder / "images.npy").stat().st_size}
    (folder / "entry.json").write_text(json.dumps(facts), encoding="utf-8")
    target = root / "entries" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and find(root, key) is None:
        _remove(target)  # damaged
    with suppress(OSError):  # another process was faster; its entry has the same content
        folder.rename(target)
    entry = find(root, key)
    if entry is None:
        raise OSError(errno.EIO, "the decoded images could not be moved into place", str(target))
    return entry


def mark_used(entry: Entry, user: object) -> None:
    """Keep an entry from being evicted while ``user`` (its memory map) lives."""
    mark = entry.folder / f"in-use.{_owner()}"
    with suppress(OSError):  # a cache that can only be read is a good cache
        os.utime(entry.folder / "entry.json")
        mark.touch()
        over = threading.Event()
        threading.Thread(target=_renew, args=(mark, over), name="in-use", daemon=True).start()
        weakref.finalize(user, _forget, mark, over)


def _renew(mark: Path, over: threading.Event) -> None:
    """Keep a mark recent, which is all that other machines know of its process."""
    while not over.wait(_RENEWAL_SECONDS):
        with suppress(OSError):
            os.utime(mark)


def _forget(mark: Path, over: threading.Event) -> None:
    over.set()
    with suppress(OSError):
        mark.unlink(missing_ok=True)


def evict(root: Path, keep: Entry) -> None:
    """Remove the entries that were not used for longest until the cache is within its limit."""
    entries = cache_entries(root)
    excess = int(entries["bytes"].sum()) - cache_limit_bytes()
    for row in entries.sort("last_used").iter_rows(named=True):
        if excess <= 0:
            return
        if row["key"] != keep.folder.name and not row["in_use"] and _remove(root / "entries" / row["key"]):
            excess -= row["bytes"]


def cache_entries(cache_folder: Path | None = None) -> pl.DataFrame:
    """List what is in the cache, the last used first.

    Args:
        cache_folder: By default the user's; see `cache_root`.

    Returns:
        One row per entry: key, images, shape of one image, pixel_type, bytes, last_used (UTC), in_use.
    """
    root = cache_root(cache_folder)
    rows = []
    for folder in (root / "entries").glob("*"):
        entry = find(root, folder.name)
        if entry is not None:
            rows.append(
                {
                    "key": folder.name,
                    "images": entry.facts["shape"][0],
                    "shape": entry.facts["shape"][1:],
                    "pixel_type": entry.facts["pixel_type"],
                    "bytes": entry.facts["bytes"],
                    "last_used": int((folder / "entry.json").stat().st_mtime * 1e6),
                    "in_use": any(_is_alive(mark) for mark in folder.glob("in-use.*")),
                }
            )
    return pl.DataFrame(rows, schema=_ENTRY_COLUMNS).sort("last_used", descending=True)


def clear_cache(cache_folder: Path | None = None, *, keys: Collection[str] | None = None) -> int:
    """Delete entries that no living process uses.

    Args:
        cache_folder: By default the user's; see `cache_root`.
        keys: Which ones; None: all of them, with everything that is kept beside them.

    Returns:
        Bytes freed.
    """
    root = cache_root(cache_folder)
    freed = 0
    for row in cache_entries(root).iter_rows(named=True):
        wanted = keys is None or row["key"] in keys
        if wanted and not row["in_use"] and _remove(root / "entries" / row["key"]):
            freed += row["bytes"]
    if keys is None:
        shutil.rmtree(root / "files", ignore_errors=True)
    clear_leftovers(root)
    return freed


def clear_leftovers(root: Path) -> None:
    """Delete what processes that ended too early have left behind."""
    for folder in [*root.glob("partial.*"), *root.glob("leaving.*")]:
        if not _is_alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> bool:
    """Delete an entry so that no one ever sees a part of it."""
    leaving = folder.parent.parent / f"leaving.{_owner()}"
    try:
        folder.rename(leaving)
    except OSError:  # Windows: someone has it open
        return False
    shutil.rmtree(leaving, ignore_errors=True)
    return True


def _check_room(root: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(root).free < needed_bytes:
        raise _no_room(root, needed_bytes)


def _no_room(root: Path, needed_bytes: int) -> DataError:
    free = shutil.disk_usage(root).free
    return DataError(
        f"The decoded images need {in_words(needed_bytes)} in {root}, and {in_words(free)} are free there. "
        "Free some room, clear the cache (`lossassay cache clear`), choose a smaller image_size, or name a folder on "
        "another disk with the environment variable LOSSASSAY_CACHE."
    )


def in_words(size_bytes: int) -> str:
    """Return a size as people write it, for example ``'1.5 GiB'``."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _owner() -> str:
    """A name that says which process it belongs to, and that no other folder has."""
    started = int(psutil.Process().create_time())
    host = re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname())
    return f"{os.getpid()}.{started}.{secrets.token_hex(4)}.{host}"


def _is_alive(owned: Path) -> bool:
    """Whether the process that an `_owner` name belongs to still runs; on other machines, whether it is recent."""
    _, pid, started, _, host = owned.name.split(".", 4)
    if host != re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname()):
        with suppress(OSError):
            return time.time() - owned.stat().st_mtime < _UNKNOWN_OWNER_HOURS * 3600
        return False
    try:
        return bool(abs(psutil.Process(int(pid)).create_time() - int(started)) < 2)
    except psutil.Error:
        return False
