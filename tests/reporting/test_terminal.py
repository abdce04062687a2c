"""Lines drawn in the terminal."""

import math

from lossassay.reporting.terminal import drawn_line

X = [0.0, 1.0, 2.0, 3.0, 4.0]


def inside(lines: list[str], height: int) -> list[str]:
    return [line.split("│" if "│" in line else "┤", 1)[1] for line in lines[1 : height + 1]]


def test_a_falling_line_starts_above_and_ends_below() -> None:
    lines = drawn_line(X, [8.0, 6.0, 4.0, 2.0, 0.0], x_title="margin", y_title="value", width=20, height=5)
    assert lines[0] == "value"
    rows = inside(lines, 5)
    first = [next(place for place, sign in enumerate(row) if sign != " ") for row in rows]
    assert first == sorted(first)
    assert first[0] == 0
    assert len(rows[-1]) == 20
    assert lines[-1].strip() == "margin"
    assert lines[-2].split() == ["0", "2", "4"]


def test_the_axis_names_its_ends_and_its_middle() -> None:
    lines = drawn_line(X, [8.0, 6.0, 4.0, 2.0, 1e-9], x_title="x", y_title="y", height=5)
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert labels == ["8", "4", "0"]


def test_what_is_not_finite_leaves_a_gap() -> None:
    with_gap = drawn_line(X, [1.0, 1.0, math.nan, 1.0, math.inf], x_title="x", y_title="y", width=9, height=3)
    (row,) = [row for row in inside(with_gap, 3) if row]
    assert row[4] == " "
    assert row[0] != " "
    assert drawn_line(X, [math.nan] * 5, x_title="x", y_title="y")


def test_a_flat_line_lies_in_the_middle() -> None:
    rows = inside(drawn_line(X, [3.0] * 5, x_title="x", y_title="y", height=5), 5)
    assert [bool(row) for row in rows] == [False, False, True, False, False]


def test_plain_terminals_get_plain_signs() -> None:
    text = "\n".join(drawn_line(X, [8.0, 6.0, 4.0, 2.0, 0.0], x_title="x", y_title="y", plain=True))
    assert text.isascii()
    assert "*" in text
