"""Weights from a file, and features that do not train."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file
from torch import Tensor, nn

from lossassay.errors import ModelError

_HEAD = "head."
_SHOWN = 8  # names in a message


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Start the model from a safetensors file.

    The file holds every tensor of the model by its name. It may leave out the whole head (all names that start with
    ``head.``), which then keeps its first weights: the way to start from features that were trained for other classes.

    Args:
        model: Gets the file's numbers in place.
        path: A safetensors file, such as the ``weights.safetensors`` of a run.

    Raises:
        ModelError: If the file cannot be read, or names or shapes do not match; all of them are listed.
    """
    try:
        stored = load_file(path)
    except FileNotFoundError:
        raise ModelError(f"There is no file {str(path)!r} to take weights from. Check training.weights.") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} cannot be read as weights: {error}. Expected a safetensors file, such as the "
            "weights.safetensors of a run."
        ) from error
    own = model.state_dict()
    if not any(name.startswith(_HEAD) for name in stored):
        own = {name: tensor for name, tensor in own.items() if not name.startswith(_HEAD)}
    problems = _mismatches(own, stored)
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        lines = "\n  - ".join(problems[:_SHOWN] + more)
        raise ModelError(
            f"The weights in {path} do not fit the model:\n  - {lines}\n"
            "Use the model and options that they were trained with; for other classes take every `head.` tensor out."
        )
    for name, tensor in own.items():
        tensor.copy_(stored[name])


def freeze_features(model: Any) -> None:
    """Keep the features as they are: no gradients, and always in evaluation mode.

    Otherwise batch normalisation would go on following the batches, and dropout would go on dropping, while nothing
    learns from it.

    Args:
        model: With ``features``; changed in place, also for later calls of ``model.train()``.
    """
    model.features.requires_grad_(False)
    model.register_forward_pre_hook(_features_to_evaluation)


def _features_to_evaluation(model: Any, _inputs: Any) -> None:
    model.features.eval()


def _mismatches(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> list[str]:
    """Say for each tensor what is wrong with it."""
    missing = [f"{name} is missing" for name in own if name not in stored]
    unknown = [f"{name} is not in the model" for name in stored if name not in own]
    shapes = [
        f"{name} has shape {list(stored[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in stored and stored[name].shape != tensor.shape
    ]
    return missing + unknown + shapes
