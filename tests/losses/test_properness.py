"""A loss that says probability and means something else is found out."""

from dataclasses import replace

import pytest

from lossassay.catalogue.facts import proofs
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks

IMPROPER = (
    "focal",
    "label_smoothing",
    "poly1",
    "generalized_cross_entropy",
    "evidential_log",
    "bootstrap_hard",
)  # soft F1 is found out only where images differ: over equal images the shares are best for it too


@pytest.mark.parametrize("name", IMPROPER)
def test_an_improper_loss_must_not_claim_probabilities(name: str) -> None:
    (case,) = checks.cases(name, {})
    assert case.spec.output != "probability"
    claiming = replace(case, loss=replace(case.loss, spec=replace(case.spec, output="probability")))
    with pytest.raises(AssertionError):
        checks.probabilities_are_those_of_the_labels(claiming)


def test_every_claim_is_checked_but_those_of_a_given_transition() -> None:
    claiming = {name for name, spec in LOSSES.items() if spec.output == "probability"}
    checked = {name for name in LOSSES if proofs()[name]["probabilities_are_those_of_the_labels"] == "passed"}
    assert claiming - checked == {"forward_correction", "backward_correction"}
    assert len(checked) >= 20
