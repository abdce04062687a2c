"""What a study tells while it works."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lossassay.study.planning.plan import Plan


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a study tells while it works; every function does nothing by default, but for `on_warning`, which warns.

    Args:
        on_decoding: Images decoded so far, and in all.
        on_audit: What the audit looks at next, how many parts of it are done, and their number.
        on_plan: The plan, how many of its runs are already there, how many runs in the folder it does not use, and
            the number of workers; None: as many as a cluster has room for.
        on_look: Before training and after every look: how many runs are there, and the ids of those that are needed
            before the next look.
        on_others: While other processes work at the same study: how many runs they finished since we started, and how
            many they are at.
        on_message: Each message of a worker: ``{"event": "epoch" | "done" | "failed", "id": ...}``.
        on_stage: Names of stages that take a while: analysis, report.
        on_warning: What went wrong without stopping the study: a tracker that cannot be reached.
        on_features: Runs whose features are assessed, and how many there are in all.
    """

    on_decoding: Callable[[int, int], None] = lambda done, total: None
    on_audit: Callable[[str, int, int], None] = lambda part, done, total: None
    on_plan: Callable[[Plan, int, int, int | None], None] = lambda plan, there, unused, workers: None
    on_look: Callable[[int, list[str]], None] = lambda there, needed: None
    on_others: Callable[[int, int], None] = lambda finished, at_work: None
    on_message: Callable[[dict[str, Any]], None] = lambda message: None
    on_stage: Callable[[str], None] = lambda stage: None
    on_warning: Callable[[str], None] = _warn
    on_features: Callable[[int, int], None] = lambda done, total: None
