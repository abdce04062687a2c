"""Re-weighted yardsticks: the same as repeating the rows, for every yardstick and any kind of tie."""

from typing import Any

import numpy as np
import pytest

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError
from lossassay.metrics import weighted, yardsticks
from lossassay.metrics.weighted import weighted_yardstick

CASES = [(name, task) for name, spec in YARDSTICKS.items() for task in spec.tasks if name != "ece"]


def rows(task: str, patients: Any, classes: int, ties: bool, arms: int = 2, seed: int = 0) -> weighted.TestedRows:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, len(patients))
    truth = labels[:, None] == np.arange(classes)
    if task == "multi_label":
        labels = truth = (random.random((len(patients), classes)) < 0.3).astype(np.float32)
    probabilities = []
    for _ in range(arms):
        scores = random.normal(size=(len(patients), classes)) + truth
        scores = np.exp(np.round(scores) if ties else scores)
        probabilities.append(
            scores / (1 + scores) if task == "multi_label" else scores / scores.sum(axis=1, keepdims=True)
        )
    return weighted.TestedRows(patients=patients, labels=labels, probabilities=probabilities)


def repeated(metric: str, tested: weighted.TestedRows, arm: int, weight_of: dict[int, int], task: Any) -> float:
    again = np.repeat(np.arange(len(tested.patients)), [weight_of[p] for p in tested.patients.tolist()])
    return yardsticks(tested.labels[again], tested.probabilities[arm][again], task=task)[metric]  # type: ignore[index]


@pytest.mark.parametrize(("metric", "task"), CASES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("size", [9, 150])
def test_weights_do_what_repeated_rows_do(metric: str, task: Any, ties: bool, classes: int, size: int) -> None:
    """Redrawn splits: each replicate tests other patients, some with several rows; few rows leave classes empty."""
    random = np.random.default_rng(classes)
    names = 3 * np.arange(size) - 7
    replicates = [rows(task, random.choice(names, 2 * size // 3), classes, ties, seed=seed) for seed in range(2)]
    tested = np.unique(np.concatenate([one.patients for one in replicates]))
    weights = random.integers(0, 3, size=(len(tested), 6))
    score = weighted_yardstick(metric, replicates, task=task)
    assert score.num_patients == len(tested)
    found = score(weights.astype(np.float32))
    expected = [
        [
            [repeated(metric, one, arm, dict(zip(tested.tolist(), w, strict=True)), task) for w in weights.T]
            for arm in (0, 1)
        ]
        for one in replicates
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 if "precision" in metric else 1e-12)
    plain = [[yardsticks(one.labels, p, task=task)[metric] for p in one.probabilities] for one in replicates]  # type: ignore[arg-type]
    np.testing.assert_allclose(score(np.ones((len(tested), 1), np.float32))[..., 0], plain, rtol=0, atol=1e-6)


def test_no_weight_at_all_is_undefined_or_0() -> None:
    for metric, task in CASES:
        score = weighted_yardstick(metric, [rows(task, np.arange(20), 3, True)], task=task)  # type: ignore[arg-type]
        found = score(np.zeros((20, 2), np.float32))
        assert (found == 0).all() if metric == "macro_f1" else np.isnan(found).all(), metric


def test_a_missing_run_is_nan_and_the_others_stay() -> None:
    one = rows("single_label", np.arange(30), 2, False)
    without = weighted.TestedRows(patients=one.patients, labels=one.labels, probabilities=[None, one.probabilities[1]])
    found, full = (
        weighted_yardstick("macro_auroc", [each], task="single_label")(np.ones((30, 4), np.float32))
        for each in (without, one)
    )
    assert np.isnan(found[0, 0]).all()
    np.testing.assert_array_equal(found[0, 1], full[0, 1])


def test_two_columns_that_are_no_mirror_images_are_both_ranked() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    probabilities = np.array([[0.5, 0.5], [0.5, 0.6], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])  # rows need not add up to 1
    tested = weighted.TestedRows(patients=np.arange(5), labels=labels, probabilities=[probabilities])
    found = weighted_yardstick("macro_auroc", [tested], task="single_label")(np.ones((5, 1), np.float32))
    assert found.item() == pytest.approx(yardsticks(labels, probabilities, task="single_label")["macro_auroc"])


def test_large_test_parts_keep_six_digits() -> None:
    """60,000 rows: products of counts are beyond what float32 holds exactly."""
    tested = rows("single_label", np.arange(60_000), 2, False, arms=1)
    found = weighted_yardstick("macro_auroc", [tested], task="single_label")(np.ones((60_000, 1), np.float32))
    expected = yardsticks(tested.labels, tested.probabilities[0], task="single_label")["macro_auroc"]  # type: ignore[arg-type]
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_what_cannot_be_weighted_is_refused() -> None:
    tested = rows("single_label", np.arange(5), 2, False)
    with pytest.raises(
        DataError, match=r"'ece' cannot be re-weighted for single-label data\. Choose one of: accuracy, b"
    ):
        weighted_yardstick("ece", [tested], task="single_label")
    with pytest.raises(DataError, match="do not belong together"):
        weighted_yardstick("nll", [tested], task="multi_label")
