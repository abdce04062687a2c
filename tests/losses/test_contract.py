"""Every loss of the catalogue against every check, and mutants that some check must reject."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks
from tests.losses.families import FAMILIES, MUTANTS, ORACLES

Tensor = torch.Tensor
PROOFS = [
    pytest.param(name, setting, id=" ".join([name, *(f"{k}={v}" for k, v in setting.items())]))
    for name in LOSSES
    for setting in checks.settings(name)
]


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "setting"), PROOFS)
def test_every_loss_passes_every_check(
    name: str, setting: dict[str, Any], check: Callable[[checks.Case], str | None]
) -> None:
    for case in checks.cases(name, setting):
        check(case)


def test_every_loss_has_an_oracle_and_mutants() -> None:
    assert set(ORACLES) == set(LOSSES)
    assert set(MUTANTS) == set(LOSSES)
    assert all(MUTANTS.values())


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for name, group in MUTANTS.items() for mutant in group])
def test_some_check_rejects_every_mutant(name: str, mutant: str) -> None:
    function = MUTANTS[name][mutant]
    broken = replace(losses.get(name, class_counts=checks.COUNTS), function=function)
    tasks = broken.spec.tasks
    assert any(_rejects(check, checks.Case(loss=broken, task=task)) for check in checks.CHECKS for task in tasks)


def _rejects(check: Callable[[checks.Case], str | None], case: checks.Case) -> bool:
    try:
        check(case)
    except AssertionError:
        return True
    return False


def test_families_of_tests_are_those_of_the_catalogue() -> None:
    from lossassay.catalogue import losses as catalogue

    names = [family.__name__.rsplit(".")[-1] for family in catalogue.FAMILIES]
    assert names == [family.__name__.rsplit(".")[-1] for family in FAMILIES]
    for ours, theirs in zip(catalogue.FAMILIES, FAMILIES, strict=True):
        assert set(ours.LOSSES) == set(theirs.ORACLES), ours.TITLE
