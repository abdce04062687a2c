"""Cross-entropy smoothed, penalised and bent: known defects, values of other packages, ends of ranges."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from lossassay import losses
from lossassay.catalogue.families import regularised
from lossassay.losses.tempered import log_tempered_softmax
from lossassay.models.heads import make_head
from tests.losses import checks
from tests.losses.families.regularised import (
    few_iterations,
    fixed_point_softmax,
    mean_of_the_batch_in_each_example,
    smoothed_over_the_others,
)

CROSS_ENTROPY = losses.get("sparse_categorical_crossentropy")
SCORES = [[1.5, -0.5, 0.25, 2.0], [0.1, 0.2, -3.0, 0.4], [-1.0, 4.0, 0.5, 0.0], [0.0, 0.0, 1.0, -2.0]]
LABELS = [0, 3, 1, 3]
RECORDED = [
    # optax 0.2.8 on jax 0.10.2: smooth_labels(0.1), poly_loss_cross_entropy
    ("label_smoothing", {}, [1.190610395, 1.050285519, 0.366278624, 3.404724223]),
    ("poly1", {}, [2.470513696, 2.181455023, 0.158494888, 5.52395745]),
    ("poly1", {"epsilon": -1.0}, [0.447533745, 0.338450767, 0.001420492, 2.60760761]),
    # timm 1.0.31: AsymmetricLossSingleLabel(gamma_neg=4, eps=0.1)
    ("asymmetric_single_label", {}, [1.039017917, 0.88182178, 0.049745296, 3.312813096]),
    ("asymmetric_single_label", {"gamma_pos": 1.0}, [0.701059887, 0.541924737, 0.002604636, 3.220484373]),
]


def _batch(rows: int = 8, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(rows, classes, generator=draws, dtype=torch.float64)
    return scores, torch.randint(classes, (rows,), generator=draws)


def _gradient(loss: losses.Loss, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of each example by its own scores."""
    return len(scores) * checks.value_and_gradient(loss, scores, labels)[1]


@pytest.mark.parametrize(("name", "setting", "values"), RECORDED)
def test_values_are_those_of_other_packages(name: str, setting: dict[str, float], values: list[float]) -> None:
    found = losses.get(name, **setting)(torch.tensor(SCORES, dtype=torch.float64), torch.tensor(LABELS))
    np.testing.assert_allclose(found.numpy(), values, rtol=0, atol=2e-9)


def test_confidence_penalty_is_that_of_torch_uncertainty_up_to_a_constant() -> None:
    """torch-uncertainty 0.13.0, ConfidencePenaltyLoss(reg_weight=0.1, reduction=None, eps=0)."""
    theirs = np.array([1.15467263, 0.976873939, 0.166879245, 3.61080984])
    found = losses.get("confidence_penalty")(torch.tensor(SCORES, dtype=torch.float64), torch.tensor(LABELS))
    np.testing.assert_allclose(found.numpy() + 0.1 * math.log(4), theirs, rtol=0, atol=2e-9)


def test_confidence_penalty_is_below_zero_where_a_right_answer_is_not_quite_sure() -> None:
    scores = torch.tensor([[8.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert losses.get("confidence_penalty", beta=1.0)(scores, torch.tensor([0])).item() < 0
    assert regularised.LOSSES["confidence_penalty"].low is None


def test_max_suppression_of_torch_uncertainty_averages_over_the_batch() -> None:
    """torch-uncertainty 0.13.0, CrossEntropyMaxSupLoss(max_sup=0.1): one mean, but not one value per example."""
    scores, labels = torch.tensor(SCORES, dtype=torch.float64), torch.tensor(LABELS)
    ours = losses.get("maxsup")(scores, labels)
    assert ours.mean().item() == pytest.approx(1.5904746904662181, abs=1e-12)
    theirs = np.array([1.54578719, 1.52453719, 1.73953719, 1.55203719])
    defective = mean_of_the_batch_in_each_example(scores, labels, alpha=0.1)
    np.testing.assert_allclose(defective.numpy(), theirs, rtol=0, atol=2e-9)
    assert (ours - defective).abs().max() > 1


def test_label_smoothing_is_cross_entropy_mixed_with_that_of_all_labels() -> None:
    scores, labels = _batch()
    over_labels = torch.stack([CROSS_ENTROPY(scores, torch.full_like(labels, c)) for c in range(4)]).mean(0)
    mixed = 0.7 * CROSS_ENTROPY(scores, labels) + 0.3 * over_labels
    torch.testing.assert_close(losses.get("label_smoothing", epsilon=0.3)(scores, labels), mixed, rtol=1e-14, atol=0)


def test_label_smoothing_leaves_the_true_class_its_part_of_what_is_spread() -> None:
    """The best answer gives the true class 1 - epsilon + epsilon / K, not 1 - epsilon."""
    best = torch.tensor([[0.925, 0.025, 0.025, 0.025]], dtype=torch.float64).log()
    label = torch.tensor([0])
    assert _gradient(losses.get("label_smoothing"), best, label).abs().max() < 1e-12
    leaf = best.clone().requires_grad_()
    (wrong,) = torch.autograd.grad(smoothed_over_the_others(leaf, label, 0.1).sum(), leaf)
    assert wrong.abs().max() > 0.02


def test_max_suppression_is_label_smoothing_where_the_answer_is_right_and_more_where_it_is_not() -> None:
    scores, labels = _batch(rows=30)
    smoothed = losses.get("label_smoothing", epsilon=0.2)(scores, labels)
    suppressed = losses.get("maxsup", alpha=0.2)(scores, labels)
    right = scores.argmax(-1) == labels
    assert 0 < right.sum() < 30
    torch.testing.assert_close(suppressed[right], smoothed[right], rtol=1e-12, atol=0)
    assert (suppressed[~right] > smoothed[~right]).all()


def test_taylor_cross_entropy_rises_with_its_order_to_cross_entropy() -> None:
    scores, labels = _batch()
    scores = scores / 4  # p of the true class is not small, so that the series is short
    full = CROSS_ENTROPY(scores, labels)
    values = [losses.get("taylor_cross_entropy", order=r)(scores, labels) for r in (1, 2, 5, 20, 400)]
    assert all((a < b).all() for a, b in pairwise(values))
    torch.testing.assert_close(values[-1], full, rtol=1e-10, atol=0)


@pytest.mark.parametrize("order", [1, 2, 7])
def test_a_sure_error_costs_a_harmonic_number_of_taylor_cross_entropy(order: int) -> None:
    scores = torch.tensor([[1e4, 0.0]])
    value = losses.get("taylor_cross_entropy", order=order)(scores, torch.tensor([1]))
    assert value.item() == pytest.approx(sum(1 / k for k in range(1, order + 1)))


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 2.0])
def test_poly1_at_a_sure_error_keeps_growing_with_the_gradient_of_cross_entropy(epsilon: float) -> None:
    scores = torch.tensor([[1e3, 0.0]])
    loss = losses.get("poly1", epsilon=epsilon)
    assert loss(scores, torch.tensor([1])).item() == pytest.approx(1e3 + epsilon)
    assert _gradient(loss, scores, torch.tensor([1])).tolist() == [[1.0, -1.0]]


def test_logit_penalty_sees_a_constant_that_cross_entropy_does_not() -> None:
    scores, labels = _batch()
    loss = losses.get("logit_penalty", beta=0.1)
    torch.testing.assert_close(CROSS_ENTROPY(scores + 3, labels), CROSS_ENTROPY(scores, labels))
    moved = loss(scores + 3, labels) - loss(scores, labels)
    torch.testing.assert_close(moved, 0.05 * (6 * scores.sum(-1) + 4 * 9))


def test_normalised_scores_have_no_length() -> None:
    scores, labels = _batch()
    loss = losses.get("logit_normalization")
    torch.testing.assert_close(loss(1e3 * scores, labels), loss(scores, labels), rtol=1e-12, atol=0)
    gradient = _gradient(loss, scores, labels)
    torch.testing.assert_close((gradient * scores).sum(-1), torch.zeros(8, dtype=torch.float64), rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_scores_of_zero_have_no_direction_and_a_moderate_gradient(dtype: torch.dtype) -> None:
    zeros, label = torch.zeros(1, 4, dtype=dtype), torch.tensor([1])
    value, gradient = checks.value_and_gradient(losses.get("logit_normalization"), zeros, label)
    assert value.item() == pytest.approx(math.log(4), rel=0.01)
    assert gradient.abs().max().item() == pytest.approx(0.75 / 0.04)  # torch's own normalize: 1e12 times that


@pytest.mark.parametrize(("temperature", "least"), [(1.0, 1.0), (0.04, 1e-9)])
def test_a_temperature_of_one_cannot_fit_ten_classes(temperature: float, least: float) -> None:
    """The code of Wei et al. 2022 has 1 as default: even the best answer costs 1.4 nats of ln 10 = 2.3."""
    best = torch.eye(10, dtype=torch.float64)[:1] - 0.1
    value = losses.get("logit_normalization", temperature=temperature)(best, torch.tensor([0])).item()
    assert (value > least) == (temperature == 1.0)


def test_the_head_penalty_pulls_the_weights_to_zero_and_leaves_the_scores_alone() -> None:
    scores, labels = _batch()
    weight = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = losses.get("final_layer_penalty", lambda_=0.3)
    value = loss(scores, labels, head_weight=weight)
    (gradient,) = torch.autograd.grad(value.mean(), weight)
    torch.testing.assert_close(gradient, 0.3 * weight.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(value - CROSS_ENTROPY(scores, labels), (0.15 * weight.square().sum()).expand(8))


def test_dropout_comes_with_the_head_and_is_off_outside_training() -> None:
    loss = losses.get("penultimate_dropout", keep=0.5)
    head = make_head("linear_with_dropout", 400, 3, loss.head_options)
    assert isinstance(head.dropout, torch.nn.Dropout)
    assert head.dropout.p == pytest.approx(0.5)
    features = torch.ones(1, 400)
    assert torch.equal(head.eval()(features), head.linear(features))
    assert not torch.equal(head.train()(features), head.linear(features))


def test_the_offset_makes_one_against_all_start_near_one_over_k() -> None:
    """Without it the gradient of an untrained network is (K - 1) / 2 downwards against 1 / 2 upwards."""
    zeros, rows = torch.zeros(1, 1000, dtype=torch.float64), torch.eye(1000, dtype=torch.float64)[:1]
    gradient = _gradient(losses.get("sigmoid_one_vs_all"), zeros, rows)
    down, up = gradient[0, 1:].sum().item(), -gradient[0, 0].item()
    assert down == pytest.approx(999 / 1001)
    assert up == pytest.approx(1000 / 1001)


def test_one_against_all_is_k_times_the_mean_that_libraries_take() -> None:
    scores, labels = _batch()
    rows = F.one_hot(labels, 4).double()
    ours = losses.get("sigmoid_one_vs_all")(scores, rows)
    torch.testing.assert_close(ours, 4 * losses.get("binary_crossentropy")(scores - math.log(4), rows))


@pytest.mark.parametrize(
    ("k", "rows", "count"), [(0.0, 8, 1), (0.1, 8, 1), (0.25, 8, 2), (0.7, 10, 7), (0.99, 8, 7), (1.0, 8, 8)]
)
def test_the_hardest_share_is_rounded_down_to_one_or_more(k: float, rows: int, count: int) -> None:
    scores, labels = _batch(rows=rows)
    shares = losses.get("top_k_cross_entropy", k=k)(scores, labels)
    hardest = CROSS_ENTROPY(scores, labels).sort(descending=True).values[:count]
    assert (shares > 0).sum() == count
    torch.testing.assert_close(shares.mean(), hardest.mean(), rtol=1e-14, atol=0)


def test_gamma_neg_acts_through_the_smoothing_alone() -> None:
    scores, labels = _batch()

    def value(gamma_neg: float, epsilon: float) -> torch.Tensor:
        return losses.get("asymmetric_single_label", gamma_neg=gamma_neg, epsilon=epsilon)(scores, labels)

    assert torch.equal(value(0.0, 0.0), value(4.0, 0.0))
    assert (value(0.0, 0.1) > value(4.0, 0.1)).all()


def test_flsd_jumps_up_where_the_answer_gets_better() -> None:
    p = torch.tensor([0.2 - 1e-9, 0.2 + 1e-9], dtype=torch.float64)
    scores = torch.stack([(p / (1 - p)).log(), torch.zeros(2, dtype=torch.float64)], -1)
    below, above = losses.get("focal_sample_dependent")(scores, torch.tensor([0, 0])).tolist()
    assert above / below == pytest.approx(0.8**-2, rel=1e-6)


def test_kl_divergence_is_cross_entropy_minus_the_entropy_of_the_label() -> None:
    scores, _ = _batch()
    rows = torch.softmax(_batch(rows=16)[0][8:], -1)
    value, gradient = checks.value_and_gradient(losses.get("kl_divergence"), scores, rows)
    dense, same = checks.value_and_gradient(losses.get("categorical_crossentropy"), scores, rows)
    entropy = -(rows * rows.log()).sum(-1)
    torch.testing.assert_close(value, dense - entropy, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient, same, rtol=1e-12, atol=1e-14)
    closed = rel_entr(rows.numpy(), torch.softmax(scores, -1).numpy()).sum(-1)
    np.testing.assert_allclose(value.numpy(), closed, rtol=1e-10)


def test_kl_divergence_is_finite_where_a_label_rules_a_class_out() -> None:
    value, gradient = checks.value_and_gradient(
        losses.get("kl_divergence"), torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([[0.5, 0.5, 0.0]])
    )
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


def test_jensen_shannon_at_one_half_is_the_symmetric_divergence() -> None:
    scores, labels = _batch()
    rows, p = F.one_hot(labels, 4).double().numpy(), torch.softmax(scores, -1).numpy()
    plain = np.array([jensenshannon(a, b) ** 2 for a, b in zip(rows, p, strict=True)])
    found = losses.get("jensen_shannon")(scores, labels).numpy()
    np.testing.assert_allclose(found, plain / (0.5 * math.log(2)), rtol=1e-9)


@pytest.mark.parametrize("pi", [1e-4, 0.1, 0.5, 0.9, 0.9999])
def test_a_sure_error_costs_what_jensen_shannon_is_bounded_by(pi: float) -> None:
    value = losses.get("jensen_shannon", pi=pi)(torch.tensor([[1e4, 0.0]], dtype=torch.float64), torch.tensor([1]))
    assert value.item() == pytest.approx(1 + pi * math.log(pi) / ((1 - pi) * math.log(1 - pi)), rel=1e-9)


def test_jensen_shannon_goes_from_cross_entropy_to_half_the_absolute_error() -> None:
    scores, labels = _batch()
    values = [losses.get("jensen_shannon", pi=pi)(scores, labels) for pi in (0.0, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0)]
    assert all((a > b).all() for a, b in pairwise(values))


@pytest.mark.parametrize(("t1", "t2"), [(0.0, 1.0), (0.8, 1.2), (0.5, 2.0), (1.0, 4.0)])
def test_bi_tempered_is_least_at_the_true_probabilities(t1: float, t2: float) -> None:
    """A Bregman divergence is proper: the expected gradient is 0 where p is the chance of each class."""
    chance = torch.tensor([[0.6, 0.3, 0.09, 0.01]], dtype=torch.float64)
    scores = chance.log() if t2 == 1 else (chance ** (1 - t2) - 1) / (1 - t2)
    loss = losses.get("bi_tempered", t1=t1, t2=t2)
    expected = sum(chance[0, c] * _gradient(loss, scores, torch.tensor([c])) for c in range(4))
    assert expected.abs().max() < 1e-12


@pytest.mark.parametrize("t1", [0.0, 0.5, 0.8])
def test_one_example_costs_at_most_the_bound_of_the_logarithm(t1: float) -> None:
    value = losses.get("bi_tempered", t1=t1, t2=1.0)(torch.tensor([[1e4, 0.0]]), torch.tensor([1]))
    assert value.item() == pytest.approx(1 / (1 - t1))


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("t2", [1.0, 1 + 1e-6, 1.2, 2.0, 5.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_tempered_probabilities_sum_to_one(scale: float, t2: float, classes: int) -> None:
    scores = scale * _batch(classes=classes)[0]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        total = log_tempered_softmax(scores.to(dtype), t2).double().exp().sum(-1)
        torch.testing.assert_close(total, torch.ones(8, dtype=torch.float64), rtol=0, atol=tolerance)


def test_five_iterations_are_too_few_for_many_classes() -> None:
    """As many as the authors' code takes: with a thousand classes the probabilities sum to some other number."""
    scores, labels = _batch(classes=1000)
    few, many = fixed_point_softmax(scores, 1.2, 5), fixed_point_softmax(scores, 1.2, 2000)
    assert (few.sum(-1) - 1).abs().max() > 2e-3
    torch.testing.assert_close(log_tempered_softmax(scores, 1.2).exp(), many, rtol=1e-9, atol=0)
    ours = losses.get("bi_tempered")(scores, labels)
    assert (few_iterations(scores, labels, 0.8, 1.2) - ours).abs().max() > 1e-4


@pytest.mark.parametrize("t2", [1.2, 2.0, 5.0])
def test_the_gradient_of_the_normaliser_is_the_implicit_one(t2: float) -> None:
    scores = _batch(rows=1)[0][0]
    p = log_tempered_softmax(scores[None], t2).exp()[0]
    weight = p**t2 / (p**t2).sum()  # of lambda by the scores
    expected = (p ** (t2 - 1))[:, None] * (torch.eye(4) - weight)
    found = torch.autograd.functional.jacobian(lambda z: log_tempered_softmax(z[None], t2)[0], scores)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_tails_fall_like_a_power_and_no_answer_is_ever_sure() -> None:
    scores = torch.tensor([[1e4, 0.0]], dtype=torch.float64)
    assert log_tempered_softmax(scores, 2.0).exp()[0, 1].item() == pytest.approx(1e-4, rel=1e-3)
    assert log_tempered_softmax(scores, 1.0).exp()[0, 1].item() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", regularised.LOSSES)
def test_one_class_that_takes_all_leaves_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    case = checks.cases(name, {})[0]
    scores = 1e4 * (2 * torch.eye(4, dtype=dtype) - 1).repeat(4, 1)  # each class wins
    labels = checks.single(torch.arange(4).repeat_interleave(4), case, dtype)  # with each label
    value, gradient = checks.value_and_gradient(case.loss, scores, labels, **checks.inputs_of(16, dtype))
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", [name for name, spec in regularised.LOSSES.items() if spec.kind == "example"])
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    case = checks.cases(name, {})[0]
    given = checks.examples(case)
    weight = {"head_weight": given.inputs["head_weight"]}
    whole = case.loss(given.scores, given.labels, **weight)
    each = torch.func.vmap(lambda z, y: case.loss(z[None], y[None], **weight)[0])(given.scores, given.labels)
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
