"""Studies of grades and of findings with unknown ones, from images to a report; sums and losses of one's own."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay.errors import LabelError, LossInputError, StudyFileError
from tests.study.helpers import small_study
from tests.study.here import run_here

GRADES = ["left", "middle", "right"]


def findings_table(images: Path, folder: Path) -> Path:
    """One column for each third; some cells are uncertain."""
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    random = np.random.default_rng(1)
    table = pl.DataFrame({"path": [str(images / name) for name in names]})
    for third in GRADES:
        there = [int(name.startswith(third)) for name in names]
        cells = [-1 if random.random() < 0.2 else value for value in there]
        table = table.with_columns(pl.Series(third, cells))
    table.write_csv(folder / "findings.csv")
    return folder / "findings.csv"


def run(tmp_path: Path, data: Any, arms: list[Any], *, report: bool = False, **evidence: Any) -> Path:
    study = small_study("digits", arms=arms, data=data, evidence=evidence, epochs=1)
    return run_here(study, tmp_path / "out", report=report).folder


def test_a_study_of_grades(images: Path, tmp_path: Path) -> None:
    arms = [
        {"loss": "scce"},
        {"loss": "coral"},
        {"loss": "cumulative_link"},
        {"loss": "ordinal_squared_error"},
        {"loss": [{"name": "earth_mover_distance"}, {"name": "scce", "weight": {"from": 1.0, "to": 0.0, "epochs": 3}}]},
    ]
    out = run(tmp_path, {"path": str(images), "order": GRADES}, arms, report=True)
    facts = json.loads((out / "facts.json").read_text())
    assert facts["primary_metric"] == "quadratic_weighted_kappa"
    plan = json.loads((out / "plan.json").read_text())
    assert plan["data"]["task"] == "ordinal"
    assert plan["data"]["class_names"] == GRADES
    found = pl.read_parquet(out / "tables" / "arms.parquet")
    for name in (
        "quadratic_weighted_kappa",
        "mean_absolute_grade_error",
        "ranked_probability_score",
        "threshold_auroc",
    ):
        assert found.filter(metric=name)["estimate"].is_finite().sum() == len(arms), name
    calibrated = {
        json.loads(p.read_text())["arm"]: json.loads(p.read_text())["calibration"] for p in out.rglob("run.json")
    }
    assert calibrated["ordinal_squared_error"]["method"] == "temperature"
    assert calibrated["coral"] is None
    page = (out / "report.html").read_text()
    assert "one grade for each image" in page
    assert "temperature, fitted on validation" in page
    assert "earth_mover_distance + (1 to 0) sparse_categorical_crossentropy" in page


def test_a_study_of_findings_with_unknown_ones(images: Path, tmp_path: Path) -> None:
    table = findings_table(images, tmp_path)
    data = {"path": str(table), "finding_columns": GRADES, "allow_paths_outside": True}
    out = run(tmp_path, data, [{"loss": "bce"}, {"loss": "asymmetric"}, {"loss": "two_way"}])
    found = pl.read_parquet(out / "tables" / "arms.parquet")
    assert found.filter(metric="macro_auroc")["estimate"].is_finite().all()
    stored = pl.concat([pl.read_parquet(path) for path in out.rglob("predictions.parquet")])
    assert np.isnan(stored["label"].to_numpy()).any()
    assert np.isfinite(stored["probabilities"].to_numpy()).all()


def test_claims_about_new_patients_are_refused_where_findings_are_unknown(images: Path, tmp_path: Path) -> None:
    table = findings_table(images, tmp_path)
    data = {"path": str(table), "finding_columns": GRADES, "allow_paths_outside": True}
    with pytest.raises(StudyFileError, match=r'scope: "population" is not available where findings are unknown'):
        run(tmp_path, data, [{"loss": "bce"}], scope="population")


@pytest.mark.parametrize(
    ("data", "loss", "message"),
    [
        ({}, "coral", r"coral is for grades: name the classes from the lowest to the highest in data\.order"),
        ({}, "asymmetric", "asymmetric is for findings that can occur together"),
        ({"order": GRADES}, "zlpr", "zlpr is for findings that can occur together"),
    ],
)
def test_losses_for_other_labels_are_refused_before_training(
    images: Path, tmp_path: Path, data: Any, loss: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        run(tmp_path, {"path": str(images), **data}, [{"loss": loss}])
    assert not (tmp_path / "out" / "runs").exists()


def test_lists_of_another_length_are_refused_before_training(images: Path, tmp_path: Path) -> None:
    table = findings_table(images, tmp_path)
    data = {"path": str(table), "finding_columns": GRADES, "allow_paths_outside": True}
    arms = [{"loss": "binary_crossentropy_sum", "pos_weight": [1.0, 2.0]}]
    with pytest.raises(LabelError, match="pos_weight: got 2 numbers, expected 3: one for each class"):
        run(tmp_path, data, arms)


def test_a_loss_of_ones_own_is_trained_and_its_text_is_part_of_the_run(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "bent_losses.py"
    text = (
        "import torch\n\n\ndef bent(scores, labels, *, power=1.0):\n"
        "    return torch.nn.functional.cross_entropy(scores, labels.long(), reduction='none') ** power\n"
    )
    module.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    arms = [{"loss": "bent_losses:bent", "power": 1.0}, {"loss": "scce"}]
    out = run(tmp_path, {"path": str(images)}, arms)
    pairs = pl.read_parquet(out / "tables" / "identities.parquet")
    assert pairs["relation"].to_list() == ["same function"]
    module.write_text(
        text
        + "\n\ndef raising(scores, labels):\n    raise KeyError('left')\n"
        + "\n\ndef flat(scores, labels):\n    return labels * 0.0\n"
    )
    importlib.reload(sys.modules["bent_losses"])
    for name, words in (
        ("raising", r"raised KeyError: 'left' \(bent_losses.py, line 9\)"),
        ("flat", "not require grad"),
    ):
        with pytest.raises(LossInputError, match=rf"bent_losses:{name} was tried before training and .*{words}"):
            run(tmp_path, {"path": str(images)}, [{"loss": f"bent_losses:{name}"}, {"loss": "scce"}])
    with pytest.raises(StudyFileError, match="no hyper-parameter is called 'powr'; known: power"):
        run(tmp_path, {"path": str(images)}, [{"loss": "bent_losses:bent", "powr": 1.0}])
    with pytest.raises(StudyFileError, match="module 'bent_losses' has no 'bend'"):
        run(tmp_path, {"path": str(images)}, [{"loss": "bent_losses:bend"}])
