"""From rows to what the model is fed: gathered, normalised, augmented."""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from lossassay.config import AugmentConfig
from lossassay.engine.seeds import derive
from lossassay.engine.spec import Array

_CHUNK_ROWS = 256  # rows read from the memory map at a time


def pixel_statistics(images: Array, rows: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel over the given rows, in grey levels.

    Sums are whole numbers, so the result does not depend on how the rows are read.
    """
    channels = images.shape[-1]
    total, squares, count = [0] * channels, [0] * channels, 0
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = np.asarray(images[rows[start : start + _CHUNK_ROWS]]).reshape(-1, channels).astype(np.uint64)
        total = [old + int(new) for old, new in zip(total, chunk.sum(axis=0), strict=True)]
        squares = [old + int(new) for old, new in zip(squares, (chunk * chunk).sum(axis=0), strict=True)]
        count += len(chunk)
    means = tuple(value / count for value in total)
    variances = (square / count - mean * mean for square, mean in zip(squares, means, strict=True))
    return means, tuple(max(math.sqrt(max(variance, 0.0)), 1.0) for variance in variances)  # flat images stay finite


def epoch_order(rows: Array, seed: int, epoch: int) -> Array:
    """Return the rows in the order of an epoch; depends on the seed and the epoch's number alone."""
    generator = torch.Generator().manual_seed(derive(seed, epoch))
    return np.asarray(rows[torch.randperm(len(rows), generator=generator).numpy()])


def batches(rows: Array, batch_size: int) -> Iterator[Array]:
    """Cut rows into batches; a last batch of one row joins the one before, for batch normalisation needs two."""
    starts = list(range(0, len(rows), batch_size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield rows[start:stop]


class Preprocessor:
    """Turns rows of the image array into normalised channels-last tensors on a device.

    Args:
        images: [N H W C] or [N D H W C].
        mean: Of each channel, in grey levels.
        sd: Of each channel, in grey levels.
        device: Where the tensors go.
    """

    def __init__(self, images: Array, mean: tuple[float, ...], sd: tuple[float, ...], device: str) -> None:
        self.images = images
        spatial = images.ndim - 2
        shape = (1, -1, *(1 for _ in range(spatial)))
        self.device = device
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device).reshape(shape)
        self.scale = (1.0 / torch.tensor(sd, dtype=torch.float32, device=device)).reshape(shape)

    def __call__(self, rows: Array) -> torch.Tensor:
        """Return float32 [B C H W] or [B C D H W], mean 0 and standard deviation 1 over the training part."""
        pixels = np.ascontiguousarray(self.images[rows])
        tensor = torch.from_numpy(pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32)).to(self.device)
        tensor = tensor.movedim(-1, 1)  # a view: the memory stays channels-last
        return tensor.to(torch.float32).sub_(self.mean).mul_(self.scale)


def augment(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> torch.Tensor:
    """Flip, shift, rotate (in the last plane) and change the contrast of each image by its own draw.

    Args:
        images: Normalised, [B C H W] or [B C D H W].
        config: How much of each.
        generator: On the CPU; every call draws the same amount whatever is switched on.
    """
    batch, spatial = images.shape[0], images.ndim - 2
    draws = torch.rand(batch, 2 + spatial + 1, generator=generator)  # flip, rotation, contrast, shifts
    if config.flip or config.shift or config.rotation_degrees:
        theta = _affine(draws, config, spatial).to(images.device)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if config.contrast:
        factor = 1 + config.contrast * (2 * draws[:, 2] - 1)
        images = images * factor.to(images.device).reshape(-1, *(1 for _ in range(images.ndim - 1)))
    return images


def _affine(draws: torch.Tensor, config: AugmentConfig, spatial: int) -> torch.Tensor:
    """Build one [spatial, spatial + 1] matrix per image; the first two axes are x and y."""
    theta = torch.zeros(len(draws), spatial, spatial + 1)
    angle = math.radians(config.rotation_degrees) * (2 * draws[:, 1] - 1)
    mirror = torch.where(draws[:, 0] < 0.5, -1.0, 1.0) if config.flip else torch.ones(len(draws))
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * mirror, -angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * mirror, angle.cos()
    for axis in range(2, spatial):
        theta[:, axis, axis] = 1.0
    theta[:, :, -1] = 2 * config.shift * (2 * draws[:, 3 : 3 + spatial] - 1)  # the grid's side is 2 units long
    return theta
