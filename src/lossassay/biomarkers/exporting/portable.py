"""A run as one module from stored pixels to probabilities: what is written out is this, in every format."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from lossassay import losses
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.catalogue.loss_spec import Task

INPUT = "pixels"
OUTPUTS = ("features", "scores", "probabilities")


@final
class PortableNetwork(nn.Module):
    """Normalisation, network, link and calibration of a run in one forward pass.

    Args:
        run: On the CPU; its network is shared, not copied.
    """

    pixel_mean: Tensor
    pixel_sd: Tensor

    def __init__(self, run: LoadedRun) -> None:
        super().__init__()
        self.model = run.model
        shape = (1, -1, *(1 for _ in run.image_shape[:-1]))
        for name in ("pixel_mean", "pixel_sd"):
            self.register_buffer(name, torch.tensor(run.facts[name], dtype=torch.float32).reshape(shape))
        self.task = run.task
        self.link = run.loss.spec.link
        self.num_classes = len(run.class_names)
        self.hyper_parameters = dict(run.loss.hyper_parameters)
        self.slope, self.intercept = calibration_of(run)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features [B F], scores [B S] and probabilities [B K].

        Args:
            pixels: Grey levels as stored, float32 [B H W C] or [B D H W C].
        """
        seen: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            seen.append(output.flatten(2).mean(dim=-1) if output.ndim > 2 else output.clone())

        hook = self.model.get_submodule("features").register_forward_hook(keep)
        try:
            scores = self.model((pixels.movedim(-1, 1) - self.pixel_mean) * (1.0 / self.pixel_sd))
        finally:
            hook.remove()
        logits = losses.class_logits(
            scores,
            link=self.link,
            num_classes=self.num_classes,
            task=self.task,
            hyper_parameters=self.hyper_parameters,
        )
        return seen[-1], scores, calibrated(logits, self.slope, self.intercept, self.task)


def calibration_of(run: LoadedRun) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return slopes and intercepts, one or one for each class; 1 and 0 where the link alone gives probabilities."""
    return ((1.0,), (0.0,)) if run.calibration is None else (run.calibration.slope, run.calibration.intercept)


def calibrated(logits: Tensor, slope: Sequence[float], intercept: Sequence[float], task: Task) -> Tensor:
    """Return the softmax (multi-label: sigmoid) of slope * logit + intercept, [B K]."""
    factor, shift = (torch.tensor(numbers, dtype=torch.float32) for numbers in (slope, intercept))
    if task == "multi_label":
        return torch.sigmoid(logits * factor + shift)
    centred = logits - logits.amax(dim=-1, keepdim=True)  # so that a steep slope loses no digits
    return torch.softmax(centred * factor + shift, dim=-1)


def example_pixels(run: LoadedRun, count: int = 2) -> Tensor:
    """Return made-up images, float32 [B H W C] or [B D H W C]: slanted waves over all grey levels, of nobody."""
    shape = run.image_shape
    place = torch.arange(count * int(torch.tensor(shape).prod()), dtype=torch.float64).reshape(count, *shape)
    waves = 0.5 + 0.5 * torch.sin(place / (7.0 + torch.arange(count).reshape(-1, *(1 for _ in shape))))
    return (waves * run.largest_value).round().float()
