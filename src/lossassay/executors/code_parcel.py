"""Python source packed into bytes, so that a node can import what only the first machine has."""

import importlib.util
import io
import sysconfig
import zipfile
from collections.abc import Iterable
from pathlib import Path

from lossassay.errors import ClusterError

_LARGEST_BYTES = 64 * 2**20


def pack_modules(names: Iterable[str]) -> bytes:
    """Pack top-level modules or packages with all their files.

    Args:
        names: Modules, by any name inside them; ``"mine.losses"`` packs ``mine``.

    Returns:
        A zip archive; empty bytes where there is nothing to pack.

    Raises:
        ClusterError: If a package is too large to be code alone.
    """
    files: dict[str, Path] = {}
    for name in sorted({name.partition(".")[0] for name in names}):
        files |= _files_of(name)
    if not files:
        return b""
    size = sum(path.stat().st_size for path in files.values())
    if size > _LARGEST_BYTES:
        raise ClusterError(
            f"The modules that the nodes need are {size / 2**20:.0f} MiB large; expected at most "
            f"{_LARGEST_BYTES // 2**20} MiB of code. Keep data out of the package, or install it on every node."
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return packed.getvalue()


def is_installed(name: str) -> bool:
    """Return whether a module comes with Python or an installed package, and so is installed on nodes as well."""
    found = importlib.util.find_spec(name.partition(".")[0])
    if found is None or found.origin in (None, "built-in", "frozen"):
        return found is not None and found.submodule_search_locations is None
    places = {Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib", "stdlib")}
    return any(place in Path(str(found.origin)).resolve().parents for place in places)


def _files_of(name: str) -> dict[str, Path]:
    found = importlib.util.find_spec(name)
    if found is None:
        return {}
    if not found.submodule_search_locations:
        return {} if found.origin is None else {Path(found.origin).name: Path(found.origin)}
    files: dict[str, Path] = {}
    for place in found.submodule_search_locations:
        root = Path(place)
        inside = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        files |= {f"{name}/{path.relative_to(root).as_posix()}": path for path in inside}
    return files
