"""Optimisers and learning-rate schedules, by the names of the study file."""

import math

import torch
from torch import nn

from lossassay.config import TrainingConfig


def make_optimizer(model: nn.Module, training: TrainingConfig, device: str) -> torch.optim.Optimizer:
    """Build the optimiser for the parameters that train; fused where the device has it."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    fused = device in ("cpu", "cuda")
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=training.momentum, weight_decay=decay, fused=fused)
    kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay, fused=fused)


def learning_rate_at(step: int, total_steps: int, training: TrainingConfig) -> float:
    """Return the learning rate of a step.

    Constant; cosine: rate * (1 + cos(pi * s)) / 2 with s the share of steps done (Loshchilov and Hutter 2017,
    arXiv:1608.03983, eq. 5, one cycle to 0); one_cycle: a straight line from rate / 25 to rate over the first 30 %
    of the steps, then a cosine to rate / 10,000 (Smith 2018, arXiv:1803.09820).

    Args:
        step: Number of the step, from 0.
        total_steps: Steps of the whole run.
        training: Names the schedule and the highest rate.
    """
    rate = training.learning_rate
    if training.schedule == "constant":
        return rate
    done = step / max(total_steps, 1)
    if training.schedule == "cosine":
        return rate * (1 + math.cos(math.pi * done)) / 2
    warm = 0.3
    if done < warm:
        return rate / 25 + (rate - rate / 25) * done / warm
    low = rate / 10_000
    return low + (rate - low) * (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2


def flatten_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimiser's tensors under flat names, for a checkpoint."""
    return {
        f"optimizer.{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }


def restore_state(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put the tensors of `flatten_state` back, in the memory layout of their parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, value in tensors.items():
        if not key.startswith("optimizer."):
            continue
        _, index, name = key.split(".", 2)
        parameter = parameters[int(index)]
        like = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
        # the layout decides the order of the arithmetic, hence the bits
        optimizer.state[parameter][name] = like.copy_(value)
