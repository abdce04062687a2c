"""The last training of one arm."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.decisions.predict import predict
from lossassay.biomarkers.fit import fit
from lossassay.biomarkers.loaded_run import load_run
from lossassay.config import Study, load_study
from lossassay.errors import OutFolderError, UnknownNameError
from lossassay.study.folder.store import Store
from tests.study.here import jobs_in_this_process

ARM = "categorical_crossentropy"


@pytest.fixture(scope="module")
def study(image_study: Path) -> Study:
    return load_study(image_study / "study.toml")


@pytest.fixture(scope="module")
def fitted(image_study: Path, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a fit on all data, made with its study beside it."""
    out = tmp_path_factory.mktemp("fit") / "fit"
    api.fit(study, ARM, out, study_out=image_study)
    return out


def test_everything_but_the_validation_part_is_trained_on(image_study: Path, fitted: Path) -> None:
    parts = load_run(fitted).parts()
    first = np.load(image_study / "splits.npy")[0]
    np.testing.assert_array_equal(parts == 1, first == 1)
    assert ((parts == 0) | (parts == 1)).all()


def test_a_fit_can_be_used_like_a_run(fitted: Path) -> None:
    run = load_run(fitted)
    assert (run.arm, run.replicate, run.plan["fit"]) == (ARM, 0, True)
    assert len(Store(fitted).predictions(run.id, "test")) == 0
    assert len(Store(fitted).predictions(run.id, "validation")) == (run.parts() == 1).sum()
    found = predict(run, run.study.data.path)
    assert len(found.table) == 90
    assert all(one.sensitivity is None and one.specificity is None for one in found.points)
    assert 0 <= found.points[0].validation_sensitivity <= 1


def test_what_to_expect_is_what_the_study_found(image_study: Path, fitted: Path) -> None:
    expected = json.loads((fitted / "expected.json").read_text(encoding="utf-8"))
    arms = pl.read_parquet(image_study / "tables" / "arms.parquet").filter(pl.col("metric") == "accuracy")
    own = next(one for one in expected["yardsticks"] if one["metric"] == "accuracy")
    assert [own[key] for key in ("estimate", "low", "high")] == list(arms.select("estimate", "low", "high").row(0))
    assert (expected["study"], expected["alpha"]) == ("pictures", 0.05)


def test_a_second_call_trains_nothing(image_study: Path, study: Study, fitted: Path) -> None:
    weights = next((fitted / "runs").glob("*/weights.safetensors"))
    before = weights.stat().st_mtime_ns
    assert api.fit(study, ARM, fitted, study_out=image_study) == weights.parent
    assert weights.stat().st_mtime_ns == before


def test_a_kept_test_part_is_that_of_the_first_replicate(image_study: Path, study: Study, tmp_path: Path) -> None:
    with jobs_in_this_process():  # `fitted` has a process of its own
        folder = fit(study, ARM, tmp_path / "fit", keep_test=True)
    run = load_run(folder)
    np.testing.assert_array_equal(run.parts(), np.load(image_study / "splits.npy")[0])
    assert run.facts["test_loss"] is not None
    assert not (tmp_path / "fit" / "expected.json").exists()


def test_a_fit_is_no_study_to_report(fitted: Path) -> None:
    with pytest.raises(OutFolderError, match="holds the last training of one arm, which has nothing to compare"):
        api.report(fitted)


def test_an_arm_that_the_study_does_not_have(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"No arm is called 'categorical'\. Known: categorical_crossentropy"):
        fit(study, "categorical", tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_folders_that_hold_something_else_stay_as_they_are(image_study: Path, study: Study, tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match="is not empty and holds something else"):
        fit(study, ARM, image_study)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutFolderError, match="is a file; --out needs a folder"):
        fit(study, ARM, tmp_path / "file")


def test_another_study_says_nothing_of_what_to_expect(finished_study: Path, study: Study, tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match=f"trained the arm '{ARM}' with another recipe"):
        fit(study, ARM, tmp_path / "fit", study_out=finished_study)
    assert not (tmp_path / "fit").exists()
