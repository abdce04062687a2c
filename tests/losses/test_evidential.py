"""Evidential losses: closed forms, values of another package, and very much or no evidence."""

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from lossassay import losses
from lossassay.catalogue.families import evidential as family
from tests.losses import checks

# torch-uncertainty 0.13.0, DECLoss(annealing_step=10), at its epochs 0, 3 and 20, which are our 1, 4 and 21
EVIDENCE = torch.tensor([[0.5, 2.0, 1.0], [3.0, 0.1, 0.2], [10.0, 4.0, 30.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 0, 1])
RECORDED = {
    ("evidential_log", 1): [1.4663371, 0.4542553, 2.2407097],
    ("evidential_log", 4): [1.6316963, 0.4598256, 3.2564105],
    ("evidential_log", 21): [2.0175345, 0.472823, 5.6263792],
    ("evidential_digamma", 1): [1.7564214, 0.5029725, 2.3333539],
    ("evidential_digamma", 4): [1.9217806, 0.5085428, 3.3490548],
    ("evidential_digamma", 21): [2.3076187, 0.5215402, 5.7190234],
    ("evidential_squared_error", 1): [0.9846154, 0.272668, 1.2987589],
    ("evidential_squared_error", 4): [1.1499746, 0.2782383, 2.3144597],
    ("evidential_squared_error", 21): [1.5358128, 0.2912357, 4.6844284],
}


def _scores(evidence: torch.Tensor) -> torch.Tensor:
    """Scores whose softplus is this evidence."""
    return evidence.expm1().log()


@pytest.mark.parametrize(("name", "epoch"), RECORDED)
def test_values_are_those_of_torch_uncertainty_for_the_same_evidence(name: str, epoch: int) -> None:
    value = losses.get(name)(_scores(EVIDENCE), LABELS, epoch=epoch)
    assert value.tolist() == pytest.approx(RECORDED[name, epoch], abs=1e-6)


@pytest.mark.parametrize("name", family.LOSSES)
def test_the_penalty_grows_from_nothing_to_its_full_weight(name: str) -> None:
    def at(epoch: int, annealing_epochs: int = 10) -> torch.Tensor:
        return losses.get(name, annealing_epochs=annealing_epochs)(_scores(EVIDENCE), LABELS, epoch=epoch)

    full = at(11) - at(1)
    assert (full > 0).all()
    for epoch, share in ((1, 0.0), (2, 0.1), (6, 0.5), (11, 1.0), (500, 1.0)):
        torch.testing.assert_close(at(epoch) - at(1), share * full)
    torch.testing.assert_close(at(1, annealing_epochs=0), at(11))


def test_without_the_penalty_the_first_is_cross_entropy_of_the_links_probabilities() -> None:
    loss = losses.get("evidential_log")
    p = losses.probabilities(_scores(EVIDENCE), link="evidence", num_classes=3, task="single_label")
    torch.testing.assert_close(p, (EVIDENCE + 1) / (EVIDENCE + 1).sum(-1, keepdim=True))
    expected = -p.gather(-1, LABELS[:, None]).squeeze(-1).log()
    torch.testing.assert_close(loss(_scores(EVIDENCE), LABELS, epoch=1), expected)


def test_two_classes_are_integrals_over_the_beta_distribution() -> None:
    """Expected cross-entropy and squared error, and the divergence, by quadrature."""
    scores = _scores(torch.tensor([[1.5, 2.5]], dtype=torch.float64))
    density = stats.beta(2.5, 3.5).pdf
    cross_entropy = integrate.quad(lambda p: -np.log(p) * density(p), 0, 1)[0]
    squares = integrate.quad(lambda p: 2 * (1 - p) ** 2 * density(p), 0, 1)[0]
    other = stats.beta(1.0, 3.5).pdf
    divergence = integrate.quad(lambda p: other(p) * np.log(other(p)), 0, 1)[0]
    label = torch.tensor([0])
    for name, expected in (("evidential_digamma", cross_entropy), ("evidential_squared_error", squares)):
        assert losses.get(name)(scores, label, epoch=1).item() == pytest.approx(expected, abs=1e-7)
        assert losses.get(name)(scores, label, epoch=11).item() == pytest.approx(expected + divergence, abs=1e-7)
    assert cross_entropy == pytest.approx(special.digamma(6.0) - special.digamma(2.5), abs=1e-7)


@pytest.mark.parametrize("epoch", [1, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", family.LOSSES)
def test_very_much_evidence_and_none_leave_finite_values_and_gradients(
    name: str, dtype: torch.dtype, epoch: int
) -> None:
    scores = 1e4 * torch.tensor([[1, -1, -1], [-1, -1, -1], [1, 1, 1], [-1, 1, 0], [0, 0, 0]], dtype=dtype)
    value, gradient = checks.value_and_gradient(
        losses.get(name), scores, torch.zeros(5, dtype=torch.int64), epoch=epoch
    )
    assert torch.isfinite(value).all()
    assert (value >= 0).all()
    assert torch.isfinite(gradient).all()
    exact, _ = checks.value_and_gradient(
        losses.get(name), scores.double(), torch.zeros(5, dtype=torch.int64), epoch=epoch
    )
    torch.testing.assert_close(value.double(), exact, rtol=0.01, atol=0.1)


def test_evidence_still_moves_where_relu_would_be_dead() -> None:
    scores = torch.full((1, 4), -3.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.get("evidential_log")(scores, torch.tensor([1]), epoch=1).sum(), scores)
    assert gradient[0, 1].item() < -0.01
    assert (gradient[0, [0, 2, 3]] > 0).all()


@pytest.mark.parametrize("name", family.LOSSES)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    whole = case.loss(given.scores, given.labels, epoch=3)
    each = torch.func.vmap(lambda z, y: case.loss(z[None], y[None], epoch=3)[0])(given.scores, given.labels)
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
