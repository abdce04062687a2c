"""Which arms are one function: told before training, over all epochs and by everything that is learnt."""

from typing import Any

import numpy as np
import pytest
import torch

from lossassay.study.planning.identity import find_identities, gradient_scales
from tests.study.helpers import small_study

LABELS = np.array([0, 1, 2, 2, 1, 0, 0, 0] * 4)
CROSS_ENTROPY = {"loss": "categorical_crossentropy"}


def relation_of(*arms: dict[str, Any], epochs: int = 10) -> tuple[str, float | None]:
    study = small_study("digits", arms=list(arms), epochs=epochs)
    (identity,) = find_identities(study, LABELS, 3)
    return identity.relation, identity.factor


def test_two_encodings_of_one_loss_are_the_same_function() -> None:
    assert relation_of(CROSS_ENTROPY, {"loss": "sparse_categorical_crossentropy"}) == ("same function", 1.0)


def test_a_factor_is_said() -> None:
    relation, factor = relation_of({"loss": "brier"}, {"loss": "mean_squared_error"})
    assert relation == "proportional"
    assert factor == pytest.approx(3.0)


@pytest.mark.parametrize("epochs", [2, 10])
def test_a_weight_that_starts_at_zero_makes_another_function(epochs: int) -> None:
    growing = {"name": "brier", "weight": {"from": 0.0, "to": 1.0, "epochs": 2}}
    arm = {"loss": [{"name": "categorical_crossentropy"}, growing]}
    assert relation_of(CROSS_ENTROPY, arm, epochs=epochs)[0] == "different"


def test_a_loss_that_changes_in_its_last_epochs_is_another_function() -> None:
    plain, late = {"loss": "ldam", "reweight_from": 1.0}, {"loss": "ldam", "reweight_from": 0.8}
    assert relation_of(plain, late)[0] == "different"
    assert relation_of(late, {**late, "name": "again"})[0] == "same function"


def test_a_penalty_that_reaches_no_score_is_another_function() -> None:
    assert relation_of(CROSS_ENTROPY, {"loss": "final_layer_penalty"})[0] == "different"


def test_gradient_scales_are_those_of_the_first_epoch_at_the_first_scores() -> None:
    arm = {"loss": [{"name": "categorical_crossentropy"}, {"name": "brier", "weight": 0.0}], "name": "sum"}
    scales = gradient_scales(small_study("digits", arms=[CROSS_ENTROPY, arm]), LABELS, 3)
    assert scales["sum"] == pytest.approx(scales["categorical_crossentropy"])
    assert scales["sum"] == pytest.approx(np.sqrt(2 / 3))  # p - t at p = 1/3


def test_gradient_scales_are_taken_where_the_thresholds_of_the_last_layer_start() -> None:
    """At scores of 0 every grade of a cumulative link but the outer ones has a probability of 0."""
    arms = [CROSS_ENTROPY, {"loss": "cumulative_link"}]
    before = torch.random.get_rng_state()
    scales = gradient_scales(small_study("digits", arms=arms), LABELS, 3)
    assert 0.3 < scales["cumulative_link"] / scales["categorical_crossentropy"] < 3
    assert torch.equal(torch.random.get_rng_state(), before)
