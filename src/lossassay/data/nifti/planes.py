"""Lays a NIfTI volume as a DICOM series of the study's axis would lie: [D H W], slices along D, head or face up."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.nifti.header import Header, nibabel

# Of the canonical axes (0: to the right, 1: to the front, 2: upwards): which become D, H and W, and which are turned
# round, so that rows go downwards from the top or the front and the patient's right is on the left of an image.
_LAYOUT: dict[str, tuple[tuple[int, int, int], tuple[int, ...]]] = {
    "axial": ((2, 1, 0), (0, 1)),
    "coronal": ((1, 2, 0), (0, 1, 2)),
    "sagittal": ((0, 2, 1), (0, 1, 2)),
}


def orientation(header: Header) -> npt.NDArray[np.float64]:
    """Return, for each stored axis, which canonical axis it is and in which direction, [3 2] as nibabel does."""
    if header.affine is None:
        return np.array([[0, 1], [1, 1], [2, 1]], dtype=np.float64)
    turned: npt.NDArray[np.float64] = nibabel().orientations.io_orientation(header.affine)
    return turned


def depth_of(header: Header, axis: str) -> int:
    """Return how many slices a stored volume has across the study's axis."""
    canonical = _LAYOUT[axis][0][0]
    stored = int(np.flatnonzero(orientation(header)[:, 0] == canonical)[0])
    return header.shape[stored]


def in_planes(
    values: npt.NDArray[Any], header: Header, axis: str
) -> tuple[npt.NDArray[Any], tuple[float, float, float] | None]:
    """Turn a volume as stored into [D H W], and its voxel size with it.

    Args:
        values: [X Y Z] as stored.
        header: Of the file.
        axis: ``"axial"``, ``"coronal"`` or ``"sagittal"``.

    Returns:
        The volume, and its spacing along D, H and W in mm; None: not known.
    """
    turned = orientation(header)
    order, reversed_axes = _LAYOUT[axis]
    canonical = np.flip(nibabel().orientations.apply_orientation(values, turned), reversed_axes)
    if header.spacing_mm is None:
        return canonical.transpose(order), None
    by_canonical = dict(zip(turned[:, 0].astype(int).tolist(), header.spacing_mm, strict=True))
    return canonical.transpose(order), (by_canonical[order[0]], by_canonical[order[1]], by_canonical[order[2]])
