"""Images in, features out: one number per image and unit of a layer, batch by batch in constant memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.errors import ModelError, did_you_mean

Precision: TypeAlias = Literal["fp32", "bf16"]

FEATURES = "features"  # the layer before the head: what a biomarker is made of unless another is named


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a network says of some images.

    Args:
        features: float32 [M F].
        scores: float32 [M S].
        probabilities: float32 [M K].
    """

    features: Array
    scores: Array
    probabilities: Array


def layer_names(run: LoadedRun) -> list[str]:
    """Return the layers whose output can be taken, in the order of the network; the last but one is `FEATURES`."""
    return [name for name, _ in run.model.named_modules() if name]


def outputs(
    run: LoadedRun,
    images: Array,
    rows: Array,
    *,
    layer: str = FEATURES,
    batch_size: int = 256,
    prepare: Callable[[Tensor, Array], Tensor] = lambda pixels, places: pixels,
    precision: Precision = "fp32",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outputs:
    """Give the network some images and keep what it says.

    A layer with maps, [B C H W] or [B C D H W], is averaged over its positions.

    Args:
        run: The run.
        images: [N H W C] or [N D H W C], of the pixel type that the run was trained on; may be a memory map.
        rows: Which, [M].
        layer: Name of a layer; see `layer_names`.
        batch_size: Images at once.
        prepare: What is done to a batch of normalised images, with their places in ``images``.
        precision: ``"bf16"`` computes under autocast: faster on some processors, and rounded to about three digits.
        on_progress: Called with the images done and in all.

    Raises:
        ModelError: If there is no such layer, or its output is no tensor of one vector for each image.
    """
    seen: list[Tensor] = []
    hook = find_layer(run, layer).register_forward_hook(_keeper(seen, layer))
    parts = []
    try:
        for first in range(0, len(rows), batch_size):
            own = rows[first : first + batch_size]
            parts.append(_batch(run, prepare(run.normalised(images[own]), own), seen, precision))
            on_progress(first + len(own), len(rows))
    finally:
        hook.remove()
    # one copy from the device at the end: until then nothing waits for it
    features, scores = (torch.cat([part[place] for part in parts]).cpu().numpy() for place in (0, 1))
    return Outputs(features=features, scores=scores, probabilities=run.probabilities(scores))


def _keeper(seen: list[Tensor], layer: str) -> Callable[[nn.Module, object, Tensor], None]:
    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen.append(_pooled(output, layer).float().clone())  # at once: a layer behind may work in place

    return keep


@torch.inference_mode()
def _batch(run: LoadedRun, pixels: Tensor, seen: list[Tensor], precision: Precision) -> tuple[Tensor, Tensor]:
    """Return what the layer and the network say of one batch of normalised images, on the device."""
    seen.clear()
    with torch.autocast(run.device, dtype=torch.bfloat16, enabled=precision == "bf16"):
        scores = run.model(pixels)
    return seen[-1], scores.float()


def find_layer(run: LoadedRun, name: str) -> nn.Module:
    """Return a layer by its name.

    Raises:
        ModelError: With the names of those that exist.
    """
    known: dict[str, nn.Module] = dict(run.model.named_modules())
    if not name or name not in known:
        names = layer_names(run)
        raise ModelError(
            f"The network has no layer {name!r}. Its layers: {', '.join(names)}.{did_you_mean(name, names)}"
        )
    return known[name]


def _pooled(output: Tensor, layer: str) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim < 2:
        raise ModelError(f"The layer {layer!r} gives no vector for each image. Choose another layer.")
    return output if output.ndim == 2 else output.flatten(2).mean(dim=-1)
