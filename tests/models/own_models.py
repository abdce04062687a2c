"""Models as a user might write them: one good, the others each break the contract in one way."""

from typing import Any

import torch
from torch import nn


class Own(nn.Module):
    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def _parts(channels: int, units: int, num_outputs: int) -> tuple[nn.Module, nn.Module]:
    features = nn.Sequential(nn.Conv2d(channels, units, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return features, nn.Linear(units, num_outputs)


def good(*, channels: int, image_size: int, dimensions: int, num_outputs: int, units: int = 4) -> nn.Module:
    return Own(*_parts(channels, units, num_outputs))


def without_head(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return nn.Sequential(*_parts(channels, 4, num_outputs))


def wrong_outputs(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return Own(*_parts(channels, 4, num_outputs + 1))


def features_not_flat(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return Own(
        nn.Conv2d(channels, 4, 3), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_outputs))
    )


class _Bypass(Own):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features[2](self.features[1](self.features[0](images))))


def features_not_called(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return _Bypass(*_parts(channels, 4, num_outputs))


def fails(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return Own(*_parts(channels + 1, 4, num_outputs))


class _LooksAtNumbers(Own):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images - images.mean().item())  # .item() does not work on the meta device


def looks_at_numbers(*, channels: int, num_outputs: int, **_: Any) -> nn.Module:
    return _LooksAtNumbers(*_parts(channels, 4, num_outputs))


def no_model(**_: Any) -> str:
    return "no model"


not_callable = 3
