"""Thresholds are chosen on the validation part and judged on the test part."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from lossassay.biomarkers.decisions.operating_points import RULES, as_table, choose_threshold, operating_points
from lossassay.biomarkers.loaded_run import load_run
from lossassay.stats.proportions import clopper_pearson
from lossassay.study.folder.store import Store


def shares(truth: np.ndarray, probability: np.ndarray, threshold: float) -> tuple[float, float]:
    said = probability >= threshold
    return float(said[truth].mean()), float((~said)[~truth].mean())


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels of both kinds, and probabilities with ties."""
    size = draw(st.integers(2, 40))
    truth = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(lambda own: 0 < sum(own) < len(own)))
    steps = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    return np.array(truth), np.array(steps, dtype=np.float32) / 12


@given(case=cases())
def test_rules_hold_and_nothing_better_exists(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = case
    false_positive_rate, sensitivity, _ = roc_curve(truth, probability, drop_intermediate=False)
    specificity = 1 - false_positive_rate
    found = {rule: shares(truth, probability, choose_threshold(truth, probability, rule)) for rule in RULES}
    assert sum(found["youden"]) == pytest.approx((sensitivity + specificity).max())
    assert found["sensitive"][0] >= 0.95
    assert found["sensitive"][1] == pytest.approx(specificity[sensitivity >= 0.95].max())
    assert found["specific"][1] >= 0.95
    assert found["specific"][0] == pytest.approx(sensitivity[specificity >= 0.95].max())


def test_where_only_never_is_specific_enough_the_threshold_is_above_all() -> None:
    truth, probability = np.array([True, False]), np.array([0.2, 0.9], dtype=np.float32)
    threshold = choose_threshold(truth, probability, "specific")
    assert threshold > 0.9
    assert shares(truth, probability, threshold) == (0.0, 1.0)


def test_points_of_a_run_are_judged_on_its_test_part(image_study: Path) -> None:
    run = load_run(image_study)
    points = operating_points(run)
    assert [(one.class_name, one.rule) for one in points] == [(k, r) for k in run.class_names for r in RULES]
    parts = [Store(image_study).predictions(run.id, part) for part in ("validation", "test")]
    for one in points:
        place = run.class_names.index(one.class_name)
        (truth, probability), (other, judged) = (
            (own["label"].to_numpy() == place, own["probabilities"].to_numpy()[:, place]) for own in parts
        )
        assert one.threshold == choose_threshold(truth, probability, one.rule)
        assert (one.validation_sensitivity, one.validation_specificity) == shares(truth, probability, one.threshold)
        assert one.sensitivity == clopper_pearson(int((judged[other] >= one.threshold).sum()), int(other.sum()))
        assert one.specificity == clopper_pearson(int((judged[~other] < one.threshold).sum()), int((~other).sum()))


def test_points_as_a_table(image_study: Path) -> None:
    table = as_table(operating_points(load_run(image_study)))
    assert len(table) == 9
    assert table["sensitivity_trials"].dtype == pl.Int64()
    assert (table["sensitivity_low"] <= table["sensitivity"]).all()
    assert as_table([]).columns == table.columns
