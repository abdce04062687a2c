"""Sums of losses: value, schedule, what is refused, and the way through a study file."""

from typing import Any

import pytest
import torch

from lossassay import losses
from lossassay.catalogue.arm_losses import spec_of
from lossassay.config import parse_study, study_as_toml
from lossassay.errors import StudyFileError
from lossassay.losses.compound import weight_at

Z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 0, 1, 2])


def study(loss: Any, **arm: Any) -> Any:
    return parse_study({"name": "x", "data": {"path": "digits"}, "arms": [{"loss": loss, **arm}]})


def test_a_sum_is_the_sum_of_its_terms() -> None:
    terms = [{"name": "categorical_crossentropy"}, {"name": "focal", "weight": 0.5, "gamma": 1.0}]
    found = losses.get("compound", terms=terms)
    rows = losses.encode_labels(Y, 3, "dense").double()
    expected = losses.get("cce")(Z, rows) + 0.5 * losses.get("focal", gamma=1.0)(Z, Y)
    assert found.spec.encoding == "dense"
    torch.testing.assert_close(found(Z, rows), expected)


def test_a_weight_that_changes_does_so_in_equal_steps_and_then_stays() -> None:
    weight = {"from": 1.0, "to": 0.0, "epochs": 5}
    assert [weight_at(weight, epoch) for epoch in (1, 2, 3, 5, 9)] == [1.0, 0.75, 0.5, 0.0, 0.0]
    found = losses.get("compound", terms=[{"name": "scce", "weight": weight}])
    assert found.spec.inputs == ("epoch",)
    torch.testing.assert_close(found(Z, Y, epoch=3), 0.5 * losses.get("scce")(Z, Y))


def test_counts_reach_the_terms_that_need_them() -> None:
    terms = [{"name": "logit_adjustment"}, {"name": "scce"}]
    found = losses.get("compound", terms=terms, class_counts=[5, 3, 2])
    expected = losses.get("logit_adjustment", class_counts=[5, 3, 2])(Z, Y) + losses.get("scce")(Z, Y)
    torch.testing.assert_close(found(Z, Y), expected)


def test_a_study_writes_every_term_out_and_reads_it_back() -> None:
    found = study([{"name": "cce", "weight": 1.0}, {"name": "focal", "weight": {"from": 0.0, "to": 1.0, "epochs": 4}}])
    arm = found.arms[0]
    assert arm.name == "categorical_crossentropy + (0 to 1) focal"
    assert [term["name"] for term in arm.hyper_parameters["terms"]] == ["categorical_crossentropy", "focal"]
    assert arm.hyper_parameters["terms"][1]["gamma"] == 2.0
    import tomllib

    again = parse_study(tomllib.loads(study_as_toml(found)))
    assert again.arms == found.arms
    assert spec_of(arm.loss, arm.hyper_parameters).tasks == ("single_label", "ordinal")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ([], "a sum of losses is a list of tables"),
        ([{"weight": 1.0}], "`name` must be the name of a loss"),
        ([{"name": "focall"}], "No loss is called 'focall'"),
        ([{"name": "focal", "gama": 1.0}], r"no hyper-parameter is called 'gama'; known: gamma\. Did you mean 'gamma'"),
        ([{"name": "focal", "gamma": -1.0}], "gamma: got -1.0"),
        ([{"name": "focal", "weight": -1.0}], "weight must be a number, 0 or more"),
        ([{"name": "focal", "weight": {"from": 0.0}}], "a weight that changes is a table like"),
        ([{"name": "focal"}, {"name": "coral"}], r"need different last layers.*coral: shared_slope"),
        ([{"name": "focal"}, {"name": "asymmetric"}], "no task fits all of these losses"),
    ],
)
def test_what_cannot_be_added_is_refused(loss: Any, message: str) -> None:
    with pytest.raises(StudyFileError, match=message):
        study(loss)
