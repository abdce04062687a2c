"""Test-time augmentation: an image and small changes of it that the study's training shows to be harmless."""

from dataclasses import dataclass

import numpy as np

from lossassay.biomarkers.features.layers import Outputs, Precision, outputs
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.config import AugmentConfig
from lossassay.engine.spec import Array
from lossassay.errors import DataError

# In steps, across and down; the nearest first.
_OFFSETS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))


@dataclass(frozen=True, kw_only=True)
class View:
    """One change of an image.

    Args:
        flip: Left-right.
        across_px: Shift to the right.
        down_px: Shift downwards.
    """

    flip: bool
    across_px: int
    down_px: int

    def of(self, images: Array) -> Array:
        """Return changed images; what a shift uncovers repeats the border.

        Args:
            images: [B H W C] or [B D H W C].
        """
        found = images[..., ::-1, :] if self.flip else images
        found = _shifted(found, self.across_px, axis=images.ndim - 2)
        return np.ascontiguousarray(_shifted(found, self.down_px, axis=images.ndim - 3))


def views(augment: AugmentConfig, side_px: int, count: int) -> list[View]:
    """Return the first ``count`` views: the image itself, its mirror image if the study trained with them, shifts.

    Args:
        augment: What the study trained with.
        side_px: Of an image.
        count: How many, from 1.

    Raises:
        DataError: If there are not as many.
    """
    step_px = max(1, round(augment.shift * side_px / 2))
    flips = (False, True) if augment.flip else (False,)
    known = [View(flip=flip, across_px=x * step_px, down_px=y * step_px) for x, y in _OFFSETS for flip in flips]
    if not 1 <= count <= len(known):
        raise DataError(
            f"{count} views were asked for. Expected 1 to {len(known)} for a study that trained "
            f"{'with' if augment.flip else 'without'} flips. Give --augment a number among them."
        )
    return known[:count]


def mean_outputs(
    run: LoadedRun, images: Array, shown: list[View], *, layer: str, batch_size: int, precision: Precision = "fp32"
) -> Outputs:
    """Average features and scores over views of some images; probabilities are those of the mean scores.

    Args:
        run: The run.
        images: [B H W C] or [B D H W C].
        shown: The views.
        layer: As for `outputs`.
        batch_size: As for `outputs`.
        precision: As for `outputs`.
    """
    rows = np.arange(len(images))
    found = [
        outputs(run, one.of(images), rows, layer=layer, batch_size=batch_size, precision=precision) for one in shown
    ]
    if len(found) == 1:
        return found[0]
    features, scores = _mean([one.features for one in found]), _mean([one.scores for one in found])
    return Outputs(features=features, scores=scores, probabilities=run.probabilities(scores))


def _mean(parts: list[Array]) -> Array:
    return np.asarray(np.stack(parts).mean(axis=0, dtype=np.float64), dtype=np.float32)


def _shifted(images: Array, by_px: int, *, axis: int) -> Array:
    if not by_px:
        return images
    places = np.arange(images.shape[axis]) - by_px
    return images.take(places.clip(0, images.shape[axis] - 1), axis=axis)
