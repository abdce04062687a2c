"""Features of each run's test images and of two noisy views, computed once and kept beside the study."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from lossassay.biomarkers.features.layers import outputs
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.biomarkers.quality.classical import BASELINE, classical_features
from lossassay.biomarkers.quality.criteria import FeatureSet
from lossassay.biomarkers.quality.noisy_views import noisy_views
from lossassay.biomarkers.quick_network import quickened
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.grouping import in_order_of_appearance
from lossassay.engine.damage import ImageDamage, image_damage
from lossassay.engine.spec import Array

VIEWS = 2
_VERSION = 1  # raised when views or features change for the same run
FOLDER = "biomarkers"
_BATCH_SIZE = 64  # what one layer gives of so many images stays in a core's own cache: a sixth faster than 256


@dataclass(frozen=True, kw_only=True)
class Acquisitions:
    """The test images of a replicate and two noisy views of each, the same for all arms.

    Args:
        replicate: From 0.
        rows: Of the data, [M], ascending.
        clean: Pixels, [M ...].
        views: Pixels, one array like ``clean`` for each view.
    """

    replicate: int
    rows: Array
    clean: Array
    views: tuple[Array, ...]


def rows_of_test(parts: Array, *, most: int, seed: int) -> Array:
    """Return the rows of a test part, at most so many; in every replicate the same rows are left out first.

    Args:
        parts: uint8 [N] of a replicate: 2 is the test part.
        most: How many at most.
        seed: Of the study.
    """
    order = np.random.default_rng([seed, len(parts)]).permutation(len(parts))
    chosen = order[parts[order] == 2][:most]
    return np.sort(chosen)


def images_of_test(images: Array, rows: Array, *, seed: int, replicate: int) -> Acquisitions:
    """Read the test images of a replicate and make their noisy views."""
    views = tuple(noisy_views(images, rows, seed=seed, replicate=replicate, view=view) for view in range(VIEWS))
    return Acquisitions(replicate=replicate, rows=rows, clean=np.asarray(images[rows]), views=views)


class FeatureStore:
    """Feature sets of the runs of one out folder, in ``OUT/biomarkers/``.

    Args:
        folder: The out folder.
        settings: The section of the study file.
        digest: Of the data.
        seed: Of the study.
    """

    def __init__(self, folder: Path, settings: BiomarkersConfig, *, digest: str, seed: int) -> None:
        self._out = folder
        self.folder = folder / FOLDER
        self._layer = settings.layer
        self._key = f"{_VERSION} {digest} {settings.layer} {settings.images} {seed}"

    def read(self, run_id: str) -> FeatureSet | None:
        """Return what is kept of a run, or None."""
        path = self._path(run_id)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["key"]) != self._key:
                    return None
                return FeatureSet(rows=stored["rows"], clean=stored["clean"], views=stored["views"])
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None  # not there, or damaged: it is computed again

    def compute(self, run_id: str, images: Acquisitions, *, device: str = "cpu") -> FeatureSet:
        """Give the network of a run its test images and their views, and keep the features."""
        run = load_run(self._out / "runs" / run_id, device=device, controls=True)
        run = quickened(run, self._layer, (1 + len(images.views)) * len(images.rows))
        everything, damage, rows = np.arange(len(images.rows)), _damage(run), torch.from_numpy(images.rows)

        def prepared(pixels: torch.Tensor, own: Array) -> torch.Tensor:
            return pixels if damage is None else damage.of(pixels, rows[own])

        clean, *views = (
            outputs(run, pixels, everything, layer=self._layer, batch_size=_BATCH_SIZE, prepare=prepared).features
            for pixels in (images.clean, *images.views)
        )
        found = FeatureSet(rows=images.rows, clean=clean, views=np.stack(views, axis=1))
        self._write(run_id, found)
        return found

    def compute_baseline(self, images: Acquisitions) -> FeatureSet:
        """Compute classical features of the same images and views, and keep them."""
        clean, *views = (classical_features(pixels) for pixels in (images.clean, *images.views))
        found = FeatureSet(rows=images.rows, clean=clean, views=np.stack(views, axis=1))
        self._write(baseline_id(images.replicate), found)
        return found

    def holds(self, run_id: str) -> bool:
        """Whether something is kept of a run, of these settings or others."""
        return self._path(run_id).is_file()

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id.replace(' ', '_')}.npz"

    def _write(self, run_id: str, found: FeatureSet) -> None:
        self.folder.mkdir(exist_ok=True)
        path = self._path(run_id)
        partial = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        arrays: dict[str, Any] = {"rows": found.rows, "clean": found.clean, "views": found.views}
        np.savez(partial, key=np.array(self._key), **arrays)
        os.replace(partial, path)


def baseline_id(replicate: int) -> str:
    """Return the name under which classical features of a replicate's images are kept."""
    return f"{BASELINE} {replicate}"


def _damage(run: LoadedRun) -> ImageDamage | None:
    """Return what a control does to its images: it is assessed on what it was trained on."""
    kind = next((entry.get("damage") for entry in run.plan["runs"] if entry["id"] == run.id), None)
    if kind != "source_only":
        return image_damage(kind, None, run.device)
    names = pl.read_parquet(run.folder / "rows.parquet", columns=["source"])["source"].to_list()
    return image_damage(kind, in_order_of_appearance(np.array(names, dtype=object).astype(str)), run.device)
