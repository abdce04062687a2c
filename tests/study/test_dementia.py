"""The dementia study, from volumes that a script makes to a table of kappas."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.config import Study, load_study
from lossassay.data.cache import open_cache
from lossassay.data.split import split

STUDIES = Path(__file__).parents[2] / "studies"
SUBJECTS = 27


def generator() -> ModuleType:
    """The script that makes the volumes, as a module."""
    place = STUDIES / "dementia_volumes.py"
    spec = importlib.util.spec_from_file_location("dementia_volumes", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two visits each of 27 subjects."""
    return generator().write(tmp_path_factory.mktemp("volumes"), SUBJECTS)


@pytest.fixture(scope="module")
def study(table: Path) -> Study:
    """The study as it stands in studies/, on these volumes and short."""
    written = load_study(STUDIES / "dementia.toml")
    tiny = {"widths": (4, 4, 8, 8, 8), "dense": (8, 8)}
    return written.model_copy(
        update={
            "data": written.data.model_copy(update={"path": str(table)}),
            "training": written.training.model_copy(update={"epochs": 2, "model_options": tiny}),
            "evidence": written.evidence.model_copy(update={"replicates": 2}),
            "arms": written.arms[:2],
            "audit": written.audit.model_copy(update={"accept": ("tiny-class",)}),
        }
    )


def test_volumes_are_cubes_of_one_orientation(study: Study) -> None:
    cache = open_cache(study.data)
    manifest = cache.manifest
    assert cache.images.shape == (2 * SUBJECTS, 32, 32, 32, 1)
    assert (manifest.kind, manifest.dimensions, manifest.task) == ("nifti", 3, "ordinal")
    assert manifest.class_names == ("normal", "mild impairment", "Alzheimer's disease")
    sites = manifest.rows["source"].to_numpy()
    for site in ("North", "South", "Harbour"):  # each stores its axes in another order
        mean = np.asarray(cache.images[sites == site][..., 0], dtype=float).mean(axis=0)
        high, long, wide = ((mean.mean(axis=axes) > 0.3 * mean.mean()).sum() for axes in ((1, 2), (0, 2), (0, 1)))
        assert long > high, site  # from front to back a head is longest
        assert long > wide, site


def test_subjects_never_part(study: Study) -> None:
    manifest = open_cache(study.data).manifest
    assert manifest.rows["group"].n_unique() == SUBJECTS
    for seed in range(5):
        parts = split(manifest, study.data.split, seed=seed)
        groups = [set(manifest.rows["group"][rows].to_list()) for rows in (parts.train, parts.validation, parts.test)]
        assert sum(map(len, groups)) == SUBJECTS


def test_slices_of_a_subject_never_part_and_a_volume_is_an_exam(study: Study) -> None:
    volume = study.data.volume.model_copy(update={"form": "slices", "slices": 6})
    cache = open_cache(study.data.model_copy(update={"volume": volume}))
    rows = cache.manifest.rows
    assert cache.images.shape == (2 * SUBJECTS * 6, 32, 32, 1)
    assert rows["group"].n_unique() == SUBJECTS
    assert rows["exam"].n_unique() == 2 * SUBJECTS
    assert rows.group_by("exam").agg(pl.len())["len"].unique().to_list() == [6]


@pytest.mark.slow
def test_the_study_answers_by_weighted_kappa(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(study, out, workers=1)
    facts = json.loads((out / "facts.json").read_text())
    comparisons = pl.read_parquet(out / "tables" / "comparisons.parquet").filter("primary")
    assert set(comparisons["metric"]) == {"quadratic_weighted_kappa"}
    assert comparisons["verdict"].null_count() == 0
    assert facts
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "audit.json")
    assert b"sub-0" not in written
