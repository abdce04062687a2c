"""One loss by itself: its value and its gradient along a path of scores, side by side."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from lossassay.reporting.charts.common import LOOK, inline, records
from lossassay.reporting.palette import resolved, role

_WIDTH_PX, _HEIGHT_PX = 250, 170


def loss_chart(
    place: Sequence[float], value: Sequence[float], gradient: Sequence[float], *, title: str, axis: str, note: str
) -> str:
    """Return the chart as SVG: the value as a solid line, the gradient as a dashed one.

    Args:
        place: Where on the path.
        value: Of the loss.
        gradient: Of the value by the place.
        title: Of the chart.
        axis: What the place is.
        note: Below the title; empty for none.
    """
    rows = pl.DataFrame({"place": list(place), "value": list(value), "gradient": list(gradient)})
    panels = _panel(rows, "value", "value", axis, [1, 0]) | _panel(
        rows, "gradient", "gradient of the value", axis, [6, 3]
    )
    spec = panels.configure(**LOOK).to_dict()
    words = {"text": title, "subtitle": note} if note else {"text": title}
    return resolved(
        vl_convert.vegalite_to_svg({**records(spec), "title": words, "background": role("paper"), "padding": 12})
    )


def as_png(svg: str) -> bytes:
    """Return a drawing in pixels, two for each px."""
    drawn: bytes = vl_convert.svg_to_png(svg, scale=2.0)
    return drawn


def _panel(rows: pl.DataFrame, column: str, title: str, axis: str, dash: list[int]) -> Any:
    """One line, and a thin one at zero where zero is in view."""
    finite = rows.filter(pl.col(column).is_finite())
    data = inline(finite.select("place", pl.col(column).alias("y")))
    x = alt.X("place:Q", title=axis, scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(tickCount=7, grid=False))
    y = alt.Y("y:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))
    line = alt.Chart(data).mark_line(strokeWidth=2, strokeDash=dash, color=role("ink")).encode(x=x, y=y)
    return line.properties(width=_WIDTH_PX, height=_HEIGHT_PX)
