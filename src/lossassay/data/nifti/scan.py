"""Lists NIfTI volumes, or the slices that a study takes of them, from rows that are their files."""

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lossassay.config.schema import DataConfig
from lossassay.data.manifest import Manifest
from lossassay.data.names import VOLUME_SUFFIXES, join_path
from lossassay.data.nifti.header import nibabel, open_inflated, read_header
from lossassay.data.nifti.planes import depth_of
from lossassay.data.slices import slice_count
from lossassay.data.volume_rows import as_slices
from lossassay.data.volume_steps import VolumeProblem
from lossassay.errors import DataError

_READERS = 4  # threads: headers are small and the disk is what one waits for


def is_nifti_path(path: str) -> bool:
    """Whether a file's name says that it is a NIfTI volume."""
    return path.lower().endswith(VOLUME_SUFFIXES)


def as_nifti(manifest: Manifest, data: DataConfig) -> Manifest:
    """Turn rows that are NIfTI files into volumes or slices; other rows stay as they are.

    Args:
        manifest: One row for each file, as class folders or a table name them.
        data: The study's data section.

    Raises:
        DataError: If there are flat images among the volumes, or nibabel is not installed.
    """
    paths = manifest.rows["path"].to_list()
    volumes = sum(map(is_nifti_path, paths))
    if manifest.kind not in ("files", "nifti") or not volumes or manifest.dimensions == 3:
        return manifest
    if volumes < len(paths):
        raise DataError(
            f"{volumes} of {len(paths)} files are NIfTI volumes and the others are flat images. Expected one kind. "
            "Make two studies of them, or leave one kind out."
        )
    nibabel()
    found = replace(manifest, kind="nifti", dimensions=3)
    return found if data.volume.form == "volume" else as_slices(found, _slice_counts(found, data))


def _slice_counts(manifest: Manifest, data: DataConfig) -> list[int | None]:
    told = data.volume.model_dump(mode="json")
    root = manifest.root
    files = [manifest.files_of(path)[0] for path in manifest.rows["path"].to_list()]
    names = [join_path(root, name) if root else name for name in files]
    return [None if depth is None else slice_count(depth, told) for depth in _depths(names, data.volume.axis)]


def _depths(names: Sequence[str], axis: str) -> list[int | None]:
    """Read how many slices each volume has; None where the header cannot be read, which decoding then explains."""

    def depth(name: str) -> int | None:
        try:
            with open_inflated(name) as stream:
                return depth_of(read_header(stream), axis)
        except (OSError, EOFError, zlib.error, VolumeProblem):
            return None

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(depth, names))
