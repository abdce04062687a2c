"""Influence values against exact derivatives of yardsticks written again with weights, and against repeated rows."""

from typing import Any

import numpy as np
import pytest

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError, UnknownNameError
from lossassay.metrics import yardsticks
from lossassay.metrics.influence import influence

CASES = [(name, task) for name, spec in YARDSTICKS.items() for task in spec.tasks]
STEP = 1e-30  # a derivative by a step into the complex plane is exact to rounding (Squire and Trapp 1998)


def draw(task: str, rows: int = 120, classes: int = 3, ties: bool = False, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    if task == "multi_label":
        labels = (random.random((rows, classes)) < 0.3).astype(np.float32)
        scores = random.normal(size=(rows, classes)) + 1.2 * labels - 1
        return labels, 1 / (1 + np.exp(-(np.round(scores) if ties else scores)))
    labels = random.choice(classes, rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    scores = random.normal(size=(rows, classes)) + 1.2 * (labels[:, None] == np.arange(classes))
    scores = np.round(scores) if ties else scores
    return labels, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


YARDSTICKS_OF_GRADES = (
    "quadratic_weighted_kappa",
    "mean_absolute_grade_error",
    "ranked_probability_score",
    "threshold_auroc",
)


def weighted_of_grades(metric: str, truth: Any, said: Any, p: Any, w: Any) -> Any:
    """As `weighted`, for the yardsticks that know an order."""
    gap = (truth - said) @ np.arange(p.shape[1])
    if metric == "mean_absolute_grade_error":
        return w @ np.abs(gap) / w.sum()
    if metric == "quadratic_weighted_kappa":
        squares = (np.arange(p.shape[1])[:, None] - np.arange(p.shape[1])) ** 2
        return 1 - (w @ gap**2) / ((w @ truth) @ squares @ (w @ said) / w.sum())
    if metric == "ranked_probability_score":
        return w @ ((p - truth).cumsum(axis=1)[:, :-1] ** 2).sum(axis=1) / w.sum()
    if metric == "threshold_auroc":
        above, higher = 1 - p.cumsum(axis=1), 1 - truth.cumsum(axis=1)
        return np.mean([weighted_auroc(higher[:, k] > 0.5, above[:, k], w) for k in range(p.shape[1] - 1)])
    raise AssertionError(metric)


def weighted(metric: str, truth: Any, p: Any, w: Any, task: str) -> Any:
    """Every yardstick with row weights, as slowly and plainly as can be; truth [N K], weights may be complex."""
    single = task != "multi_label"
    said = np.eye(p.shape[1])[p.argmax(axis=1)] if single else (p > 0.5).astype(float)
    total = w.sum()
    there, named = w @ truth, w @ said
    right = w @ (truth * said)
    if metric == "accuracy":
        return right.sum() / total if single else (w @ (said == truth)).sum() / total / p.shape[1]
    if metric == "balanced_accuracy":
        return np.mean(right / there)
    if metric == "macro_f1":
        return np.mean(2 * right / (there + named))
    if metric == "matthews_correlation":
        top = total * right.sum() - named @ there
        return top / np.sqrt(total**2 - named @ named) / np.sqrt(total**2 - there @ there)
    if metric == "cohen_kappa":
        agreed, chance = right.sum() / total, (named @ there) / total**2
        return (agreed - chance) / (1 - chance)
    if metric in YARDSTICKS_OF_GRADES:
        return weighted_of_grades(metric, truth, said, p, w)
    if metric in ("macro_auroc", "macro_average_precision"):
        of_one = weighted_auroc if metric == "macro_auroc" else weighted_average_precision
        return np.mean([of_one(positive > 0, scores, w) for positive, scores in zip(truth.T, p.T, strict=True)])
    if metric == "nll":
        values = truth * np.log(p) if single else truth * np.log(p) + (1 - truth) * np.log(1 - p)
        return -(w @ values).sum() / total / (1 if single else p.shape[1])
    if metric == "brier":
        return (w @ (p - truth) ** 2).sum() / total / (1 if single else p.shape[1])
    return weighted_ece(truth, p, w, single)


def weighted_auroc(positive: Any, scores: Any, w: Any) -> Any:
    wins = 0.5 * (scores[positive][:, None] >= scores[~positive]) + 0.5 * (
        scores[positive][:, None] > scores[~positive]
    )
    return w[positive] @ wins @ w[~positive] / w[positive].sum() / w[~positive].sum()


def weighted_average_precision(positive: Any, scores: Any, w: Any) -> Any:
    at_or_above = scores >= scores[positive][:, None]
    precision = (at_or_above[:, positive] @ w[positive]) / (at_or_above @ w)
    return w[positive] @ precision / w[positive].sum()


def weighted_ece(truth: Any, p: Any, w: Any, single: bool) -> Any:
    """15 bins of equal size by rank; the rank of equal values is the middle one."""
    confidence = p.max(axis=1) if single else p.ravel()
    came_true = truth[np.arange(len(p)), p.argmax(axis=1)] if single else truth.ravel()
    each = w if single else np.repeat(w, p.shape[1]) / p.shape[1]
    below, upto = (confidence[:, None] > confidence).sum(axis=1), (confidence[:, None] >= confidence).sum(axis=1)
    bin_of = np.minimum((below + upto) / 2 * 15 // len(confidence), 14)
    gaps = np.array([each[bin_of == b] @ (came_true - confidence)[bin_of == b] for b in np.unique(bin_of)])
    return (np.sign(gaps.real) * gaps).sum() / w.sum()


@pytest.mark.parametrize(("metric", "task"), CASES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_influence_is_the_derivative_by_the_weight_of_a_row(metric: str, task: Any, ties: bool, classes: int) -> None:
    labels, p = draw(task, classes=classes, ties=ties, seed=classes)
    truth = labels.astype(float) if task == "multi_label" else np.eye(classes)[labels]
    rows = len(p)
    assert yardsticks(labels, p, task=task)[metric] == pytest.approx(
        weighted(metric, truth, p, np.ones(rows), task), abs=1e-12
    )
    steps = np.ones(rows) + 1j * STEP * np.eye(rows)
    slopes = np.array([weighted(metric, truth, p, w, task).imag for w in steps]) / STEP
    found = influence(metric, labels, p, task=task)
    np.testing.assert_allclose(found, rows * slopes, rtol=0, atol=1e-10)
    assert found.dtype == np.float64
    assert found.sum() == pytest.approx(0, abs=1e-9)
    assert np.ptp(found) > 0


@pytest.mark.parametrize(("metric", "task"), [case for case in CASES if case[0] != "ece"])  # its bins move
def test_influence_is_what_one_row_more_does(metric: str, task: Any) -> None:
    labels, p = draw(task, rows=60, ties=True)
    copies = 100
    found = influence(metric, labels, p, task=task)
    many = np.repeat(np.arange(60), copies)
    before = yardsticks(labels, p, task=task)[metric]
    for row in range(0, 60, 7):
        more = np.append(many, row)
        moved = yardsticks(labels[more], p[more], task=task)[metric] - before
        assert moved * len(more) == pytest.approx(found[row], rel=0.05, abs=0.02), row


@pytest.mark.parametrize(("metric", "task"), CASES)
def test_float32_probabilities_give_nearly_the_same(metric: str, task: Any) -> None:
    labels, p = draw(task)
    narrow = influence(metric, labels, p.astype(np.float32), task=task)
    np.testing.assert_allclose(narrow, influence(metric, labels, p, task=task), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("metric", "task"), CASES)
def test_the_order_of_rows_does_not_matter(metric: str, task: Any) -> None:
    labels, p = draw(task, ties=True)
    order = np.random.default_rng(1).permutation(len(p))
    expected = influence(metric, labels, p, task=task)[order]
    np.testing.assert_allclose(influence(metric, labels[order], p[order], task=task), expected, rtol=0, atol=1e-12)


def test_squared_influence_is_the_variance_over_new_rows() -> None:
    """2,000 redrawn data sets of 300 rows: standard deviations agree within 8 % (Monte-Carlo error 1.6 %)."""
    rows, metrics = 300, ("balanced_accuracy", "macro_auroc", "matthews_correlation", "nll", "brier")
    values: dict[str, list[float]] = {metric: [] for metric in metrics}
    squares: dict[str, list[float]] = {metric: [] for metric in metrics}
    for seed in range(2_000):
        labels, p = draw("single_label", rows=rows, seed=seed)
        found = yardsticks(labels, p, task="single_label")
        for metric in metrics:
            values[metric].append(found[metric])
            if seed < 100:
                psi = influence(metric, labels, p, task="single_label")
                squares[metric].append((psi**2).sum() / rows**2)
    for metric in metrics:
        assert np.mean(squares[metric]) ** 0.5 == pytest.approx(np.std(values[metric]), rel=0.08), metric


def test_where_the_yardstick_is_nan_so_is_every_influence_value() -> None:
    labels, p = np.ones(5, dtype=int), np.tile([0.2, 0.8], (5, 1))
    for metric, value in yardsticks(labels, p, task="single_label").items():
        found = influence(metric, labels, p, task="single_label")
        assert found.shape == (5,)
        assert np.isnan(found).all() == np.isnan(value), metric
        assert np.isnan(found).any() == np.isnan(value), metric


def test_constant_answers_never_move_matthews_and_a_class_never_seen_counts_0_in_f1() -> None:
    labels, p = np.array([0, 1, 1, 2]), np.tile([0.2, 0.8, 0.0, 0.0], (4, 1))
    assert (influence("matthews_correlation", labels, p, task="single_label") == 0).all()
    found = influence("macro_f1", labels, p, task="single_label")
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_labels_without_positives_are_left_out() -> None:
    labels, p = draw("multi_label")
    wide = np.hstack([labels, np.zeros((len(labels), 1), dtype=np.float32)])
    for metric in ("macro_auroc", "macro_average_precision"):
        found = influence(metric, wide, np.hstack([p, p[:, :1]]), task="multi_label")
        np.testing.assert_array_equal(found, influence(metric, labels, p, task="multi_label"))


@pytest.mark.parametrize(("metric", "task"), CASES)
def test_no_rows_give_no_influence(metric: str, task: Any) -> None:
    labels = np.zeros((0, 3)) if task == "multi_label" else np.zeros(0, dtype=int)
    assert influence(metric, labels, np.zeros((0, 3)), task=task).shape == (0,)


def test_unknown_and_unfitting_yardsticks_are_refused() -> None:
    labels, p = draw("multi_label")
    with pytest.raises(UnknownNameError, match=r"No yardstick is called 'auroc'\..*Did you mean 'macro_auroc'\?"):
        influence("auroc", labels, p, task="multi_label")
    with pytest.raises(DataError, match=r"'balanced_accuracy' is not defined for multi-label data\. Choose one of"):
        influence("balanced_accuracy", labels, p, task="multi_label")
    with pytest.raises(DataError, match="do not belong together"):
        influence("nll", labels[:-1], p, task="multi_label")
