"""Named options with a type, a default and a range: how losses and models declare what a study may set."""

from dataclasses import dataclass
from typing import Any, Literal

_NOUNS = {
    "real": "a number",
    "integer": "a whole number",
    "integers": "a list of whole numbers",
    "reals": "a list of numbers",
    "matrix": "a list of lists of numbers",
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One option.

    Args:
        default: Its value when the study does not name it.
        kind: ``"real"``, ``"integer"``, ``"integers"`` and ``"reals"`` (non-empty lists), ``"matrix"`` (a list of
            rows of one length) or ``"choice"`` (one of ``choices``).
        low: Smallest allowed value (of each element).
        high: Largest allowed value, or None for no limit.
        choices: What a ``"choice"`` may be.
        optional: Whether it may be left at None, which is then its default.
        per_class: Whether a list needs one element, or a matrix one row and column, for each class.
        of: ``"head"`` for an option of the last layer that comes with a loss, ``"function"`` for all others.
        meaning: One line for people, with the unit if there is one.
    """

    default: Any
    kind: Literal["real", "integer", "integers", "reals", "matrix", "choice"] = "real"
    low: float = 0.0
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    per_class: bool = False
    of: Literal["function", "head"] = "function"
    meaning: str

    @property
    def range(self) -> str:
        """The allowed values in words, for example ``'a number from 0 to 5'``."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        limits = f"{self.low:g} or more" if self.high is None else f"from {self.low:g} to {self.high:g}"
        return f"{_NOUNS[self.kind]}, {limits}"

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with ``value``, or return None."""
        if value is None and self.optional:
            return None
        return None if self._fits(value) else f"got {value!r}, expected {self.range}"

    def size_problem(self, value: Any, num_classes: int) -> str | None:
        """Say what is wrong with the size of ``value`` for this number of classes, or return None."""
        if not self.per_class or value is None:
            return None
        rows = [value] if self.kind != "matrix" else [value, *value]
        if all(len(row) == num_classes for row in rows):
            return None
        noun = "rows and columns" if self.kind == "matrix" else "numbers"
        return f"got {len(value)} {noun}, expected {num_classes}: one for each class"

    def _fits(self, value: Any) -> bool:
        if self.kind == "choice":
            return isinstance(value, str) and value in self.choices
        if self.kind in ("real", "integer"):
            return self._accepts(value)
        if not isinstance(value, list | tuple) or not value:
            return False
        if self.kind == "matrix":
            return all(isinstance(row, list | tuple) and all(map(self._accepts, row)) and row for row in value)
        return all(map(self._accepts, value))

    def _accepts(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind in ("integer", "integers") and not isinstance(value, int):
            return False
        return value >= self.low and (self.high is None or value <= self.high)  # NaN fails the first comparison
