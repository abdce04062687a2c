"""Yardsticks that know the order of the classes, against scikit-learn and scipy and by hand; unknown findings."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, brier_score_loss, cohen_kappa_score, roc_auc_score

from lossassay.metrics import per_class, reliability_bins, roc_curves_on_grid, yardsticks
from lossassay.metrics.influence import influence

GRADES = 4


def graded(rows: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    labels = random.integers(0, GRADES, rows)
    scores = random.normal(size=(rows, GRADES)) - np.abs(labels[:, None] - np.arange(GRADES))
    return labels, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_weighted_kappa_is_that_of_scikit_learn() -> None:
    labels, p = graded()
    found = yardsticks(labels, p, task="ordinal")["quadratic_weighted_kappa"]
    assert found == pytest.approx(cohen_kappa_score(labels, p.argmax(axis=1), weights="quadratic"), abs=1e-12)


def test_absolute_error_counts_grades() -> None:
    labels, p = graded()
    found = yardsticks(labels, p, task="ordinal")["mean_absolute_grade_error"]
    assert found == pytest.approx(np.abs(labels - p.argmax(axis=1)).mean())


def test_ranked_probability_score_by_hand() -> None:
    p = np.array([[0.5, 0.3, 0.2]])
    found = yardsticks(np.array([2]), p, task="ordinal")["ranked_probability_score"]
    assert found == pytest.approx(0.5**2 + 0.8**2)
    near, far = (np.eye(3)[[k]] for k in (1, 0))
    score = [yardsticks(np.array([2]), one, task="ordinal")["ranked_probability_score"] for one in (near, far)]
    assert score == [1.0, 2.0]  # the Brier score of both is 2


def test_threshold_auroc_is_the_mean_of_one_auroc_for_each_threshold() -> None:
    labels, p = graded()
    each = [roc_auc_score(labels > k, p[:, k + 1 :].sum(axis=1)) for k in range(GRADES - 1)]
    assert yardsticks(labels, p, task="ordinal")["threshold_auroc"] == pytest.approx(np.mean(each), abs=1e-12)
    assert len(np.unique(rankdata(each))) == len(each)  # they differ, so the mean means something


def test_grades_keep_the_yardsticks_of_single_labels() -> None:
    labels, p = graded()
    single, ordinal = (yardsticks(labels, p, task=task) for task in ("single_label", "ordinal"))  # type: ignore[arg-type]
    assert {name: ordinal[name] for name in single} == single


def findings(rows: int = 60, labels: int = 3) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(4)
    truth = (random.random((rows, labels)) < 0.4).astype(np.float32)
    p = 1 / (1 + np.exp(-random.normal(size=truth.shape) - truth))
    return np.where(random.random(truth.shape) < 0.25, np.float32("nan"), truth), p


def test_unknown_findings_are_left_out_of_every_yardstick() -> None:
    labels, p = findings()
    found, known = yardsticks(labels, p, task="multi_label"), ~np.isnan(labels)
    columns = [(labels[own, k], p[own, k]) for k, own in enumerate(known.T)]
    assert found["macro_auroc"] == pytest.approx(np.mean([roc_auc_score(t, s) for t, s in columns]))
    assert found["macro_average_precision"] == pytest.approx(np.mean([average_precision_score(*c) for c in columns]))
    assert found["accuracy"] == pytest.approx(((p > 0.5) == (labels > 0.5))[known].mean())
    assert found["brier"] == pytest.approx(brier_score_loss(labels[known], p[known]))
    assert reliability_bins(labels, p, task="multi_label").count.sum() == known.sum()


def test_what_is_said_of_unknown_findings_changes_nothing() -> None:
    labels, p = findings()
    other = np.where(np.isnan(labels), 1 - p, p)
    assert yardsticks(labels, p, task="multi_label") == yardsticks(labels, other, task="multi_label")
    grid = np.linspace(0, 1, 11)
    np.testing.assert_array_equal(roc_curves_on_grid(labels, p, grid)[1], roc_curves_on_grid(labels, other, grid)[1])
    for name, values in per_class(labels, p, task="multi_label").items():
        np.testing.assert_array_equal(values, per_class(labels, other, task="multi_label")[name])


def test_influence_with_unknown_findings_is_undefined() -> None:
    labels, p = findings()
    assert np.isnan(influence("macro_auroc", labels, p, task="multi_label")).all()
