"""Two questions to any kind of map: does it need what was learnt, and do replicates agree on it?"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic, mean_over_images, rank_correlation
from lossassay.biomarkers.heatmaps.maps import METHODS, HeatmapOptions, heatmaps
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Randomised:
    """Maps after the weights of some layers were mixed up.

    Args:
        layer: The layer that came last; all between it and the scores are mixed up too.
        likeness: Spearman's correlation with the maps of the trained network; near 1 where the map does not depend on
            what was learnt.
        likeness_absolute: The same of the sizes alone; None for maps without a sign.
    """

    layer: str
    likeness: MapStatistic
    likeness_absolute: MapStatistic | None


def randomisation(
    run: LoadedRun,
    images: Array,
    classes: Array,
    *,
    method: str,
    options: HeatmapOptions | None = None,
    groups: Array | None = None,
    seed: int = 0,
    before: Array | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[Randomised, ...]:
    """Mix up the weights of the network, from the scores down to the image, and compare the maps at each step.

    After Adebayo 2018 (NeurIPS, arXiv:1810.03292), cascading randomisation. Weights are permuted within each tensor
    instead of drawn anew: the network keeps the size of its weights, and any layer of the user's own can be mixed up.
    A map that is constant after mixing (as Grad-CAM's can be, all 0) has no correlation and is left out.

    Args:
        run: The run.
        images: [M H W C] or [M D H W C], as stored.
        classes: Of each map, [M].
        method: A name of `heatmaps.METHODS`.
        options: How maps are made.
        groups: Patient of each image, [M].
        seed: Of the permutations.
        before: Maps of the trained network, where they are known already.
        on_progress: Called with the maps made with random weights.
    """
    if before is None:
        before = heatmaps(run, images, classes, method=method, options=options)
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(run.model)
    found: list[Randomised] = []
    for name in reversed([name for name, _ in stages(run.model)]):
        _mix(model.get_submodule(name), generator)
        after = heatmaps(run, images, classes, method=method, options=options, model=model)
        on_progress(len(images) * (len(found) + 1))
        likeness, absolute = (
            mean_over_images(np.array([rank_correlation(*two) for two in zip(*pair, strict=True)]), groups)
            for pair in ((before, after), (np.abs(before), np.abs(after)))
        )
        signed = METHODS[method].signed
        found.append(Randomised(layer=name, likeness=likeness, likeness_absolute=absolute if signed else None))
    return tuple(found)


def stages(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the parts of a network that hold weights, from the image to the scores: blocks where it has blocks."""
    blocks = model.get_submodule("features").named_children()
    found = [(f"features.{name}", layer) for name, layer in blocks if _learns(layer)]
    if len(found) < 2:
        found = [
            (name, layer)
            for name, layer in model.named_modules()
            if name.startswith("features") and next(layer.parameters(recurse=False), None) is not None
        ]
    return [*found, ("head", model.get_submodule("head"))]


def _learns(layer: nn.Module) -> bool:
    return next(layer.parameters(), None) is not None


@torch.no_grad()
def _mix(layer: nn.Module, generator: torch.Generator) -> None:
    for weights in layer.parameters():
        order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
        weights.copy_(weights.flatten()[order].view_as(weights))


def replicate_agreement(
    runs: Sequence[LoadedRun],
    images: Array,
    labels: Array,
    *,
    method: str,
    options: HeatmapOptions | None = None,
    groups: Array | None = None,
    most_images: int = 32,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> MapStatistic:
    """Return how well the maps of replicates of one arm agree on images that are in the test part of both.

    Each replicate is compared with the next one, and the last with the first, on their common test images, by
    Spearman's correlation of the maps of the true class; pairs are averaged for each image. Replicates share no seed,
    so this is what a new training would change. Three replicates make all pairs; the cost grows with their number and
    not with its square.

    Args:
        runs: Two or more replicates of one arm.
        images: All images of the study, as stored.
        labels: Class of each, [N].
        method: A name of `heatmaps.METHODS`.
        options: How maps are made.
        groups: Patient of each image of the study, [N]; None: not known.
        most_images: Of one pair, evenly spread.
        on_progress: Called with the maps made, and in all.

    Raises:
        DataError: If there are fewer than two runs, or no image is in two test parts.
    """
    if len(runs) < 2:
        raise DataError(
            f"Agreement between replicates was asked for, and {len(runs)} run of the arm is there. "
            "Expected two or more. Raise evidence.replicates and run the study again."
        )
    values: dict[int, list[float]] = {}
    pairs = list(_pairs(runs, most_images))
    done, total = 0, sum(2 * len(rows) for rows, _, _ in pairs)
    for rows, *pair in pairs:
        maps = []
        for run in pair:
            maps.append(heatmaps(run, np.asarray(images[rows]), labels[rows], method=method, options=options))
            done += len(rows)
            on_progress(done, total)
        for row, *two in zip(rows.tolist(), *maps, strict=True):
            values.setdefault(row, []).append(rank_correlation(*two))
    if not values:
        raise DataError(
            "No image is in the test part of two replicates (as in cross-validation). Expected parts that are drawn "
            "anew in each replicate. Agreement between replicates cannot be measured in this study."
        )
    chosen = np.array(sorted(values))
    means = np.array([_mean(values[row]) for row in chosen.tolist()])
    return mean_over_images(means, None if groups is None else groups[chosen])


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _pairs(runs: Sequence[LoadedRun], most: int) -> Iterator[tuple[Array, LoadedRun, LoadedRun]]:
    parts = [run.parts() == 2 for run in runs]
    count = len(runs)
    ring = dict.fromkeys(tuple(sorted((first, (first + 1) % count))) for first in range(count))
    for first, second in sorted(ring):
        rows = np.flatnonzero(parts[first] & parts[second])
        if len(rows):
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]
            yield rows, runs[first], runs[second]
