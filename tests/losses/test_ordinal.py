"""Losses for grades: values of other packages, known defects, and what the catalogue's identities cannot say."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import cohen_kappa_score
from statsmodels.miscmodels.ordinal_model import OrderedModel

from lossassay import losses
from lossassay.catalogue.families import ordinal
from lossassay.errors import LossInputError
from lossassay.losses.ordinal_distances import class_distance_weighted_cross_entropy, slace, weighted_kappa
from lossassay.losses.ordinal_steps import condor, coral, corn, cumulative_link
from lossassay.models.heads import make_head
from tests.losses import checks
from tests.losses.families.ordinal import (
    clamped_differences,
    condor_with_an_added_epsilon,
    distance_in_place_of_images,
    divided_by_the_pairs_of_the_batch,
    kappa_with_an_added_epsilon,
    log_of_exponentials,
)
from tests.losses.families.ordinal_soft_labels import softmax_of_poisson, with_rows

SCORES = torch.tensor(
    [
        [1.5, -0.5, 0.25, 2.0, -1.0],
        [-2.0, 0.5, 1.0, 0.0, 0.75],
        [0.5, 0.25, -1.5, 1.25, 2.5],
        [-0.25, 3.0, 0.5, -1.0, 0.0],
    ],
    dtype=torch.float64,
)
LABELS = torch.tensor([0, 2, 4, 1])
EVERY_SOFT_LABEL = [name for name in ordinal.LOSSES if name.endswith("_soft_labels")]

# Means over the four examples above, of dlordinal 2.7.0 (losses of K scores, and ecoc), coral-pytorch 1.4.0 (coral) and
# condor-pytorch 1.1.0 (condor; corn is its condor_negloglikeloss). K - 1 scores: the first four columns.
RECORDED = [
    ("coral", {}, 4.475248940730978, 1e-12),
    ("corn", {}, 3.1233913738909287, 1e-12),
    ("condor", {}, 4.063908290646504, 1e-6),  # it adds 1e-7 inside the logarithm
    ("ordinal_ecoc", {}, 6.341072727299659 / 4, 1e-7),  # dlordinal sums over the batch
    ("earth_mover_distance", {}, 0.4210290622841158, 1e-7),
    ("class_distance_weighted_cross_entropy", {"alpha": 0.5}, 0.7779615945229128, 1e-6),
    ("class_distance_weighted_cross_entropy", {"alpha": 1.0}, 1.1758102471654879, 1e-6),
    ("class_distance_weighted_cross_entropy", {"alpha": 2.0}, 3.0433060949611885, 1e-6),
    ("sord", {}, 1.5158501128406465, 1e-7),
    ("sord", {"alpha": 2.5}, 0.9040747988296873, 1e-7),
    ("binomial_soft_labels", {}, 1.585911319020222, 1e-6),
    ("binomial_soft_labels", {"eta": 0.6}, 1.230286379205709, 1e-6),
    ("beta_soft_labels", {}, 1.1380827044562878, 1e-6),
    ("beta_soft_labels", {"eta": 0.6}, 0.9615891749130148, 1e-6),
    ("triangular_soft_labels", {}, 0.8053029879115804, 1e-6),
    ("triangular_soft_labels", {"eta": 0.6}, 0.7619213561477005, 1e-6),
    ("triangular_soft_labels", {"alpha2": 0.1}, 0.8964426212525658, 1e-6),
    ("exponential_soft_labels", {}, 1.515850093561425, 1e-6),
    ("exponential_soft_labels", {"eta": 0.6}, 1.1882496306537356, 1e-6),
    ("exponential_soft_labels", {"p": 2.0, "tau": 1.5}, 1.5187952668997529, 1e-6),
    ("geometric_soft_labels", {}, 0.8762512629470023, 1e-6),
    ("geometric_soft_labels", {"eta": 0.6}, 0.8044903498960687, 1e-6),
    ("geometric_soft_labels", {"alpha": 0.3}, 1.2649603079164922, 1e-6),
    ("weighted_kappa", {"form": "ratio"}, 0.5726590752601624, 1e-6),
    ("weighted_kappa", {}, -0.5574647188186646, 1e-6),
    ("weighted_kappa", {"form": "ratio", "penalization": "linear"}, 0.5804252028465271, 1e-6),
    ("weighted_kappa", {"penalization": "linear"}, -0.5439943075180054, 1e-6),
    ("mean_class_error_and_kappa", {}, 0.32408735156059265, 1e-6),
    ("mean_class_error_and_kappa", {"c": 0.7}, 0.42351603507995605, 1e-6),
]


def _batch(rows: int = 8, width: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(rows, width, generator=draws, dtype=torch.float64)
    return scores, torch.randint(4, (rows,), generator=draws)


def _rows_of(name: str, classes: int, **hyper_parameters: float) -> torch.Tensor:
    """The soft labels of a loss, [K K]: minus its gradient where p is even, and that back."""
    zeros = torch.zeros(classes, classes, dtype=torch.float64, requires_grad=True)
    value = losses.get(name, **hyper_parameters)(zeros, torch.arange(classes))
    return 1 / classes - torch.autograd.grad(value.sum(), zeros)[0]


@pytest.mark.parametrize(("name", "setting", "mean", "tolerance"), RECORDED)
def test_recorded_values_of_other_packages(name: str, setting: dict[str, float], mean: float, tolerance: float) -> None:
    loss = losses.get(name, **setting)
    value = loss(SCORES[:, : loss.spec.num_scores(5)], LABELS).mean()
    assert value.item() == pytest.approx(mean, rel=tolerance)


def test_coral_example_by_example_as_in_coral_pytorch() -> None:
    recorded = torch.tensor([5.128357693085, 4.607413863301, 3.003358763387, 5.161865443151], dtype=torch.float64)
    torch.testing.assert_close(coral(SCORES[:, :4], LABELS), recorded, rtol=1e-12, atol=1e-12)


def test_corn_divides_by_examples_and_coral_pytorch_by_pairs() -> None:
    """coral-pytorch 1.4.0: 1.24936, over the 1 + 3 + 4 + 2 pairs of example and step."""
    scores = SCORES[:, :4]
    assert corn(scores, LABELS).sum().item() / 10 == pytest.approx(1.2493565495563719, rel=1e-12)
    theirs = divided_by_the_pairs_of_the_batch(scores, LABELS)
    assert theirs.mean().item() == pytest.approx(1.2493565495563719, rel=1e-12)
    low, high = torch.zeros(2, dtype=torch.int64), torch.full((2,), 4)
    for labels, factor in ((low, 1), (high, 4)):  # the same example is worth four times less beside high grades
        theirs, ours = divided_by_the_pairs_of_the_batch(scores[:2], labels), corn(scores[:2], labels)
        torch.testing.assert_close(factor * theirs, ours)


@pytest.mark.parametrize("name", ["coral", "corn", "condor", "cumulative_link"])
def test_with_two_grades_steps_are_binary_cross_entropy(name: str) -> None:
    scores, _ = _batch(width=1)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    expected = F.binary_cross_entropy_with_logits(scores[:, 0], labels.double(), reduction="none")
    torch.testing.assert_close(losses.get(name)(scores, labels), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["corn", "cumulative_link"])
def test_likelihoods_are_minus_the_logarithm_of_what_the_link_gives(name: str) -> None:
    scores, labels = _batch(width=3)
    scores = scores.sort(-1, descending=True).values if name == "cumulative_link" else scores
    loss = losses.get(name)
    p = losses.probabilities(scores, link=loss.spec.link, num_classes=4, task="ordinal")
    expected = -p.gather(-1, labels[:, None]).squeeze(-1).log()
    torch.testing.assert_close(loss(scores, labels), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "head"), [("coral", "shared_slope"), ("condor", "linear_minus_one")])
def test_steps_of_what_the_link_gives_are_those_of_the_loss(name: str, head: str) -> None:
    """Losses and links count steps alike: score k belongs to P(y > k), which is 1 - the sum up to grade k."""
    torch.manual_seed(0)
    scores = make_head(head, 6, 4)(torch.randn(8, 6)).double().detach()  # type: ignore[arg-type]
    labels = torch.arange(8) % 4
    spec = losses.get(name).spec
    p = losses.probabilities(scores, link=spec.link, num_classes=4, task="ordinal")
    above = 1 - p.cumsum(-1)[:, :-1]
    levels = (labels[:, None] > torch.arange(3)).double()
    expected = F.binary_cross_entropy(above, levels, reduction="none").sum(-1)
    torch.testing.assert_close(losses.get(name)(scores, labels), expected, rtol=1e-6, atol=1e-7)


def test_cumulative_link_is_the_likelihood_of_statsmodels() -> None:
    draws = np.random.default_rng(0)
    x, grades = draws.normal(size=(12, 2)), np.arange(12) % 4
    model = OrderedModel(grades, x, distr="logit")
    thresholds = np.array([-1.3, 0.2, 1.1])
    slopes = np.array([0.7, -1.2])
    parameters = np.concatenate([slopes, thresholds[:1], np.log(np.diff(thresholds))])
    scores = torch.tensor(x @ slopes)[:, None] - torch.tensor(thresholds)
    expected = torch.tensor(-np.asarray(model.loglikeobs(parameters)))
    torch.testing.assert_close(cumulative_link(scores, torch.tensor(grades)), expected, rtol=1e-9, atol=1e-12)


def test_cumulative_link_as_in_spacecutter_and_without_its_clamp() -> None:
    """spacecutter 0.2.1: 0.8791324 for four examples; 34.54 nats and no gradient where the grade is surely wrong."""
    thresholds = torch.tensor([-2.0, -0.5, 0.25, 1.5], dtype=torch.float64)
    place = torch.tensor([[-3.0], [0.0], [2.0], [-1.0]], dtype=torch.float64)
    assert cumulative_link(place - thresholds, LABELS).mean().item() == pytest.approx(0.8791324178553543, rel=1e-10)
    far, label = (60.0 - thresholds)[None].requires_grad_(), torch.tensor([0])
    theirs, ours = clamped_differences(far, label), cumulative_link(far, label)
    assert theirs.item() == pytest.approx(34.538776394910684)
    assert not torch.autograd.grad(theirs.sum(), far)[0].any()
    assert ours.item() == pytest.approx(62.0)
    assert torch.autograd.grad(ours.sum(), far)[0][0, 0].item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("place", [-1e4, -50.0, 0.0, 50.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_cumulative_link_keeps_its_digits_where_both_probabilities_are_near_0_or_1(
    place: float, dtype: torch.dtype
) -> None:
    """sigma(z + 1) - sigma(z) is e^-|z| times a constant there; as a difference it is 0 from 17 (float32) or 37 on."""
    scores = torch.tensor([[place + 1, place]], dtype=dtype, requires_grad=True)
    value = cumulative_link(scores, torch.tensor([1]))
    if place:
        near_0 = math.log(math.e - 1)
        expected = abs(place) - (near_0 if place < 0 else math.log(1 - math.exp(-1)))
        assert value.item() == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(torch.autograd.grad(value.sum(), scores)[0]).all()


def test_scores_out_of_order_are_pulled_into_order() -> None:
    scores = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    value = cumulative_link(scores, torch.tensor([1]))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert math.isfinite(value.item())
    assert gradient[0, 0] < -1
    assert gradient[0, 1] > 1


def test_the_tangent_of_cumulative_link_starts_without_a_step_or_a_bend() -> None:
    falls = torch.tensor([1e-4 * (1 - 1e-9), 1e-4, 1e-4 * (1 + 1e-9)], dtype=torch.float64, requires_grad=True)
    value = cumulative_link(torch.stack([falls, torch.zeros_like(falls)], -1), torch.ones(3, dtype=torch.int64))
    (slope,) = torch.autograd.grad(value.sum(), falls)
    torch.testing.assert_close(value, value[1].expand(3), rtol=1e-8, atol=0)
    torch.testing.assert_close(slope, slope[1].expand(3), rtol=1e-8, atol=0)


def test_a_surely_wrong_step_pulls_in_condor() -> None:
    """condor-pytorch 1.1.0 adds 1e-7: 17.06 nats, gradient 1.5e-28 at the score of 80."""
    scores = torch.tensor([[80.0, 0.0, 0.0, 0.0]], requires_grad=True)
    theirs, ours = condor_with_an_added_epsilon(scores, torch.tensor([0])), condor(scores, torch.tensor([0]))
    assert theirs.item() == pytest.approx(17.056745529175, rel=1e-5)
    assert torch.autograd.grad(theirs.sum(), scores)[0][0, 0].abs().item() < 1e-20
    assert ours.item() > 80
    assert torch.autograd.grad(ours.sum(), scores)[0][0, 0].item() == pytest.approx(1.0, rel=1e-5)


def test_distance_weighted_cross_entropy_bears_large_scores_and_small_alphas() -> None:
    """dlordinal 2.7.0 is nan at a score of 100 in float32; at alpha = 0 its 0^0 counts the true grade too."""
    scores, label = torch.tensor([[100.0, 0.0, 0.0, 0.0, 0.0]], requires_grad=True), torch.tensor([1])
    assert log_of_exponentials(scores, label, 1.0).isnan().all()
    value = class_distance_weighted_cross_entropy(scores, label, alpha=1.0)
    assert value.item() == pytest.approx(100 - math.log(4))
    assert torch.autograd.grad(value.sum(), scores)[0][0, 0].item() == pytest.approx(1.0, rel=1e-5)
    theirs, ours = (
        f(SCORES, LABELS, alpha=0.0).mean() for f in (log_of_exponentials, class_distance_weighted_cross_entropy)
    )
    assert theirs.item() == pytest.approx(1.469821889796, rel=1e-6)
    truth = -(1 - SCORES.softmax(-1).gather(-1, LABELS[:, None])).log().mean()
    torch.testing.assert_close(theirs, ours + truth, rtol=1e-6, atol=0)


def test_the_ranked_probability_score_is_least_at_the_probabilities_of_the_grades() -> None:
    truth = torch.tensor([[0.5, 0.2, 0.2, 0.1]], dtype=torch.float64)
    scores = truth.log().requires_grad_()
    expected = sum(truth[0, y] * losses.get("rps")(scores, torch.tensor([y])).sum() for y in range(4))
    assert torch.autograd.grad(expected, scores)[0].abs().max() < 1e-12


@pytest.mark.parametrize("weights", ["quadratic", "linear"])
def test_hard_decisions_have_the_kappa_of_sklearn(weights: str) -> None:
    labels, decided = torch.tensor([0, 1, 2, 3, 3, 1, 0, 2]), torch.tensor([0, 2, 2, 3, 1, 1, 1, 0])
    value = losses.get("weighted_kappa", form="ratio", penalization=weights)(60.0 * torch.eye(4)[decided], labels)
    assert 1 - value.mean().item() == pytest.approx(cohen_kappa_score(labels, decided, weights=weights), abs=1e-6)


@pytest.mark.parametrize("name", ["weighted_kappa", "mean_class_error_and_kappa"])
@pytest.mark.parametrize("rows", [1, 4])
def test_a_batch_of_one_grade_has_kappa_0_and_teaches_nothing_about_it(name: str, rows: int) -> None:
    """dlordinal gives 1 for any prediction but an exact one, and 0 for that: 0 / 1e-10."""
    labels = torch.full((rows,), 2)
    random = torch.randn(rows, 5, generator=torch.Generator().manual_seed(1))
    for scores in (random, 200.0 * torch.eye(5)[labels], 1e4 * torch.eye(5)[labels], -1e4 * torch.eye(5)[labels]):
        leaf = scores.clone().requires_grad_()
        ratio = weighted_kappa(leaf, labels, form="ratio")
        torch.testing.assert_close(ratio, torch.ones(rows), rtol=1e-3, atol=0)
        value = losses.get(name)(leaf, labels)
        (gradient,) = torch.autograd.grad(value.mean(), leaf)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()
        if name == "weighted_kappa":
            assert gradient.abs().max() < 1e-5
    assert kappa_with_an_added_epsilon(200.0 * torch.eye(5)[labels], labels, form="ratio").eq(0).all()


def test_the_logarithm_of_kappa_pulls_however_good_the_fit() -> None:
    """TensorFlow Addons add 1e-6: at a margin of 20 the value stops at -13.8."""
    labels = torch.arange(4)
    scores = (20 * torch.eye(4)).requires_grad_()
    ours, theirs = weighted_kappa(scores, labels), kappa_with_an_added_epsilon(scores, labels)
    (pull,) = torch.autograd.grad(ours.mean(), scores)
    (their_pull,) = torch.autograd.grad(theirs.mean(), scores)
    assert ours[0].item() < -18
    assert theirs[0].item() == pytest.approx(math.log(1e-6), abs=0.1)
    assert pull.abs().max() > 100 * their_pull.abs().max()


def test_kappa_of_one_batch_is_not_the_mean_of_its_parts() -> None:
    scores, labels = _batch()
    whole = weighted_kappa(scores, labels, form="ratio").mean()
    halves = [weighted_kappa(scores[part], labels[part], form="ratio").mean() for part in (slice(4), slice(4, 8))]
    assert abs((sum(halves) / 2 - whole).item()) > 1e-3


def test_without_kappa_its_partner_is_mean_squared_error() -> None:
    scores, labels = _batch()
    value = 2 * losses.get("mce_and_wk")(scores, labels) - weighted_kappa(scores, labels, form="ratio")
    expected = losses.get("mean_squared_error")(scores, F.one_hot(labels, 4).double())
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)


def test_slace_counts_images_between_grades_and_dlordinal_counts_grades() -> None:
    """dlordinal 2.7.0: 0.53368 for these examples, whatever the counts."""
    counts = torch.tensor([50.0, 5.0, 5.0, 5.0, 50.0])
    theirs = distance_in_place_of_images(SCORES, LABELS, counts, 1.0)
    assert theirs.mean().item() == pytest.approx(0.5336763136021209, rel=1e-6)
    with_counts = slace(SCORES, LABELS, class_counts=counts)
    assert (with_counts.mean() - theirs.mean()).abs() > 0.01
    even = slace(SCORES, LABELS, class_counts=torch.full((5,), 9.0))
    assert (with_counts - even).abs().max() > 0.01
    torch.testing.assert_close(slace(SCORES, LABELS, class_counts=3 * counts), with_counts)


def test_slace_with_a_sharp_soft_label_is_cross_entropy() -> None:
    scores, labels = _batch()
    value = losses.get("slace", class_counts=[40, 30, 20, 10], alpha=200.0)(scores, labels)
    torch.testing.assert_close(value, F.cross_entropy(scores, labels, reduction="none"), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("name", [*EVERY_SOFT_LABEL, "sord"])
def test_soft_labels_sum_to_one_and_fall_from_the_true_grade_on_both_sides(name: str, classes: int) -> None:
    rows = _rows_of(name, classes)
    torch.testing.assert_close(rows.sum(-1), torch.ones(classes, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert (rows > -1e-15).all()
    for y, row in enumerate(rows):
        assert row.argmax() == y
        assert (row[: y + 1].diff() >= -1e-14).all()
        assert (row[y:].diff() <= 1e-14).all()


def test_soft_labels_are_those_that_dlordinal_documents() -> None:
    """Docstrings of dlordinal 2.7.0, eight digits."""
    expected = {
        ("binomial_soft_labels", ()): [0.2401, 0.4116, 0.2646, 0.0756, 0.0081],
        ("geometric_soft_labels", ()): [0.04739336, 0.9, 0.04739336, 0.00473934, 0.00047393],
        ("geometric_soft_labels", (("alpha", 0.3),)): [0.12552301, 0.7, 0.12552301, 0.0376569, 0.01129707],
        ("exponential_soft_labels", ()): [0.19151597, 0.52059439, 0.19151597, 0.07045479, 0.02591887],
        ("beta_soft_labels", ()): [0.16306231, 0.67401521, 0.15985465, 0.00306715, 0.00000068],
        ("triangular_soft_labels", (("alpha2", 0.01),)): [0.01, 0.98, 0.01, 0.0, 0.0],
    }
    for (name, setting), row in expected.items():
        found = _rows_of(name, 5, **dict(setting))[1]
        torch.testing.assert_close(found, torch.tensor(row, dtype=torch.float64), rtol=0, atol=2e-8)
    ends = _rows_of("triangular_soft_labels", 5, alpha2=0.01)
    assert ends[0, 1].item() == pytest.approx(0.01154505, abs=1e-8)
    assert ends[4, 3].item() == pytest.approx(0.00505524, abs=1e-8)


def test_poisson_soft_labels_peak_and_those_of_dlordinal_are_nearly_flat() -> None:
    """dlordinal 2.7.0: 2.26478 for these examples; softmax of probabilities, with mean y + 1."""
    flat = torch.tensor(softmax_of_poisson(5))
    assert with_rows(SCORES, LABELS, flat).mean().item() == pytest.approx(2.2647783407693565, rel=1e-6)
    assert (flat.min() > 0.16) & (flat.max() < 0.24)
    torch.testing.assert_close(flat.diag(0)[:-1], flat.diag(1))  # two peaks
    shifted = _rows_of("poisson_soft_labels", 5, shift=1.0)
    torch.testing.assert_close(shifted.diag(0)[:-1], shifted.diag(1))
    ours = _rows_of("poisson_soft_labels", 5)
    assert (ours.diag(0)[:-1] > 1.1 * ours.diag(1)).all()
    assert _rows_of("poisson_soft_labels", 5, shift=0.0)[0].tolist() == pytest.approx([1, 0, 0, 0, 0])


def test_binomial_soft_labels_of_more_than_ten_grades_peak_beside_the_outer_ones() -> None:
    assert _rows_of("binomial_soft_labels", 9)[0].argmax() == 0
    assert _rows_of("binomial_soft_labels", 12)[0].argmax() == 1


def test_beta_soft_labels_end_with_fourteen_grades() -> None:
    losses.get("beta_soft_labels")(torch.zeros(1, 14), torch.tensor([13]))
    with pytest.raises(LossInputError, match=r"shapes for 2 to 14 grades; got 15\. For more grades use exponential_"):
        losses.get("beta_soft_labels")(torch.zeros(1, 15), torch.tensor([0]))


def test_triangular_soft_labels_reach_no_farther_than_the_neighbours() -> None:
    for alpha2 in (0.01, 0.1, 2 / 9):
        rows = _rows_of("triangular_soft_labels", 6, alpha2=alpha2)
        assert rows.triu(2).abs().max() < 1e-15
        assert rows.tril(-2).abs().max() < 1e-15
        assert rows[2].tolist() == pytest.approx([0, alpha2, 1 - 2 * alpha2, alpha2, 0, 0], abs=1e-15)


def test_regressions_are_those_of_torch() -> None:
    scores, labels = _batch(width=1)
    target = labels.double()
    for name, expected in {
        "ordinal_squared_error": F.mse_loss(scores[:, 0], target, reduction="none"),
        "ordinal_huber": F.huber_loss(scores[:, 0], target, reduction="none", delta=1.0),
        "ordinal_absolute_error": F.l1_loss(scores[:, 0], target, reduction="none"),
    }.items():
        torch.testing.assert_close(losses.get(name)(scores, labels), expected, rtol=1e-12, atol=1e-14)
    half = losses.get("ordinal_huber", delta=0.5)(scores, labels)
    torch.testing.assert_close(half, 0.5 * F.smooth_l1_loss(scores[:, 0], target, reduction="none", beta=0.5))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ordinal.LOSSES)
def test_all_scores_at_one_end_leave_finite_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    (case,) = checks.cases(name, {})
    width = case.spec.num_scores(4)
    ends = torch.eye(width, dtype=dtype)
    scores = 1e4 * torch.cat([ends, -ends, torch.ones(1, width, dtype=dtype), -torch.ones(1, width, dtype=dtype)])
    scores = scores.repeat_interleave(4, dim=0)
    labels = torch.arange(4).repeat(len(scores) // 4)
    value, gradient = checks.value_and_gradient(case.loss, scores, labels)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", [name for name, spec in ordinal.LOSSES.items() if spec.kind == "example"])
def test_example_by_example_under_vmap_is_the_whole_batch(name: str) -> None:
    (case,) = checks.cases(name, {})
    given = checks.examples(case)
    whole = case.loss(given.scores, given.labels)
    each = torch.func.vmap(lambda z, y: case.loss(z[None], y[None])[0])(given.scores, given.labels)
    torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)
