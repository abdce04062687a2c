"""Heat maps against places that people marked: does a map point at the lesion?"""

from dataclasses import dataclass

import numpy as np

from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic, mean_over_images
from lossassay.engine.spec import Array
from lossassay.errors import DataError


@dataclass(frozen=True, kw_only=True)
class RegionWorth:
    """How well maps fall into marked regions.

    Args:
        pointing: Share of images whose strongest place lies in the region (pointing game; Zhang 2016,
            arXiv:1608.00507, without tolerance).
        energy: Share of the positive part of the map that lies in the region (Wang 2020, arXiv:1910.01279).
        region_share: Share of the image that the region takes: what a map without knowledge reaches in both.
        pointing_gain: Pointing minus the share of the region, by image.
        energy_gain: Energy minus the share of the region, by image.
    """

    pointing: MapStatistic
    energy: MapStatistic
    region_share: MapStatistic
    pointing_gain: MapStatistic
    energy_gain: MapStatistic


def region_worth(maps: Array, regions: Array, groups: Array | None = None) -> RegionWorth:
    """Measure maps against regions.

    A map without a positive place points nowhere: it counts as a miss, and it has no energy. Several strongest places
    count by their share in the region.

    Args:
        maps: [M H W] or [M D H W].
        regions: bool, of the same shape; images whose region is empty are left out.
        groups: Patient of each image, [M].

    Raises:
        DataError: If the shapes differ, or no region has a place.
    """
    if maps.shape != regions.shape:
        raise DataError(f"Maps of the shape {maps.shape} came with regions of {regions.shape}. Expected one shape.")
    marked = regions.reshape(len(regions), -1).any(axis=1)
    if not marked.any():
        raise DataError("No region covers a place of its image. Check that boxes are in px of the original image.")
    chosen = np.flatnonzero(marked)
    numbers = np.array([_of_one(maps[k], regions[k].astype(bool)) for k in chosen])  # [M 3]
    own = None if groups is None else np.asarray(groups)[chosen]
    pointing, energy, share = numbers.T
    values = (pointing, energy, share, pointing - share, energy - share)
    names = ("pointing", "energy", "region_share", "pointing_gain", "energy_gain")
    return RegionWorth(**{name: mean_over_images(one, own) for name, one in zip(names, values, strict=True)})


def _of_one(heatmap: Array, region: Array) -> tuple[float, float, float]:
    positive = np.maximum(heatmap.astype(np.float64), 0)
    total = float(positive.sum())
    if total == 0:
        return 0.0, float("nan"), float(region.mean())
    strongest = positive == positive.max()
    return float(region[strongest].mean()), float(positive[region].sum()) / total, float(region.mean())
