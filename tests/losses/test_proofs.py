"""What the package says about its own proofs is what the checks say."""

import json

import pytest

from lossassay.catalogue.facts import proof_in_words, proofs
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks, prove

STORED = json.loads(prove.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOSSES)
def test_stored_proofs_are_those_that_the_checks_give(name: str) -> None:
    assert STORED.get(name) == prove.outcomes(name), f"proofs.json is not up to date; run: {prove.COMMAND}"


def test_stored_proofs_are_of_these_losses_and_no_others() -> None:
    assert list(STORED) == list(LOSSES), f"proofs.json is not up to date; run: {prove.COMMAND}"


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_green_oracle_or_identity(name: str) -> None:
    assert "failed" not in STORED[name].values()
    assert "passed" in (STORED[name]["oracle"], STORED[name]["identities"])
    assert proof_in_words(name) in ("oracle", "identities", "oracle, identities")


def test_a_check_that_fails_is_told_from_one_that_does_not_apply() -> None:
    (case,) = checks.cases("focal", {})

    def broken(case: checks.Case) -> None:
        raise AssertionError(case.loss.name)

    assert prove.outcome(broken, case) == "failed"
    assert prove.outcome(lambda case: checks.DOES_NOT_APPLY, case) == "does not apply"
    assert prove.outcome(lambda case: None, case) == "passed"


def test_a_failed_check_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs.cache_clear()
    monkeypatch.setattr(
        "lossassay.catalogue.facts.proofs", lambda: {"focal": {"oracle": "passed", "gradient": "failed"}}
    )
    assert proof_in_words("focal") == "FAILED: gradient"
    assert proof_in_words("brier") == "not proven"
