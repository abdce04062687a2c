"""What every loss must satisfy. Each check takes a case and raises AssertionError; the mutants show that they can.

A check that does not apply to a loss says so by returning `DOES_NOT_APPLY`, for a reason that the catalogue declares.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.autograd import gradcheck

from lossassay import losses
from lossassay.catalogue.loss_spec import LossSpec, Task
from lossassay.catalogue.losses import LOSSES
from lossassay.losses import Loss, encode_labels
from tests.losses.families import ORACLES

Tensor = torch.Tensor
ROWS, CLASSES, FEATURES = 7, 4, 6
COUNTS = (50.0, 20.0, 10.0, 5.0)
DOES_NOT_APPLY = "does not apply"
COSINE_HEADS = ("cosine", "cosine_with_subcentres")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A loss with its hyper-parameters, on one of its tasks."""

    loss: Loss
    task: Task

    @property
    def spec(self) -> LossSpec:
        return self.loss.spec


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a loss is called with."""

    scores: Tensor
    labels: Tensor
    inputs: dict[str, Any]


def settings(name: str) -> list[dict[str, Any]]:
    """Hyper-parameters to try: the defaults, then ends of ranges and values between, one at a time."""
    tried: list[dict[str, Any]] = [{}]
    for key, parameter in LOSSES[name].hyper_parameters.items():
        if parameter.kind == "choice":
            tried += [{key: value} for value in parameter.choices if value != parameter.default]
        elif parameter.kind == "reals":
            tried.append({key: [parameter.low + 0.5 + step for step in range(CLASSES)]})
        elif parameter.kind == "matrix":
            tried.append({key: (0.6 * torch.eye(CLASSES) + 0.1).tolist()})
        elif parameter.of == "function":
            step = 1 if parameter.kind == "integer" else 0.5
            values = (parameter.low, parameter.low + step, 5 if parameter.kind == "integer" else 5.0)
            tried += [
                {key: value} for value in values if parameter.problem(value) is None and value != parameter.default
            ]
    return tried


def cases(name: str, setting: dict[str, Any]) -> list[Case]:
    """One case for each task of the loss; single labels stand for grades too."""
    loss = losses.get(name, class_counts=COUNTS, **setting)
    return [Case(loss=loss, task=task) for task in loss.spec.tasks]


def inputs_of(rows: int, dtype: torch.dtype) -> dict[str, Any]:
    """What a loss may need besides scores and labels."""
    draws = torch.Generator().manual_seed(11)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draws, dtype=torch.float64).to(dtype)

    return {
        "features": normal(rows, FEATURES),
        "head_weight": normal(CLASSES, FEATURES),
        "centres": normal(CLASSES, FEATURES),
        "rows": torch.arange(100, 100 + rows),
        "epoch": 3,
        "epochs": 10,
    }


def examples(case: Case, *, scale: float = 2.0, rows: int = ROWS, dtype: torch.dtype = torch.float64) -> Examples:
    """Random scores (cosines lie inside -1 to 1) and labels of the task, in the loss's encoding."""
    draws = torch.Generator().manual_seed(3)
    scores = scale * torch.randn(rows, case.spec.num_scores(CLASSES), generator=draws, dtype=torch.float64)
    if case.spec.head in COSINE_HEADS:
        scores = scores.tanh() * 0.95
    labels = torch.randint(CLASSES, (rows,), generator=draws)
    if case.task == "multi_label":
        labels = (torch.rand(rows, CLASSES, generator=draws) < 0.4).float()
    return Examples(scores=scores.to(dtype), labels=encoded(labels, case, dtype), inputs=inputs_of(rows, dtype))


def encoded(labels: Tensor, case: Case, dtype: torch.dtype = torch.float64) -> Tensor:
    """Labels in the loss's encoding; rows in the type of the scores."""
    found = encode_labels(labels, CLASSES, case.spec.encoding)
    return found.to(dtype) if found.is_floating_point() else found


def single(labels: list[int] | Tensor, case: Case, dtype: torch.dtype = torch.float64) -> Tensor:
    """One true class per example, also for findings."""
    index = torch.as_tensor(labels)
    return encoded(torch.eye(CLASSES)[index] if case.task == "multi_label" else index, case, dtype)


def value_and_gradient(
    function: Callable[..., Tensor], scores: Tensor, labels: Tensor, **inputs: Any
) -> tuple[Tensor, Tensor]:
    """The value of each example, and the gradient of their mean by the scores."""
    scores = scores.detach().clone().requires_grad_()
    value = function(scores, labels, **inputs)
    (gradient,) = torch.autograd.grad(value.mean(), scores)
    return value.detach(), gradient


def equal(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], *, tolerance: float = 1e-8) -> None:
    """Compare values and gradients."""
    for name, a, b in zip(("value", "gradient"), found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


def _of(case: Case, given: Examples, **changed: Tensor) -> tuple[Tensor, Tensor]:
    given = replace(given, **changed)
    return value_and_gradient(case.loss, given.scores, given.labels, **given.inputs)


def equals_its_oracle(case: Case) -> None:
    """Oracles are called with scores, labels, all hyper-parameters of the function and the declared inputs."""
    given = examples(case)
    oracle = ORACLES[case.loss.name]
    told = {k: v for k, v in case.loss.hyper_parameters.items() if k not in case.spec.head_options}
    told |= {key: given.inputs[key] for key in case.spec.inputs if key != "class_counts"}
    if "class_counts" in case.spec.inputs:
        told["class_counts"] = torch.tensor(COUNTS, dtype=torch.float64)
    expected = value_and_gradient(lambda z, y: oracle(z, y, **told), given.scores, given.labels)
    equal(_of(case, given), expected)


def single_precision_is_near_double(case: Case) -> None:
    """float32 within 1e-4 of float64, bfloat16 scores computed upon in their own type within a tenth."""
    given = examples(case)
    exact = _of(case, given)
    rows = given.labels.is_floating_point()
    for dtype, bound in ((torch.float32, 1e-4), (torch.bfloat16, 0.1)):
        inputs = inputs_of(ROWS, dtype)
        scores = given.scores.to(dtype)
        value, gradient = value_and_gradient(
            case.loss, scores, given.labels.to(dtype) if rows else given.labels, **inputs
        )
        for name, a, b in (("value", value, exact[0]), ("gradient", gradient, exact[1])):
            worst = (a.double() - b).abs().max() / b.abs().max().clamp_min(1e-3)
            assert worst <= bound, f"{name} in {dtype}: {worst:.2g}"


def gradient_is_that_of_the_value(case: Case) -> None:
    given = examples(case, rows=3)
    assert gradcheck(
        lambda z: case.loss(z, given.labels, **given.inputs), given.scores.requires_grad_(), raise_exception=False
    ), "gradcheck"


def renaming_the_classes_changes_nothing(case: Case) -> str | None:
    if "ordinal" in case.spec.tasks or "rows" in case.spec.inputs:
        return DOES_NOT_APPLY  # grades have an order; drawn complementary labels follow the row
    if any(p.per_class and case.loss.hyper_parameters[k] for k, p in case.spec.hyper_parameters.items()):
        return DOES_NOT_APPLY  # the user's own numbers stay with their classes
    given, order = examples(case), torch.tensor([2, 0, 3, 1])
    value, gradient = _of(case, given)
    labels = given.labels[:, order] if given.labels.ndim == 2 else order.argsort()[given.labels.long()].int()
    inputs = dict(given.inputs)
    for name in ("head_weight", "centres"):
        inputs[name] = inputs[name][order]
    counts = case.loss.class_counts
    loss = case.loss if counts is None else replace(case.loss, class_counts=counts[order])
    renamed = value_and_gradient(loss, given.scores[:, order], labels, **inputs)
    equal(renamed, (value, gradient[:, order]), tolerance=1e-12)
    return None


def an_example_does_not_see_its_batch_unless_declared(case: Case) -> None:
    given = examples(case)

    def part(rows: slice) -> Tensor:
        inputs = {
            k: v[rows] if isinstance(v, Tensor) and k in ("features", "rows") else v for k, v in given.inputs.items()
        }
        return case.loss(given.scores[rows], given.labels[rows], **inputs)

    whole = part(slice(None))
    parts = torch.cat([part(slice(0, 3)), part(slice(3, None))])
    assert whole.shape == (ROWS,)
    alone = torch.allclose(
        whole, parts, rtol=1e-12, atol=1e-12
    )  # rows of a short batch round otherwise on some processors
    assert alone == (case.spec.kind == "example")


def extremes_stay_finite(case: Case) -> None:
    cosine = case.spec.head in COSINE_HEADS
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for scale in (0.0, 1.0) if cosine else (0.0, 80.0, 1e4):
            given = examples(case, dtype=dtype)
            labels = single(torch.arange(ROWS) % CLASSES, case, dtype)
            value, gradient = _of(case, given, scores=scale * given.scores.sign(), labels=labels)
            assert torch.isfinite(value).all(), f"value at {scale:g} in {dtype}"
            assert torch.isfinite(gradient).all(), f"gradient at {scale:g} in {dtype}"


def a_surely_wrong_answer_still_costs_and_pulls(case: Case) -> str | None:
    """Cross-entropies and their kin grow without end; a clamp would cut them off at 16 nats with no gradient."""
    if case.spec.bounded is True or case.spec.head != "linear" or case.spec.kind == "batch":
        return DOES_NOT_APPLY
    if case.loss.name in ("symmetric_cross_entropy", "sigmoid_focal") and case.loss.hyper_parameters["alpha"] == 0:
        return DOES_NOT_APPLY  # alpha is the weight of what would pull
    answers = [] if case.spec.bounded else [(80.0, 1)]  # the first class said, the second is there
    if case.task == "multi_label":
        answers.append((-80.0, 0))  # the first finding denied, and it is there
    for score, truth in answers:  # several times the same, for losses that draw
        scores = torch.tensor([[score, 0.0, 0.0, 0.0]]).expand(ROWS, -1)
        given = replace(examples(case, dtype=torch.float32), scores=scores)
        labels = single([truth] * ROWS, case, torch.float32)
        wrong, gradient = _of(case, given, labels=labels)
        # a right answer at 1, not at 80: squared errors of scores also punish what is beyond their target
        right, _ = _of(case, given, scores=scores.abs() / 80, labels=single([0] * ROWS, case, torch.float32))
        further, _ = _of(case, given, scores=2 * scores, labels=labels)
        assert right.mean() < wrong.mean()
        pull = gradient[:, 0].abs().sum()
        assert pull > 1e-3
        # a nat more at least, and as steep as the pull says: no clamp, and no end that flattens
        assert further.mean() - wrong.mean() >= max(1.0, 0.95 * 80 * pull)
    return None


def is_the_other_loss_where_declared(case: Case) -> str | None:
    """The catalogue's identities, each at its point; tried once, at the defaults."""
    defaults = {key: parameter.default for key, parameter in case.spec.hyper_parameters.items()}
    if not case.spec.equals or case.loss.hyper_parameters != defaults:
        return DOES_NOT_APPLY
    for identity in case.spec.equals:
        classes = 2 if identity.only == "two_classes" else CLASSES
        counts = [7.0] * classes if identity.only == "equal_counts" else COUNTS[:classes]
        other_spec = LOSSES[identity.other]
        # the check's own loss may be a wrong version, so its function is kept
        at = case.loss.hyper_parameters | dict(identity.at)
        here = replace(case.loss, hyper_parameters=at)
        if here.class_counts is not None:
            here = replace(here, class_counts=torch.tensor(counts, dtype=torch.float64))
        there = losses.get(identity.other, class_counts=counts, **identity.other_at)
        draws = torch.Generator().manual_seed(5)
        scores = 2 * torch.randn(ROWS, case.spec.num_scores(classes), generator=draws, dtype=torch.float64)
        if case.spec.head in COSINE_HEADS:
            scores = 0.9 * scores.tanh()
        index = torch.randint(classes, (ROWS,), generator=draws)
        labels = torch.eye(classes)[index] if case.task == "multi_label" else index
        inputs = inputs_of(ROWS, torch.float64)

        def in_the_encoding_of(spec: LossSpec, labels: Tensor = labels, classes: int = classes) -> Tensor:
            found = encode_labels(labels, classes, spec.encoding)
            return found.double() if found.is_floating_point() else found

        factor = {"classes": float(classes), "1/classes": 1.0 / classes}.get(identity.factor, identity.factor)  # type: ignore[call-overload]
        assert other_spec.num_scores(classes) == scores.shape[1], "an identity is between losses of the same scores"
        expected = value_and_gradient(there, scores, in_the_encoding_of(other_spec), **inputs)
        found = value_and_gradient(here, scores, in_the_encoding_of(case.spec), **inputs)
        equal(found, (factor * expected[0], factor * expected[1]), tolerance=identity.tolerance)
    return None


def unknown_findings_cost_nothing(case: Case) -> str | None:
    """Findings that are nan leave no trace; where nothing is known the loss is 0 with gradient 0."""
    if case.task != "multi_label":
        return DOES_NOT_APPLY
    given = examples(case)
    unknown = torch.zeros(ROWS, CLASSES, dtype=torch.bool)
    unknown[0, 1] = unknown[2, 3] = unknown[4] = True
    labels = torch.where(unknown, torch.nan, given.labels)
    value, gradient = _of(case, given, labels=labels)
    moved = _of(case, given, labels=labels, scores=torch.where(unknown, given.scores + 3, given.scores))
    equal((value, gradient), moved, tolerance=1e-12)
    assert (gradient[unknown] == 0).all()
    value, gradient = _of(case, given, labels=torch.full_like(labels, torch.nan))
    assert (value == 0).all()
    assert (gradient == 0).all()
    return None


def without_weight_nothing_is_learnt(case: Case) -> None:
    """The engine's mean with all weights 0 is 0 and has gradient 0, not 0 / 0."""
    given = examples(case)
    scores = given.scores.requires_grad_()
    total = (case.loss(scores, given.labels, **given.inputs) * torch.zeros(ROWS)).sum() / ROWS
    (gradient,) = torch.autograd.grad(total, scores)
    assert total.item() == 0
    assert (gradient == 0).all()


def inputs_are_left_as_they_were(case: Case) -> None:
    given = examples(case)
    before = given.scores.clone(), given.labels.clone(), given.inputs["features"].clone()
    case.loss(given.scores, given.labels, **given.inputs)
    assert torch.equal(given.scores, before[0])
    assert torch.equal(given.labels, before[1])
    assert torch.equal(given.inputs["features"], before[2])


def the_type_of_the_scores_is_kept(case: Case) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        given = examples(case, dtype=dtype)
        value = case.loss(given.scores, given.labels, **given.inputs)
        assert (value.dtype, value.shape) == (dtype, (ROWS,))
        if case.spec.low is not None:
            assert (value >= case.spec.low).all()


def probabilities_come_of_its_scores(case: Case) -> None:
    """The link gives K numbers from 0 to 1; those of single labels and grades sum to one."""
    given = examples(case)
    found = losses.probabilities(
        given.scores,
        link=case.spec.link,
        num_classes=CLASSES,
        task=case.task,
        hyper_parameters=case.loss.hyper_parameters,
    )
    assert found.shape == (ROWS, CLASSES)
    assert ((found >= 0) & (found <= 1)).all()
    if case.task != "multi_label":
        torch.testing.assert_close(found.sum(-1), torch.ones(ROWS, dtype=torch.float64))


def probabilities_are_those_of_the_labels(case: Case) -> str | None:
    """Where output says probability: equal images with labels in given shares, fitted best, get these shares.

    Tried at the defaults, in the last epoch, from several starts: the fit need not be convex.
    """
    if case.spec.output != "probability" or "transition" in case.loss.hyper_parameters:
        return DOES_NOT_APPLY  # a transition matrix says how far labels are from the truth that is meant
    defaults = {key: parameter.default for key, parameter in case.spec.hyper_parameters.items()}
    if case.loss.hyper_parameters != defaults:
        return DOES_NOT_APPLY
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    rows = 100_000 if "rows" in case.spec.inputs else 100  # many, for losses that draw
    index = torch.repeat_interleave(torch.arange(CLASSES), (shares * rows).round().long())
    labels = encoded(torch.eye(CLASSES)[index] if case.task == "multi_label" else index, case)
    inputs = inputs_of(rows, torch.float64) | {"epoch": 10}
    found = min((_best_scores(case, labels, inputs, start) for start in (0.0, 3.0)), key=lambda fit: fit[0])[1]
    spec = case.spec
    p = losses.probabilities(
        found[None], link=spec.link, num_classes=CLASSES, task=case.task, hyper_parameters=case.loss.hyper_parameters
    )
    torch.testing.assert_close(p[0], shares, rtol=0, atol=0.01)
    return None


def _best_scores(case: Case, labels: Tensor, inputs: dict[str, Any], start: float) -> tuple[float, Tensor]:
    """The least mean cost that one row of scores for all examples can have, and that row."""
    size = 0.3 if case.spec.head in COSINE_HEADS else 1.0
    scores = size * (start + torch.linspace(0.5, -0.5, case.spec.num_scores(CLASSES), dtype=torch.float64))
    scores.requires_grad_()
    optimizer = torch.optim.LBFGS([scores], lr=0.5, max_iter=400, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        value = case.loss(scores.expand(len(labels), -1), labels, **inputs).mean()
        value.backward()
        return value

    optimizer.step(cost)
    return cost().item(), scores.detach()


CHECKS: tuple[Callable[[Case], str | None], ...] = (
    equals_its_oracle,
    single_precision_is_near_double,
    gradient_is_that_of_the_value,
    renaming_the_classes_changes_nothing,
    an_example_does_not_see_its_batch_unless_declared,
    extremes_stay_finite,
    a_surely_wrong_answer_still_costs_and_pulls,
    is_the_other_loss_where_declared,
    unknown_findings_cost_nothing,
    without_weight_nothing_is_learnt,
    inputs_are_left_as_they_were,
    the_type_of_the_scores_is_kept,
    probabilities_come_of_its_scores,
    probabilities_are_those_of_the_labels,
)
