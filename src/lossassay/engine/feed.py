"""Feeds a model: rows of the image array become normalised, augmented batches on the device."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from lossassay.config import AugmentConfig
from lossassay.engine.augment import augment, draw
from lossassay.engine.batches import batches
from lossassay.engine.damage import ImageDamage
from lossassay.engine.spec import Array

_SHARE_OF_DEVICE = 0.5  # of its free memory that the images may take, so that training keeps the rest


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step is fed.

    Args:
        images: float32 [B C H W] or [B C D H W].
        labels: In the loss's encoding.
        weights: Of each example, [B].
        rows: Row number of each example, [B].
    """

    images: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    rows: torch.Tensor


class Feed:
    """Turns rows into batches, and counts the time that this takes.

    On a processor the images stay in their memory map and only a batch is read. On another device they lie there
    whole, as stored, where they fit; order and draws of an epoch follow in one copy each, so that no step waits.

    Args:
        images: [N H W C] or [N D H W C], uint8 or uint16.
        labels: Of all rows, in the loss's encoding.
        weights: Of all rows.
        mean: Of each channel, in grey levels.
        sd: Of each channel, in grey levels.
        device: Where batches go.
        resident: Whether the images lie on the device; None decides by the free memory there.
        damage: What a control does to its images.
    """

    def __init__(
        self,
        images: Array,
        labels: torch.Tensor,
        weights: torch.Tensor,
        *,
        mean: tuple[float, ...],
        sd: tuple[float, ...],
        device: str,
        resident: bool | None = None,
        damage: ImageDamage | None = None,
    ) -> None:
        shape = (1, -1, *(1 for _ in range(images.ndim - 2)))
        self.device = device
        self.labels, self.weights = labels.to(device), weights.to(device)
        self.seconds = 0.0  # spent on making batches, since the last reset; on another device: on asking for them
        self._images, self._damage = images, damage
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device).reshape(shape)
        self._scale = (1.0 / torch.tensor(sd, dtype=torch.float32, device=device)).reshape(shape)
        wanted = _fits(images.nbytes, device) if resident is None else resident
        self._resident = _as_tensor(images).to(device) if wanted else None

    def training(
        self, rows: Array, batch_size: int, config: AugmentConfig, generator: torch.Generator
    ) -> Iterator[Batch]:
        """Give the batches of an epoch, in the order of ``rows``."""
        started = time.perf_counter()
        draws = draw(len(rows), self._images.ndim - 2, generator).to(self.device)
        index = torch.from_numpy(rows).to(self.device)
        first = 0
        for part in batches(rows, batch_size):
            own = slice(first, first + len(part))
            images = self._pixels(part, index[own])
            if self._damage is None or self._damage.leaves_something_to_augment:
                images = augment(images, config, draws[own])
            here = index[own]
            batch = Batch(images=images, labels=self.labels[here], weights=self.weights[here], rows=here)
            self.seconds += time.perf_counter() - started
            yield batch
            started, first = time.perf_counter(), own.stop

    def evaluation(self, rows: Array, batch_size: int) -> Iterator[torch.Tensor]:
        """Give the images of ``rows`` as they are, batch by batch."""
        for part in batches(rows, batch_size):
            yield self._pixels(part, torch.from_numpy(part).to(self.device))

    def _pixels(self, rows: Array, index: torch.Tensor) -> torch.Tensor:
        """Return float32 [B C H W] or [B C D H W], mean 0 and standard deviation 1 over the training part."""
        if self._resident is not None:
            stored = self._resident[index]
        else:
            stored = _as_tensor(self._images[rows]).to(self.device)
        stored = stored.movedim(-1, 1)  # a view: the memory stays channels-last
        pixels = stored.to(torch.float32).sub_(self._mean).mul_(self._scale)
        return pixels if self._damage is None else self._damage.of(pixels, index)


def _as_tensor(images: Array) -> torch.Tensor:
    pixels = np.ascontiguousarray(images)
    return torch.from_numpy(pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32))


def _fits(size_bytes: int, device: str) -> bool:
    return device == "cuda" and size_bytes < _SHARE_OF_DEVICE * torch.cuda.mem_get_info()[0]
