"""Cosines with a margin and the centre loss: ends of ranges, and values of other packages."""

import math

import pytest
import torch
import torch.nn.functional as F

from lossassay import losses
from lossassay.catalogue.families import margin as family
from lossassay.losses.margin import arcface, center_loss, cosface, normalized_softmax, subcenter_arcface
from lossassay.models.heads import make_head
from tests.losses import checks
from tests.losses.families.margin import rises_beyond, step_beyond

FEATURES = torch.tensor(
    [[1.0, 2.0, -1.0], [0.5, -1.0, 2.0], [-1.0, 0.3, 0.2], [0.2, 0.1, -0.4], [1.0, 2.0, -1.0]], dtype=torch.float64
)
WEIGHT = torch.tensor([[1.0, 1.5, -0.5], [-0.3, -1.0, 1.0], [0.8, -0.2, 0.6]], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 1, 1])
DEGREES = math.radians(28.6)


def _cosines() -> torch.Tensor:
    return F.linear(F.normalize(FEATURES, dim=-1), F.normalize(WEIGHT, dim=-1))


def test_values_are_those_of_pytorch_metric_learning() -> None:
    """Version 2.9.0 at its defaults; the last angle is beyond pi - m, where its ArcFace has a step."""
    cosines = _cosines()
    normalised = [0.0, 0.1528228, 16.2552484, 29.7364413, 38.2774324]
    cosine_margin = [0.0, 16.6365058, 74.4164511, 117.5566122, 144.8877838]
    angular = [0.0, 16.569011, 69.0741737, 104.9249235, 137.7803164]
    assert normalized_softmax(cosines, LABELS).tolist() == pytest.approx(normalised, abs=1e-6)
    assert cosface(cosines, LABELS).tolist() == pytest.approx(cosine_margin, abs=1e-6)
    ours = arcface(cosines, LABELS, margin_radians=DEGREES)
    assert ours[:4].tolist() == pytest.approx(angular[:4], abs=1e-6)
    step = 64 * (DEGREES * math.sin(DEGREES) - (1 - math.cos(DEGREES)))
    assert ours[4].item() == pytest.approx(angular[4] - step, abs=1e-6)
    assert step_beyond(cosines, LABELS, DEGREES, 64.0).tolist() == pytest.approx(angular, abs=1e-6)


def test_sub_centres_are_those_of_pytorch_metric_learning() -> None:
    """Version 2.9.0, two weights for each class: the head takes the nearest, and decides so too."""
    head = make_head("cosine_with_subcentres", 3, 3, {"subcentres": 2}).double()
    rows = [WEIGHT[0], WEIGHT[0].flip(0), WEIGHT[1], -WEIGHT[1].flip(0), WEIGHT[2], WEIGHT[2].roll(1)]
    with torch.no_grad():
        head.weight.copy_(torch.stack(rows))
        value = subcenter_arcface(head(FEATURES), LABELS, margin_radians=DEGREES)
    assert value.tolist() == pytest.approx([12.1005505, 16.569011, 105.8456897, 88.6798397, 81.9999971], abs=1e-6)
    assert losses.get("subcenter_arcface").head_options == {"subcentres": 3}


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.2, math.pi / 2])
def test_arcface_falls_all_the_way_and_has_no_step(margin: float) -> None:
    """The plain formula rises again beyond pi - m; the usual repair has a step of m sin(m) - (1 - cos(m))."""
    angles = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    scores = torch.stack([torch.cos(angles), torch.zeros_like(angles)], dim=-1)
    label = torch.zeros(len(angles), dtype=torch.int64)
    rise = arcface(scores, label, margin_radians=margin).diff()
    assert (rise >= -1e-9).all()
    assert rise.max().item() < 0.02
    if margin in (0.5, 1.2):
        assert rises_beyond(scores, label, margin, 64.0).diff().min().item() < -1e-4
        step = 64 * (margin * math.sin(margin) - (1 - math.cos(margin)))
        assert step_beyond(scores, label, margin, 64.0).diff().max().item() == pytest.approx(step, abs=0.1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("cosine", [-1.0000001, -1.0, 1.0, 1.0000001])
def test_arcface_has_a_slope_at_both_ends_and_a_rounding_error_beyond(cosine: float, dtype: torch.dtype) -> None:
    scores = torch.tensor([[cosine, 0.0, 1.0]], dtype=dtype, requires_grad=True)
    value = arcface(scores, torch.tensor([0]), scale=2.0)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert gradient[0, 0].item() < 0
    if cosine > 0:
        expected = 2 * math.cos(0.5)
        others = math.exp(2) + 1
        share = others / (others + math.exp(expected))
        assert gradient[0, 0].item() == pytest.approx(-2 * math.cos(0.5) * share, rel=0.01)


def test_features_on_their_class_weight_learn_nothing_wrong_through_the_head() -> None:
    head = make_head("cosine", 3, 3).double()
    features = (2 * head.weight[:2].detach()).requires_grad_()
    value = arcface(head(features), torch.tensor([0, 1]))
    gradients = torch.autograd.grad(value.sum(), [features, head.weight])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_one_margin_is_an_angle_and_the_other_a_cosine() -> None:
    """With the true class at a right angle cos(90 degrees + m) = -sin(m), so both agree for sin(m)."""
    scores, label = torch.zeros(1, 5, dtype=torch.float64), torch.tensor([2])
    turned = arcface(scores, label, margin_radians=0.5)
    torch.testing.assert_close(turned, cosface(scores, label, margin=math.sin(0.5)), rtol=1e-12, atol=0)
    assert turned.item() == pytest.approx(64 * math.sin(0.5) + math.log(4), abs=1e-9)


@pytest.mark.parametrize("degrees", [28.6, 50.0])
def test_a_margin_in_degrees_is_refused(degrees: float) -> None:
    with pytest.raises(ValueError, match=r"arcface: margin_radians: got .*, expected a number, from 0 to 1\.57"):
        losses.get("arcface", margin_radians=degrees)


def test_the_centre_loss_pulls_features_and_centres_together() -> None:
    scores, labels = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([2, 2])
    features = torch.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=torch.float64, requires_grad=True)
    centres = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    value = center_loss(scores, labels, features=features, centres=centres, centre_weight=0.1)
    assert value.tolist() == pytest.approx([math.log(3) + 0.05, math.log(3) + 0.45])
    of_features, of_centres = torch.autograd.grad(value.sum(), [features, centres])
    torch.testing.assert_close(of_features, 0.1 * features.detach())
    torch.testing.assert_close(of_centres[2], -0.1 * features.detach().sum(0))
    assert (of_centres[:2] == 0).all()


def test_centre_loss_takes_features_of_another_type_than_the_scores() -> None:
    features, centres = torch.full((1, 4), 1e4), torch.zeros(3, 4)
    value = center_loss(torch.zeros(1, 3).bfloat16(), torch.tensor([0]), features=features, centres=centres)
    assert value.dtype == torch.bfloat16
    assert value.item() == pytest.approx(0.0015 * 4e8, rel=0.01)


@pytest.mark.parametrize("name", family.LOSSES)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    inputs = {key: given.inputs[key] for key in case.spec.inputs}
    features = inputs.pop("features", torch.zeros(checks.ROWS, 0))
    whole = case.loss(given.scores, given.labels, features=features, **inputs)
    each = torch.func.vmap(lambda z, y, h: case.loss(z[None], y[None], features=h[None], **inputs)[0])(
        given.scores, given.labels, features
    )
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
