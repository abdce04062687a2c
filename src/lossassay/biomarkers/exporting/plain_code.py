"""The network of a run as a small Python file that needs torch alone: the code of the tool, cut down."""

import inspect
import pprint
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from lossassay.biomarkers.exporting.portable import calibrated, calibration_of
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.catalogue.loss_spec import Head, Link
from lossassay.errors import ModelError
from lossassay.losses import links, tempered
from lossassay.models import classifier, heads, resnet

_PLAIN_LAYERS = (  # their printed form is the code that makes them
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Dropout,
    nn.Flatten,
    nn.GELU,
    nn.Identity,
    nn.Linear,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.ReLU,
)
_HEAD_CLASSES: Mapping[Head, type[nn.Module]] = MappingProxyType(
    {
        "linear_with_dropout": heads.LinearWithDropout,
        "linear_with_centres": heads.LinearWithCentres,
        "cosine": heads.Cosine,
        "cosine_with_subcentres": heads.Cosine,
        "shared_slope": heads.SharedSlope,
        "thresholds": heads.Thresholds,
    }
)
_LINK_HELPERS: Mapping[Link, tuple[Any, ...]] = MappingProxyType(
    {
        "one_against_all": (links._log,),
        "tempered_softmax": (tempered.log_tempered_softmax, tempered._log_power, tempered._newton_step),
    }
)
_STEPS_OF_LINK: Mapping[Link, str] = MappingProxyType({"tempered_softmax": f"_STEPS = {tempered._STEPS}\n\n\n"})

_TEMPLATE = '''"""A network trained by a study of lossassay, from stored pixels to probabilities. Not a medical device.

Needs torch alone:

    network = Network().eval()
    network.load_state_dict(safetensors.torch.load_file("weights.safetensors"))
    features, scores, probabilities = network(pixels)  # float32 {axes}, values 0 to {largest}
"""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASS_NAMES = {class_names}
TASK = {task!r}
PIXEL_MEAN = {mean}
PIXEL_SD = {sd}
HYPER_PARAMETERS = {hyper}
SLOPE = {slope}
INTERCEPT = {intercept}


{parts}


class Network(nn.Module):
    """Features, then a head; its weights have the names of those in weights.safetensors."""

    def __init__(self) -> None:
        super().__init__()
        self.features = {features}
        self.head = {head}

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features [B F], scores [B S] and probabilities [B K] of pixels {axes}."""
        mean, sd = (torch.tensor(numbers).reshape(1, -1, {ones}) for numbers in (PIXEL_MEAN, PIXEL_SD))
        features = self.features((pixels.movedim(-1, 1).float() - mean) * (1.0 / sd))
        scores = self.head(features)
        logits = {link}(scores, len(CLASS_NAMES), HYPER_PARAMETERS)
        return features, scores, calibrated(logits, SLOPE, INTERCEPT, TASK)
'''


def model_code(run: LoadedRun, feature_count: int) -> str:
    """Return the code of model.py, whose ``Network`` takes the run's weights.

    Args:
        run: The run.
        feature_count: F, the size of its features.

    Raises:
        ModelError: If the network has a part of the user's own, whose code the tool cannot carry along.
    """
    if type(run.model) is not classifier.Classifier:
        raise _own_part(run.model)
    link = links.link_function(run.loss.spec.link, run.task)
    dimensions = len(run.image_shape) - 1
    slope, intercept = calibration_of(run)
    return _TEMPLATE.format(
        axes=axes_in_words(run),
        largest=run.largest_value,
        class_names=pprint.pformat(run.class_names, width=110, compact=True),
        task=run.task,
        mean=list(run.facts["pixel_mean"]),
        sd=list(run.facts["pixel_sd"]),
        hyper=_plain(run.loss.hyper_parameters),
        slope=slope,
        intercept=intercept,
        parts=_parts(run, link),
        features=_layer(run.model.get_submodule("features"), 8),
        head=_head(run, feature_count),
        ones=", ".join(dimensions * ["1"]),
        link=link.__name__,
    )


def axes_in_words(run: LoadedRun) -> str:
    """Return ``[batch, 64, 64, 1]``: the shape of the pixels that a run takes."""
    return f"[batch, {', '.join(str(side) for side in run.image_shape)}]"


def _plain(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what a link may read: numbers."""
    return {key: value for key, value in hyper_parameters.items() if isinstance(value, int | float)}


def _head(run: LoadedRun, feature_count: int) -> str:
    name = run.loss.spec.head
    if name not in _HEAD_CLASSES:
        return _layer(run.model.get_submodule("head"), 8)
    options = "".join(f", {key}={value!r}" for key, value in run.loss.head_options.items())
    return f"{_HEAD_CLASSES[name].__name__}({feature_count}, {len(run.class_names)}{options})"


def _parts(run: LoadedRun, link: Any) -> str:
    """Return the code of every function and class that the network uses."""
    used: list[Any] = [classifier.Dense, classifier.linear_head]
    tables = ""
    if any(isinstance(layer, resnet.ResidualBlock) for layer in run.model.modules()):
        tables = (
            "CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}\nBATCH_NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}\n\n\n"
        )
        used += [resnet._convolution, resnet.ResidualBlock]
    if run.loss.spec.head in _HEAD_CLASSES:
        used.append(_HEAD_CLASSES[run.loss.spec.head])
    used += [*_LINK_HELPERS.get(run.loss.spec.link, ()), link, calibrated]
    code = "\n\n\n".join(inspect.getsource(part).strip() for part in used)
    own_lines = [line for line in code.splitlines() if not line.strip().startswith("from lossassay")]
    return tables + _STEPS_OF_LINK.get(run.loss.spec.link, "") + "\n".join(own_lines)


def _layer(layer: nn.Module, indent: int) -> str:
    """Return the code that makes a layer, in lines behind ``indent`` blanks."""
    if type(layer) is nn.Sequential:
        inner = " " * (indent + 4)
        lines = "".join(f"{inner}{_layer(one, indent + 4)},\n" for one in layer)
        return f"nn.Sequential(\n{lines}{' ' * indent})"
    if type(layer) is classifier.Dense:
        return f"Dense({layer.in_features}, {layer.out_features})"
    if type(layer) is resnet.ResidualBlock:
        first: Any = next(layer.residual.children())
        dimensions = torch.as_tensor(first.weight).ndim - 2
        return f"ResidualBlock({first.in_channels}, {first.out_channels}, {first.stride[0]}, {dimensions})"
    if type(layer) in _PLAIN_LAYERS:
        return f"nn.{layer!r}"
    raise _own_part(layer)


def _own_part(layer: nn.Module) -> ModelError:
    return ModelError(
        f"The network has a part of its own, {type(layer).__name__}, whose code cannot be written out. Expected a "
        "model of the catalogue, or one made of plain torch layers. Use --format torch or --format onnx: they carry "
        "the computation along."
    )
