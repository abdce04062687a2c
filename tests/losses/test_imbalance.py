"""Weights, margins and offsets from class counts: what the catalogue's identities cannot say."""

import pytest
import torch
import torch.nn.functional as F

from lossassay.catalogue.families import imbalance
from lossassay.losses.imbalance import class_balanced, class_weighted_crossentropy, ldam, logit_adjustment, vs_loss
from tests.losses import checks

SKEWED = torch.tensor([5000.0, 500.0, 50.0, 5.0], dtype=torch.float64)


def _batch(rows: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = torch.randn(rows, 4, generator=draws, dtype=torch.float64)
    return scores, torch.randint(4, (rows,), generator=draws)


def test_the_weight_of_an_example_does_not_depend_on_its_batch() -> None:
    scores, labels = _batch()
    whole = class_weighted_crossentropy(scores, labels, class_counts=SKEWED)
    alone = [class_weighted_crossentropy(scores[[b]], labels[[b]], class_counts=SKEWED) for b in range(len(labels))]
    assert torch.equal(whole, torch.cat(alone))
    divided = [F.cross_entropy(scores[[b]], labels[[b]], weight=1 / SKEWED) for b in range(len(labels))]
    torch.testing.assert_close(
        torch.stack(divided), F.cross_entropy(scores, labels, reduction="none")
    )  # no weight left


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_class_weights_have_mean_one_over_the_training_images(power: float) -> None:
    zeros, each = torch.zeros(4, 4, dtype=torch.float64), torch.arange(4)
    weights = class_weighted_crossentropy(zeros, each, class_counts=SKEWED, power=power) / torch.tensor(4.0).log()
    assert (weights * SKEWED).sum().item() / SKEWED.sum().item() == pytest.approx(1.0, rel=1e-6)
    assert weights[3] / weights[0] == pytest.approx(1000.0**power, rel=1e-6)


@pytest.mark.parametrize(("beta", "ratio"), [(0.0, 1.0), (0.9, 1 / (1 - 0.9**5) * (1 - 0.9**5000)), (1.0, 1000.0)])
def test_class_balanced_weights_go_from_none_to_one_over_the_class_size_and_sum_to_their_number(
    beta: float, ratio: float
) -> None:
    zeros, each = torch.zeros(4, 4, dtype=torch.float64), torch.arange(4)
    effective = {0.0: 1.0, 0.9: (1 - 0.9**5) / 0.1, 1.0: 5.0}[beta]
    weights = class_balanced(zeros, each, class_counts=SKEWED, beta=beta) / torch.tensor(4.0).log()
    assert weights.sum().item() == pytest.approx(4.0, rel=1e-6)
    assert (weights[3] / weights[0]).item() == pytest.approx(ratio if beta != 0.9 else 10 / effective, rel=1e-6)


def test_effective_numbers_keep_their_digits_for_large_classes_in_single_precision() -> None:
    counts = torch.tensor([1e6, 2.0])
    found = class_balanced(torch.zeros(1, 2), torch.tensor([1]), class_counts=counts, beta=1 - 1e-7)
    exact = class_balanced(torch.zeros(1, 2).double(), torch.tensor([1]), class_counts=counts.double(), beta=1 - 1e-7)
    assert found.item() == pytest.approx(exact.item(), rel=1e-5)  # 1 - beta^2 in float32 would be 1.8e-7 or 2.4e-7


def test_margins_of_ldam_follow_the_fourth_root_and_peak_at_the_smallest_class() -> None:
    zeros, each = torch.zeros(4, 4, dtype=torch.float64), torch.arange(4)
    value = ldam(zeros, each, class_counts=SKEWED, epoch=1, epochs=10)
    margins = ((value.exp() - 1) / 3).log() / 30  # value is log(1 + 3 e^(30 margin))
    torch.testing.assert_close(margins, 0.5 * (SKEWED / 5) ** -0.25, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("epoch", "epochs", "share", "weighted"),
    [
        (160, 200, 0.8, False),
        (161, 200, 0.8, True),
        (7, 10, 0.7, False),
        (8, 10, 0.7, True),
        (1, 1, 0.8, False),
        (10, 10, 1.0, False),
        (1, 10, 0.0, True),
    ],
)
def test_ldam_joins_its_weights_after_the_share_of_epochs(
    epoch: int, epochs: int, share: float, weighted: bool
) -> None:
    scores, labels = _batch()
    scores = scores.tanh()
    plain = ldam(scores, labels, class_counts=SKEWED, epoch=1, epochs=10, reweight_from=1.0)
    value = ldam(scores, labels, class_counts=SKEWED, epoch=epoch, epochs=epochs, reweight_from=share)
    assert torch.equal(value, plain) != weighted


def test_adjusted_scores_decide_for_the_balanced_population() -> None:
    """Where the loss is smallest its scores are log p(y | x) - log pi up to a constant (Menon et al., theorem 1)."""
    posterior = torch.tensor([[0.6, 0.3, 0.09, 0.01]], dtype=torch.float64)
    prior = SKEWED / SKEWED.sum()
    best = (posterior / prior).log().requires_grad_()
    expected = sum(
        posterior[0, c] * logit_adjustment(best, torch.tensor([c]), class_counts=SKEWED).sum() for c in range(4)
    )
    (gradient,) = torch.autograd.grad(expected, best)
    assert gradient.abs().max() < 1e-12


def test_vector_scaling_holds_rare_classes_to_larger_scores() -> None:
    scores = torch.tensor([[4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0]], dtype=torch.float64)
    value = vs_loss(scores, torch.tensor([0, 3]), class_counts=SKEWED, gamma=0.3, tau=0.0)
    shrunk = 4 * 1000**-0.3
    expected = torch.tensor([4.0, shrunk], dtype=torch.float64)
    torch.testing.assert_close(value, torch.log1p(3 * torch.exp(-expected)), rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", imbalance.LOSSES)
def test_one_class_that_takes_all_leaves_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    (case,) = checks.cases(name, {})
    scale = 1.0 if case.spec.head == "cosine" else 1e4
    scores = scale * (2 * torch.eye(4, dtype=dtype) - 1).repeat(4, 1)  # each class wins
    labels = torch.arange(4).repeat_interleave(4)  # with each label
    value, gradient = checks.value_and_gradient(case.loss, scores, labels, **checks.inputs_of(16, dtype))
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", imbalance.LOSSES)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    inputs = checks.inputs_of(checks.ROWS, torch.float64)
    whole = case.loss(given.scores, given.labels, **inputs)
    each = torch.func.vmap(lambda z, y: case.loss(z[None], y[None], **inputs)[0])(given.scores, given.labels)
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
