"""lossassay: which loss should I train my medical image classifier with?

>>> import lossassay
>>> results = lossassay.run("study.toml", out="results")  # doctest: +SKIP
>>> results.comparisons  # doctest: +SKIP

Importing the package is quick: torch and the rest are imported when first needed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossassay import losses, stats
    from lossassay.api import (
        Progress,
        Results,
        ScoreComparison,
        audit,
        check_loss,
        compare,
        export,
        load_study,
        new,
        paper,
        plan,
        report,
        run,
        suggest_losses,
    )
    from lossassay.errors import LossassayError

__all__ = [
    "LossassayError",
    "Progress",
    "Results",
    "ScoreComparison",
    "audit",
    "check_loss",
    "compare",
    "export",
    "load_study",
    "losses",
    "new",
    "paper",
    "plan",
    "report",
    "run",
    "stats",
    "suggest_losses",
]

_MODULES = ("losses", "stats")
_HOMES = {"LossassayError": "lossassay.errors"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lossassay.{name}")
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "lossassay.api")), name)
    raise AttributeError(f"module 'lossassay' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
