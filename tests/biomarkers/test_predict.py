"""Probabilities and decisions for images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay.biomarkers.decisions.predict import _by_exam, predict
from lossassay.biomarkers.loaded_run import load_run
from lossassay.biomarkers.new_images.images import open_new_images
from lossassay.config.load import parse_study
from lossassay.study.folder.store import Store
from tests.study.here import run_here


def probabilities(table: pl.DataFrame) -> np.ndarray:
    return table.select(pl.col("^probability_.*$")).to_numpy()


def test_predictions_are_those_of_the_study(finished_study: Path) -> None:
    run = load_run(finished_study, arm="label_smoothing")
    assert run.calibration is not None  # label smoothing is calibrated on the validation part
    found = predict(run, "digits")
    stored = Store(finished_study).predictions(run.id, "test")
    rows = stored["row"].to_numpy()
    expected = stored["probabilities"].to_numpy()
    np.testing.assert_allclose(probabilities(found.table)[rows], expected, rtol=1e-5, atol=1e-6)
    decisions = found.table["decision"].to_numpy()[rows]
    assert decisions.tolist() == [run.class_names[place] for place in expected.argmax(axis=1)]


def test_decisions_at_the_operating_points_follow_their_thresholds(image_study: Path) -> None:
    run = load_run(image_study)
    found = predict(run, run.study.data.path)
    assert len(found.points) == 9
    for one in found.points:
        said = found.table[f"{one.rule}_{one.class_name}"].to_numpy()
        stored = found.table[f"probability_{one.class_name}"].to_numpy()
        np.testing.assert_array_equal(said, stored >= np.float32(one.threshold))


def test_what_is_written(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    found = predict(run, run.study.data.path)
    path, beside = found.write(tmp_path / "p.csv")
    assert pl.read_csv(path, schema=found.table.schema).equals(found.table)
    assert beside == tmp_path / "p-operating-points.csv"
    assert pl.read_csv(beside)["rule"].to_list() == ["youden", "sensitive", "specific"] * 3


def test_images_of_an_exam_are_predicted_by_their_mean_score(image_study: Path) -> None:
    run = load_run(image_study)
    new = open_new_images(run, run.study.data.path)
    scores = np.arange(270, dtype=np.float32).reshape(90, 3)
    exams = ["a", None, "a", *[None] * 87]
    first, counts, found = _by_exam(replace(new, exams=tuple(exams)), scores)
    assert first == [0, 1, *range(3, 90)]
    assert counts == [2, *[1] * 88]
    np.testing.assert_array_equal(found[0], (scores[0] + scores[2]) / 2)
    np.testing.assert_array_equal(found[1:3], scores[[1, 3]])


@pytest.fixture(scope="module")
def findings_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study whose images have two findings, with some cells unknown."""
    folder = tmp_path_factory.mktemp("findings")
    generator = np.random.default_rng(0)
    for row in range(60):
        Image.fromarray(generator.integers(0, 255, (32, 32), dtype=np.uint8)).save(folder / f"{row:02d}.png")
    table = {
        "path": [f"{row:02d}.png" for row in range(60)],
        "edema": [str(row % 2) for row in range(60)],
        "mass": ["-1" if row % 5 == 0 else str(row % 3 % 2) for row in range(60)],
    }
    pl.DataFrame(table).write_csv(folder / "t.csv")
    raw = {
        "name": "findings",
        "data": {"path": str(folder / "t.csv"), "image_size": 32, "finding_columns": ["edema", "mass"]},
        "arms": [{"loss": "binary_crossentropy"}],
        "training": {
            "model_options": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
            "epochs": 1,
            "batch_size": 16,
            "precision": "fp32",
            "kernels": "plain",
        },
        "evidence": {"replicates": 1},
    }
    run_here(parse_study(raw), folder / "out")
    return folder / "out"


def test_findings_are_decided_one_by_one(findings_study: Path) -> None:
    run = load_run(findings_study)
    found = predict(run, run.study.data.path)
    table = found.table
    assert table.columns[3:9] == [
        "label_edema",
        "label_mass",
        "probability_edema",
        "probability_mass",
        "decision_edema",
        "decision_mass",
    ]
    assert table["label_mass"].null_count() == 12
    assert table["label_edema"].to_list() == [row % 2 for row in range(60)]
    np.testing.assert_array_equal(table["decision_mass"].to_numpy(), table["probability_mass"].to_numpy() > 0.5)
    known = Store(findings_study).predictions(run.id, "test")["label"].to_numpy()[:, 1]
    mass = next(one for one in found.points if one.class_name == "mass")
    assert mass.sensitivity is not None
    assert mass.specificity is not None
    assert mass.sensitivity.trials + mass.specificity.trials == np.isfinite(known).sum() < len(known)
