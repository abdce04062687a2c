"""Hinges and sparse losses: three functions of one name, values of other packages, zeros, ends of ranges."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossassay import losses
from lossassay.catalogue.families import hinges
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks
from tests.losses.families.common import one_hot
from tests.losses.families.hinges import best_probabilities, masked_by_zero

import keras  # isort: skip  # after its backend is chosen

SCORES = [[1.5, -0.5, 0.25, 2.0], [0.1, 0.2, -3.0, 0.4], [-1.0, 4.0, 0.5, 0.0], [0.0, 0.0, 1.0, -2.0]]
LABELS = [0, 3, 1, 3]
RECORDED = [
    # optax 0.2.8 on jax 0.10.2: multiclass_hinge_loss, _perceptron_loss, _sparsemax_loss, make_fenchel_young_loss(lse)
    ("crammer_singer", {}, [1.5, 0.8, 0.0, 4.0]),
    ("perceptron", {}, [0.5, 0.0, 0.0, 3.0]),
    ("sparsemax", {}, [0.5625, 0.19, 0.0, 3.0]),
    ("fenchel_young", {"alpha": 1.0}, [1.121860395, 0.952785519, 0.053778624, 3.579724223]),
    # entmax 1.3: entmax15_loss, sparsemax_loss, entmax_bisect_loss
    ("entmax15", {}, [0.684371379, 0.410483631, 0.0, 3.099578211]),
    ("fenchel_young", {"alpha": 2.0}, [0.5625, 0.19, 0.0, 3.0]),
    ("fenchel_young", {"alpha": 1.25}, [0.812438274, 0.61222911, 2.4384e-05, 3.258026639]),
    ("fenchel_young", {"alpha": 1.75}, [0.611181291, 0.278843368, 0.0, 3.022252234]),
]
SPARSE = [("sparsemax", {}, 2.0), ("entmax15", {}, 1.5)]
SPARSE += [("fenchel_young", {"alpha": alpha}, alpha) for alpha in (1.05, 1.25, 1.5, 1.9, 2.0)]


def _batch(rows: int = 8, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(rows, classes, generator=draws, dtype=torch.float64)
    return scores, torch.randint(classes, (rows,), generator=draws)


@pytest.mark.parametrize(("name", "setting", "values"), RECORDED)
def test_values_are_those_of_other_packages(name: str, setting: dict[str, float], values: list[float]) -> None:
    found = losses.get(name, **setting)(torch.tensor(SCORES, dtype=torch.float64), torch.tensor(LABELS))
    np.testing.assert_allclose(found.numpy(), values, rtol=0, atol=2e-9)


def test_three_functions_have_the_name_of_multi_class_hinge() -> None:
    scores, label = torch.tensor([[-1.0, -2.0, -1.5, -4.0]]), torch.tensor([0])
    assert losses.get("crammer_singer")(scores, label).item() == 0.5
    assert losses.get("categorical_hinge")(scores, label).item() == 2.0
    assert losses.get("multi_margin")(scores, label).item() == 0.125


def test_categorical_hinge_is_that_of_keras_and_sees_a_constant() -> None:
    scores, labels = _batch(rows=40)
    scores = scores.float() - 1  # both signs, also in all other classes at once
    ours = losses.get("categorical_hinge")(scores, labels)
    torch.testing.assert_close(ours, keras.losses.categorical_hinge(one_hot(labels, 4), scores))
    best = losses.get("crammer_singer")
    assert not torch.allclose(ours, losses.get("categorical_hinge")(scores - 3, labels))
    torch.testing.assert_close(best(scores, labels), best(scores - 3, labels))
    assert not torch.allclose(best(scores, labels), masked_by_zero(scores, labels, 1.0).float())


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_multi_margin_is_that_of_torch_with_squares_too(p: int, margin: float) -> None:
    scores, labels = _batch(rows=40, classes=7)
    expected = F.multi_margin_loss(scores, labels, p=p, margin=margin, reduction="none")
    found = losses.get("multi_margin", p=p, margin=margin)(scores, labels)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["crammer_singer", "multi_margin"])
def test_what_is_right_by_the_margin_is_left_alone(name: str) -> None:
    scores = torch.tensor([[1.0, 0.0, -3.0]], dtype=torch.float64)
    value, gradient = checks.value_and_gradient(losses.get(name), scores + torch.eye(3)[:1] * 1e-9, torch.tensor([0]))
    assert value.item() == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("place", [-3.0, -1.0, -0.4, 0.0, 0.7, 1.0, 2.0])
def test_sparsemax_of_two_classes_is_a_hinge_with_a_round_corner(place: float) -> None:
    """-m below -1, (1 - m)^2 / 4 between, 0 above 1, with m by how much the true class is ahead."""
    scores = torch.tensor([[place, 0.0]], dtype=torch.float64)
    expected = -place if place < -1 else max(0.0, 1 - place) ** 2 / 4
    assert losses.get("sparsemax")(scores, torch.tensor([0])).item() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("classes", [2, 5, 60])
@pytest.mark.parametrize(("name", "setting", "alpha"), SPARSE)
def test_the_gradient_is_prediction_minus_label(
    name: str, setting: dict[str, float], alpha: float, classes: int
) -> None:
    scores, labels = _batch(classes=classes)
    _, gradient = checks.value_and_gradient(losses.get(name, **setting), scores, labels)
    p = torch.tensor([best_probabilities(row, alpha) for row in scores.tolist()], dtype=torch.float64)
    torch.testing.assert_close(8 * gradient, p - one_hot(labels, classes), rtol=0, atol=1e-9)
    assert ((p == 0).any(-1)).any() == (alpha > 1.1)


@pytest.mark.parametrize(("name", "setting", "alpha"), SPARSE)
def test_value_and_gradient_are_zero_where_the_true_class_is_far_enough_ahead(
    name: str, setting: dict[str, float], alpha: float
) -> None:
    ahead = 1 / (alpha - 1)
    scores = torch.tensor([[ahead + 1e-6, 0.0, 0.0], [ahead - 0.05, 0.0, 0.0]], dtype=torch.float64)
    value, gradient = checks.value_and_gradient(losses.get(name, **setting), scores, torch.tensor([0, 0]))
    assert value[0].item() == pytest.approx(0, abs=1e-15)
    assert gradient[0].abs().max().item() == pytest.approx(0, abs=1e-15)
    if alpha > 1.3:  # nearer to cross-entropy the end of the path is too flat for float64
        assert value[1] > 1e-9


@pytest.mark.parametrize(("name", "setting", "alpha"), SPARSE)
def test_a_sure_error_costs_its_scores(name: str, setting: dict[str, float], alpha: float) -> None:
    """The best class takes all: <e, z> - z_y, with no entropy."""
    scores = torch.tensor([[1e4, 0.0, 3.0]])
    value, gradient = checks.value_and_gradient(losses.get(name, **setting), scores, torch.tensor([1]))
    assert value.item() == pytest.approx(1e4, rel=1e-6)
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -1.0, 0.0]]))


@pytest.mark.parametrize("alpha", [1 + 1e-12, 1 + 1e-9, 1 + 1e-6, 1.001])
def test_orders_near_one_are_near_cross_entropy(alpha: float) -> None:
    scores, labels = _batch(rows=20, classes=6)
    found = checks.value_and_gradient(losses.get("fenchel_young", alpha=alpha), scores, labels)
    expected = checks.value_and_gradient(losses.get("sparse_categorical_crossentropy"), scores, labels)
    checks.equal(found, expected, tolerance=max(1e-3, 40 * (alpha - 1)) if alpha > 1.0001 else 1e-3)


@pytest.mark.parametrize(("name", "setting", "alpha"), SPARSE)
def test_a_thousand_classes_in_single_precision(name: str, setting: dict[str, float], alpha: float) -> None:
    scores, labels = _batch(classes=1000)
    loss = losses.get(name, **setting)
    exact, single = loss(scores, labels), loss(scores.float(), labels)
    torch.testing.assert_close(single.double(), exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss(torch.zeros(1, 1000), labels[:1]), loss(torch.zeros(1, 1000), labels[1:2]))


def test_what_hinges_put_out_is_no_probability() -> None:
    assert {LOSSES[name].output for name in hinges.LOSSES} == {"score"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", hinges.LOSSES)
def test_one_class_that_takes_all_leaves_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    scores = 1e4 * (2 * torch.eye(4, dtype=dtype) - 1).repeat(4, 1)  # each class wins
    labels = torch.arange(4).repeat_interleave(4)  # with each label
    value, gradient = checks.value_and_gradient(losses.get(name), scores, labels)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", hinges.LOSSES)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    scores, labels = _batch()
    loss = losses.get(name)
    each = torch.func.vmap(lambda z, y: loss(z[None], y[None])[0])(scores, labels)
    torch.testing.assert_close(each, loss(scores, labels), rtol=1e-12, atol=1e-14)
