"""Small NIfTI volumes on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

Volume = Callable[..., Path]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Write an array, or random int16 of the given shape, as a NIfTI file; return its path."""

    def write(
        name: str,
        values: npt.NDArray[Any] | tuple[int, ...] = (12, 14, 10),
        *,
        affine: npt.NDArray[np.float64] | None = None,
        seed: int = 0,
        change: Callable[[Any], None] | None = None,
        kind: type[Any] = nibabel.Nifti1Image,
    ) -> Path:
        if isinstance(values, tuple):
            values = np.random.default_rng(seed).integers(-500, 2000, values, dtype=np.int16)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = kind(values, np.eye(4) if affine is None else affine, dtype=values.dtype)
        nibabel.save(image, path)
        if change is not None:
            rewrite_header(path, change)
        return path

    return write


def rewrite_header(path: Path, change: Callable[[Any], None]) -> None:
    """Let ``change`` edit the header's fields in place; nothing is checked."""
    content = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header(bytes(content[:348]), check=False)
    change(header)
    content[:348] = header.binaryblock
    path.write_bytes(content)
