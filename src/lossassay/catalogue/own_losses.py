"""Losses of the user's own: ``module:function``, or a name that an installed package gives through an entry point.

The function takes scores [B K] and labels and returns one number per example [B]; its keyword-only arguments with a
number as default are its hyper-parameters. What it does not say about itself is taken for granted: class indices,
single labels, softmax, one example not seeing another. To say otherwise it carries a `LossSpec` in an attribute
``spec``. `lossassay check-loss module:function` shows whether all of this is so.
"""

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from lossassay.catalogue.loss_spec import LossSpec
from lossassay.catalogue.parameters import Parameter
from lossassay.errors import UnknownNameError

ENTRY_POINTS = "lossassay.losses"


@cache
def installed() -> dict[str, str]:
    """Return the names that installed packages add, each with its ``module:function``."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def is_own(name: str) -> bool:
    """Return whether a name leads out of the catalogue."""
    return ":" in name or name in installed()


def own_function(name: str) -> Callable[..., Any]:
    """Import the function.

    Raises:
        UnknownNameError: If it is not there.
    """
    module, _, function = installed().get(name, name).partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise UnknownNameError(
            f"The loss {name!r} cannot be imported: {error}. Expected `module:function`, with the module installed or "
            "in a folder on PYTHONPATH."
        ) from error
    except AttributeError:
        raise UnknownNameError(f"The loss {name!r} is not there: module {module!r} has no {function!r}.") from None
    if not callable(found):
        raise UnknownNameError(f"The loss {name!r} is a {type(found).__name__}; expected a function.")
    return found  # type: ignore[no-any-return]


def own_spec(name: str) -> LossSpec:
    """Return what the function says of itself, or what is taken for granted.

    Raises:
        UnknownNameError: If it is not there.
    """
    function = own_function(name)
    told = getattr(function, "spec", None)
    if isinstance(told, LossSpec):
        return told
    return LossSpec(
        function=installed().get(name, name),
        title=name.rpartition(":")[2].replace("_", " "),
        formula=r"\text{a loss of the user's own}",
        paper="the user's own",
        when="A loss of your own.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        hyper_parameters={
            key: Parameter(default=parameter.default, low=float("-inf"), meaning="of the user's own loss")
            for key, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and isinstance(parameter.default, int | float)
        },
        low=None,
        equals=(),
        oracle="none",
    )


def own_source(name: str) -> str:
    """Return the text of the function, so that a run is not taken for one of an earlier version."""
    try:
        return inspect.getsource(own_function(name))
    except (OSError, TypeError):
        return ""
