"""Squared errors of probabilities and scores, the spherical score: propriety, scale and what other packages call so."""

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import brier_score_loss

from lossassay import losses
from lossassay.losses.squared_scores import squared_error_on_logits
from tests.losses.families.squared_errors import kappa_where_the_row_is_one

PROPER = ["brier", "mean_squared_error", "spherical_score"]
TRUTH = torch.tensor([[0.6, 0.25, 0.1, 0.05]], dtype=torch.float64)


def _batch(rows: int = 8, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(rows, classes, generator=draws, dtype=torch.float64)
    return scores, torch.randint(classes, (rows,), generator=draws)


def _expected(name: str, scores: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
    """Mean of the loss over labels drawn with these chances, [B]."""
    loss, classes = losses.get(name), scores.shape[1]
    total = torch.zeros(len(scores), dtype=scores.dtype)
    for c in range(classes):
        labels = losses.encode_labels(torch.full((len(scores),), c), classes, loss.spec.encoding)
        total = total + chances[:, c] * loss(scores, labels.to(scores.dtype) if labels.ndim == 2 else labels)
    return total


@pytest.mark.parametrize("name", PROPER)
def test_a_proper_score_is_least_at_the_true_probabilities(name: str) -> None:
    best = TRUTH.log().requires_grad_()
    least = _expected(name, best, TRUTH)
    (gradient,) = torch.autograd.grad(least.sum(), best)
    assert gradient.abs().max() < 1e-7  # labels are float32 rows for some
    others = TRUTH.log() + torch.randn(200, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert (_expected(name, others, TRUTH.expand(200, 4)) > least).all()


def test_one_minus_the_probability_is_not_proper() -> None:
    """The spherical score with a norm of order one: it is least at a sure answer, not at the truth."""
    sure = torch.tensor([[50.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert _expected("generalized_cross_entropy", sure, TRUTH) == pytest.approx(0.4 / 0.7)  # q = 0.7, for comparison
    for scores in (sure, TRUTH.log()):
        by_hand = (TRUTH * (1 - scores.softmax(-1))).sum()
        assert by_hand.item() == pytest.approx(0.4 if scores is sure else 1 - (TRUTH**2).sum().item())
    assert _expected("spherical_score", sure, TRUTH) > _expected("spherical_score", TRUTH.log(), TRUTH)


def test_the_spherical_score_keeps_its_digits_where_the_answer_is_almost_right() -> None:
    """For two classes it is 1 - (1 + e^-2m)^(-1/2), about e^-2m / 2; written as 1 - p / |p| nothing is left of it."""
    scores = torch.tensor([[25.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value = losses.get("spherical")(scores, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    small = math.exp(-50)
    assert value.item() == pytest.approx(small / 2, rel=1e-12, abs=0)
    assert gradient[0].tolist() == pytest.approx([-small, small], rel=1e-12, abs=0)
    p = scores.softmax(-1)
    assert (1 - p[0, 0] / p.norm()).item() == 0.0


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_spherical_score_lies_between_nought_and_one(classes: int) -> None:
    loss = losses.get("spherical_score")
    level = loss(torch.zeros(1, classes, dtype=torch.float64), torch.tensor([0]))
    assert level.item() == pytest.approx(1 - classes**-0.5)
    extreme = 1e4 * F.one_hot(torch.tensor([0, 1]), classes)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        assert loss(extreme.to(dtype), torch.tensor([0, 0])).tolist() == [0.0, 1.0]


def test_brier_is_scikit_learns_score_and_twice_it_for_two_classes() -> None:
    scores, labels = _batch()
    rows = F.one_hot(labels, 4).double()
    theirs = brier_score_loss(labels, scores.softmax(-1), labels=[0, 1, 2, 3])
    assert losses.get("brier")(scores, rows).mean().item() == pytest.approx(theirs)
    two, first = scores[:, :2], (labels > 1).long()
    halved = brier_score_loss(first, two.softmax(-1)[:, 1])
    assert losses.get("brier")(two, F.one_hot(first, 2).double()).mean().item() == pytest.approx(2 * halved)
    one_half = losses.get("mean_squared_error")(two, F.one_hot(first, 2).double()).mean().item()
    assert one_half == pytest.approx(halved)


def test_root_mean_squared_error_of_an_exact_fit_is_nought_with_gradient_nought() -> None:
    scores = torch.tensor([[900.0, 0.0], [0.0, 900.0]], dtype=torch.float64, requires_grad=True)
    value = losses.get("rmse")(scores, torch.eye(2, dtype=torch.float64))
    assert value.tolist() == [0.0, 0.0]
    assert torch.autograd.grad(value.mean(), scores)[0].abs().max() == 0


def test_squared_error_on_logits_is_the_squared_distance_to_the_one_hot_row() -> None:
    scores, labels = _batch()
    rows = F.one_hot(labels, 4).double()
    loss = losses.get("squared_error_on_logits")
    torch.testing.assert_close(loss(scores, labels), (scores - rows).square().sum(-1))
    torch.testing.assert_close(loss(scores, labels), 4 * F.mse_loss(scores, rows, reduction="none").mean(-1))
    assert loss.spec.output == "score"
    best = TRUTH.clone().requires_grad_()  # least at the chances of the classes themselves
    (gradient,) = torch.autograd.grad(_expected("squared_error_on_logits", best, TRUTH).sum(), best)
    assert gradient.abs().max() < 1e-12


def test_squared_error_on_logits_sees_a_shift_and_softmax_losses_do_not() -> None:
    scores, labels = _batch()
    for name in ("squared_error_on_logits", "squared_error_kornblith"):
        assert not torch.allclose(losses.get(name)(scores + 1, labels), losses.get(name)(scores, labels))
    spherical = losses.get("spherical_score")
    torch.testing.assert_close(spherical(scores + 1, labels), spherical(scores, labels))


def test_values_of_kornblith_et_al_by_hand() -> None:
    """10 (9 (z_y - 60)^2 + others^2), as written in their code."""
    scores = torch.tensor([[50.0, 2.0, -3.0]], dtype=torch.float64)
    assert losses.get("squared_error_kornblith")(scores, torch.tensor([0])).item() == 10 * (9 * 100 + 4 + 9)


def test_kappa_counts_whatever_m_is() -> None:
    """A copy asks where the row is 1 after M went into it, and ignores kappa for every M but 1."""
    scores, labels = _batch()
    for m in (1.0, 30.0):
        ours = squared_error_on_logits(scores, labels, kappa=15.0, m=m)
        without = squared_error_on_logits(scores, labels, kappa=1.0, m=m)
        copied = kappa_where_the_row_is_one(scores, labels, kappa=15.0, m=m)
        assert (ours > without).all()
        assert torch.allclose(copied, ours) == (m == 1.0)
        assert torch.allclose(copied, without) == (m != 1.0)


@pytest.mark.parametrize("name", ["squared_error_on_logits", "squared_error_kornblith", "spherical_score"])
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    scores, labels = _batch()
    loss = losses.get(name)
    each = torch.func.vmap(lambda z, y: loss(z[None], y[None])[0])(scores, labels)
    torch.testing.assert_close(each, loss(scores, labels), rtol=1e-12, atol=1e-14)
