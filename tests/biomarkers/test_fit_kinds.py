"""The last training under every kind of split, and for every kind of label and image."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.loaded_run import load_run
from lossassay.config import Study, parse_study
from lossassay.data.cache import open_cache
from lossassay.data.grouping import group_numbers
from lossassay.errors import OutFolderError
from lossassay.study.planning.plan import make_plan
from tests.study.helpers import SMALL_MODEL, write_images
from tests.study.here import jobs_in_this_process, run_here

CLASSES = ["left", "middle", "right"]
FOLDS = {"kind": "cross_validation", "folds": 3, "validation": 0.3}
SITES = {"kind": "leave_one_out", "by": "hospital", "validation": 0.3}
NEWEST = {"kind": "time", "test": 0.3, "validation": 0.3}


@pytest.fixture(autouse=True)
def no_processes() -> Iterator[None]:
    """The process of a fit is what `test_fit.py` tests."""
    with jobs_in_this_process():
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 15 patients at three sites; the last patients come late, when earlier ones still have visits."""
    images = write_images(tmp_path_factory.mktemp("kinds") / "images")
    rows = []
    for place, path in enumerate(sorted(images.rglob("*.png"))):
        visit, patient = divmod(place, 15)
        site = patient % 3 if visit < 3 or patient > 2 else (patient + 1) % 3
        row = (
            path.relative_to(images).as_posix(),
            path.parent.name,
            f"P{patient}",
            f"site {site}",
            2 * patient + 5 * visit,
        )
        rows.append(
            (*row, *(int(path.parent.name == name) if (place + k) % 9 else -1 for k, name in enumerate(CLASSES)))
        )
    target = images / "kinds.csv"
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient", "hospital", "day", *CLASSES), *rows])
    return target


def study(path: Path, loss: str = "focal", *, replicates: int = 3, **data: Any) -> Study:
    training = {"model_options": SMALL_MODEL, "epochs": 1, "batch_size": 16, "precision": "fp32", "threads": 1}
    return parse_study(
        {
            "name": "kinds",
            "data": {"path": str(path), "image_size": 32} | data,
            "arms": [{"loss": loss, "name": "one"}],
            "training": training,
            "evidence": {"replicates": replicates},
        }
    )


def of_kind(table: Path, kind: str) -> Study:
    changes: dict[str, dict[str, Any]] = {
        "folds": {"split": FOLDS},
        "sites": {"split": SITES},
        "time": {"split": NEWEST, "time": "day"},
        "grades": {"order": CLASSES},
        "findings": {"finding_columns": CLASSES},
    }
    losses = {"grades": "coral", "findings": "bce"}
    return study(table, losses.get(kind, "focal"), group="patient", **changes[kind])


@pytest.mark.parametrize("kind", ["folds", "sites", "time", "grades", "findings"])
def test_a_fit_keeps_the_first_validation_part_and_learns_from_all_other_patients(
    table: Path, tmp_path: Path, kind: str
) -> None:
    chosen = of_kind(table, kind)
    run = load_run(api.fit(chosen, "one", tmp_path / "fit"))
    cache = open_cache(chosen.data)
    first, parts, groups = make_plan(chosen, cache).splits[0], run.parts(), group_numbers(cache.manifest)
    np.testing.assert_array_equal(np.flatnonzero(parts == 1), np.sort(first.validation))
    assert not (parts == 2).any()
    assert not set(groups[parts == 0]) & set(groups[parts == 1])
    assert set(groups[parts == 0]) == set(groups) - set(groups[parts == 1])
    assert (parts == 0).sum() > len(first.train)
    predicted = api.predict(tmp_path / "fit", table)
    probabilities = predicted.table.select(pl.col("^probability_.*$")).to_numpy()
    assert np.isfinite(probabilities).all()
    assert len(probabilities) == 60
    assert "last training of its arm" in (tmp_path / "fit" / "fit-model-card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["folds", "sites", "time"])
def test_a_kept_test_part_is_that_of_the_first_replicate(table: Path, tmp_path: Path, kind: str) -> None:
    chosen = of_kind(table, kind)
    run = load_run(api.fit(chosen, "one", tmp_path / "fit", keep_test=True))
    first = make_plan(chosen, open_cache(chosen.data)).splits[0]
    for place, rows in enumerate((first.train, first.validation, first.test)):
        np.testing.assert_array_equal(np.flatnonzero(run.parts() == place), np.sort(rows))


@pytest.mark.parametrize("kind", ["folds", "findings"])
def test_what_to_expect_is_what_the_study_found(table: Path, tmp_path: Path, kind: str) -> None:
    chosen = of_kind(table, kind)
    run_here(chosen, tmp_path / "out")
    api.fit(chosen, "one", tmp_path / "fit", study_out=tmp_path / "out")
    expected = json.loads((tmp_path / "fit" / "expected.json").read_text(encoding="utf-8"))["yardsticks"]
    found = pl.read_parquet(tmp_path / "out" / "tables" / "arms.parquet").filter(pl.col("metric") != "own_loss")
    assert {one["metric"]: one["replicates"] for one in expected} == dict(found.select("metric", "replicates").rows())
    assert expected[0]["replicates"] == 3


def test_volumes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    volumes = random.integers(0, 100, (40, 32, 32, 32), dtype=np.uint8)
    volumes[labels == 1, :, :16] += 100
    parts = {"train": slice(0, 24), "val": slice(24, 32), "test": slice(32, 40)}
    arrays = {f"{part}_images": volumes[rows] for part, rows in parts.items()}
    arrays |= {f"{part}_labels": labels[rows, None] for part, rows in parts.items()}
    np.savez(tmp_path / "volumes.npz", **arrays)
    chosen = study(tmp_path / "volumes.npz", image_size=32)
    run = load_run(api.fit(chosen, "one", tmp_path / "fit"))
    assert run.image_shape == (32, 32, 32, 1)
    assert len(api.predict(tmp_path / "fit", tmp_path / "volumes.npz").table) == 40


def test_a_study_whose_arm_diverged_everywhere_gives_no_yardsticks_to_expect(table: Path, tmp_path: Path) -> None:
    chosen = of_kind(table, "grades")
    out = run_here(chosen, tmp_path / "out").folder
    for path in out.glob("runs/*/run.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "diverged"}))
    with pytest.raises(OutFolderError, match=r"trained the arm 'one' 3 times, and it diverged every time\. Expected"):
        api.fit(chosen, "one", tmp_path / "fit", study_out=out)
    assert not (tmp_path / "fit").exists()
