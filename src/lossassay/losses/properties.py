"""Which properties hold for a loss: the checks of the catalogue's own tests, for a loss of anyone's, as answers.

A property that cannot be tried because the loss raises an error does not hold; nothing here raises one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck

from lossassay.errors import LossassayError, UnknownNameError
from lossassay.losses import Loss, encode_labels, get
from lossassay.losses.curves import has_order, mirrored, path_scores

_ROWS = 6
_FEATURES = 5
_EXTREME = 1e4
_SINGLE_TOLERANCE = 1e-4  # of float32, relative to the largest value in float64
_SOME_GRADIENT = 1e-3
_SAME = 1e-9  # relative, in float64
_TOWARDS_RIGHT = (-4.0, -2.0, 0.0, 1.0)
_NAMES = {torch.float64: "float64", torch.float32: "float32", torch.bfloat16: "bfloat16"}


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of one loss.

    Args:
        name: What should be so.
        holds: Whether it is; None where it does not apply.
        detail: What was seen, in words.
    """

    name: str
    holds: bool | None
    detail: str


@dataclass(frozen=True)
class _Given:
    """What the loss is called with."""

    scores: Tensor
    labels: Tensor
    inputs: dict[str, Any]


_Answer = tuple[bool | None, str]


def check_properties(loss: Loss, *, num_classes: int = 4) -> list[Property]:
    """Try every property on random examples.

    Args:
        loss: Of `losses.get`.
        num_classes: K, 2 or more.

    Returns:
        One answer for each property, always in the same order.

    Raises:
        ValueError: If there are fewer than two classes.

    Example:
        >>> from lossassay import losses
        >>> [found.holds for found in check_properties(losses.get("focal"))].count(False)
        0
    """
    if num_classes < 2:
        raise ValueError(f"a loss is checked with 2 or more classes; got {num_classes}")
    if loss.class_counts is not None and len(loss.class_counts) != num_classes:
        loss = replace(loss, class_counts=stand_in_counts(num_classes))
    return [_tried(name, answer, loss, num_classes) for name, answer in _PROPERTIES.items()]


def check_named(name: str, *, num_classes: int = 4) -> list[Property]:
    """Check a loss by its name; `check_properties` says the rest.

    Args:
        name: ``module:function``, a name that an installed package adds, or one of the catalogue.
        num_classes: K; class counts are stand-ins.

    Raises:
        UnknownNameError: If the loss cannot be imported.
    """
    try:
        loss = get(name, class_counts=stand_in_counts(num_classes))
    except LossassayError:
        raise
    except Exception as error:  # whatever a stranger's module may raise when it is imported
        raise UnknownNameError(
            f"The loss {name!r} cannot be imported: {type(error).__name__}: {error}. Expected `module:function`, with "
            "a module that imports without errors."
        ) from error
    return check_properties(loss, num_classes=num_classes)


def stand_in_counts(num_classes: int) -> Tensor:
    """Return class counts to check with: falling from 100 by a third from class to class, [K]."""
    return (100 * (2 / 3) ** torch.arange(num_classes, dtype=torch.float64)).round().clamp_min(1)


def _tried(name: str, answer: Callable[[Loss, int], _Answer], loss: Loss, num_classes: int) -> Property:
    try:
        holds, detail = answer(loss, num_classes)
    except Exception as error:  # whatever a stranger's function may raise is an answer here
        lines = str(error).strip().splitlines()
        holds, detail = False, f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return Property(name=name, holds=holds, detail=detail)


def _one_number_per_example(loss: Loss, num_classes: int) -> _Answer:
    given = _given(loss, num_classes)
    shape = list(_value(loss, given).shape)
    if shape == [_ROWS]:
        return True, f"{_ROWS} numbers for {_ROWS} examples"
    return False, f"shape {shape} for {_ROWS} examples; return one number for each and average nothing"


def _type_is_kept(loss: Loss, num_classes: int) -> _Answer:
    other = []
    for dtype, name in _NAMES.items():
        found = _value(loss, _given(loss, num_classes, dtype=dtype)).dtype
        if found != dtype:
            other.append(f"{_NAMES.get(found, str(found).removeprefix('torch.'))} for scores in {name}")
    return not other, ", ".join(other) or "float64, float32 and bfloat16 stay what they are"


def _inputs_are_left_alone(loss: Loss, num_classes: int) -> _Answer:
    given = _given(loss, num_classes)
    tensors = {"scores": given.scores, "labels": given.labels}
    tensors |= {name: value for name, value in given.inputs.items() if isinstance(value, Tensor)}
    before = {name: value.clone() for name, value in tensors.items()}
    with torch.no_grad():
        _value(loss, given)
    changed = [name for name, value in tensors.items() if not torch.equal(value, before[name])]
    return not changed, f"changed in place: {', '.join(changed)}" if changed else "nothing was changed in place"


def _gradient_is_that_of_the_value(loss: Loss, num_classes: int) -> _Answer:
    given = _given(loss, num_classes, rows=3)
    leaf = given.scores.requires_grad_()
    if not loss(leaf, given.labels, **given.inputs).requires_grad:
        return False, "the value has no gradient by the scores"
    if gradcheck(lambda z: loss(z, given.labels, **given.inputs), leaf, raise_exception=False):
        return True, "as finite differences in float64"
    return False, "other than finite differences in float64; look for detach, clamp or a gradient of its own"


def _extremes_stay_finite(loss: Loss, num_classes: int) -> _Answer:
    size = 1.0 if _is_cosine(loss) else _EXTREME
    wrong = []
    for dtype in (torch.float32, torch.bfloat16):
        given = _given(loss, num_classes, dtype=dtype, one_class=True)
        value, gradient = _value_and_gradient(loss, replace(given, scores=size * given.scores.sign()))
        for what, found in (("value", value), ("gradient", gradient)):
            if not bool(torch.isfinite(found).all()):
                wrong.append(f"{what} in {_NAMES[dtype]}")
    where = f"at scores of {size:g} and {-size:g}"
    return not wrong, f"not finite {where}: {', '.join(wrong)}" if wrong else f"value and gradient {where}"


def _renaming_changes_nothing(loss: Loss, num_classes: int) -> _Answer:
    if has_order(loss.spec.head) or "ordinal" in loss.spec.tasks:
        return None, "grades have an order"
    if "rows" in loss.spec.inputs:
        return None, "it draws random classes by row number"
    if any(p.per_class and loss.hyper_parameters.get(key) for key, p in loss.spec.hyper_parameters.items()):
        return None, "it has numbers of its own for each class"
    given = _given(loss, num_classes)
    order = torch.arange(num_classes).roll(1)
    value, gradient = _value_and_gradient(loss, given)
    labels = given.labels[:, order] if given.labels.ndim == 2 else order.argsort()[given.labels.long()].int()
    inputs = given.inputs | {name: given.inputs[name][order] for name in ("head_weight", "centres")}
    counts = loss.class_counts
    renamed_loss = loss if counts is None else replace(loss, class_counts=counts[order])
    renamed = _value_and_gradient(renamed_loss, _Given(given.scores[:, order], labels, inputs))
    apart = max(_apart(renamed[0], value), _apart(renamed[1], gradient[:, order]))
    if apart <= _SAME:
        return True, "value and gradient stay with their class"
    return False, f"value or gradient changes by {apart:.2g} of its size; does one class count as special?"


def _does_not_see_its_batch(loss: Loss, num_classes: int) -> _Answer:
    given = _given(loss, num_classes)

    def part(rows: slice) -> Tensor:
        inputs = given.inputs | {name: given.inputs[name][rows] for name in ("features", "rows")}
        return _value(loss, _Given(given.scores[rows], given.labels[rows], inputs))

    whole, parts = part(slice(None)), torch.cat([part(slice(0, 2)), part(slice(2, None))])
    apart = _apart(parts, whole)
    if loss.spec.kind == "batch":
        sees = apart > _SAME
        declared = "declared as a loss of the batch"
        return (None, declared) if sees else (False, f"{declared}, and its examples do not see each other")
    if apart <= _SAME:
        return True, "equal values in parts of the batch"
    return False, f"values change by {apart:.2g} of their size with the rest of the batch; is there a mean or maximum?"


def _never_below_its_limit(loss: Loss, num_classes: int) -> _Answer:
    smallest = min(
        float(_value(loss, replace(given, scores=scale * given.scores)).min())
        for given in (_given(loss, num_classes), _given(loss, num_classes, one_class=True))
        for scale in ((0.5, 1.0) if _is_cosine(loss) else (0.5, 1.0, 5.0))
    )
    seen = f"the smallest value seen is {smallest:.3g}"
    if loss.spec.low is None:
        return None, f"{seen}; no limit is declared"
    return smallest >= loss.spec.low, f"{seen}; declared: {loss.spec.low:g} or more"


def _falls_towards_the_right_answer(loss: Loss, num_classes: int) -> _Answer:
    values = [_on_the_way(loss, place, num_classes) for place in _TOWARDS_RIGHT]
    seen = " → ".join(f"{value:.3g}" for value in values)
    never_rises = all(b <= a + _SAME * max(1.0, abs(a)) for a, b in pairwise(values))
    return never_rises and values[-1] < values[0], f"{seen}, from wrong to right"


def _a_surely_wrong_answer_pulls(loss: Loss, num_classes: int) -> _Answer:
    """A clamp of probabilities cuts the value off at some 16 nats and leaves no gradient."""
    if loss.spec.bounded:
        return None, "declared as bounded"
    if loss.spec.head != "linear" or loss.spec.kind == "batch":
        return None, "its scores are not margins of one example"
    values, gradients = [], []
    for wrong in (80.0, 160.0):
        given = _given(loss, num_classes, dtype=torch.float32, one_class=True)
        rows = torch.arange(len(given.scores))
        after_the_true = (rows + 1) % num_classes
        scores = torch.zeros_like(given.scores)
        scores[rows, after_the_true] = wrong
        value, gradient = _value_and_gradient(loss, replace(given, scores=scores))
        values.append(float(value.mean()))  # over examples, for losses that draw
        gradients.append(float(gradient[rows, after_the_true].sum()))
    seen = f"value {values[0]:.3g} and {values[1]:.3g} at wrong scores of 80 and 160, gradient {gradients[0]:.1g}"
    if values[1] >= values[0] + 1 and gradients[0] > _SOME_GRADIENT:
        return True, seen
    return False, f"{seen}; look for a clamp, or declare it as bounded"


def _single_is_near_double(loss: Loss, num_classes: int) -> _Answer:
    exact = _value_and_gradient(loss, _given(loss, num_classes))
    single = _value_and_gradient(loss, _given(loss, num_classes, dtype=torch.float32))
    apart = max(_apart(found.double(), expected) for found, expected in zip(single, exact, strict=True))
    return apart <= _SINGLE_TOLERANCE, f"value and gradient differ by {apart:.1g} of their size"


_PROPERTIES: dict[str, Callable[[Loss, int], _Answer]] = {
    "one number per example": _one_number_per_example,
    "keeps the type of the scores": _type_is_kept,
    "leaves its inputs alone": _inputs_are_left_alone,
    "gradient is that of the value": _gradient_is_that_of_the_value,
    "finite at extreme scores": _extremes_stay_finite,
    "renaming the classes changes nothing": _renaming_changes_nothing,
    "an example does not see its batch": _does_not_see_its_batch,
    "never below its limit": _never_below_its_limit,
    "falls towards the right answer": _falls_towards_the_right_answer,
    "a surely wrong answer still pulls": _a_surely_wrong_answer_pulls,
    "float32 is near float64": _single_is_near_double,
}


def _given(
    loss: Loss, num_classes: int, *, rows: int = _ROWS, dtype: torch.dtype = torch.float64, one_class: bool = False
) -> _Given:
    """Random scores (cosines inside -1 to 1) and labels in the loss's encoding; drawn anew, always the same."""
    draws = torch.Generator().manual_seed(7)
    scores = 2 * torch.randn(rows, loss.spec.num_scores(num_classes), dtype=torch.float64, generator=draws)
    if _is_cosine(loss):
        scores = 0.95 * scores.tanh()
    labels = torch.arange(rows) % num_classes
    if loss.spec.tasks == ("multi_label",) and not one_class:
        labels = (torch.rand(rows, num_classes, generator=draws) < 0.4).float()
    encoded = encode_labels(labels, num_classes, loss.spec.encoding)

    def normal(count: int) -> Tensor:
        return torch.randn(count, _FEATURES, dtype=torch.float64, generator=draws).to(dtype)

    inputs = {
        "features": normal(rows),
        "head_weight": normal(num_classes),
        "centres": normal(num_classes),
        "rows": torch.arange(rows),
        "epoch": 2,
        "epochs": 10,
    }
    return _Given(scores.to(dtype), encoded.to(dtype) if encoded.is_floating_point() else encoded, inputs)


def _value(loss: Loss, given: _Given) -> Tensor:
    found = loss(given.scores, given.labels, **given.inputs)
    if not isinstance(found, Tensor):
        raise TypeError(f"it returned a {type(found).__name__}; expected a tensor with one number per example")
    return found


def _value_and_gradient(loss: Loss, given: _Given) -> tuple[Tensor, Tensor]:
    leaf = given.scores.detach().clone().requires_grad_()
    value = _value(loss, replace(given, scores=leaf))
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def _on_the_way(loss: Loss, place: float, num_classes: int) -> float:
    """Mean value on the way to the right answer: the first class, or the highest grade; a batch is two examples."""
    head = loss.spec.head
    point = torch.tensor([place], dtype=torch.float64)
    if _is_cosine(loss):
        point = point / 5
    if head == "scalar":
        point = point + num_classes - 2  # at 1 the score is the highest grade
    first = path_scores(head, point, num_classes)
    scores = torch.cat([first, mirrored(head, first)])
    highest = num_classes - 1
    labels = torch.tensor([highest, highest] if has_order(head) else [0, 1])
    encoded = encode_labels(labels, num_classes, loss.spec.encoding)
    inputs = _given(loss, num_classes, rows=2).inputs
    given = _Given(scores, encoded.double() if encoded.is_floating_point() else encoded, inputs)
    return float(_value(loss, given).mean())


def _is_cosine(loss: Loss) -> bool:
    return loss.spec.head.startswith("cosine")


def _apart(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference relative to the largest expected number; infinite where one is not finite."""
    if found.shape != expected.shape:
        return float("inf")
    difference = (found - expected).abs().max() / expected.abs().max().clamp_min(1e-3)
    return float(difference) if bool(torch.isfinite(difference)) else float("inf")
