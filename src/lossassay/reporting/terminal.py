"""Draws a line in the terminal, in braille dots: readable without colour, with ticks and axis titles."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

_DOTS_WIDE, _DOTS_HIGH = 2, 4  # of one braille character
# Bits of the dots of one character, by row from the top, left and right.
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


def drawn_line(
    x: Sequence[float],
    y: Sequence[float],
    *,
    x_title: str,
    y_title: str,
    width: int = 64,
    height: int = 11,
    plain: bool = False,
) -> list[str]:
    """Return the lines of a drawing.

    Args:
        x: Places, rising.
        y: Numbers to draw; those that are not finite leave a gap.
        x_title: Below the drawing.
        y_title: Above it.
        width: Characters between the axes.
        height: Lines between the axes.
        plain: Draw with ``*`` and ASCII frames, for terminals without braille.
    """
    finite = [value for value in y if isfinite(value)]
    low, high = _limits(finite)
    dots = _dots(x, y, low, high, width * _DOTS_WIDE, height * _DOTS_HIGH)
    rows = _characters(dots, width, height, plain=plain)
    ticks = {0: high, height // 2: high - (high - low) * (height // 2 + 0.5) / height, height - 1: low}
    labels = [f"{_near_zero(ticks[row], high - low):.3g}" if row in ticks else "" for row in range(height)]
    margin = max(map(len, labels))
    bar, corner, floor = ("|", "+", "-") if plain else ("┤", "└", "─")
    side = "|" if plain else "│"
    lines = [y_title]
    lines += [
        f"{label:>{margin}} {bar if label else side}{row}".rstrip() for label, row in zip(labels, rows, strict=True)
    ]
    lines.append(f"{'':>{margin}} {corner}{floor * width}")
    lines.append(f"{'':>{margin}}  {_x_ticks(x[0], x[-1], width)}")
    lines.append(f"{'':>{margin}}  {x_title:^{width}}".rstrip())
    return lines


def _limits(finite: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the vertical axis; a flat line gets room on both sides."""
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low > 1e-12 * max(abs(low), abs(high), 1e-12):
        return low, high
    return low - 0.5, high + 0.5


def _near_zero(number: float, span: float) -> float:
    """Return 0 for what is nothing beside the height of the drawing."""
    return 0.0 if abs(number) < 1e-4 * span else number


def _dots(
    x: Sequence[float], y: Sequence[float], low: float, high: float, columns: int, rows: int
) -> set[tuple[int, int]]:
    """Return the dots of the line, (column, row from the top); neighbours are joined."""
    places = [
        (round((a - x[0]) / (x[-1] - x[0]) * (columns - 1)), round((high - b) / (high - low) * (rows - 1)))
        if isfinite(b)
        else None
        for a, b in zip(x, y, strict=True)
    ]
    dots = {place for place in places if place}
    for start, end in pairwise(places):
        if start and end:
            steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
            dots |= {
                (
                    round(start[0] + (end[0] - start[0]) * step / steps),
                    round(start[1] + (end[1] - start[1]) * step / steps),
                )
                for step in range(steps)
            }
    return dots


def _characters(dots: set[tuple[int, int]], width: int, height: int, *, plain: bool) -> list[str]:
    cells = [[0] * width for _ in range(height)]
    for column, row in dots:
        cells[row // _DOTS_HIGH][column // _DOTS_WIDE] |= _BITS[row % _DOTS_HIGH][column % _DOTS_WIDE]
    if plain:
        return ["".join("*" if cell else " " for cell in row) for row in cells]
    return ["".join(chr(_BLANK + cell) if cell else " " for cell in row) for row in cells]


def _x_ticks(first: float, last: float, width: int) -> str:
    """Return the labels of both ends and the middle, in their places."""
    left, middle, right = f"{first:.3g}", f"{(first + last) / 2:.3g}", f"{last:.3g}"
    line = left.ljust(width // 2 - len(middle) // 2) + middle
    return line.ljust(width - len(right)) + right
