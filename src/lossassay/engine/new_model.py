"""The model as a run starts with it: built, its weights set, its kernels chosen, on the device."""

from typing import Any

import torch

from lossassay import losses
from lossassay.engine.spec import RunData, RunSpec
from lossassay.models import build, freeze_features, load_weights


def new_model(run: RunSpec, data: RunData, loss: losses.Loss) -> Any:
    """Build the model as it starts; the same for all arms of a replicate, up to the head.

    Args:
        run: What is trained.
        data: The images, whose shape the model takes.
        loss: Of the arm: it says what the last layer is.

    Returns:
        An `nn.Module` with `features` and a head, on the run's device.

    Raises:
        ModelError: If the model cannot be built for these images.
    """
    model = build(
        run.training.model,
        run.training.model_options,
        channels=data.images.shape[-1],
        image_size=data.images.shape[-2],
        dimensions=data.images.ndim - 2,
        num_outputs=data.num_classes,
        seed=run.seeds.init,
        head=loss.spec.head,
        head_options=loss.head_options,
    )
    if run.training.weights is not None:
        load_weights(model, run.training.weights)
    if run.training.freeze_features:
        freeze_features(model)
    if run.engine.kernels == "fused":
        from lossassay.engine.fused import fuse  # needs numba, and time to load

        fuse(model)
    if run.engine.kernels == "compiled":
        # in place, so that names of weights stay; on a GPU a graph of all launches is captured and played back
        model.features.compile(  # type: ignore[union-attr]
            mode="reduce-overhead" if run.engine.device == "cuda" else None
        )
    memory_format = torch.channels_last if data.images.ndim == 4 else torch.channels_last_3d
    return model.to(device=run.engine.device, memory_format=memory_format)  # type: ignore[call-overload]
