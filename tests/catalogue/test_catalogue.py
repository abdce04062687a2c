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

from lossassay.catalogue.losses import ALIASES, LOSSES, Task, canonical_name
from lossassay.catalogue.models import MODELS
from lossassay.catalogue.parameters import Parameter
from lossassay.catalogue.yardsticks import PRIMARY, YARDSTICKS
from lossassay.errors import UnknownNameError

TASKS = set(get_args(Task))
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
def test_the_options_of_a_loss_are_those_of_its_function(name: str) -> None:
    _same_options(LOSSES[name].function, dict(LOSSES[name].hyper_parameters), after=("scores", "labels"))


@pytest.mark.parametrize("name", MODELS)
def test_the_options_of_a_model_are_those_of_its_function(name: str) -> None:
    shape = ("channels", "image_size", "dimensions", "num_outputs")
    _same_options(MODELS[name].function, dict(MODELS[name].options), after=shape)


def _same_options(path: str, options: dict[str, Parameter], *, after: tuple[str, ...]) -> None:
    """Names and defaults are written twice, for people in the signature and for the study file in the catalogue."""
    module, function = path.split(":")
    signature = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    assert tuple(signature)[: len(after)] == after
    own = {name: parameter for name, parameter in signature.items() if name not in after}
    assert {name: parameter.default for name, parameter in own.items()} == {k: p.default for k, p in options.items()}
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
    if spec.cross_entropy_at is not None:
        assert set(spec.cross_entropy_at) == set(spec.hyper_parameters)
        assert all(spec.hyper_parameters[k].problem(value) is None for k, value in spec.cross_entropy_at.items())


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
    assert [name for name, spec in LOSSES.items() if task in spec.tasks]


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
    assert all(name in str(caught.value) for name in LOSSES)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_every_option_accepts_its_default_and_refuses_what_is_outside(parameter: Parameter) -> None:
    assert parameter.meaning
    assert parameter.problem(parameter.default) is None
    below, wrong = parameter.low - 1, "text"
    for value in (below, wrong, None, float("nan"), True):
        assert parameter.problem([value] if parameter.kind == "integers" else value)
    if parameter.high is not None:
        assert parameter.problem(parameter.high + 1)


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
