"""Each property has a wrong loss that does not have it; no loss makes the checks themselves stop."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from lossassay.errors import UnknownNameError
from lossassay.losses.properties import check_named, check_properties

NAMES = [found.name for found in check_properties(losses.get("focal"))]


def true_class(rows: Tensor, labels: Tensor) -> Tensor:
    return rows.gather(-1, labels[:, None].long()).squeeze(-1)


def right(z: Tensor, y: Tensor) -> Tensor:
    return -true_class(F.log_softmax(z, -1), y)


def in_place(z: Tensor, y: Tensor) -> Tensor:
    value = right(z, y)
    if not z.requires_grad:
        z.sub_(1)
    return value


WRONG: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "one number per example": lambda z, y: right(z, y).mean(),
    "keeps the type of the scores": lambda z, y: right(z, y).float(),
    "leaves its inputs alone": in_place,
    "gradient is that of the value": lambda z, y: right(z, y) * (1 - true_class(z.softmax(-1), y)).detach(),
    "finite at extreme scores": lambda z, y: -true_class(z.softmax(-1), y).log(),
    "renaming the classes changes nothing": lambda z, y: right(z, y) * (1 + (y == 0)),
    "an example does not see its batch": lambda z, y: -true_class(F.log_softmax(z - z.std(0), -1), y),
    "never below its limit": lambda z, y: right(z, y) - 1,
    "falls towards the right answer": lambda z, y: -right(z, y) + 1e5,
    "a surely wrong answer still pulls": lambda z, y: -true_class(z.softmax(-1).clamp(1e-7, 1 - 1e-7), y).log(),
    "float32 is near float64": lambda z, y: (right(z, y) + 1e7) - 1e7,
}


def own(function: Callable[[Tensor, Tensor], Tensor], **changes: object) -> losses.Loss:
    spec = replace(LOSSES["sparse_categorical_crossentropy"], **changes)  # type: ignore[arg-type]
    return losses.Loss(name="own", hyper_parameters={}, spec=spec, function=function)


def answers(loss: losses.Loss) -> dict[str, bool | None]:
    return {found.name: found.holds for found in check_properties(loss)}


def test_there_is_a_wrong_loss_for_every_property() -> None:
    assert list(WRONG) == NAMES
    assert len(NAMES) == 11


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_loss_lacks_its_property(name: str) -> None:
    assert answers(own(right))[name] is True
    assert answers(own(WRONG[name]))[name] is False


@pytest.mark.parametrize(
    "name", [name for name in WRONG if name not in ("one number per example", "keeps the type of the scores")]
)
def test_a_wrong_loss_keeps_most_other_properties(name: str) -> None:
    found = answers(own(WRONG[name]))
    assert sum(holds is False for holds in found.values()) <= 2, found


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("classes", [2, 4])
def test_no_loss_of_the_catalogue_lacks_a_property(name: str, classes: int) -> None:
    found = check_named(name, num_classes=classes)
    assert [f"{one.name}: {one.detail}" for one in found if one.holds is False] == []
    assert all(one.detail for one in found)


def test_a_loss_that_raises_fails_with_its_message() -> None:
    def broken(z: Tensor, y: Tensor) -> Tensor:
        raise ZeroDivisionError("no such temperature\nmore")

    found = check_properties(own(broken))
    assert [one.name for one in found] == NAMES
    assert all(one.holds is False for one in found if "does not apply" not in one.detail)
    assert all(one.detail == "ZeroDivisionError: no such temperature" for one in found)


@pytest.mark.parametrize(
    "function", [lambda z, y: 1.0, lambda z, y: None, lambda z, y: z, lambda z: z, lambda z, y: torch.zeros(len(z))]
)
def test_whatever_a_function_returns_is_an_answer(function: Callable[..., Tensor]) -> None:
    found = check_properties(own(function))
    assert [one.name for one in found] == NAMES
    assert any(one.holds is False for one in found)


def test_what_is_declared_does_not_apply() -> None:
    batch = answers(own(WRONG["an example does not see its batch"], kind="batch"))
    assert batch["an example does not see its batch"] is None
    assert answers(own(right, kind="batch"))["an example does not see its batch"] is False
    clamped = own(WRONG["a surely wrong answer still pulls"], bounded=True)
    assert answers(clamped)["a surely wrong answer still pulls"] is None
    assert answers(own(right, low=None))["never below its limit"] is None
    assert answers(own(right, tasks=("ordinal",)))["renaming the classes changes nothing"] is None


def test_too_few_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 or more classes; got 1"):
        check_properties(losses.get("focal"), num_classes=1)


def test_class_counts_fit_the_classes_whatever_was_given() -> None:
    loss = losses.get("logit_adjustment", class_counts=[5.0, 1.0])
    assert all(found.holds is not False for found in check_properties(loss, num_classes=5))


def test_a_module_that_does_not_import_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="cannot be imported"):
        check_named("no_such_module:loss")
    with pytest.raises(UnknownNameError, match=r"cannot be imported: ValueError"):
        check_named(":loss")
