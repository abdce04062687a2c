"""Scores that are no probabilities become some: the fit against scikit-learn, and what it must not do."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from lossassay.engine.calibration import fit_calibration
from lossassay.metrics import yardsticks

RANDOM = np.random.default_rng(0)
TRUE_LOGITS = RANDOM.normal(size=(4_000, 3))
LABELS = np.array([RANDOM.choice(3, p=p) for p in softmax(TRUE_LOGITS, axis=1)])


@pytest.mark.parametrize("factor", [0.01, 1.0, 50.0])
def test_a_temperature_is_found_whatever_the_scale_of_the_scores(factor: float) -> None:
    found = fit_calibration(factor * TRUE_LOGITS, LABELS, task="single_label", output="score")
    assert found.method == "temperature"
    assert found.intercept == (0.0,)
    assert found.slope[0] * factor == pytest.approx(1.0, abs=0.06)
    p = found.probabilities(factor * TRUE_LOGITS, "single_label")
    assert (p.argmax(axis=1) == TRUE_LOGITS.argmax(axis=1)).all()
    assert yardsticks(LABELS, p, task="single_label")["ece"] < 0.03


def test_ranks_get_an_intercept_for_each_class() -> None:
    shifted = 3 * TRUE_LOGITS + np.array([5.0, 0.0, -5.0])
    found = fit_calibration(shifted, LABELS, task="single_label", output="rank")
    p = found.probabilities(shifted, "single_label")
    np.testing.assert_allclose(p, softmax(TRUE_LOGITS, axis=1), atol=0.05)


def test_findings_are_fitted_as_by_logistic_regression() -> None:
    z = RANDOM.normal(size=(2_000, 2)) * 4
    t = (RANDOM.random(z.shape) < 1 / (1 + np.exp(-0.5 * z + 1))).astype(np.float32)
    found = fit_calibration(z, t, task="multi_label", output="rank")
    for k in range(2):
        other = LogisticRegression(C=1e9).fit(z[:, [k]], t[:, k])
        assert found.slope[k] == pytest.approx(other.coef_[0, 0], rel=0.02)
        assert found.intercept[k] == pytest.approx(other.intercept_[0], abs=0.02)


def test_unknown_findings_are_left_out() -> None:
    z = RANDOM.normal(size=(200, 1))
    t = (RANDOM.random(z.shape) < 0.5).astype(np.float32)
    some = np.vstack([t, np.full_like(t, np.nan)])
    a = fit_calibration(z, t, task="multi_label", output="rank")
    b = fit_calibration(np.vstack([z, 100 * z]), some, task="multi_label", output="rank")
    assert a.slope[0] == pytest.approx(b.slope[0], rel=1e-4)


@pytest.mark.parametrize("output", ["score", "rank"])
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_perfect_inverted_and_constant_scores_stay_finite_and_in_order(task: str, output: str) -> None:
    truth = np.arange(40) % 2
    hot = np.eye(2)[truth]
    labels = truth if task == "single_label" else hot
    for scores in (hot * 9, -hot * 9, np.zeros((40, 2))):
        found = fit_calibration(scores, labels, task=task, output=output)  # type: ignore[arg-type]
        assert min(found.slope) > 0
        p = found.probabilities(scores, task)  # type: ignore[arg-type]
        assert np.isfinite(p).all()
        assert (np.diff(p[np.argsort(scores[:, 0], kind="stable"), 0]) >= 0).all()
