"""Scores of a batch: against hard predictions, other packages, and batches that lack classes."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score, fbeta_score, matthews_corrcoef

from lossassay import losses
from lossassay.catalogue.families import batch_scores as family
from tests.losses import checks
from tests.losses.families.batch_scores import ORACLES, alpha_and_beta_exchanged, softmax, tversky

import keras  # isort: skip  # after its backend is chosen

SCORES = torch.tensor(
    [[1.0, -0.5, 0.2], [0.3, 2.0, -1.0], [-0.7, 0.4, 1.5], [0.1, 0.2, 0.9], [1.2, 0.8, -0.3]], dtype=torch.float64
)
LABELS = torch.tensor([0, 1, 2, 0, 1])
ROWS = F.one_hot(LABELS, 3).double()
FINDINGS = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=torch.float64)


def test_matthews_correlation_is_that_of_monai() -> None:
    """MONAI 1.6.1, MCCLoss(batch=True, smooth_dr=0.0), with softmax=True and with sigmoid=True."""
    assert losses.get("soft_mcc")(SCORES, ROWS).tolist() == pytest.approx([0.6843117] * 5, abs=1e-6)
    assert losses.get("sigmoid_mcc")(SCORES, FINDINGS).tolist() == pytest.approx([0.794594] * 5, abs=1e-6)


@pytest.mark.parametrize("size", [60.0, 1e4])
def test_sure_scores_are_judged_as_sklearn_judges_decisions(size: float) -> None:
    draws = torch.Generator().manual_seed(8)
    labels, predicted = torch.randint(3, (40,), generator=draws), torch.randint(3, (40,), generator=draws)
    scores, rows = size * F.one_hot(predicted, 3).double(), F.one_hot(labels, 3).double()
    expected = {
        "soft_f1": f1_score(labels, predicted, average="macro"),
        "dice": f1_score(labels, predicted, average="macro"),
        "soft_matthews_correlation": sum(matthews_corrcoef(labels == c, predicted == c) for c in range(3)) / 3,
    }
    for name, score in expected.items():
        assert losses.get(name)(scores, rows)[0].item() == pytest.approx(1 - score, abs=1e-9)
    # F-beta weighs false negatives by beta^2 / (1 + beta^2)
    value = losses.get("tversky", alpha=0.2, beta=0.8)(scores, rows)[0].item()
    assert value == pytest.approx(1 - fbeta_score(labels, predicted, beta=2.0, average="macro"), abs=1e-9)


@pytest.mark.parametrize("size", [60.0, 1e4])
def test_sure_findings_are_judged_as_sklearn_judges_decisions(size: float) -> None:
    draws = torch.Generator().manual_seed(9)
    labels, predicted = (torch.rand(40, 3, generator=draws) < 0.4 for _ in range(2))
    scores, rows = size * (2 * predicted.double() - 1), labels.double()
    expected = {
        "sigmoid_soft_f1": f1_score(labels, predicted, average="macro"),
        "sigmoid_dice": f1_score(labels, predicted, average="macro"),
        "sigmoid_matthews_correlation": sum(matthews_corrcoef(labels[:, c], predicted[:, c]) for c in range(3)) / 3,
    }
    for name, score in expected.items():
        assert losses.get(name)(scores, rows)[0].item() == pytest.approx(1 - score, abs=1e-9)


def test_alpha_weighs_false_positives_as_in_the_paper_and_not_as_in_keras() -> None:
    """Keras 3.15.1 says so too, and multiplies the false negatives by alpha: one false alarm costs 0.1 below."""
    labels, alarm = torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [1.0]])
    keras_value = keras.losses.tversky(labels, alarm, alpha=0.9, beta=0.1).item()
    assert keras_value == pytest.approx(1 - 1 / 1.1, abs=1e-5)
    sure = 60 * (2 * alarm - 1)
    assert losses.get("sigmoid_tversky", alpha=0.9, beta=0.1)(sure, labels)[0].item() == pytest.approx(1 - 1 / 1.9)
    for alpha, beta in ((0.3, 0.7), (0.0, 1.0), (2.0, 0.1)):
        ours = losses.get("tversky", alpha=alpha, beta=beta)(SCORES, ROWS)
        torch.testing.assert_close(ours, tversky(softmax)(SCORES, ROWS, alpha, beta), rtol=1e-12, atol=0)
        assert not torch.allclose(ours, alpha_and_beta_exchanged(softmax)(SCORES, ROWS, alpha, beta), rtol=1e-3)


def test_keras_dice_without_axis_is_no_score_of_classes() -> None:
    """One label per image, all classes in one sum: the mean of 1 - p_y, an absolute error."""
    p = F.softmax(SCORES, -1)
    pooled = keras.losses.dice(ROWS, p).item()
    assert pooled == pytest.approx((1 - p[torch.arange(5), LABELS]).mean().item(), abs=1e-6)
    by_class = keras.losses.dice(ROWS, p, axis=0).mean().item()
    assert losses.get("soft_f1")(SCORES, ROWS)[0].item() == pytest.approx(by_class, abs=1e-6)
    assert abs(pooled - by_class) > 0.002


@pytest.mark.parametrize("name", family.LOSSES)
def test_shares_and_their_gradient_are_those_of_the_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    value, gradient = checks.value_and_gradient(case.loss, given.scores, given.labels)
    assert (value == value[0]).all()
    step = 1e-6
    for b, c in ((0, 0), (3, 2), (6, 3)):
        moved = given.scores.clone()
        moved[b, c] += step
        slope = (case.loss(moved, given.labels).mean() - value.mean()) / step
        assert slope.item() == pytest.approx(gradient[b, c].item(), abs=1e-5)


@pytest.mark.parametrize("name", family.LOSSES)
def test_classes_that_the_batch_lacks_do_not_thin_the_mean(name: str) -> None:
    """As constants they would: with 2 of 4 classes in the batch the gradient would be half as large."""
    scores = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    scores[:, 2:] -= 30  # hardly probable, so that the softmax of two is that of four
    rows = torch.eye(4, dtype=torch.float64)[[0, 1, 0, 1, 1, 0]]
    loss = losses.get(name)
    torch.testing.assert_close(loss(scores, rows), loss(scores[:, :2], rows[:, :2]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 80.0, 1e4])
@pytest.mark.parametrize("name", family.LOSSES)
def test_one_class_and_one_answer_leave_finite_values_and_gradients(name: str, size: float, dtype: torch.dtype) -> None:
    """Every class is what all images are, and every class what is always answered: no 0 / 0."""
    loss = losses.get(name)
    highest = 2.0 if "matthews" in name else 1.0
    for label in range(3):
        for answer in range(3):
            scores = size * (2 * torch.eye(3, dtype=dtype) - 1)[[answer] * 4]
            for rows in (torch.eye(3, dtype=dtype)[[label] * 4], torch.eye(3, dtype=dtype)[[label, label, 0, 1]]):
                value, gradient = checks.value_and_gradient(loss, scores, rows)
                assert torch.isfinite(value).all()
                assert torch.isfinite(gradient).all()
                assert (value >= 0).all()
                assert (value <= highest).all()


@pytest.mark.parametrize("name", ["soft_matthews_correlation", "sigmoid_matthews_correlation"])
def test_a_batch_of_one_class_has_no_correlation(name: str) -> None:
    rows = torch.eye(3, dtype=torch.float64)[[1] * 4]
    value, gradient = checks.value_and_gradient(losses.get(name), SCORES[:4], rows)
    assert (value == 0).all()
    assert (gradient == 0).all()


@pytest.mark.parametrize(("size", "slope"), [(30.0, 1e-8), (200.0, 0.0)])
def test_a_class_that_is_never_predicted_has_a_correlation(size: float, slope: float) -> None:
    """Written with products of counts it is 0 / 0 for a size of 200, or a constant if something is added to them."""
    loss = losses.get("soft_matthews_correlation")
    scores = torch.tensor([[size, 0.0], [size, 1.0], [size, -1.0], [size, 2.0]])
    rows = torch.eye(2)[[0, 1, 0, 1]]
    value, gradient = checks.value_and_gradient(loss, scores, rows)
    exact, of_exact = checks.value_and_gradient(loss, scores.double(), rows.double())
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), of_exact, rtol=1e-3, atol=1e-30)
    assert gradient.abs().max() >= slope
    careless = ORACLES["sigmoid_matthews_correlation"](-scores.flip(-1), rows)
    assert careless.isnan().all() == (size == 200)


@pytest.mark.parametrize("name", [name for name in family.LOSSES if name.startswith("sigmoid")])
def test_unknown_findings_are_as_if_the_example_were_not_there(name: str) -> None:
    findings = FINDINGS.clone()
    findings[1, :] = torch.nan
    known = [0, 2, 3, 4]
    value = losses.get(name)(SCORES, findings)[0]
    torch.testing.assert_close(value, losses.get(name)(SCORES[known], findings[known])[0])


@pytest.mark.parametrize("name", family.LOSSES)
def test_several_batches_at_once_under_vmap(name: str) -> None:
    loss = losses.get(name)
    scores = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    rows = torch.eye(4, dtype=torch.float64)[torch.arange(8) % 3]
    together = torch.func.vmap(lambda z: loss(z, rows))(scores)
    torch.testing.assert_close(together, torch.stack([loss(z, rows) for z in scores]), rtol=1e-12, atol=1e-14)
