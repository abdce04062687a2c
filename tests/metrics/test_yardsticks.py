"""Yardsticks against scikit-learn, by hand, and at their limits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError
from lossassay.metrics import (
    auroc,
    average_precision,
    confusion_counts,
    per_class,
    roc_curves_on_grid,
    yardsticks,
)

CLOSE = {"rtol": 0, "atol": 1e-12}


def single(rows: int = 300, classes: int = 4, seed: int = 0, ties: bool = False) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    scores = random.normal(size=(rows, classes)) + 1.5 * (labels[:, None] == np.arange(classes))
    if ties:
        scores = np.round(scores)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return labels, probabilities


def multi(rows: int = 300, classes: int = 4, seed: int = 0, ties: bool = False) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = (random.random((rows, classes)) < 0.3).astype(np.float32)
    scores = random.normal(size=(rows, classes)) + 1.5 * labels - 1
    if ties:
        scores = np.round(scores)
    return labels, 1 / (1 + np.exp(-scores))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_single_label_yardsticks_equal_scikit_learn(seed: int, classes: int, ties: bool) -> None:
    labels, probabilities = single(classes=classes, seed=seed, ties=ties)
    said = probabilities.argmax(axis=1)
    truth = np.eye(classes)[labels]
    expected = {
        "accuracy": sk.accuracy_score(labels, said),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, said),
        "macro_f1": sk.f1_score(labels, said, average="macro"),
        "matthews_correlation": sk.matthews_corrcoef(labels, said),
        "cohen_kappa": sk.cohen_kappa_score(labels, said),
        "macro_auroc": np.mean([sk.roc_auc_score(truth[:, k], probabilities[:, k]) for k in range(classes)]),
        "nll": sk.log_loss(labels, probabilities),
        "brier": np.mean(((probabilities - truth) ** 2).sum(axis=1)),
    }
    found = yardsticks(labels, probabilities, task="single_label")
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, **CLOSE, err_msg=name)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_multi_label_yardsticks_equal_scikit_learn(seed: int, ties: bool) -> None:
    labels, probabilities = multi(seed=seed, ties=ties)
    said = probabilities > 0.5
    columns = [(labels[:, k], probabilities[:, k]) for k in range(labels.shape[1])]
    expected = {
        "accuracy": np.mean(said == labels),
        "macro_f1": sk.f1_score(labels, said, average="macro"),
        "macro_auroc": sk.roc_auc_score(labels, probabilities, average="macro"),
        "macro_average_precision": sk.average_precision_score(labels, probabilities, average="macro"),
        "nll": np.mean([sk.log_loss(t, p) for t, p in columns]),
        "brier": np.mean([sk.brier_score_loss(t, p) for t, p in columns]),
    }
    found = yardsticks(labels, probabilities, task="multi_label")
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, **CLOSE, err_msg=name)


@pytest.mark.parametrize(("task", "make"), [("single_label", single), ("multi_label", multi)])
def test_the_yardsticks_are_those_of_the_catalogue_and_stay_in_their_range(task: Any, make: Any) -> None:
    found = yardsticks(*make(), task=task)
    assert set(found) == {name for name, spec in YARDSTICKS.items() if task in spec.tasks}
    for name, value in found.items():
        spec = YARDSTICKS[name]
        assert type(value) is float
        assert spec.low <= value <= (np.inf if spec.high is None else spec.high), name


@pytest.mark.parametrize(("task", "make"), [("single_label", single), ("multi_label", multi)])
def test_the_declared_direction_is_the_better_one(task: Any, make: Any) -> None:
    labels, probabilities = make()
    truth = labels if task == "multi_label" else np.eye(probabilities.shape[1])[labels]
    good = yardsticks(labels, 0.02 + 0.96 * truth if task == "multi_label" else truth, task=task)
    bad = yardsticks(labels, probabilities[::-1], task=task)
    for name, spec in YARDSTICKS.items():
        if task in spec.tasks:
            assert (good[name] > bad[name]) == (spec.best == "high"), name


@pytest.mark.parametrize(("task", "make"), [("single_label", single), ("multi_label", multi)])
@pytest.mark.parametrize("ties", [False, True])
def test_the_order_of_rows_does_not_matter(task: Any, make: Any, ties: bool) -> None:
    labels, probabilities = make(ties=ties)
    order = np.random.default_rng(1).permutation(len(labels))
    before = yardsticks(labels, probabilities, task=task)
    after = yardsticks(labels[order], probabilities[order], task=task)
    assert before["ece"] == after["ece"]  # bit for bit
    assert before["macro_auroc"] == after["macro_auroc"]
    np.testing.assert_allclose(list(after.values()), list(before.values()), **CLOSE)


@pytest.mark.parametrize(("task", "make"), [("single_label", single), ("multi_label", multi)])
def test_float32_probabilities_are_summed_in_float64(task: Any, make: Any) -> None:
    labels, probabilities = make(rows=2_000)
    probabilities = probabilities.astype(np.float32)
    single_precision = yardsticks(labels, probabilities, task=task)
    double_precision = yardsticks(labels, probabilities.astype(float), task=task)
    np.testing.assert_allclose(list(single_precision.values()), list(double_precision.values()), **CLOSE)


def test_one_class_present_leaves_undefined_yardsticks_nan_without_a_warning() -> None:
    found = yardsticks(np.ones(5, dtype=int), np.tile([0.2, 0.8], (5, 1)), task="single_label")
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {"matthews_correlation", "cohen_kappa", "macro_auroc"}
    assert found["accuracy"] == found["balanced_accuracy"] == 1
    assert found["macro_f1"] == 0.5  # the class that is never there and never said counts 0
    assert found["ece"] == pytest.approx(0.2)


def test_a_label_without_positives_is_left_out_of_the_ranks_and_counts_0_in_f1() -> None:
    labels, probabilities = multi()
    with_empty = np.hstack([labels, np.zeros((len(labels), 1), dtype=np.float32)])
    found = yardsticks(with_empty, np.hstack([probabilities, probabilities[:, :1] / 3]), task="multi_label")
    without = yardsticks(labels, probabilities, task="multi_label")
    assert found["macro_auroc"] == without["macro_auroc"]
    assert found["macro_average_precision"] == without["macro_average_precision"]
    assert found["macro_f1"] == pytest.approx(without["macro_f1"] * 4 / 5)


def test_one_constant_answer_is_worth_what_chance_is() -> None:
    labels = np.array([0, 0, 1, 2])
    found = yardsticks(labels, np.tile(np.float32([0.5, 0.25, 0.25]), (4, 1)), task="single_label")
    assert found["matthews_correlation"] == found["cohen_kappa"] == 0
    assert found["macro_auroc"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx(1 / 3)
    assert found["ece"] == 0


def test_no_rows_give_nan_without_a_warning() -> None:
    for task, labels in (("single_label", np.zeros(0, dtype=int)), ("multi_label", np.zeros((0, 3)))):
        found = yardsticks(labels, np.zeros((0, 3)), task=task)  # type: ignore[arg-type]
        assert all(np.isnan(value) for name, value in found.items() if name != "macro_f1")


def test_nll_of_a_surely_wrong_answer_is_finite_and_of_a_tiny_probability_exact() -> None:
    for dtype in (np.float32, np.float64):
        wrong = yardsticks(np.array([0]), np.array([[0.0, 1.0]], dtype=dtype), task="single_label")
        assert wrong["nll"] == pytest.approx(103.2789, abs=1e-4)
        tiny = yardsticks(np.array([0]), np.array([[1e-40, 1.0]], dtype=dtype), task="single_label")
        assert tiny["nll"] == pytest.approx(-np.log(1e-40), abs=1e-4)


def test_multi_label_nll_of_a_full_probability_is_that_of_half_a_rounding_step() -> None:
    for dtype, nats in ((np.float32, 25 * np.log(2)), (np.float64, 54 * np.log(2))):
        found = yardsticks(np.array([[0.0]]), np.array([[1.0]], dtype=dtype), task="multi_label")
        assert found["nll"] == pytest.approx(nats)


def test_per_class_single_label_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    said = np.array([0, 0, 1, 1, 0, 0])
    found = per_class(labels, 0.1 + 0.7 * np.eye(4)[said], task="single_label")
    nan = np.nan
    np.testing.assert_allclose(found["sensitivity"], [2 / 3, 1 / 2, 0, nan])
    np.testing.assert_allclose(found["specificity"], [1 / 3, 3 / 4, 1, 1])
    np.testing.assert_allclose(found["precision"], [2 / 4, 1 / 2, nan, nan])
    np.testing.assert_allclose(found["auroc"], [1 / 2, 5 / 8, 1 / 2, nan])
    assert set(found) == {"sensitivity", "specificity", "precision", "auroc"}


def test_per_class_multi_label_equals_scikit_learn() -> None:
    labels, probabilities = multi(ties=True)
    found = per_class(labels, probabilities, task="multi_label")
    said = probabilities > 0.5
    expected = {
        "auroc": sk.roc_auc_score(labels, probabilities, average=None),
        "average_precision": sk.average_precision_score(labels, probabilities, average=None),
        "f1": sk.f1_score(labels, said, average=None),
        "sensitivity": sk.recall_score(labels, said, average=None),
        "specificity": sk.recall_score(1 - labels, ~said, average=None),
        "precision": sk.precision_score(labels, said, average=None),
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, **CLOSE, err_msg=name)


@given(
    truth=st.lists(st.booleans(), min_size=2, max_size=40),
    data=st.data(),
)
def test_ranks_equal_scikit_learn_whatever_the_ties(truth: list[bool], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 6), min_size=len(truth), max_size=len(truth)))
    positive, scores = np.array(truth)[:, None], np.array(values)[:, None] / 6
    area, precision = auroc(positive, scores)[0], average_precision(positive, scores)[0]
    if positive.all() or not positive.any():
        assert np.isnan(area)
    else:
        assert area == pytest.approx(sk.roc_auc_score(positive[:, 0], scores[:, 0]), abs=1e-12)
    if positive.any():
        assert precision == pytest.approx(sk.average_precision_score(positive[:, 0], scores[:, 0]), abs=1e-12)
    else:
        assert np.isnan(precision)


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    truth = np.array([True, True, False, False, False])[:, None]
    scores = np.array([0.9, 0.4, 0.4, 0.1, 0.95])[:, None]
    assert auroc(truth, scores)[0] == (2 + 1.5) / 6


def test_confusion_counts_equal_scikit_learn() -> None:
    labels, probabilities = single(classes=5)
    expected = sk.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(5))
    np.testing.assert_array_equal(confusion_counts(labels, probabilities), expected)


@pytest.mark.parametrize("ties", [False, True])
def test_roc_curve_passes_through_the_points_of_scikit_learn(ties: bool) -> None:
    labels, probabilities = single(ties=ties)
    false_rate, true_rate, _ = sk.roc_curve(labels == 2, probabilities[:, 2], drop_intermediate=False)
    last_of_each = np.append(np.diff(false_rate) > 0, True)  # where the curve rises upright, its upper end
    found = roc_curves_on_grid(labels, probabilities, false_rate[last_of_each])[2]
    np.testing.assert_allclose(found, true_rate[last_of_each], **CLOSE)


def test_area_under_the_roc_curve_is_the_auroc() -> None:
    labels, probabilities = multi(rows=80)
    grid = np.linspace(0, 1, 100_001)
    area = np.trapezoid(roc_curves_on_grid(labels, probabilities, grid)[1], grid)
    assert area == pytest.approx(per_class(labels, probabilities, task="multi_label")["auroc"][1], abs=1e-3)


def test_roc_curve_of_a_class_that_is_not_there_is_nan() -> None:
    labels, probabilities = single()
    labels = np.where(labels == 2, 0, labels)
    assert np.isnan(roc_curves_on_grid(labels, probabilities, np.linspace(0, 1, 5))[2]).all()


@pytest.mark.parametrize(
    ("labels", "probabilities", "task", "message"),
    [
        (np.zeros(3, dtype=int), np.ones((4, 1)), "single_label", r"Labels of shape \[3\] and probabilities of shape"),
        (np.zeros((4, 2)), np.ones((4, 3)), "multi_label", r"Expected probabilities \[N K\] and labels \[N K\]"),
        (np.zeros(1, dtype=int), np.array([[-3.0, 4.0]]), "single_label", "not the raw scores"),
        (np.zeros(1, dtype=int), np.array([[np.nan, 1.0]]), "single_label", "values outside, or nan"),
        (np.array([0, 2]), np.full((2, 2), 0.5), "single_label", "Labels from 0 to 1 were expected"),
    ],
)
def test_what_does_not_fit_is_refused(labels: Any, probabilities: Any, task: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        yardsticks(labels, probabilities, task=task)
