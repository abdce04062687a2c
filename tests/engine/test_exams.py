"""Rows of one exam are scored together, by the mean of their raw scores."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay import metrics
from lossassay.engine import one
from lossassay.engine.predict import by_exam, first_rows
from lossassay.engine.spec import RunData, RunResult
from tests.engine.helpers import make_data, make_spec


def exam_data(task: str = "single_label") -> RunData:
    """Exams of one, two and three rows with one label each, whole in their parts."""
    data = make_data(task=task)
    labels = np.arange(90) % 3
    exams = np.arange(90)
    for part in (data.train, data.validation, data.test):
        for label in range(3):
            rows = part[labels[part] == label]
            exams[rows[1]] = exams[rows[0]]
            exams[rows[3]] = exams[rows[4]] = exams[rows[2]]
    _, exams = np.unique(exams, return_inverse=True)
    return replace(data, exams=exams)


def train(data: RunData, loss: str = "categorical_crossentropy", **training: object) -> RunResult:
    return one.train(make_spec(loss, **training), data)


def test_averages_raw_scores_in_float64_and_keeps_the_first_rows() -> None:
    rows = np.array([4, 6, 7, 9])
    exams = np.array([9, 9, 9, 9, 3, 9, 0, 3, 9, 5])
    scores = np.array([[1, 1e8], [7, 8], [2, 1], [-1, np.nan]], dtype=np.float32)
    own, mean = by_exam(rows, scores, exams)
    assert own.tolist() == [4, 6, 9]
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, np.array([[1.5, 50_000_000.5], [7, 8], [-1, np.nan]], dtype=np.float32))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 99))
def test_each_exam_gets_the_mean_of_its_rows(numbers: list[int], seed: int) -> None:
    exams, rows = np.array(numbers), np.arange(len(numbers))
    scores = np.random.default_rng(seed).normal(0, 40, (len(rows), 3)).astype(np.float32)
    own, mean = by_exam(rows, scores, exams)
    assert own.tolist() == [numbers.index(exam) for exam in dict.fromkeys(numbers)]
    for row, found in zip(own, mean, strict=True):
        np.testing.assert_allclose(found, scores[exams == exams[row]].astype(float).mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(own, first_rows(rows, exams))


def test_exams_of_one_row_change_no_bit() -> None:
    plain = make_data()
    alone = replace(plain, exams=np.arange(90)[::-1].copy())
    a, b = train(plain), train(alone)
    np.testing.assert_array_equal(a.test.scores, b.test.scores)
    np.testing.assert_array_equal(a.test.probabilities, b.test.probabilities)
    np.testing.assert_array_equal(a.validation.rows, b.validation.rows)
    assert a.history[-1].validation_yardstick == b.history[-1].validation_yardstick


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        ("categorical_crossentropy", "single_label"),
        ("pairwise_auroc", "single_label"),
        ("coral", "ordinal"),
        ("binary_crossentropy", "multi_label"),
    ],
)
def test_training_is_per_row_and_prediction_per_exam(loss: str, task: str) -> None:
    data = exam_data("multi_label" if task == "multi_label" else "single_label")
    data = replace(data, task=task)
    spec = replace(
        make_spec(loss, selection="last"), metric="macro_auroc" if task == "multi_label" else "balanced_accuracy"
    )
    alone, together = one.train(spec, replace(data, exams=None)), one.train(spec, data)
    assert alone.order_digest == together.order_digest
    for name, weights in alone.weights.items():
        np.testing.assert_array_equal(weights, together.weights[name])
    assert alone.test_loss == together.test_loss  # the mean over rows, as ever
    assert data.exams is not None
    for part, rows in (("validation", data.validation), ("test", data.test)):
        single, joint = getattr(alone, part), getattr(together, part)
        assert len(joint.rows) == len(np.unique(data.exams[rows])) < len(rows)
        for row, scores in zip(joint.rows, joint.scores, strict=True):
            own = single.scores[data.exams[single.rows] == data.exams[row]]
            np.testing.assert_allclose(scores, own.astype(float).mean(axis=0), rtol=1e-6, atol=1e-7)
    joint = together.validation
    values = metrics.yardsticks(data.labels[joint.rows], joint.probabilities, task=data.task)
    assert together.history[-1].validation_nll == pytest.approx(values["nll"], rel=1e-6)
    if loss == "pairwise_auroc":  # fitted on exams, so it is another one
        assert alone.calibration is not None
        assert alone.calibration != together.calibration


def test_a_diverged_run_has_one_line_for_each_exam() -> None:
    data = exam_data()
    found = train(data, learning_rate=1e30, optimizer="sgd", epochs=3)
    assert found.status == "diverged"
    assert data.exams is not None
    assert len(found.test.rows) == len(np.unique(data.exams[data.test]))
