"""Controls beside the arms, and the same bits from one process and from two."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from lossassay import api
from lossassay.biomarkers.quality.assess import assess
from lossassay.biomarkers.quality.criteria import Subjects
from lossassay.biomarkers.quality.jobs import Job, Setup, Workplace
from lossassay.biomarkers.quality.pool import _in_processes, do_jobs, workers_for
from lossassay.biomarkers.quality.probe_labels import ProbeLabels
from lossassay.biomarkers.quality.run_features import FeatureStore, _damage, images_of_test, rows_of_test
from lossassay.biomarkers.quality.worker import answer
from lossassay.config.load import parse_study
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.cache import open_cache
from lossassay.errors import DataError, ModelError, OutFolderError
from lossassay.study.folder.columns import LATER_TABLES
from lossassay.study.folder.results import load_results
from tests.study.here import run_here

ARM, AGAIN, MASKED = "categorical_crossentropy", "A/A control", "control: masked centre"


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of one arm and two controls, two replicates, assessed in one process."""
    folder = tmp_path_factory.mktemp("controlled") / "out"
    raw = {
        "name": "small",
        "data": {"path": "digits", "image_size": 32},
        "arms": [{"loss": ARM}],
        "training": {
            "model_options": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
            "epochs": 1,
            "batch_size": 100,
            "precision": "fp32",
            "kernels": "plain",
        },
        "evidence": {"replicates": 2, "control": ["same", "masked_centre"]},
    }
    run_here(parse_study(raw), folder)
    api.biomarkers(folder, BiomarkersConfig(baseline=False, images=100))
    return folder


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def setup_of(folder: Path) -> Setup:
    plan = json.loads((folder / "plan.json").read_text())
    cache = open_cache(load_results(folder).study.data)
    rows = np.arange(plan["data"]["rows"])
    column = ProbeLabels(name="parity", labels=rows % 2, num_classes=2)
    return Setup(
        folder=folder,
        images=Path(str(cache.images.filename)),
        settings=BiomarkersConfig(images=100),
        subjects=Subjects(labels=None, patients=rows, probes=(column,), nuisance=(), seed=0),
        digest=plan["data"]["digest"],
        device="cpu",
        threads=1,
    )


def test_controls_are_assessed_and_compared_with_nobody(controlled: Path) -> None:
    assert load_results(controlled).biomarkers["controls"] == [AGAIN, MASKED]
    values = table(controlled, "features_quality").filter(criterion="repeatability")
    assert dict(values.group_by("arm").len().iter_rows()) == {ARM: 2, AGAIN: 2, MASKED: 2}
    assert set(table(controlled, "biomarkers")["arm"]) == {ARM, AGAIN, MASKED}
    assert len(table(controlled, "biomarker_comparisons")) == 0
    assert table(controlled, "biomarker_pareto")["arm"].to_list() == [ARM]
    page = (controlled / "report.html").read_text(encoding="utf-8")
    assert "Controls are assessed too and take part in no verdict" in page
    assert "The runs have changed since" not in page


def test_a_control_is_assessed_on_what_it_was_trained_on(controlled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(controlled, folder)
    setup = setup_of(folder)
    pixels = np.load(setup.images, mmap_mode="r")
    rows = rows_of_test(np.load(folder / "splits.npy")[0], most=20, seed=0)
    images = images_of_test(pixels, rows, seed=0, replicate=0)
    other = images.clean.copy()
    other[:, 14:18, 14:18] = 255 - other[:, 14:18, 14:18]
    plan = json.loads((folder / "plan.json").read_text())
    store = FeatureStore(folder, setup.settings, digest=setup.digest, seed=0)
    for arm, blind in ((MASKED, True), (ARM, False)):
        run = next(entry["id"] for entry in plan["runs"] if entry["arm"] == arm and entry["replicate"] == 0)
        first, second = (store.compute(run, replace(images, clean=clean)).clean for clean in (images.clean, other))
        assert np.array_equal(first, second) is blind, arm


def test_stripes_of_the_source_take_the_place_of_the_image(tmp_path: Path) -> None:
    pl.DataFrame({"source": ["b", "a", "b"]}).write_parquet(tmp_path / "rows.parquet")
    plan = {"runs": [{"id": "x", "damage": "source_only"}, {"id": "y", "damage": "permuted_labels"}, {"id": "z"}]}
    found = {
        name: _damage(SimpleNamespace(plan=plan, id=name, folder=tmp_path, device="cpu"))  # type: ignore[arg-type]
        for name in "xyz"
    }
    assert (found["y"], found["z"]) == (None, None)
    assert found["x"] is not None
    striped = found["x"].of(torch.full((3, 1, 4, 4), 7.0), torch.arange(3))
    assert striped[:, 0, :, 0].tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]]


def test_two_processes_give_the_bits_of_one(controlled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(controlled, folder)
    shutil.rmtree(folder / "biomarkers")
    seen: list[tuple[int, int]] = []
    settings = BiomarkersConfig(baseline=False, images=100)
    assess(folder, settings, workers=2, on_features=lambda *counts: seen.append(counts))
    for name in LATER_TABLES:
        assert (folder / "tables" / f"{name}.csv").read_bytes() == (
            controlled / "tables" / f"{name}.csv"
        ).read_bytes(), name
    assert seen == [(done, 9) for done in range(1, 10)]  # six runs, a pair of each arm and control
    with pytest.raises(ModelError, match="no layer 'featurs'"):
        assess(folder, settings.model_copy(update={"layer": "featurs"}), workers=2)


def test_a_setup_survives_the_way_to_another_process(controlled: Path) -> None:
    setup = setup_of(controlled)
    again = Setup.of_data(json.loads(json.dumps(setup.as_data())))
    assert again.as_data() == setup.as_data()
    assert again.subjects.probes[0].labels.dtype == np.int64
    assert np.array_equal(again.subjects.patients, setup.subjects.patients)


def test_a_worker_says_what_failed(controlled: Path) -> None:
    workplace = Workplace(setup_of(controlled))
    missing = {"kind": "run", "arm": ARM, "replicate": 0, "run": "0000", "other": None}
    found = answer(workplace, {"id": 3, "job": missing})
    assert (found["event"], found["id"], found["error"]) == ("failed", 3, "OutFolderError")
    found = answer(workplace, {"id": 4, "job": missing | {"replicate": 9}})
    assert found["event"] == "failed"
    assert "IndexError" in found["message"]
    with pytest.raises(OutFolderError, match="0000"):
        do_jobs([[Job(**missing)]], workplace._setup, workers=1, on_done=lambda *_: None)


def test_a_failure_without_a_class_of_ours_is_an_error_of_the_data(controlled: Path) -> None:
    job = Job(kind="run", arm=ARM, replicate=9, run="0000")
    with pytest.raises(DataError, match="Features could not be assessed"):
        _in_processes([[job]], [job], setup_of(controlled), 1, lambda *_: None)


def test_little_work_and_a_gpu_have_one_process(controlled: Path) -> None:
    setup = setup_of(controlled)
    plan = json.loads((controlled / "plan.json").read_text())
    store = FeatureStore(controlled, setup.settings, digest="", seed=0)
    jobs = [Job(kind="run", arm=ARM, replicate=0, run=f"new {number}") for number in range(400)]
    assert workers_for(jobs[:4], setup, plan, store) == 1
    assert workers_for(jobs, setup, plan, store) >= 1
    assert workers_for(jobs, replace(setup, device="cuda"), plan, store) == 1
    assert workers_for(jobs, replace(setup, threads=10_000), plan, store) == 1
