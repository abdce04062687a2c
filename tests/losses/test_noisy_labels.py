"""Losses for wrong labels: why they bear noise, and what the catalogue's identities cannot say."""

import math

import pytest
import torch
import torch.nn.functional as F

from lossassay import losses
from lossassay.catalogue.families import noisy_labels
from lossassay.errors import LossInputError
from lossassay.losses.corrected import backward_correction, forward_correction, negative_learning
from tests.losses import checks
from tests.losses.families.noisy_labels import (
    complementary,
    focal_normalized_without_care,
)

SYMMETRIC = [
    "mean_absolute_error_probability",
    "reverse_cross_entropy",
    "normalized_cross_entropy",
    "normalized_focal",
    "normalized_generalized_cross_entropy",
    "nce_and_rce",
    "nce_and_mae",
    "nfl_and_rce",
    "nfl_and_mae",
]


def _batch(rows: int = 8, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(rows, classes, generator=draws, dtype=torch.float64)
    return scores, torch.randint(classes, (rows,), generator=draws)


def _over_labels(name: str, scores: torch.Tensor, **hyper_parameters: float) -> torch.Tensor:
    """The loss summed over all labels that one could give, per example."""
    loss = losses.get(name, **hyper_parameters)
    each = [loss(scores, torch.full((len(scores),), c)) for c in range(scores.shape[1])]
    return torch.stack(each).sum(0)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_loss_that_symmetric_noise_cannot_move_sums_to_a_constant_over_labels(name: str) -> None:
    """The condition of Ghosh et al. 2017, theorem 1."""
    total = _over_labels(name, _batch()[0])
    torch.testing.assert_close(total, total[0].expand_as(total), rtol=1e-12, atol=0)


def test_the_sum_over_labels_of_cross_entropy_is_not_constant() -> None:
    assert _over_labels("sparse_categorical_crossentropy", _batch()[0]).std() > 1
    assert _over_labels("generalized_cross_entropy", _batch()[0]).std() > 0.01


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_normalised_losses_sum_to_one_over_labels(classes: int) -> None:
    scores, _ = _batch(classes=classes)
    for name in ("normalized_cross_entropy", "normalized_focal", "normalized_generalized_cross_entropy"):
        torch.testing.assert_close(_over_labels(name, scores), torch.ones(8, dtype=torch.float64))


def test_both_parts_of_symmetric_cross_entropy_pull_where_the_answer_is_surely_wrong() -> None:
    """The authors' code clamps p at 1e-7, and p = 0 then costs 16 nats without a gradient."""
    scores = torch.tensor([[80.0, 0.0, 0.0, 0.0]], requires_grad=True)
    value = losses.get("symmetric_cross_entropy")(scores, torch.tensor([1]))
    assert value.item() == pytest.approx(0.1 * 80 - math.log(1e-4))
    assert torch.autograd.grad(value.sum(), scores)[0][0].tolist() == pytest.approx([0.1, -0.1, 0.0, 0.0])


@pytest.mark.parametrize("q", [1e-12, 1e-6, 0.1, 0.5])
def test_generalised_cross_entropy_keeps_its_digits_near_its_limit(q: float) -> None:
    """(1 - p^q) / q written so has none left for q = 1e-12, in value or gradient."""
    scores, labels = _batch()
    nats = losses.get("sparse_categorical_crossentropy")(scores, labels)
    series = sum((-q) ** k * nats ** (k + 1) / math.gamma(k + 2) for k in range(60))
    torch.testing.assert_close(losses.get("gce", q=q)(scores, labels), series, rtol=1e-9, atol=0)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
def test_normalised_focal_loss_has_a_slope_where_one_class_takes_all(gamma: float) -> None:
    """1 - p is e^-60 there; taken as 1 minus a rounded p it would be 0, and (1 - p)^gamma have an infinite slope."""
    scores = torch.tensor([[60.0, 0.0, 0.0]] * 3, requires_grad=True)
    value = losses.get("normalized_focal", gamma=gamma)(scores, torch.tensor([0, 1, 2]))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert value.tolist() == pytest.approx([0.0, 0.5, 0.5])
    expected = [0.0, -1 / 240, 1 / 240]  # of log p_1 / (log p_1 + log p_2)
    assert gradient[1].tolist() == pytest.approx(expected, abs=1e-8)
    assert torch.isfinite(gradient).all()
    careless = focal_normalized_without_care(scores, torch.tensor([0, 1, 2]), gamma)
    if gamma < 1:
        assert torch.autograd.grad(careless.sum(), scores)[0].isnan().any()


def test_soft_bootstrapping_is_an_entropy_penalty_with_its_gradient() -> None:
    """At p = (3/4, 1/4) and label 1 the entropy's gradient is p (log p + H) = 0.2060, and a fixed target's is 0."""
    scores = torch.tensor([[math.log(3.0), 0.0]], dtype=torch.float64, requires_grad=True)
    entropy = losses.get("bootstrap_soft", beta=0.5)(scores, torch.tensor([1])) - 0.5 * math.log(4)
    (gradient,) = torch.autograd.grad(2 * entropy.sum(), scores)
    p = torch.tensor([0.75, 0.25], dtype=torch.float64)
    of_the_entropy = -p * (p.log() - (p * p.log()).sum())
    of_the_label = p - torch.tensor([0.0, 1.0])
    torch.testing.assert_close(gradient[0], of_the_entropy + of_the_label)


def test_hard_bootstrapping_where_label_and_opinion_agree_is_cross_entropy() -> None:
    scores, _ = _batch()
    labels = scores.argmax(-1)
    plain = losses.get("sparse_categorical_crossentropy")(scores, labels)
    torch.testing.assert_close(losses.get("bootstrap_hard")(scores, labels), plain, rtol=1e-14, atol=0)


SKEWED = [[0.9, 0.1, 0.0, 0.0], [0.0, 0.7, 0.3, 0.0], [0.1, 0.1, 0.6, 0.2], [0.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize("transition", [None, SKEWED])
def test_backward_correction_is_unbiased(transition: list[list[float]] | None) -> None:
    """Its mean over the labels that a true class may get is cross-entropy with the true class (Patrini, theorem 1)."""
    scores, labels = _batch()
    chance = torch.tensor(transition or [[0.8 if i == j else 0.2 / 3 for j in range(4)] for i in range(4)]).double()
    each = torch.stack(
        [backward_correction(scores, torch.full((8,), c), transition=transition) for c in range(4)], dim=1
    )
    mean = (chance[labels] * each).sum(-1)
    torch.testing.assert_close(mean, losses.get("cross_entropy")(scores, labels), rtol=1e-6, atol=1e-6)


def test_forward_correction_is_smallest_at_the_clean_probabilities() -> None:
    """Trained on noisy labels, the softmax before the matrix is the clean posterior (Patrini, theorem 2)."""
    clean = torch.tensor([[0.6, 0.25, 0.1, 0.05]], dtype=torch.float64)
    noisy = clean @ torch.tensor(SKEWED, dtype=torch.float64)
    scores = clean.log().requires_grad_()
    expected = sum(
        noisy[0, c] * forward_correction(scores, torch.tensor([c]), transition=SKEWED).sum() for c in range(4)
    )
    (gradient,) = torch.autograd.grad(expected, scores)
    assert gradient.abs().max() < 1e-12


def test_rows_of_the_matrix_are_true_classes_and_columns_observed_labels() -> None:
    sure = torch.tensor([[0.0, 50.0, 0.0, 0.0]], dtype=torch.float64)  # truly class 1, labelled 2 in 3 of 10 cases
    value = forward_correction(sure, torch.tensor([2]), transition=SKEWED)
    assert value.item() == pytest.approx(-math.log(0.3))


def test_a_label_that_cannot_be_leaves_finite_value_and_gradient() -> None:
    scores = torch.tensor([[0.0, 0.0, 0.0, 1e4]], requires_grad=True)
    value = forward_correction(scores, torch.tensor([0]), transition=SKEWED)  # class 3 is never labelled 0
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert value.item() == pytest.approx(1e4, rel=1e-3)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("transition", "message"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], r"4 rows with 4 numbers that sum to one was expected; got shape \(2, 2\)"),
        ([[0.5, 0.2, 0.2, 0.2]] * 4, "sums"),
        ([[0.0, 0.5, 0.25, 0.25]] * 4, "A column of the transition matrix is all 0"),
    ],
)
def test_a_matrix_that_is_none_is_refused(transition: list[list[float]], message: str) -> None:
    scores, labels = _batch()
    with pytest.raises(LossInputError, match=message):
        forward_correction(scores, labels, transition=transition)


@pytest.mark.parametrize("setting", [{"noise_rate": 0.75}, {"transition": [[0.25] * 4] * 4}])
def test_backward_correction_refuses_labels_that_say_nothing(setting: dict[str, float]) -> None:
    scores, labels = _batch()
    with pytest.raises(LossInputError, match="has no inverse"):
        backward_correction(scores, labels, **setting)


def _denied(labels: torch.Tensor, rows: torch.Tensor, epoch: int, classes: int) -> torch.Tensor:
    """Which class is denied: the only one whose score has a gradient above 0 from equal scores."""
    scores = torch.zeros(len(labels), classes, requires_grad=True)
    (gradient,) = torch.autograd.grad(negative_learning(scores, labels, rows=rows, epoch=epoch).sum(), scores)
    return gradient.argmax(-1)


def test_complementary_labels_are_uniform_over_the_other_classes_and_never_the_label() -> None:
    rows, labels = torch.arange(60_000), torch.arange(60_000) // 20_000
    for epoch in (1, 2, 50):
        denied = _denied(labels, rows, epoch, 4)
        assert (denied != labels).all()
        table = torch.stack([torch.bincount(denied[labels == c], minlength=4) for c in range(3)]).double()
        expected = 20_000 / 3
        chi_square = ((table - expected) ** 2 / expected)[table > 0].sum().item()
        assert chi_square < 22.5  # 0.1 % of a chi-square with 6 degrees of freedom


def test_complementary_labels_change_from_epoch_to_epoch_as_if_drawn_anew() -> None:
    rows, labels = torch.arange(20_000), torch.zeros(20_000, dtype=torch.long)
    first, second = (_denied(labels, rows, epoch, 4) for epoch in (1, 2))
    assert (first == second).double().mean().item() == pytest.approx(1 / 3, abs=0.015)
    assert (first[1:] == first[:-1]).double().mean().item() == pytest.approx(1 / 3, abs=0.015)  # nor by neighbour


def test_complementary_labels_need_no_random_state_and_follow_the_row() -> None:
    labels, rows = torch.tensor([2, 0, 1]), torch.tensor([7, 123_456_789_012, 0])
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    found = _denied(labels, rows, 3, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(found.flip(0), _denied(labels.flip(0), rows.flip(0), 3, 5))
    assert found.tolist() == [complementary(int(y), int(r), 3, 5) for y, r in zip(labels, rows, strict=True)]


def test_a_class_that_is_surely_given_and_denied_costs_without_limit() -> None:
    """-log(1 - p) from a softmax stops at 16 nats or becomes infinite; here it is the score's lead."""
    rows, label = torch.arange(20), torch.ones(20, dtype=torch.long)
    scores = torch.tensor([[200.0, 0.0, 0.0]]).repeat(20, 1).requires_grad_()
    value = negative_learning(scores, label, rows=rows, epoch=1)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    hit = _denied(label, rows, 1, 3) == 0
    assert 0 < hit.sum() < 20
    torch.testing.assert_close(value[hit], torch.full_like(value[hit], 200 - math.log(2)))
    assert (gradient[hit, 0] == 1).all()
    assert (value[~hit] < 1e-30).all()


def test_absolute_error_is_the_sum_over_classes() -> None:
    scores, labels = _batch()
    rows = F.one_hot(labels, 4)
    by_hand = (torch.softmax(scores, -1) - rows).abs().sum(-1)
    torch.testing.assert_close(losses.get("mae")(scores, labels), by_hand, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", noisy_labels.LOSSES)
def test_one_class_that_takes_all_leaves_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    scores = 1e4 * (2 * torch.eye(4, dtype=dtype) - 1).repeat(4, 1)  # each class wins
    labels = torch.arange(4).repeat_interleave(4)  # with each label
    for setting in checks.settings(name):
        (case,) = checks.cases(name, setting)
        value, gradient = checks.value_and_gradient(case.loss, scores, labels, **checks.inputs_of(16, dtype))
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", noisy_labels.LOSSES)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    rows = given.inputs["rows"]
    whole = case.loss(given.scores, given.labels, rows=rows, epoch=3)
    each = torch.func.vmap(lambda z, y, row: case.loss(z[None], y[None], rows=row[None], epoch=3)[0])(
        given.scores, given.labels, rows
    )
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
