"""What a heat map is worth: do the places that it points at carry the class?

Deletion takes the places away, the strongest first, and follows the probability of the class: a good map makes it fall
at once, and the area below the curve is small. Insertion starts from a blurred image and gives the places back: a good
map makes it rise at once, and the area is large (Petsiuk 2018, BMVC, arXiv:1806.07421). Neither area means anything
alone: a network that is sure of anything has large areas for every map. So each stands beside the same area for places
in random order, and for the same map moved elsewhere in the image, which is as smooth as the map.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic, mean_over_images, random_maps
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.errors import DataError

CURVES = ("deletion", "insertion")
_BATCH_CELLS = 2**20  # numbers of the input that one pass through the network takes at most
_SEED_OF_TIES = 0
_BLUR_SHARE = 0.05  # standard deviation of the blur by the side: 3 px of 64


@dataclass(frozen=True, kw_only=True)
class CurveWorth:
    """Insertion or deletion over some images.

    Args:
        curve: ``"insertion"`` or ``"deletion"``.
        area: Of the maps; share of places on the horizontal axis, probability on the vertical.
        random: Of random places on the same images.
        moved: Of the same maps, moved in the image.
        gain_over_random: By how much the map is better, by image; above 0 it is.
        gain_over_moved: The same against the moved map.
    """

    curve: str
    area: MapStatistic
    random: MapStatistic
    moved: MapStatistic
    gain_over_random: MapStatistic
    gain_over_moved: MapStatistic


def worth(
    run: LoadedRun,
    images: Array,
    maps: Array,
    classes: Array,
    *,
    groups: Array | None = None,
    steps: int = 32,
    seed: int = 0,
    random_areas: dict[str, Array] | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[CurveWorth, ...]:
    """Measure maps by insertion and deletion, beside two kinds of map that know nothing.

    Args:
        run: The run that the maps are of.
        images: [M H W C] or [M D H W C], as stored.
        maps: [M H W] or [M D H W].
        classes: Class of each map, [M].
        groups: Patient of each image, [M]; None: every image is one of its own. Intervals draw whole patients.
        steps: Points of a curve, besides its start.
        seed: Of the random maps.
        random_areas: By curve, the areas of random places; filled by the first call, and used by further calls with
            the same images, classes, steps and seed, whatever their maps.
        on_progress: Called with the images done.

    Raises:
        DataError: If there is no image, or there are fewer than two steps.
    """
    if len(images) == 0 or steps < 2:
        raise DataError(
            f"Insertion and deletion over {len(images)} images with {steps} steps were asked for. "
            "Expected one image or more and two steps or more."
        )
    generator = np.random.default_rng(seed)
    compared = {"area": maps, **random_maps(maps, generator)}
    known = {} if random_areas is None else random_areas
    areas: dict[tuple[str, str], list[float]] = {(curve, name): [] for curve in CURVES for name in compared}
    for k in range(len(images)):
        for curve, name in areas:
            if name != "random" or curve not in known:
                of = compared[name][k]
                areas[curve, name].append(area(run, images[k], of, int(classes[k]), curve=curve, steps=steps))
        on_progress(k + 1)
    found = []
    for curve, sign in (("deletion", -1.0), ("insertion", 1.0)):
        random = known.setdefault(curve, np.array(areas[curve, "random"]))
        own = {"area": np.array(areas[curve, "area"]), "random": random, "moved": np.array(areas[curve, "moved"])}
        gains = {f"gain_over_{name}": sign * (own["area"] - own[name]) for name in ("random", "moved")}
        means = {name: mean_over_images(values, groups) for name, values in (own | gains).items()}
        found.append(CurveWorth(curve=curve, **means))
    return tuple(found)


def area(run: LoadedRun, image: Array, heatmap: Array, of_class: int, *, curve: str, steps: int = 32) -> float:
    """Return the area below one curve, from 0 to 1 (trapezoids).

    Args:
        run: The run.
        image: [H W C] or [D H W C].
        heatmap: [H W] or [D H W].
        of_class: Whose probability is followed.
        curve: ``"insertion"`` or ``"deletion"``.
        steps: Points besides the start.
    """
    probabilities = curve_of(run, image, heatmap, of_class, curve=curve, steps=steps)
    return float(np.trapezoid(probabilities, dx=1 / steps))


def curve_of(run: LoadedRun, image: Array, heatmap: Array, of_class: int, *, curve: str, steps: int) -> Array:
    """Return the probability of a class while places come or go, [steps + 1]."""
    pixels = run.normalised(image[None])  # [1 C ...]
    start, end = (pixels, torch.zeros_like(pixels)) if curve == "deletion" else (_blurred(pixels), pixels)
    lot = np.random.default_rng(_SEED_OF_TIES).permutation(heatmap.size)  # equal places, such as all 0, in no order
    order = np.lexsort((lot, -heatmap.ravel()))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    places = torch.from_numpy(rank.reshape(heatmap.shape)).to(pixels.device)
    shares = torch.arange(steps + 1, device=pixels.device) * (len(order) / steps)
    at_once = max(1, min(len(shares), _BATCH_CELLS // pixels.numel()))
    scores = []
    with torch.inference_mode():
        for first in range(0, len(shares), at_once):
            some = shares[first : first + at_once]
            changed = places[None, None] < some.reshape(-1, *(1 for _ in pixels.shape[1:]))
            scores.append(run.model(torch.where(changed, end, start)).float().cpu().numpy())
    return np.asarray(run.probabilities(np.concatenate(scores))[:, of_class], dtype=np.float64)


def _blurred(pixels: torch.Tensor) -> torch.Tensor:
    sides = pixels.shape[2:]
    sigma = (0, 0, *(_BLUR_SHARE * side for side in sides))
    return torch.from_numpy(gaussian_filter(pixels.cpu().numpy(), sigma, mode="nearest")).to(pixels.device)
