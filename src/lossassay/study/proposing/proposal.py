"""What a look at the data proposes for the data section of a study."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a look found.

    Args:
        data: The data section, ready for a study.
        reasons: Why each key was set, by key.
        notes: What else a user should know.
    """

    data: dict[str, Any]
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
