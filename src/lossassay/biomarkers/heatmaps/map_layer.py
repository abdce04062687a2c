"""Which layer Grad-CAM looks at."""

import torch
from torch import Tensor, nn

from lossassay.errors import ModelError, did_you_mean

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def last_map_layer(model: nn.Module, images: Tensor) -> nn.Module:
    """Return the layer whose maps are those of the last convolution, behind all that follows at the same size.

    That is the activation or normalisation behind it, or the end of its residual block, and not the pooling after it:
    the maps that the rest of the network sees, with the finest positions that they have.

    Args:
        model: The network.
        images: Normalised, [B C H W] or [B C D H W]; one is looked at.

    Raises:
        ModelError: If it has no convolution with positions.
    """
    seen = _outputs_in_order(model, images[:1])
    last = max((place for place, (layer, _) in enumerate(seen) if isinstance(layer, _CONVOLUTIONS)), default=None)
    if last is None or max(seen[last][1][2:], default=1) < 2:
        raise ModelError(
            "Grad-CAM needs a convolution whose maps have two or more positions, and the network has none. "
            "Name a layer with --layer, or choose integrated_gradients or occlusion."
        )
    sides = seen[last][1][2:]
    found = seen[last][0]
    for layer, shape in seen[last + 1 :]:
        if shape[2:] != sides:
            break
        found = layer
    return found


def named_map_layer(model: nn.Module, name: str, images: Tensor) -> nn.Module:
    """Return a layer by its name.

    Args:
        model: The network.
        name: Of the layer.
        images: Normalised; one is looked at.

    Raises:
        ModelError: If there is none, with a list of those that there are, or its output has no positions.
    """
    known: dict[str, nn.Module] = dict(model.named_modules())
    if not name or name not in known:
        names = [one for one in known if one]
        raise ModelError(
            f"The network has no layer {name!r}. Its layers: {', '.join(names)}.{did_you_mean(name, names)}"
        )
    shapes = [shape for layer, shape in _outputs_in_order(model, images[:1]) if layer is known[name]]
    if not shapes or len(shapes[-1]) != images.ndim or max(shapes[-1][2:]) < 2:
        raise ModelError(
            f"The layer {name!r} gives no maps: its output has no positions in the image. "
            "Choose a convolution, or a block of them."
        )
    return known[name]


@torch.no_grad()
def _outputs_in_order(model: nn.Module, images: Tensor) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Return every layer that gives one tensor, with its shape, in the order in which they end."""
    seen: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append((layer, tuple(output.shape)))

    hooks = [layer.register_forward_hook(note) for layer in model.modules()]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return seen
