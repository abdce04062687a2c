"""Builds a model by name, with seeds of its own."""

import hashlib
import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from lossassay.catalogue.loss_spec import Head
from lossassay.catalogue.models import MODELS
from lossassay.errors import ModelError, did_you_mean, unknown_name
from lossassay.models.heads import make_head
from lossassay.models.measure import dry_run


def build(
    name: str,
    options: Mapping[str, Any],
    *,
    channels: int,
    image_size: int,
    dimensions: int,
    num_outputs: int,
    seed: int,
    head: Head = "linear",
    head_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a model whose first weights depend on the arguments alone; the caller's random state is left as it was.

    Features and head draw from two seeds derived from ``seed``, so that the features of two arms start equal even
    where their heads differ in size. A model of the user's own draws from the first seed alone: it keeps arms paired
    if it makes its features before its head.

    Args:
        name: A name of the catalogue, or ``module:function`` of the user's own. The function is called with
            ``channels``, ``image_size``, ``dimensions``, ``num_outputs`` and the options, and returns a module with
            ``features`` (images to [B F]) and ``head`` ([B F] to scores [B K]).
        options: Of the model; those not given take the catalogue's default.
        channels: Of the images.
        image_size: Side of the images in px; all sides are equal.
        dimensions: 2 for images [B C H W], 3 for [B C D H W].
        num_outputs: Classes, K.
        seed: From 0 to 2^63 - 1.
        head: The last layer that the loss needs; any other than a linear one replaces that of the user's own model.
        head_options: Of the head.

    Returns:
        The model on the CPU, in training mode.

    Raises:
        UnknownNameError: If the catalogue has no such model.
        ModelError: If an option does not fit, or the model cannot take these images or breaks the contract.
    """
    shape = {"channels": channels, "image_size": image_size, "dimensions": dimensions}
    is_own = ":" in name
    function = _imported(name) if is_own else _built_in(name, options)
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone: torch.manual_seed would seed the GPU too, whose state is not put back here.
        torch.default_generator.manual_seed(_derived(seed, "features"))
        model: nn.Module = _made(name, function, {**shape, "num_outputs": num_outputs, **options})
        feature_count = _checked(name, model, shape, num_outputs) if is_own else _feature_count(model)
        if not is_own or head != "linear":
            torch.default_generator.manual_seed(_derived(seed, "head"))
            model.head = make_head(head, feature_count, num_outputs, head_options)
    return model.train()


def _feature_count(model: nn.Module) -> int:
    """Return the size of the features of a built-in model."""
    return int(model.get_parameter("head.weight").shape[1])


def _derived(seed: int, part: str) -> int:
    """Return a seed for one part of the model, from 0 to 2^63 - 1."""
    digest = hashlib.blake2b(f"{seed}/{part}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _built_in(name: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the catalogue's function after a check of its options."""
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    known = MODELS[name].options
    for key, value in options.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise ModelError(f"{name} has no option {key!r}. Known: {', '.join(known)}.{hint}")
        problem = known[key].problem(value)
        if problem:
            raise ModelError(f"{name}: {key}: {problem}.")
    return _imported(MODELS[name].function)


def _imported(path: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names."""
    module, _, function = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise ModelError(
            f"The model {path!r} cannot be imported: {error}. Expected `module:function`, with the module installed "
            "or in a folder on PYTHONPATH."
        ) from error
    except AttributeError:
        raise ModelError(f"The model {path!r} is not there: module {module!r} has no {function!r}.") from None
    if not callable(found):
        raise ModelError(f"The model {path!r} is a {type(found).__name__}; expected a function that returns a model.")
    return found  # type: ignore[no-any-return]


def _made(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call the function; whatever it complains of becomes one message with its arguments."""
    try:
        return function(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ModelError(f"The model {name!r} could not be made from {given}: {error}.") from error


def _checked(name: str, model: Any, shape: Mapping[str, int], num_outputs: int) -> int:
    """Check what the engine relies on: parts, shapes of features and scores; return the number of features."""
    if not isinstance(model, nn.Module):
        raise ModelError(f"{name!r} returned a {type(model).__name__}; expected a torch.nn.Module.")
    missing = [part for part in ("features", "head") if not isinstance(getattr(model, part, None), nn.Module)]
    if missing:
        raise ModelError(
            f"The model {name!r} has no {' and no '.join(missing)}. Expected two parts that are modules: `features` "
            "(images to [B F]) and `head` ([B F] to [B K])."
        )
    try:
        seen = dry_run(model, num_images=2, **shape)
    except Exception as error:
        raise ModelError(
            f"The model {name!r} failed on two images of {shape['image_size']} px with {shape['channels']} channels "
            f"and {shape['dimensions']} dimensions: {type(error).__name__}: {error}."
        ) from error
    if seen.scores != (2, num_outputs):
        raise ModelError(
            f"The model {name!r} gave scores of shape {list(seen.scores)} for 2 images; expected [2, {num_outputs}], "
            "one for each output. Use the argument num_outputs for the size of the head."
        )
    if seen.features is None or len(seen.features) != 2:
        came = "nothing: forward does not call it" if seen.features is None else f"shape {list(seen.features)}"
        raise ModelError(
            f"The `features` of the model {name!r} gave {came}; expected [2, F], the input of the head. "
            "Pool or flatten at the end of `features`."
        )
    return math.prod(seen.features[1:])
