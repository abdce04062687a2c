"""The same image measured again: small moves, another exposure, noise and compression, as a second acquisition has."""

from dataclasses import dataclass
from io import BytesIO
from math import cos, radians, sin

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from lossassay.engine.spec import Array

SHIFT_PX = 2.0  # up to, both ways, on each axis
ROTATION_DEGREES = 2.0  # up to, both ways, in the last plane
SCALE = 0.02  # factor from 1 - SCALE to 1 + SCALE
GAIN = 0.05  # contrast factor from 1 - GAIN to 1 + GAIN
OFFSET = 0.02  # brightness, as a share of the range
PHOTONS = 2000  # at white: the standard deviation of Poisson noise is 2.2 % there
GAUSSIAN_SD = 0.01  # of the range
JPEG_QUALITY = (85, 95)
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """What is done to one image."""

    matrix: Array  # [D D + 1], moves as `affine_grid` reads them
    gain: float
    offset: float
    quality: int
    generator: np.random.Generator


def noisy_views(images: Array, rows: Array, *, seed: int, replicate: int, view: int) -> Array:
    """Return a noisy view of each image.

    What is drawn depends on seed, replicate, row and view alone: all arms see the same views, in any order and number.
    JPEG is left out for 16-bit images and for volumes, which are not stored as such.

    Args:
        images: [N H W C] or [N D H W C], uint8 or uint16.
        rows: Which, [M].
        seed: Of the study.
        replicate: From 0.
        view: 0, 1, ...

    Returns:
        [M ...] of the same type.
    """
    found = np.empty((len(rows), *images.shape[1:]), dtype=images.dtype)
    for first in range(0, len(rows), _BATCH):
        own = rows[first : first + _BATCH]
        draws = [_draw([seed, replicate, int(row), view], images.shape[1:]) for row in own]
        found[first : first + _BATCH] = _acquired(np.asarray(images[own]), draws)
    return found


def _draw(key: list[int], shape: tuple[int, ...]) -> _Draw:
    generator = np.random.default_rng(key)
    spatial = len(shape) - 1
    uniform = generator.uniform(-1, 1, size=4 + spatial)
    angle, scale = radians(ROTATION_DEGREES) * uniform[0], 1 + SCALE * uniform[1]
    matrix = np.zeros((spatial, spatial + 1))
    matrix[:2, :2] = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]]) / scale
    for axis in range(2, spatial):
        matrix[axis, axis] = 1 / scale
    sides = np.array(shape[:-1][::-1], dtype=float)  # x first
    matrix[:, -1] = 2 * SHIFT_PX * uniform[4:] / sides  # the grid's side is 2 units long
    return _Draw(
        matrix=matrix,
        gain=1 + GAIN * float(uniform[2]),
        offset=OFFSET * float(uniform[3]),
        quality=int(generator.integers(*JPEG_QUALITY, endpoint=True)),
        generator=generator,
    )


def _acquired(images: Array, draws: list[_Draw]) -> Array:
    """Move, expose, add noise, round, compress."""
    largest = float(np.iinfo(images.dtype).max)
    moved = _moved(images.astype(np.float32) / largest, draws)
    for place, draw in enumerate(draws):
        exposed = np.clip(moved[place] * draw.gain + draw.offset, 0, 1)
        counted = draw.generator.poisson(exposed * PHOTONS) / PHOTONS
        moved[place] = counted + GAUSSIAN_SD * draw.generator.standard_normal(counted.shape)
    found: Array = np.rint(np.clip(moved, 0, 1) * largest).astype(images.dtype)
    if images.dtype == np.uint8 and images.ndim == 4:
        for place, draw in enumerate(draws):
            found[place] = _compressed(found[place], draw.quality)
    return found


def _moved(images: Array, draws: list[_Draw]) -> Array:
    batch = torch.from_numpy(images).movedim(-1, 1)
    theta = torch.tensor(np.stack([draw.matrix for draw in draws]), dtype=torch.float32)
    grid = F.affine_grid(theta, list(batch.shape), align_corners=False)
    sampled = F.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return np.ascontiguousarray(sampled.movedim(1, -1).numpy())


def _compressed(image: Array, quality: int) -> Array:
    grey = image.shape[-1] == 1
    buffer = BytesIO()
    Image.fromarray(image[..., 0] if grey else image).save(buffer, format="JPEG", quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as stored:
        pixels = np.asarray(stored)
    return pixels[..., None] if grey else pixels
