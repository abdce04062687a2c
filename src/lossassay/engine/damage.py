"""What is done to the input of a control arm, so that it shows how much of a score survives without the anatomy."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from lossassay.engine.seeds import Seeds, derive
from lossassay.engine.spec import Array


@dataclass(frozen=True, kw_only=True)
class ImageDamage:
    """What is done to every image, in training, validation and test.

    Args:
        kind: ``"masked_centre"`` sets the central square or cube to the mean of the training part; ``"source_only"``
            replaces the image by stripes, of which the one with the number of its source is bright.
        sources: Number of each row's source, [N], on the images' device; ``"source_only"`` alone.
        num_sources: How many there are.
    """

    kind: Literal["masked_centre", "source_only"]
    sources: torch.Tensor | None = None
    num_sources: int = 0

    @property
    def leaves_something_to_augment(self) -> bool:
        """Whether augmentation still means anything: stripes that are shifted would tell of another source."""
        return self.kind == "masked_centre"

    def of(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Damage a batch in place.

        Args:
            images: Normalised, [B C H W] or [B C D H W]; 0 is the mean of the training part.
            rows: Row number of each, [B].
        """
        if self.sources is None:
            everything = (slice(None), slice(None))
            images[everything + centre(images.shape[2:])] = 0.0
            return images
        return images.copy_(_stripes(self.sources[rows], self.num_sources, images))


def image_damage(kind: str | None, sources: Array | None, device: str) -> ImageDamage | None:
    """Return what a run does to its images; None: nothing, as for permuted labels.

    Args:
        kind: `RunSpec.damage`.
        sources: `RunData.sources`.
        device: Where the images are.
    """
    if kind == "masked_centre":
        return ImageDamage(kind="masked_centre")
    if kind == "source_only" and sources is not None:
        count = int(sources.max()) + 1
        return ImageDamage(kind="source_only", sources=torch.from_numpy(sources).to(device), num_sources=count)
    return None


def centre(sides: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the central square or cube with about half of the pixels, as far from both ends of each side.

    Args:
        sides: [H W] or [D H W], px.
    """
    share = 0.5 ** (1 / len(sides))
    margins = (round(side * (1 - share) / 2) for side in sides)
    return tuple(slice(margin, side - margin) for margin, side in zip(margins, sides, strict=True))


def permuted_labels(labels: Array, units: Array, parts: tuple[Array, ...], seeds: Seeds) -> Array:
    """Permute labels within parts, unit by unit.

    Args:
        labels: [N] or [N K], equal within each unit.
        units: Number of each row's unit, int64 [N].
        parts: Rows of each part in which labels are permuted; the others keep theirs.
        seeds: Of the replicate.

    Returns:
        A new array.
    """
    found = labels.copy()
    for number, rows in enumerate(parts):
        generator = np.random.default_rng(derive(*seeds.as_dict().values(), "permuted labels", number))
        _, first, place = np.unique(units[rows], return_index=True, return_inverse=True)
        found[rows] = labels[rows[generator.permutation(first)]][place]
    return found


def _stripes(sources: torch.Tensor, num_sources: int, like: torch.Tensor) -> torch.Tensor:
    """Return [B 1 H 1], for volumes [B 1 1 H 1]: 1 in the stripe of the source, 0 elsewhere."""
    height = like.shape[-2]
    stripe = torch.arange(height, device=like.device) * num_sources // height
    bright = (stripe[None, :] == sources[:, None]).to(like.dtype)
    return bright.reshape(len(sources), *(1 for _ in like.shape[1:-2]), height, 1)
