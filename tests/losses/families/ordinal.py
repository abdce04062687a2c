"""Independent values and wrong versions."""

from collections.abc import Callable

import torch

Tensor = torch.Tensor

ORACLES: dict[str, Callable[..., Tensor]] = {}
MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {}
