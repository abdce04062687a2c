"""Named options with a type, a default and a range: how losses and models declare what a study may set."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One option.

    Args:
        default: Its value when the study does not name it.
        kind: ``"real"``, ``"integer"`` or ``"integers"`` (a non-empty list of integers).
        low: Smallest allowed value (of each element).
        high: Largest allowed value, or None for no limit.
        meaning: One line for people, with the unit if there is one.
    """

    default: Any
    kind: Literal["real", "integer", "integers"] = "real"
    low: float
    high: float | None = None
    meaning: str

    @property
    def range(self) -> str:
        """The allowed values in words, for example ``'a number from 0 to 5'``."""
        noun = {"real": "a number", "integer": "a whole number", "integers": "a list of whole numbers"}[self.kind]
        limits = f"{self.low:g} or more" if self.high is None else f"from {self.low:g} to {self.high:g}"
        return f"{noun}, {limits}"

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with ``value``, or return None."""
        values = value if self.kind == "integers" and isinstance(value, list | tuple) and value else [value]
        if self.kind == "integers" and values[0] is value:
            return f"got {value!r}, expected {self.range}"
        if all(self._accepts(element) for element in values):
            return None
        return f"got {value!r}, expected {self.range}"

    def _accepts(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind != "real" and not isinstance(value, int):
            return False
        return value >= self.low and (self.high is None or value <= self.high)  # NaN fails the first comparison
