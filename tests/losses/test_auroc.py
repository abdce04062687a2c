"""Losses of the order of examples: known defects, values of other packages, and batches with one side only."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lossassay import losses
from lossassay.catalogue.families import auroc as family
from lossassay.losses import auroc
from tests.losses import checks
from tests.losses.families.auroc import PHI, mean_of, min_max, misplaced_parenthesis, pairwise

Tensor = torch.Tensor
SCORES = torch.tensor([0.1, 0.4, 0.35, 0.8, -0.6], dtype=torch.float64)
PRESENT = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
ISSUE_SCORES = [0.1, 0.4, 0.35, 0.8]  # of LibAUC#74
ISSUE_PRESENT = [0.0, 0.0, 1.0, 1.0]


def _value(name: str, scores: Tensor, present: Tensor, **hyper_parameters: object) -> float:
    """Of one finding."""
    return losses.get(name, **hyper_parameters)(scores[:, None], present[:, None]).mean().item()


@pytest.mark.parametrize(
    ("surrogate", "value"),
    [("logistic", 0.4596624), ("squared_hinge", 0.3529167), ("hinge", 0.4583333), ("squared", 0.3795833)],
)
def test_pairwise_values_are_those_of_libauc(surrogate: str, value: float) -> None:
    """LibAUC 2.0.1, PairwiseAUCLoss(surrogate, 1.0)."""
    assert _value("pairwise_auroc", SCORES, PRESENT, surrogate=surrogate) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("version", "libauc", "monai"), [("v1", 0.0911, 0.0911), ("v2", 0.3900278, 0.3795833)])
def test_margin_values_are_those_of_monai_at_the_best_a_b_and_alpha(version: str, libauc: float, monai: float) -> None:
    """MONAI 1.6.1 and LibAUC 2.0.1 with a, b and alpha set by hand; LibAUC is wrong in v2, by a parenthesis."""
    value = _value("auc_margin", SCORES, PRESENT, version=version)
    assert value == pytest.approx(monai, abs=1e-6)
    assert (value == pytest.approx(libauc, abs=1e-6)) == (version == "v1")


def test_the_mean_of_the_negatives_is_not_scaled() -> None:
    """LibAUC#74: `mean(neg - mean(pos))` in place of `mean(neg) - mean(pos)`; 0.36 in place of 0.52875 there."""
    scores, present = (torch.tensor(x, dtype=torch.float64) for x in (ISSUE_SCORES, ISSUE_PRESENT))
    positive, negative = list(scores[2:]), list(scores[:2])
    right = _value("auc_margin", scores, present, version="v2")
    assert right == pytest.approx(0.52875)
    alpha = 1 + mean_of(negative) - mean_of(positive)
    given = {"a": mean_of(positive), "b": mean_of(negative), "alpha": alpha, "margin": 1.0, "version": "v2"}
    assert min_max(positive, negative, **given).item() == pytest.approx(right)
    scaled = right - 2 * alpha * 0.5 * mean_of(negative)  # as recorded from LibAUC 2.0.1, alpha held
    assert scaled.item() == pytest.approx(0.36)
    wrong = misplaced_parenthesis(scores[:, None], present[:, None], 1.0, "v2")
    assert abs(wrong[0].item() - right) > 0.1


def test_a_score_of_exactly_0_counts_in_means() -> None:
    """LibAUC 2.0.1 divides by the number of scores that are not 0: the mean of 0 and 0.4 is 0.4 there."""
    present = torch.tensor(ISSUE_PRESENT, dtype=torch.float64)
    zero, near = torch.tensor([0.0, 0.4, 0.35, 0.8]).double(), torch.tensor([1e-9, 0.4, 0.35, 0.8]).double()
    assert _value("auc_margin", zero, present, version="v2") == pytest.approx(
        _value("auc_margin", near, present, version="v2"), abs=1e-8
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
def test_a_and_b_are_best_low_and_alpha_best_high(version: str, margin: float) -> None:
    """The value is a saddle: no other a or b is lower, no other alpha of 0 or more is higher."""
    positive, negative = list(SCORES[PRESENT == 1]), list(SCORES[PRESENT == 0])
    value = _value("auc_margin", SCORES, PRESENT, version=version, margin=margin)
    a, b = mean_of(positive), mean_of(negative)
    alpha = (margin + b - a).clamp_min(0)
    for step in (-0.3, -0.01, 0.01, 0.3):
        rest = {"margin": margin, "version": version}
        assert min_max(positive, negative, a=a + step, b=b, alpha=alpha, **rest).item() >= value
        assert min_max(positive, negative, a=a, b=b + step, alpha=alpha, **rest).item() >= value
        other = (alpha + step).clamp_min(0)
        assert min_max(positive, negative, a=a, b=b, alpha=other, **rest).item() <= value + 1e-12


def test_means_further_apart_than_the_margin_cost_nothing_more() -> None:
    scores = torch.tensor([3.0, 3.0, -3.0], dtype=torch.float64, requires_grad=True)
    value = losses.get("auc_margin")(scores[:, None], torch.tensor([1.0, 1.0, 0.0])[:, None].double()).mean()
    assert value.item() == 0
    assert (torch.autograd.grad(value, scores)[0] == 0).all()
    far = _value("pairwise_auroc", scores.detach(), torch.tensor([1.0, 1.0, 0.0]).double(), surrogate="squared")
    assert far == pytest.approx(25.0)


@pytest.mark.parametrize("margin", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("surrogate", PHI)
def test_every_surrogate_with_every_margin_is_the_mean_over_pairs(surrogate: str, margin: float) -> None:
    for case in checks.cases("pairwise_auroc", {"surrogate": surrogate, "margin": margin}):
        given = checks.examples(case)
        expected = checks.value_and_gradient(
            lambda z, t, m=margin: pairwise(z, t, surrogate, m), given.scores, given.labels
        )
        checks.equal(checks.value_and_gradient(case.loss, given.scores, given.labels), expected)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_with_a_step_it_is_one_minus_the_auroc(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step: Callable[[Tensor, float], Tensor] = lambda d, m: (d < 0).to(d) + 0.5 * (d == 0).to(d)  # noqa: E731
    monkeypatch.setitem(auroc._SURROGATES, "step", step)
    draws = torch.Generator().manual_seed(4)
    scores = torch.randn(30, 4, generator=draws, dtype=torch.float64).round(decimals=1)  # with ties
    rows = torch.eye(4)[torch.randint(4, (30,), generator=draws)]
    if task == "multi_label":
        rows = (torch.rand(30, 4, generator=draws) < 0.3).float()
    value = auroc.pairwise_auroc(scores, rows.double(), surrogate="step")[0].item()
    areas = [roc_auc_score(rows[:, c].numpy(), scores[:, c].numpy()) for c in range(4)]
    assert value == pytest.approx(1 - np.mean(areas), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", family.LOSSES)
@pytest.mark.parametrize("label", [0, 2])
def test_a_batch_of_one_class_costs_nothing_and_teaches_nothing(name: str, label: int, dtype: torch.dtype) -> None:
    scores = 1e4 * torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).to(dtype)
    rows = torch.eye(3, dtype=dtype)[[label] * 6]
    value, gradient = checks.value_and_gradient(losses.get(name), scores, rows)
    assert (value == 0).all()
    assert (gradient == 0).all()
    one, gradient = checks.value_and_gradient(losses.get(name), scores[:1], rows[:1])
    assert one.tolist() == [0.0]
    assert (gradient == 0).all()


@pytest.mark.parametrize("name", family.LOSSES)
def test_classes_that_the_batch_lacks_do_not_thin_the_mean(name: str) -> None:
    scores = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rows = torch.eye(4, dtype=torch.float64)[[0, 1, 0, 1, 1, 0]]
    loss = losses.get(name)
    torch.testing.assert_close(loss(scores, rows), loss(scores[:, :2], rows[:, :2]))


@pytest.mark.parametrize("name", family.LOSSES)
def test_unknown_findings_are_as_if_the_example_were_not_there(name: str) -> None:
    scores, present = SCORES.clone(), PRESENT.clone()
    present[1] = torch.nan
    known = ~torch.isnan(present)
    assert _value(name, scores, present) == pytest.approx(_value(name, scores[known], present[known]), rel=1e-12)


@pytest.mark.parametrize("name", family.LOSSES)
def test_only_the_order_within_a_class_counts(name: str) -> None:
    (case, _) = checks.cases(name, {})
    given = checks.examples(case)
    shift = torch.tensor([3.0, -1.0, 0.0, 100.0], dtype=torch.float64)
    torch.testing.assert_close(case.loss(given.scores + shift, given.labels), case.loss(given.scores, given.labels))


@pytest.mark.parametrize("name", family.LOSSES)
def test_a_soft_label_is_two_examples_of_these_weights(name: str) -> None:
    """Half present and half absent, twice, is the same as once present and once absent."""
    scores = torch.tensor([[0.3], [0.3], [1.0], [-2.0]], dtype=torch.float64)
    hard = torch.tensor([[1.0], [0.0], [1.0], [0.0]], dtype=torch.float64)
    soft = torch.tensor([[0.5], [0.5], [1.0], [0.0]], dtype=torch.float64)
    torch.testing.assert_close(losses.get(name)(scores, soft), losses.get(name)(scores, hard))


@pytest.mark.parametrize("name", family.LOSSES)
def test_several_batches_at_once_under_vmap(name: str) -> None:
    loss = losses.get(name)
    scores = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    rows = torch.eye(4, dtype=torch.float64)[torch.arange(8) % 3]
    together = torch.func.vmap(lambda z: loss(z, rows))(scores)
    torch.testing.assert_close(together, torch.stack([loss(z, rows) for z in scores]), rtol=1e-12, atol=1e-14)
