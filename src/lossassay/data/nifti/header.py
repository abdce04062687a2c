"""What a NIfTI header says, and whether it can be believed, before any voxel is read."""

import gzip
import io
import struct
from types import ModuleType
from typing import IO, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from lossassay.data.volume_steps import LARGEST_VOXELS, VolumeProblem
from lossassay.errors import DataError

_GZIP = b"\x1f\x8b"
_LARGEST_FILE_BYTES = 2**31  # of header and voxels, inflated
_LARGEST_OFFSET_BYTES = 2**24  # header and its extensions
_SPACINGS_MM = (1e-3, 100.0)  # what lies outside is a wrong header, not a scanner
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 1e-3}


class Header(NamedTuple):
    """What is needed of a header to read the voxels behind it.

    Args:
        shape: Of the volume along the axes as stored.
        dtype: Of a stored voxel.
        offset: Of the first voxel in the inflated file, in bytes.
        slope: Factor from stored to real values.
        intercept: Added after that.
        affine: [4 4] from voxels to right, anterior and superior in mm; None: the header does not say.
        spacing_mm: Along the axes as stored; None: the header does not say, or says the impossible.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: npt.NDArray[np.float64] | None
    spacing_mm: tuple[float, float, float] | None

    @property
    def end(self) -> int:
        """How many bytes the inflated file must have."""
        return self.offset + int(np.prod(self.shape)) * self.dtype.itemsize


def nibabel() -> ModuleType:
    """Import nibabel.

    Raises:
        DataError: If it is not installed.
    """
    try:
        import nibabel as module
    except ImportError:
        raise DataError(
            "NIfTI files (.nii, .nii.gz) are read with nibabel, which is not installed. "
            'Install it: pip install "lossassay[nifti]".'
        ) from None
    found: ModuleType = module
    return found


def open_inflated(name: str) -> IO[bytes]:
    """Open a file for reading, inflated if it is compressed, whatever its name says."""
    with open(name, "rb") as file:
        compressed = file.read(2) == _GZIP
    stream: IO[bytes] = cast("IO[bytes]", gzip.open(name, "rb")) if compressed else open(name, "rb")
    return stream


def read_header(stream: IO[bytes]) -> Header:
    """Read and judge the header at the start of a stream.

    Args:
        stream: Inflated; it is left behind the header.

    Raises:
        VolumeProblem: If this is no NIfTI file, or one that cannot be used.
    """
    content = stream.read(348)
    if not content:
        raise VolumeProblem("it is empty, 0 bytes")
    size = _stated_size(content)
    if size == 540:
        content += stream.read(540 - 348)
    if size not in (348, 540) or len(content) < size:
        raise VolumeProblem("no NIfTI header")
    kind = nibabel().Nifti2Header if size == 540 else nibabel().Nifti1Header
    parsed = kind.from_fileobj(io.BytesIO(content), check=False)
    if bytes(parsed["magic"])[:3] not in (b"n+1", b"n+2"):
        raise VolumeProblem("its header belongs to a pair of files (.hdr and .img); expected one file, .nii or .nii.gz")
    return _judged(parsed)


def _stated_size(content: bytes) -> int:
    """The first number of a header is its own size, in the byte order of the file."""
    if len(content) < 4:
        return 0
    sizes = [struct.unpack(f"{order}i", content[:4])[0] for order in "<>"]
    return next((size for size in sizes if size in (348, 540)), 0)


def _judged(parsed: Any) -> Header:
    shape = _shape(parsed)
    dtype = _dtype(parsed)
    slope, intercept = _scaling(parsed)
    offset = float(parsed["vox_offset"])
    smallest = int(parsed["sizeof_hdr"]) + 4
    if not (offset == 0 or smallest <= offset <= _LARGEST_OFFSET_BYTES):
        raise VolumeProblem(f"its voxels would start at byte {offset:g}")
    affine = _affine(parsed)
    header = Header(
        shape=shape,
        dtype=dtype,
        offset=int(offset) or smallest,
        slope=slope,
        intercept=intercept,
        affine=affine,
        spacing_mm=_spacing(parsed, affine),
    )
    if np.prod(shape, dtype=np.float64) > LARGEST_VOXELS or header.end > _LARGEST_FILE_BYTES:
        extent = " x ".join(map(str, shape))
        raise VolumeProblem(f"its header claims {extent} voxels; at most {LARGEST_VOXELS} are read")
    return header


def _shape(parsed: Any) -> tuple[int, int, int]:
    rank = int(parsed["dim"][0])
    if not 1 <= rank <= 7:
        raise VolumeProblem(f"its header claims {rank} dimensions")
    sides = [int(side) for side in parsed["dim"][1 : rank + 1]]
    if min(sides) < 1:
        raise VolumeProblem(f"its header claims sides of {sides} voxels")
    if np.prod(sides[3:], dtype=np.float64) > 1:
        raise VolumeProblem(f"{rank}-D data with {int(np.prod(sides[3:], dtype=np.float64))} volumes; expected one")
    first = [*sides, 1, 1][:3]
    return (first[0], first[1], first[2])


def _dtype(parsed: Any) -> np.dtype[Any]:
    errors = nibabel().spatialimages.HeaderDataError
    try:
        dtype: np.dtype[Any] = parsed.get_data_dtype()
    except (errors, KeyError):
        raise VolumeProblem(f"voxels of the unknown type {int(parsed['datatype'])}") from None
    if dtype.names is not None:
        raise VolumeProblem("voxels are RGB colours; expected one number for each voxel")
    if dtype.kind not in "iuf" or not dtype.itemsize:
        raise VolumeProblem(f"voxels are {dtype.name}; expected one real number for each voxel")
    return dtype


def _scaling(parsed: Any) -> tuple[float, float]:
    try:
        slope, intercept = parsed.get_slope_inter()
    except nibabel().spatialimages.HeaderDataError:
        raise VolumeProblem("its scl_inter is no finite number") from None
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept))


def _affine(parsed: Any) -> npt.NDArray[np.float64] | None:
    """Return the affine of the sform, else of the qform; None if neither is there or it is no orientation."""
    if int(parsed["sform_code"]) < 1 and int(parsed["qform_code"]) < 1:
        return None
    try:
        affine: npt.NDArray[np.float64] = np.asarray(parsed.get_best_affine(), dtype=np.float64)
    except (ValueError, nibabel().spatialimages.HeaderDataError):
        return None
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        return None
    return affine


def _spacing(parsed: Any, affine: npt.NDArray[np.float64] | None) -> tuple[float, float, float] | None:
    unit = _MILLIMETRES.get(_unit_name(parsed), 1.0)
    stored = parsed["pixdim"][1:4] if affine is None else np.linalg.norm(affine[:3, :3], axis=0)
    sides = [float(side) * unit for side in stored]
    if not all(_SPACINGS_MM[0] <= side <= _SPACINGS_MM[1] for side in sides):
        return None
    return (sides[0], sides[1], sides[2])


def _unit_name(parsed: Any) -> str:
    try:
        return str(parsed.get_xyzt_units()[0])
    except KeyError:
        return "unknown"
