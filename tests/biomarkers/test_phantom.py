"""Disks of known size, contrast and noise: do the criteria follow a truth that the test made?"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.features.layers import outputs
from lossassay.biomarkers.loaded_run import load_run
from lossassay.biomarkers.quality.noisy_views import noisy_views
from lossassay.biomarkers.quality.run_features import FeatureStore
from lossassay.config.load import parse_study
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.cache import open_cache
from lossassay.stats.agreement import intraclass_correlation

SIDE_PX, PER_CLASS = 32, 150
SMALL_PX, LARGE_PX = (3.0, 6.0), (7.0, 11.0)


def disk(radius_px: float, contrast: float, centre: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    down, across = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    distance = np.hypot(across - centre[0], down - centre[1])
    inside = np.clip(radius_px - distance + 0.5, 0, 1)
    grey = 0.3 + contrast * inside + 0.03 * generator.standard_normal((SIDE_PX, SIDE_PX))
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """An .npz file of disks in two classes of size, and the radius of each."""
    generator = np.random.default_rng(0)
    labels = np.tile([0, 1], PER_CLASS)
    low, high = np.array([SMALL_PX, LARGE_PX])[labels].T
    radii = generator.uniform(low, high)
    centres = SIDE_PX / 2 + generator.uniform(-3, 3, (len(labels), 2))
    contrasts = generator.uniform(0.2, 0.5, len(labels))
    images = np.stack(
        [disk(*row, generator) for row in zip(radii, contrasts, centres, strict=True)]  # type: ignore[arg-type]
    )
    path = tmp_path_factory.mktemp("phantom") / "disks.npz"
    np.savez(path, train_images=images, train_labels=labels[:, None])
    return path, radii


@pytest.fixture(scope="module")
def studied(phantom: tuple[Path, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms on the disks: one learns the size, one learns next to nothing (its learning rate is tiny)."""
    folder = tmp_path_factory.mktemp("studied") / "out"
    study = parse_study(
        {
            "name": "disks",
            "data": {"path": str(phantom[0]), "image_size": SIDE_PX},
            "arms": [
                {"name": "learns", "loss": "categorical_crossentropy"},
                {"name": "learns nothing", "loss": "categorical_crossentropy", "training": {"learning_rate": 1e-7}},
            ],
            "training": {
                "model_options": {"widths": [8, 16, 16, 16, 16], "dense": [16, 8], "dropout": 0.0},
                "epochs": 12,
                "batch_size": 30,
                "learning_rate": 3e-3,
                "precision": "fp32",
                "kernels": "plain",
            },
            "evidence": {"replicates": 3},
            "biomarkers": {"criterion": "separation"},
        }
    )
    api.run(study, folder, workers=1)
    return folder


@pytest.mark.slow
def test_the_ranking_of_arms_follows_the_truth(studied: Path) -> None:
    means = pl.read_parquet(studied / "tables" / "biomarkers.parquet")
    by_arm = {
        (row["criterion"], row["arm"]): row["estimate"] for row in means.iter_rows(named=True) if row["replicates"] > 1
    }
    for criterion in ("separation", "class_probe"):
        assert by_arm[criterion, "learns"] > by_arm[criterion, "learns nothing"], criterion
    pareto = pl.read_parquet(studied / "tables" / "biomarker_pareto.parquet")
    assert pareto.filter("on_front")["arm"].to_list() == ["learns"]
    (row,) = pl.read_parquet(studied / "tables" / "biomarker_comparisons.parquet").filter("primary").to_dicts()
    assert row["verdict"] == "better"


@pytest.mark.slow
def test_a_feature_recovers_the_size_and_repeats(studied: Path, phantom: tuple[Path, np.ndarray]) -> None:
    _, radii = phantom
    study = load_run(studied, arm="learns").study
    cache = open_cache(study.data)
    plan_runs = pl.read_parquet(studied / "tables" / "runs.parquet").filter(arm="learns")["run"]
    store = FeatureStore(studied, study.biomarkers or BiomarkersConfig(), digest=cache.digest, seed=0)
    best = []
    for run in plan_runs:
        found = store.read(run)
        assert found is not None
        alive = np.ptp(found.clean, axis=0) > 0
        correlation = np.abs(np.corrcoef(found.clean[:, alive].T, radii[found.rows])[-1, :-1])
        icc = intraclass_correlation(found.views[:, :, alive]).estimate
        best.append((correlation.max(), icc[correlation.argmax()]))
    assert min(correlation for correlation, _ in best) > 0.85, best
    assert min(icc for _, icc in best) > 0.75, best


@pytest.mark.slow
def test_icc_of_the_network_falls_with_the_noise_of_the_phantom(studied: Path) -> None:
    """Twice the error of a view (a view of a view) can only lower the agreement with the first image."""
    run = load_run(studied, arm="learns")
    images = np.asarray(open_cache(run.study.data).images)
    rows = np.arange(len(images))
    once = noisy_views(images, rows, seed=1, replicate=0, view=0)
    twice = noisy_views(noisy_views(once, rows, seed=1, replicate=0, view=1), rows, seed=1, replicate=0, view=2)
    clean, *others = (outputs(run, pixels, rows).features for pixels in (images, once, twice))
    first, second = (
        np.nanmedian(intraclass_correlation(np.stack([clean, other], axis=1)).estimate) for other in others
    )
    assert first > second
