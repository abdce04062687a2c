"""Defects of shipped code, by number: what it gives, that it is wrong, and that ours does not have it.

 1  fastai 2.8.12, focal loss: probability taken from the weighted cross-entropy
 2  LDAM-DRW, focal loss: the same
 3  Active-Passive-Losses, normalised reverse cross-entropy: 1 / 4 * (K - 1) for 1 / (4 (K - 1))
 4  Active-Passive-Losses, GCEandNCE: weights that are taken and not used
 5  LibAUC 2.0.1, AUCM version 2: tested with the losses of the AUROC
 6  vandit15/Class-balanced-loss-pytorch: binary cross-entropy of a softmax; log(1 + e^-z) overflows
 7  deepsig 1.2.8: Bonferroni's rule that is neither, and p-values given back to other comparisons
 8  MedMNIST (until 2023), torchxrayvision: the best weights are the live ones
 9  torch, class weights: another mean for class indices than for rows (pytorch#107680)
10  kornia (until 2021), segmentation_models.pytorch, keras: one alpha for all classes
11  itakurah/focal-loss-pytorch (until 2026): mean over classes of what only the true class has
12  confidenceinterval: AUROC above 1; no interval with one positive
13  pROC (2017): overflow with many cases
14  spotify/confidence (until 2024): corrections called for each row
"""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from lossassay.engine import one
from lossassay.losses.imbalance import class_balanced, class_weighted_crossentropy
from lossassay.stats.auroc import auroc_interval, paired_auroc_difference
from lossassay.stats.multiplicity import bonferroni, holm
from tests.engine.helpers import make_data, make_spec
from tests.losses import checks
from tests.losses.families.imbalance import binary_cross_entropy_on_softmax, focal_of_the_weighted_probability
from tests.losses.families.noisy_labels import MUTANTS, one_over_four_times

ELSEWHERE = {5}


def _batch(classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    scores = 2 * torch.randn(8, classes, generator=draws, dtype=torch.float64)
    return scores, torch.randint(classes, (8,), generator=draws)


def _over_labels(name: str, scores: torch.Tensor, **hyper_parameters: float) -> torch.Tensor:
    """The loss summed over all labels that one could give, per example."""
    loss = losses.get(name, **hyper_parameters)
    each = [loss(scores, torch.full((len(scores),), c)) for c in range(scores.shape[1])]
    return torch.stack(each).sum(0)


def test_every_number_has_its_test() -> None:
    listed = {int(n) for n in re.findall(r"^ ?(\d+)  ", __doc__, flags=re.MULTILINE)}
    tested = {int(n) for name in globals() if name.startswith("test_defect") for n in re.findall(r"\d+", name)}
    assert listed == set(range(1, 15))
    assert tested == listed - ELSEWHERE


def test_defects_1_and_2_a_class_weight_leaves_the_focus_alone() -> None:
    """They take p^w for p: at p = 0.5 and w = 5 that focuses by 0.938, not by 0.25."""
    even, label = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([1])
    counts = torch.tensor([9.0, 1.0], dtype=torch.float64)  # weight 5 for class 1
    weighted = class_weighted_crossentropy(even, label, class_counts=counts)
    plain = losses.get("sparse_categorical_crossentropy")(even, label)
    assert (weighted / plain).item() == pytest.approx(5.0)
    assert (losses.get("focal", gamma=2.0)(even, label) / plain).item() == pytest.approx(0.25)
    wrong = focal_of_the_weighted_probability(even, label, class_counts=counts, power=1.0)
    assert (wrong / weighted).item() == pytest.approx(0.938, abs=1e-3)
    alpha = losses.get("sigmoid_focal", gamma=2.0, alpha=0.25)  # the weighted focal loss of the catalogue
    unweighted = losses.get("sigmoid_focal", gamma=2.0, alpha=None)
    assert alpha(even[:, :1], torch.ones(1, 1)) == 0.25 * unweighted(even[:, :1], torch.ones(1, 1))


@pytest.mark.parametrize("log_zero", [-9.0, -4.0, -1.0])
def test_defect_3_the_normaliser_of_reverse_cross_entropy_is_one_over_a_product(log_zero: float) -> None:
    """With ten classes theirs is 81 times too much, so that the passive part is all that is learnt."""
    scores, labels = _batch(classes=10)
    reverse = losses.get("reverse_cross_entropy", log_zero=log_zero)(scores, labels)
    by_hand = reverse / _over_labels("reverse_cross_entropy", scores, log_zero=log_zero)
    ours = losses.get("normalized_generalized_cross_entropy", q=1.0)(scores, labels)
    torch.testing.assert_close(ours, by_hand, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours, reverse / (-log_zero * 9), rtol=1e-12, atol=0)
    torch.testing.assert_close(one_over_four_times(scores, labels, q=1.0), 81 * ours, rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", ["nce_and_rce", "nce_and_mae", "nfl_and_rce", "nfl_and_mae"])
def test_defect_4_alpha_and_beta_are_not_ignored(name: str) -> None:
    """The oracle sees it at any weights but 1 and 1."""
    ignoring = MUTANTS[name]["alpha and beta are ignored, as in GCEandNCE"]
    for setting in ({"alpha": 0.5}, {"beta": 0.5}):
        (case,) = checks.cases(name, setting)
        checks.equals_its_oracle(case)
        with pytest.raises(AssertionError):
            checks.equals_its_oracle(replace(case, loss=replace(case.loss, function=ignoring)))


def test_defect_6_class_balanced_is_cross_entropy_of_the_softmax_not_binary_cross_entropy_on_it() -> None:
    """For a surely wrong answer theirs is float32's clamp at 100 over K; -log of the softmax is the lead of 30."""
    equal = torch.full((4,), 7.0, dtype=torch.float64)
    scores = torch.tensor([[30.0, 0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    label = torch.tensor([1])
    ours = class_balanced(scores, label, class_counts=equal)
    assert ours.item() == pytest.approx(30.0)
    assert torch.autograd.grad(ours.sum(), scores)[0][0, 0].item() == pytest.approx(1.0)
    copied = binary_cross_entropy_on_softmax(scores, label, class_counts=equal, beta=0.999)
    assert abs(copied.item() - ours.item()) > 10


def test_defect_6_the_focus_of_the_sigmoid_form_does_not_overflow() -> None:
    """Their focus is exp(-gamma t z - gamma log(1 + e^-z)): at z = -89 in float32 e^-z is infinite."""
    scores = torch.tensor([[-89.0]], requires_grad=True)
    copied = torch.exp(-2.0 * scores - 2.0 * torch.log(1 + torch.exp(-scores))) * F.softplus(-scores)
    assert copied.item() == 0.0  # a finding that is surely missed costs nothing
    ours = losses.get("sigmoid_focal", gamma=2.0, alpha=None)(scores, torch.ones(1, 1))
    assert ours.item() == pytest.approx(89.0)
    assert torch.autograd.grad(ours.sum(), scores)[0].item() == pytest.approx(-1.0)


def _bonferroni_of_deepsig(p_values: list[float]) -> list[float]:
    """Steps m, m - 1, ... of the sorted p-values, put back by the sorting permutation in place of its inverse."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    stepped = [min(1.0, (len(p_values) - rank) * p_values[i]) for rank, i in enumerate(order)]
    return [stepped[i] for i in order]


@pytest.mark.parametrize(
    ("p_values", "deepsig"),
    [([0.5, 0.001, 0.2], [0.4, 0.5, 0.003]), ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.04])],
)
def test_defect_7_a_p_value_stays_with_its_comparison(p_values: list[float], deepsig: list[float]) -> None:
    """bonferroni_correction of the package: a p of 0.2 comes back as 0.003, and one of 0.001 as 0.5."""
    assert _bonferroni_of_deepsig(p_values) == pytest.approx(deepsig)
    given, wrong = np.array(p_values), np.array(deepsig)
    for rule in (bonferroni, holm):
        ours = rule(given)
        assert (ours >= given).all()
        assert (np.diff(ours[np.argsort(given)]) >= 0).all()
        assert not np.allclose(ours, wrong)
    assert bonferroni(given).tolist() == pytest.approx([min(1.0, len(p_values) * p) for p in p_values])


def test_defect_7_the_level_of_six_comparisons_is_not_that_of_one() -> None:
    """multi_aso adds (1 - level) / m to the level: 0.9583 for six comparisons of 0.05, and certainty for one."""
    assert 0.95 + (1 - 0.95) / 6 == pytest.approx(0.9583, abs=1e-4)
    assert 0.95 + (1 - 0.95) / 1 == 1.0
    right = 1 - (1 - 0.95) / 6
    assert right == pytest.approx(0.9917, abs=1e-4)
    at_the_edge = np.full(6, 1 - right)
    assert bonferroni(at_the_edge) == pytest.approx(np.full(6, 0.05))


def test_defect_8_the_kept_weights_do_not_go_on_learning() -> None:
    """`best = model.state_dict()` is the live tensors: what is returned for the best epoch is the last one."""
    model = nn.Linear(1, 1)
    alias, copy = model.state_dict(), {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.weight += 1.0
    assert torch.equal(alias["weight"], model.weight)
    assert not torch.equal(copy["weight"], model.weight)

    recipe = {"learning_rate": 0.4, "schedule": "constant"}  # so large that a later epoch is worse
    whole = one.train(make_spec(epochs=6, **recipe), make_data())
    assert whole.best_epoch < 6
    stopped = one.train(make_spec(epochs=whole.best_epoch, selection="last", **recipe), make_data())
    last = one.train(make_spec(epochs=6, selection="last", **recipe), make_data())
    assert all(torch.equal(tensor, stopped.weights[name]) for name, tensor in whole.weights.items())
    assert not all(torch.equal(tensor, last.weights[name]) for name, tensor in whole.weights.items())


def test_defect_9_a_weighted_mean_is_the_same_for_both_encodings() -> None:
    """The example of the issue, torch: 0.8705 for class indices, 54.4052 for the same labels as rows."""
    scores = torch.tensor([[2.3, 2.1, 4.5], [4.2, 3.2, 5.1]])
    labels, weights = torch.tensor([1, 2]), torch.tensor([25.0, 25.0, 100.0])
    rows = F.one_hot(labels, 3).float()
    assert F.cross_entropy(scores, labels, weight=weights).item() == pytest.approx(0.8705, abs=1e-4)
    assert F.cross_entropy(scores, rows, weight=weights).item() == pytest.approx(54.4052, abs=1e-4)

    counts = 1 / weights  # weights of 25, 25 and 100 up to a common factor
    factor = weights / (counts.sum() / (3 * counts))
    ours = losses.get("class_weighted_crossentropy", class_counts=counts)
    for encoded in (labels, rows.argmax(-1)):
        assert (factor[0] * ours(scores, encoded).mean()).item() == pytest.approx(54.4052, abs=1e-3)
    both = losses.get("compound", terms=[{"name": "class_weighted_crossentropy"}], class_counts=counts)
    torch.testing.assert_close(both(scores, rows), both(scores, labels), rtol=0, atol=0)


def test_defect_9_the_weights_of_a_run_are_the_same_for_both_encodings() -> None:
    runs = [
        one.train(make_spec(loss, epochs=1, class_weights=(25.0, 25.0, 100.0)), make_data())
        for loss in ("sparse_categorical_crossentropy", "categorical_crossentropy")
    ]
    assert runs[0].history[0].train_loss == runs[1].history[0].train_loss
    assert all(torch.equal(tensor, runs[1].weights[name]) for name, tensor in runs[0].weights.items())


def test_defect_10_one_alpha_for_all_classes_is_a_learning_rate() -> None:
    """keras' default of 0.25 divides value and gradient by four and balances nothing; our softmax form has none."""
    scores, labels = _batch()
    focal = losses.get("focal")
    value, gradient = checks.value_and_gradient(focal, scores, labels)
    scaled = checks.value_and_gradient(lambda z, y: 0.25 * focal(z, y), scores, labels)
    torch.testing.assert_close(scaled, (value / 4, gradient / 4))
    per_class = [(scaled[0] / value)[labels == c] for c in labels.unique()]
    assert all(torch.allclose(ratio, torch.full_like(ratio, 0.25)) for ratio in per_class)
    assert list(LOSSES["focal"].hyper_parameters) == ["gamma"]

    finding = torch.zeros(1, 1)  # the sigmoid form's alpha tells present from absent, as in the paper
    present, absent = (losses.get("sigmoid_focal")(finding, row) for row in (torch.ones(1, 1), torch.zeros(1, 1)))
    assert (absent / present).item() == pytest.approx(3.0)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_defect_11_the_true_class_is_not_averaged_over_all_of_them(classes: int) -> None:
    """Mean over a matrix that is 0 but for the true class: K times too little, so a learning rate that falls with K."""
    scores, labels = _batch(classes)
    rows = F.one_hot(labels, classes)
    log_p = F.log_softmax(scores, -1)
    diluted = (-rows * (1 - log_p.exp()) ** 2 * log_p).mean()
    ours = losses.get("focal", gamma=2.0)(scores, labels).mean()
    assert (ours / diluted).item() == pytest.approx(classes)
    level = losses.get("focal", gamma=0.0)(torch.zeros(1, classes), torch.tensor([0]))
    assert level.item() == pytest.approx(math.log(classes))


def test_defect_12_an_auroc_is_at_most_one() -> None:
    """Ranks summed in float32: 1.0000001 for 37 positives, all of them above 13 negatives (issue 15)."""
    positives, negatives = 37, 13
    ranks = np.arange(negatives + 1, negatives + positives + 1, dtype=np.float32)
    in_single = ranks.sum() / positives / negatives - float(positives + 1) / 2 / negatives
    assert in_single > 1
    truth = np.arange(positives + negatives) >= negatives
    scores = np.linspace(0.007, 0.99, positives + negatives)
    for given in (scores, scores.astype(np.float32)):
        found = auroc_interval(truth, given)
        assert (found.estimate, found.high) == (1.0, 1.0)
        assert 0 < found.low < 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("truth", [[True, False, False, False], [False, True, True, True]])
def test_defect_12_one_positive_or_one_negative_has_an_interval(truth: list[bool]) -> None:
    """np.cov of one number is nan and a scalar, on which the package stops (issue 14)."""
    assert np.isnan(np.cov(np.array([[0.75]])))
    scores = np.array([0.6, 0.1, 0.4, 0.8])
    found = auroc_interval(np.array(truth), scores)
    assert 0 <= found.low < found.estimate < found.high <= 1
    difference = paired_auroc_difference(np.array(truth), scores, scores[::-1].copy())
    assert -1 <= difference.low <= difference.estimate <= difference.high <= 1


def test_defect_13_many_cases_do_not_overflow() -> None:
    """The sizes of the issue: 45,450 times 99,270 in 32 bits is 216,854,204, and an AUROC of 0.756 becomes 15.7."""
    positives, negatives = 45_450, 99_270
    with np.errstate(over="ignore"):
        product = np.array([positives], dtype=np.int32) * np.array([negatives], dtype=np.int32)
    assert product[0] == 216_854_204 != positives * negatives
    assert 0.7561 * positives * negatives / product[0] == pytest.approx(15.7, abs=0.1)

    truth = np.arange(positives + negatives) < positives
    scores = np.random.default_rng(0).normal(size=len(truth)) + truth  # the true AUROC is Phi(1 / sqrt 2) = 0.7602
    found = auroc_interval(truth, scores)
    assert found.estimate == pytest.approx(0.7602, abs=0.005)
    assert found.low < found.estimate < found.high
    assert 0.001 < found.high - found.low < 0.01


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("rule", "ours"), [("holm", holm), ("bonferroni", bonferroni)])
def test_defect_14_a_correction_sees_the_whole_family(rule: str, ours: object) -> None:
    """Given one p-value at a time, every rule of statsmodels gives it back."""
    from statsmodels.stats.multitest import multipletests

    family = np.array([0.02, 0.03, 0.04])
    by_row = [multipletests([p], method=rule)[1][0] for p in family]
    assert by_row == family.tolist()
    adjusted = ours(family)  # type: ignore[operator]
    np.testing.assert_allclose(adjusted, multipletests(family, method=rule)[1])
    assert (adjusted > 0.05).all()
