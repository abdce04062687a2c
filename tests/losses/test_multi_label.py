"""Losses for findings: values of other packages, unknown and uncertain labels, ends of ranges."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lossassay import losses
from lossassay.catalogue.families import multi_label
from lossassay.errors import LabelError, UnknownNameError
from lossassay.losses.uncertain import POLICIES, apply_policy
from tests.losses import checks
from tests.losses.families.multi_label import ORACLES, clamped_asymmetric

import keras  # isort: skip  # after its backend is chosen

NAN = math.nan
COUNTS = (50, 20, 10, 5)
SCORES = torch.tensor([[0.5, -1.0, 2.0, -3.0], [-0.25, 1.5, -2.0, 0.75], [1.0, -0.5, 0.25, -1.25]])
LABELS = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]])
BY_EXAMPLE = [name for name, spec in multi_label.LOSSES.items() if spec.kind == "example"]
RANKING = ["lsep", "pairwise_hinge_ranking", "two_way"]


def _loss(name: str, **hyper_parameters: Any) -> losses.Loss:
    return losses.get(name, class_counts=COUNTS, **hyper_parameters)


def _value(name: str, scores: torch.Tensor, labels: torch.Tensor, **hyper_parameters: Any) -> torch.Tensor:
    return _loss(name, **hyper_parameters)(scores, labels, epoch=2)


# --- other packages

RECORDED: list[tuple[str, dict[str, Any], list[float]]] = [
    # timm 1.0.31, AsymmetricLossMultiLabel, and mmpretrain 1.2.0, asymmetric_loss; reduction none, summed over classes
    ("asymmetric", {}, [0.1946813166, 0.6730799079, 1.3056604862]),
    ("asymmetric", {"gamma_pos": 0.0}, [0.6015728116, 0.6730799079, 1.8691529036]),
    ("asymmetric", {"gamma_neg": 2.0, "gamma_pos": 0.0, "margin": 0.1}, [0.6062867045, 0.9884234667, 1.9727168083]),
    # torchvision 0.29.1, sigmoid_focal_loss, summed over classes
    ("sigmoid_focal", {}, [0.0344197676, 1.3304229975, 0.4789831340]),
    ("sigmoid_focal", {"alpha": None, "gamma": 1.5}, [0.1593919545, 2.0661792755, 1.5310862064]),
    # timm 1.0.31, ZlprLoss, image by image
    ("zlpr", {}, [0.9039690495, 2.1415739059, 2.6421213150]),
    # timm 1.0.31, DistributionBalancedLoss(num_samples=100), mean over classes
    ("distribution_balanced", {"num_images": 100}, [0.0190031864, 1.0326199532, 0.6246823072]),
    # the formulas of the authors' code (xinyu1205/robust-loss-mlml), summed over classes; its epochs 0 and 1
    ("hill", {}, [0.4923786223, 1.0580120087, 2.5530622005]),
    ("splc", {"change_epoch": 2}, [0.4228369594, 1.7738971710, 2.4252836704]),
    ("splc", {}, [0.4228369594, 0.1587270945, 2.4252836704]),
]


@pytest.mark.parametrize(("name", "setting", "expected"), RECORDED)
def test_values_that_other_packages_gave(name: str, setting: dict[str, Any], expected: list[float]) -> None:
    assert _value(name, SCORES, LABELS, **setting).tolist() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(("temperatures", "expected"), [((4.0, 1.0), 3.8355095387), ((1.0, 2.0), 2.6347670555)])
def test_the_mean_of_two_way_shares_is_what_timm_gave(temperatures: tuple[float, float], expected: float) -> None:
    """timm 1.0.31, TwoWayLoss; its second image shows nothing."""
    shares = _value("two_way", SCORES, LABELS, temperature_pos=temperatures[0], temperature_neg=temperatures[1])
    assert shares.mean().item() == pytest.approx(expected, rel=2e-6)


def test_torch_names_two_of_them_otherwise() -> None:
    torch.testing.assert_close(
        _value("multi_label_soft_margin", SCORES, LABELS),
        F.multilabel_soft_margin_loss(SCORES, LABELS, reduction="none"),
    )
    index = torch.tensor([[0, 2, -1, -1], [-1, -1, -1, -1], [0, 3, -1, -1]])
    torch.testing.assert_close(
        _value("multi_label_margin", SCORES, LABELS), F.multilabel_margin_loss(SCORES, index, reduction="none")
    )


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_keras_focal_cross_entropy_is_the_mean_over_classes(gamma: float) -> None:
    theirs = keras.losses.binary_focal_crossentropy(
        LABELS, SCORES, apply_class_balancing=True, alpha=0.25, gamma=gamma, from_logits=True
    )
    torch.testing.assert_close(_value("sigmoid_focal", SCORES, LABELS, gamma=gamma) / 4, theirs, rtol=1e-5, atol=1e-6)


def test_weights_of_positives_are_those_of_torch() -> None:
    weights = [1.0, 2.0, 0.0, 4.0]
    theirs = F.binary_cross_entropy_with_logits(SCORES, LABELS, pos_weight=torch.tensor(weights), reduction="none").sum(
        -1
    )
    torch.testing.assert_close(_value("binary_crossentropy_sum", SCORES, LABELS, pos_weight=weights), theirs)


def test_focal_without_alpha_is_its_oracle_too() -> None:
    (case,) = checks.cases("sigmoid_focal", {"alpha": None, "gamma": 0.7})
    checks.equals_its_oracle(case)
    checks.extremes_stay_finite(case)


# --- unknown and uncertain labels


@pytest.mark.parametrize("name", [n for n in BY_EXAMPLE if not multi_label.LOSSES[n].inputs or n == "splc"])
def test_an_unknown_finding_is_one_that_is_not_there(name: str) -> None:
    """Value as if the column did not exist, so also the mean over classes is over known ones."""
    labels = LABELS.clone()
    labels[:, 1] = NAN
    kept = [0, 2, 3]
    without = _value(name, SCORES[:, kept], LABELS[:, kept])
    torch.testing.assert_close(_value(name, SCORES, labels), without)


def test_two_way_leaves_an_unknown_column_and_row_out() -> None:
    labels = LABELS.clone()
    labels[:, 1] = NAN
    kept = [0, 2, 3]
    without = _value("two_way", SCORES[:, kept], LABELS[:, kept]).mean()
    torch.testing.assert_close(_value("two_way", SCORES, labels).mean(), without)
    more = torch.cat([labels, torch.full((1, 4), NAN)])
    value = _value("two_way", torch.cat([SCORES, torch.ones(1, 4)]), more)
    torch.testing.assert_close(value.mean(), without)


def test_the_weight_of_an_image_comes_of_what_is_known() -> None:
    rare = torch.tensor([[1.0, 0.0, 0.0, NAN]])
    both = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    for name in ("class_balanced_binary", "distribution_balanced"):
        first = _value(name, SCORES[:1], rare)
        moved = _value(name, SCORES[:1] + torch.tensor([0.0, 0.0, 0.0, 5.0]), rare)
        assert torch.equal(first, moved)
        assert not torch.allclose(first, _value(name, SCORES[:1], both))


CHEXPERT = torch.tensor([[1.0, -1.0, NAN, 0.0], [-1.0, 0.0, 0.25, 1.0]])


@pytest.mark.parametrize("policy", POLICIES)
def test_uncertain_labels_become_unknown_absent_or_present(policy: str) -> None:
    stands_for = {"ignore": NAN, "zeros": 0.0, "ones": 1.0}[policy]
    expected = torch.tensor([[1.0, stands_for, NAN, 0.0], [stands_for, 0.0, 0.25, 1.0]])
    given = CHEXPERT.clone()
    torch.testing.assert_close(apply_policy(given, policy), expected, equal_nan=True, rtol=0, atol=0)
    torch.testing.assert_close(given, CHEXPERT, equal_nan=True)
    assert apply_policy(CHEXPERT.double(), policy).dtype == torch.float64


def test_what_each_policy_costs() -> None:
    """One finding present, one uncertain, both at probability one half; then the uncertain one at three quarters."""
    labels = torch.tensor([[1.0, -1.0]])
    scores = torch.tensor([[0.0, math.log(3)]])
    cost = {p: _value("binary_crossentropy_sum", scores, apply_policy(labels, p)).item() for p in POLICIES}
    assert cost["ignore"] == pytest.approx(math.log(2))
    assert cost["zeros"] == pytest.approx(math.log(2) + math.log(4))
    assert cost["ones"] == pytest.approx(math.log(2) + math.log(4 / 3))


def test_policies_refuse_what_they_do_not_know() -> None:
    with pytest.raises(UnknownNameError, match=r"zeroes.*zeros"):
        apply_policy(CHEXPERT, "zeroes")
    with pytest.raises(LabelError, match=r"-1 for uncertain or nan for unknown; got -2\. Write 1 for present"):
        apply_policy(torch.tensor([[0.0, -2.0]]), "ones")
    with pytest.raises(LabelError, match=r"got 1\.5"):
        apply_policy(torch.tensor([[1.5, -1.0]]), "ones")


# --- shapes of the functions


def test_a_missed_finding_pulls_however_sure_the_network_is() -> None:
    """The authors' code clamps at 1e-8: at a score of -40 it costs 18.4 without a gradient."""
    scores, label = torch.tensor([[-40.0]], requires_grad=True), torch.ones(1, 1)
    value = _value("asymmetric", scores, label)
    assert value.item() == pytest.approx(40.0)
    assert torch.autograd.grad(value.sum(), scores)[0].item() == pytest.approx(-1.0)
    clamped = clamped_asymmetric(scores, label, gamma_neg=4.0, gamma_pos=1.0, margin=0.05)
    assert clamped.item() == pytest.approx(18.42, abs=0.01)
    assert torch.autograd.grad(clamped.sum(), scores)[0].abs().item() < 1e-15


@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2])
def test_asymmetric_leaves_easy_negatives_alone_and_bounds_false_alarms(margin: float) -> None:
    edge = math.log(margin / (1 - margin))
    scores = torch.tensor([edge - 1e-3, edge - 5.0, 40.0, 1e4], dtype=torch.float64)[:, None].requires_grad_()
    value = _value("asymmetric", scores, torch.zeros(4, 1, dtype=torch.float64), margin=margin)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert value[:2].tolist() == [0.0, 0.0]
    assert gradient[:2].tolist() == [[0.0], [0.0]]
    bound = -math.log(margin) * (1 - margin) ** 4
    assert value[2:].tolist() == pytest.approx([bound, bound])
    assert _value("asymmetric", scores[3:], scores.new_zeros(1, 1), margin=0.0).item() == pytest.approx(1e4)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["sigmoid_focal", "asymmetric", "splc", "distribution_balanced"])
def test_the_focus_has_a_finite_slope_where_the_probability_is_rounded_to_one(name: str, gamma: float) -> None:
    """(1 - p)^gamma with p rounded to 1 has slope infinity times 0 there."""
    keys = ("gamma_pos", "gamma_neg") if name == "asymmetric" else ("gamma",)
    setting = dict.fromkeys(keys, gamma)
    scores = torch.tensor([[200.0, -200.0, 20.0, -20.0]], requires_grad=True)
    for row in ([1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]):
        value = _value(name, scores, torch.tensor([row]), **setting)
        assert torch.isfinite(torch.autograd.grad(value.sum(), scores)[0]).all()


def test_hill_lets_go_of_negatives_that_look_surely_positive() -> None:
    scores = torch.tensor([[0.0], [1.0], [8.0], [40.0]], dtype=torch.float64, requires_grad=True)
    value = _value("hill", scores, torch.zeros(4, 1, dtype=torch.float64))
    (pull,) = torch.autograd.grad(value.sum(), scores)
    s = torch.sigmoid(scores.detach())
    torch.testing.assert_close(pull, 3 * s**2 * (1 - s) ** 2)  # (3 s - 3 s^2) s (1 - s)
    assert pull[2].item() < 1e-5 < 0.1 < pull[0].item()
    turned = _value("hill", scores, torch.zeros(4, 1, dtype=torch.float64), lambda_=1.0)
    assert torch.autograd.grad(turned.sum(), scores)[0][2].item() < 0  # below 1.5 it pulls up


def test_self_paced_correction_waits_for_its_epoch_and_its_threshold() -> None:
    loss, labels = _loss("splc"), torch.zeros(1, 2)
    below, above = (math.log(p / (1 - p)) for p in (0.59, 0.61))
    scores = torch.tensor([[below, above]], requires_grad=True)
    early, late = (torch.autograd.grad(loss(scores, labels, epoch=e).sum(), scores)[0][0] for e in (1, 2))
    assert (early > 0).all()
    assert late[0] == early[0]
    assert late[1] < 0
    from_the_start = _loss("splc", change_epoch=0)(scores, labels, epoch=1)
    assert torch.equal(from_the_start, loss(scores, labels, epoch=2))
    present = torch.ones(1, 2)
    assert torch.equal(loss(scores, present, epoch=1), loss(scores, present, epoch=9))


def test_ranking_losses_see_differences_within_an_image_alone() -> None:
    for name in ("lsep", "pairwise_hinge_ranking"):
        torch.testing.assert_close(_value(name, SCORES + 3.0, LABELS), _value(name, SCORES, LABELS))
        assert _value(name, SCORES, LABELS)[1] == 0  # nothing present, nothing to rank
        assert _value(name, SCORES, torch.ones_like(LABELS)).tolist() == [0.0, 0.0, 0.0]
    assert not torch.allclose(_value("zlpr", SCORES + 3.0, LABELS), _value("zlpr", SCORES, LABELS))


def test_with_one_finding_lsep_is_cross_entropy_and_zlpr_has_a_threshold_class() -> None:
    draws = torch.Generator().manual_seed(1)
    scores = 3 * torch.randn(20, 5, generator=draws, dtype=torch.float64)
    index = torch.randint(5, (20,), generator=draws)
    rows = F.one_hot(index, 5).double()
    torch.testing.assert_close(losses.get("lsep")(scores, rows), F.cross_entropy(scores, index, reduction="none"))
    others = scores.masked_fill(rows == 1, -torch.inf)
    with_zero = torch.cat([others, torch.zeros(20, 1, dtype=torch.float64)], dim=-1)
    true = scores.gather(-1, index[:, None]).squeeze(-1)
    expected = with_zero.logsumexp(-1) + F.softplus(-true)
    torch.testing.assert_close(losses.get("zlpr")(scores, rows), expected)
    single = scores[:, :1]  # one class: ZLPR is binary cross-entropy
    for label in (torch.zeros_like(single), torch.ones_like(single)):
        torch.testing.assert_close(losses.get("zlpr")(single, label), losses.get("bce")(single, label))


def test_scores_of_hundreds_are_still_ranked() -> None:
    """The author's mask of two_way, -100, is reached by them: an image with everything right then costs something."""
    scores = torch.tensor([[900.0, -900.0], [-900.0, 900.0]], dtype=torch.float64)
    for name in RANKING:
        assert _value(name, scores, torch.eye(2, dtype=torch.float64)).tolist() == [0.0, 0.0]
    wrong = _value("two_way", -scores, torch.eye(2, dtype=torch.float64))
    assert wrong.tolist() == pytest.approx([3600.0, 3600.0])
    mask = torch.where(torch.eye(2) == 1, 0.0, -100.0)
    pushed = 4 * torch.logsumexp(-scores / 4 + mask, dim=1)  # should be -900, of the present class alone
    assert pushed.tolist() == pytest.approx([500.0, 500.0])


def test_soft_labels_weigh_presence_and_absence() -> None:
    row = torch.tensor([[0.25, 0.0, 1.0, 0.0]])
    present, absent = row.clone().round(), row.clone()
    present[0, 0] = 1.0
    absent[0, 0] = 0.0
    for name in ("binary_crossentropy_sum", "sigmoid_focal", "asymmetric", "hill", "splc"):
        mixed = 0.25 * _value(name, SCORES[:1], present) + 0.75 * _value(name, SCORES[:1], absent)
        torch.testing.assert_close(_value(name, SCORES[:1], row), mixed)
    by_hand = math.log(1 + 0.75 * math.exp(0.5) + math.exp(-1) + math.exp(-3)) + math.log(
        1 + 0.25 * math.exp(-0.5) + math.exp(-2)
    )
    assert _value("zlpr", SCORES[:1], row).item() == pytest.approx(by_hand, rel=1e-6)


def test_images_with_a_rare_finding_count_more() -> None:
    """Effective numbers at beta 0.5: 2, 2, 1.998, 1.9375; their inverses are scaled to sum to 4."""
    numbers = [2 - 0.5 ** (n - 1) for n in COUNTS]
    inverse = [1 / number for number in numbers]
    weights = [4 * w / sum(inverse) for w in inverse]
    labels = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0], [1.0, 0, 0, 1.0], [0, 0, 0, 0]])
    value = _value("class_balanced_binary", torch.zeros(4, 4), labels, beta=0.5) / (4 * math.log(2))
    assert value.tolist() == pytest.approx([weights[0], weights[3], (weights[0] + weights[3]) / 2, 1.0], rel=1e-5)
    by_number = _value("class_balanced_binary", torch.zeros(4, 4), labels, beta=1.0)
    assert (by_number[1] / by_number[0]).item() == pytest.approx(10.0, rel=1e-5)


def test_distribution_balance_weighs_by_what_an_image_shows() -> None:
    """r is 1 for the only finding of an image, below it for the commoner of two, endless where nothing is shown."""
    setting = {"gamma": 0.0, "focal_scale": 1.0, "init_bias": 0.0, "neg_scale": 1.0}
    labels = torch.tensor([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    value = _value("distribution_balanced", torch.zeros(3, 4), labels, **setting) / math.log(2)
    expected = []
    for shown in (1 / 5, 1 / 50 + 1 / 5, 0.0):
        ratios = [1 / n / shown if shown else math.inf for n in COUNTS]
        expected.append(sum(0.1 + 1 / (1 + math.exp(-10 * (r - 0.2))) for r in ratios) / 4)
    assert value.tolist() == pytest.approx(expected, rel=1e-5)
    assert expected[2] == 1.1


def test_distribution_balance_lowers_the_scores_of_rare_findings() -> None:
    """The bias is kappa / lambda log(N / n - 1); a finding in every image is taken for missing in one."""
    scores, labels = torch.zeros(1, 4, dtype=torch.float64), torch.ones(1, 4, dtype=torch.float64)
    setting: dict[str, Any] = {"map_beta": 0.0, "map_alpha": 0.5, "gamma": 0.0, "focal_scale": 1.0, "init_bias": 2.0}
    for number, total in ((None, 85), (100, 100), (50, 50)):
        bias = [2.0 / 2.0 * math.log(total / min(n, total - 1) - 1) for n in COUNTS]
        expected = sum(math.log1p(math.exp(b)) for b in bias) / 4
        found = _value("distribution_balanced", scores, labels, num_images=number, **setting)
        assert found.item() == pytest.approx(expected, rel=1e-6)


# --- all of them


@pytest.mark.parametrize("name", BY_EXAMPLE)
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    loss, labels = _loss(name), LABELS.clone()
    labels[0, 1] = NAN
    whole = loss(SCORES, labels, epoch=2)
    each = torch.func.vmap(lambda z, t: loss(z[None], t[None], epoch=2)[0])(SCORES, labels)
    torch.testing.assert_close(each, whole, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ORACLES)
def test_every_loss_of_the_family_trains_findings(name: str) -> None:
    assert multi_label.LOSSES[name].trains("multi_label")
    scores = torch.zeros(6, 4, requires_grad=True)
    labels = torch.cat([torch.eye(4), torch.tensor([[1.0, 1.0, 0.0, NAN], [0.0, 0.0, NAN, 1.0]])])
    (gradient,) = torch.autograd.grad(_loss(name)(scores, labels, epoch=1).mean(), scores)
    known = ~labels.isnan()
    assert (gradient[known & (labels == 1)] < 0).all()
    assert (gradient[known & (labels == 0)] > 0).all()
    assert (gradient[~known] == 0).all()
