"""Light augmentation of a batch, on the device where it lies."""

import math

import torch
import torch.nn.functional as F

from lossassay.config import AugmentConfig


def draw(images: int, spatial: int, generator: torch.Generator) -> torch.Tensor:
    """Return uniform numbers from 0 to 1, one row per image: flip, rotation, contrast, one shift for each side.

    Every call draws the same amount, whatever is switched on.

    Args:
        images: How many.
        spatial: Sides of an image, 2 or 3.
        generator: On the CPU, so that every device sees the same numbers.
    """
    return torch.rand(images, 3 + spatial, generator=generator)


def augment(images: torch.Tensor, config: AugmentConfig, draws: torch.Tensor) -> torch.Tensor:
    """Flip, shift, rotate (in the last plane) and change the contrast of each image by its own draw.

    Args:
        images: Normalised, [B C H W] or [B C D H W].
        config: How much of each.
        draws: From `draw`, [B 5] or [B 6], on the images' device.
    """
    if config.flip or config.shift or config.rotation_degrees:
        theta = _affine(draws, config, images.ndim - 2)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if config.contrast:
        factor = 1 + config.contrast * (2 * draws[:, 2] - 1)
        images = images * factor.reshape(-1, *(1 for _ in range(images.ndim - 1)))
    return images


def _affine(draws: torch.Tensor, config: AugmentConfig, spatial: int) -> torch.Tensor:
    """Build one [spatial, spatial + 1] matrix per image; the first two axes are x and y."""
    theta = torch.zeros(len(draws), spatial, spatial + 1, device=draws.device)
    angle = math.radians(config.rotation_degrees) * (2 * draws[:, 1] - 1)
    mirror = torch.where(draws[:, 0] < 0.5, -1.0, 1.0) if config.flip else torch.ones_like(angle)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * mirror, -angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * mirror, angle.cos()
    for axis in range(2, spatial):
        theta[:, axis, axis] = 1.0
    theta[:, :, -1] = 2 * config.shift * (2 * draws[:, 3 : 3 + spatial] - 1)  # the grid's side is 2 units long
    return theta
