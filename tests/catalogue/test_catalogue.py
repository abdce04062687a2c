"""The plain data: every entry declares what it must, every name leads to code, no name leads to two things."""

import importlib
import inspect
import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.catalogue.loss_spec import Task
from lossassay.catalogue.losses import ALIASES, LOSSES, canonical_name
from lossassay.catalogue.models import MODELS
from lossassay.catalogue.parameters import Parameter
from lossassay.catalogue.yardsticks import PRIMARY, YARDSTICKS
from lossassay.errors import UnknownNameError

TASKS = set(get_args(Task))
ELSEWHERE = {
    "torch",
    "keras",
    "optax",
    "timm",
    "monai",
    "pytorch-metric-learning",
    "coral-pytorch",
    "torchvision",
    "libauc",
}
FUNCTIONS = {name: spec.function for name, spec in [*LOSSES.items(), *MODELS.items()]}
PARAMETERS = {
    **{f"{name} {key}": p for name, spec in LOSSES.items() for key, p in spec.hyper_parameters.items()},
    **{f"{name} {key}": p for name, spec in MODELS.items() for key, p in spec.options.items()},
}


@pytest.mark.parametrize(("name", "path"), FUNCTIONS.items())
def test_every_function_is_where_the_catalogue_says(name: str, path: str) -> None:
    module, function = path.split(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", LOSSES)
def test_the_options_and_inputs_of_a_loss_are_those_of_its_function(name: str) -> None:
    spec = LOSSES[name]
    own = {key: parameter for key, parameter in spec.hyper_parameters.items() if parameter.of == "function"}
    _same_options(spec.function, own, after=("scores", "labels"), without_default=spec.inputs)


@pytest.mark.parametrize("name", MODELS)
def test_the_options_of_a_model_are_those_of_its_function(name: str) -> None:
    shape = ("channels", "image_size", "dimensions", "num_outputs")
    _same_options(MODELS[name].function, dict(MODELS[name].options), after=shape)


def _same_options(
    path: str, options: dict[str, Parameter], *, after: tuple[str, ...], without_default: tuple[str, ...] = ()
) -> None:
    """Names and defaults are written twice, for people in the signature and for the study file in the catalogue."""
    module, function = path.split(":")
    signature = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    assert tuple(signature)[: len(after)] == after
    own = {name: parameter for name, parameter in signature.items() if name not in after}
    needed = {name for name, parameter in own.items() if parameter.default is inspect.Parameter.empty}
    assert needed == set(without_default)
    defaults = {name: parameter.default for name, parameter in own.items() if name not in needed}
    assert defaults == {k: p.default for k, p in options.items()}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in own.values())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_declares_itself(name: str) -> None:
    spec = LOSSES[name]
    assert name == name.lower()
    assert all(text.strip() for text in (spec.title, spec.formula, spec.paper, spec.when, spec.oracle))
    assert any(character.isdigit() for character in spec.paper), "a year"
    assert spec.tasks
    assert set(spec.tasks) <= TASKS
    if spec.encoding == "integer":
        assert "multi_label" not in spec.tasks  # one index per image cannot say several findings
    for identity in spec.equals:
        for of, at in ((spec, identity.at), (LOSSES[identity.other], identity.other_at)):
            assert all(of.hyper_parameters[key].problem(value) is None for key, value in at.items())
    assert spec.variant_of is None or spec.variant_of in LOSSES
    assert set(spec.elsewhere) <= ELSEWHERE


def test_of_sixty_losses_and_more_at_most_a_quarter_are_variants_of_others() -> None:
    variants = [name for name, spec in LOSSES.items() if spec.variant_of is not None]
    assert len(LOSSES) >= 60
    assert len(variants) <= len(LOSSES) / 4, variants  # fifteen of sixty


@pytest.mark.parametrize("name", MODELS)
def test_every_model_declares_itself(name: str) -> None:
    assert MODELS[name].title
    assert MODELS[name].source


@pytest.mark.parametrize("name", YARDSTICKS)
def test_every_yardstick_declares_itself(name: str) -> None:
    spec = YARDSTICKS[name]
    assert spec.title
    assert spec.definition
    assert spec.high is None or spec.low < spec.high
    assert spec.tasks
    assert set(spec.tasks) <= TASKS


def test_every_task_has_a_primary_yardstick_that_is_defined_for_it() -> None:
    assert set(PRIMARY) == TASKS
    assert all(task in YARDSTICKS[name].tasks for task, name in PRIMARY.items())


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_has_a_loss(task: Task) -> None:
    assert [name for name, spec in LOSSES.items() if spec.trains(task)]


def test_no_name_of_a_loss_leads_to_two() -> None:
    names = Counter([*LOSSES, *(alias for spec in LOSSES.values() for alias in spec.aliases)])
    assert not [name for name, count in names.items() if count > 1]


@pytest.mark.parametrize(
    ("alias", "name"),
    {
        "cce": "categorical_crossentropy",
        "scce": "sparse_categorical_crossentropy",
        "cross_entropy": "sparse_categorical_crossentropy",
        "bce": "binary_crossentropy",
        "mse": "mean_squared_error",
        "rmse": "root_mean_squared_error",
    }.items(),
)
def test_the_aliases_of_the_field(alias: str, name: str) -> None:
    assert ALIASES[alias] == canonical_name(alias) == canonical_name(name) == name


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"No loss is called 'binary_cross_entropy'.*Did you mean 'binary_cross"):
        canonical_name("binary_cross_entropy")
    with pytest.raises(UnknownNameError) as caught:
        canonical_name("???")
    assert "Did you mean" not in str(caught.value)
    assert "`lossassay losses` lists them all." in str(caught.value)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_every_option_accepts_its_default_and_refuses_what_is_outside(parameter: Parameter) -> None:
    assert parameter.meaning
    assert parameter.problem(parameter.default) is None
    assert (parameter.problem(None) is None) == parameter.optional
    wrap = {"integers": lambda v: [v], "reals": lambda v: [v], "matrix": lambda v: [[v]]}.get(
        parameter.kind, lambda v: v
    )
    for value in (parameter.low - 1, "text", float("nan"), True):
        assert parameter.problem(wrap(value))
    if parameter.high is not None:
        assert parameter.problem(wrap(parameter.high + 1))


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("real", 1, True),
        ("real", 1.5, True),
        ("real", float("inf"), False),
        ("integer", 1, True),
        ("integer", 1.0, False),
        ("integers", [1, 2], True),
        ("integers", (1, 2), True),
        ("integers", [], False),
        ("integers", [1, 2.5], False),
        ("integers", [1, 9], False),
        ("integers", 3, False),
        ("reals", [1, 2.5], True),
        ("reals", [], False),
        ("matrix", [[1, 0], [0.5, 0.5]], True),
        ("matrix", [1, 0], False),
        ("matrix", [[1, 9]], False),
    ],
)
def test_kinds_of_options(kind: str, value: object, fits: bool) -> None:
    parameter = Parameter(default=1, kind=kind, low=0, high=5, meaning="a test")  # type: ignore[arg-type]
    assert (parameter.problem(value) is None) == fits


@given(st.floats(), st.floats(-10, 10), st.none() | st.floats(10, 20))
def test_a_number_fits_exactly_where_it_is_in_the_range(value: float, low: float, high: float | None) -> None:
    parameter = Parameter(default=low, low=low, high=high, meaning="a test")
    inside = value >= low and (high is None or value <= high)
    assert (parameter.problem(value) is None) == inside


def test_sizes_are_those_of_the_classes() -> None:
    weights = Parameter(default=None, kind="reals", optional=True, per_class=True, meaning="a test")
    assert weights.size_problem(None, 3) is None
    assert weights.size_problem([1.0, 2.0, 3.0], 3) is None
    assert weights.size_problem([1.0], 3) == "got 1 numbers, expected 3: one for each class"
    matrix = Parameter(default=None, kind="matrix", optional=True, per_class=True, meaning="a test")
    assert matrix.size_problem([[1.0, 0.0], [0.0, 1.0]], 2) is None
    assert matrix.size_problem([[1.0, 0.0], [0.0]], 2)
    assert Parameter(default=1.0, meaning="a test").size_problem(1.0, 3) is None


def test_a_choice_is_one_of_its_names() -> None:
    choice = Parameter(default="a", kind="choice", choices=("a", "b"), meaning="a test")
    assert choice.problem("b") is None
    assert choice.problem("c") == "got 'c', expected one of a, b"
    assert choice.problem(1)


def test_the_range_is_said_in_words() -> None:
    assert Parameter(default=2.0, low=0.0, meaning="a test").range == "a number, 0 or more"
    assert Parameter(default=1, kind="integer", low=1, high=5, meaning="a test").range == "a whole number, from 1 to 5"
    message = Parameter(default=(1,), kind="integers", low=1, meaning="a test").problem([0])
    assert message == "got [0], expected a list of whole numbers, 1 or more"


def test_the_catalogue_and_the_study_file_need_no_torch() -> None:
    code = "import sys, lossassay.catalogue.losses, lossassay.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_metrics_and_stats_need_no_torch() -> None:
    code = "import sys, lossassay.metrics, lossassay.stats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
