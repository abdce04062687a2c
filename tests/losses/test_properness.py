"""A loss that says probability and means something else is found out."""

from dataclasses import replace

import pytest

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


def test_losses_of_which_the_claim_is_checked_are_many() -> None:
    checked = [name for name, spec in LOSSES.items() if spec.output == "probability"]
    assert len(checked) >= 20
