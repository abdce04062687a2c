"""What all charts share: their data in compact form, their look, and rows with the label above the mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl

from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import arm_colours, arm_dashes, role

FONT = "Inter, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
WIDTH_PX = 680  # of a chart with one panel, in files
PANEL_PX = 196  # side of one of several panels

_QUIET: dict[str, Any] = {
    "labelColor": role("muted"),
    "titleColor": role("muted"),
    "labelFont": FONT,
    "titleFont": FONT,
}
_AXIS: dict[str, Any] = _QUIET | {
    "labelFontSize": 11,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
    "titlePadding": 8,
    "domainColor": role("line"),
    "tickColor": role("line"),
    "gridColor": role("grid"),
    "tickSize": 4,
    "labelOverlap": True,
    "labelSeparation": 8,
}
_LEGEND: dict[str, Any] = _QUIET | {
    "labelColor": role("ink"),
    "labelFontSize": 12,
    "orient": "top",
    "labelLimit": 260,
    "offset": 12,
}
# The configuration of every chart.
LOOK: dict[str, Any] = {
    "font": FONT,
    "axis": _AXIS,
    "legend": _LEGEND | {"title": None, "columns": 3, "columnPadding": 18, "symbolSize": 90, "symbolStrokeWidth": 2},
    "header": {"labelColor": role("ink"), "labelFont": FONT, "labelFontSize": 12, "labelFontWeight": 600},
    "text": {"font": FONT, "fontSize": 12},
    "view": {"stroke": None},
    "facet": {"spacing": 28},
    "title": {
        "font": FONT,
        "subtitleFont": FONT,
        "color": role("ink"),
        "subtitleColor": role("muted"),
        "fontSize": 15,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "subtitleLineHeight": 16,
        "anchor": "start",
        "frame": "group",
        "offset": 16,
    },
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One chart with what stands around it.

    Args:
        name: Stem of its files.
        table: The table it draws.
        title: What it shows.
        subtitle: Unit, n, and how to read it.
        chart: The chart, without titles.
        panel_px: Width that one of several panels takes, axis included; None: one panel that fills the width.
        panels: Their number.
    """

    name: str
    table: str
    title: str
    subtitle: str
    chart: Any
    panel_px: int | None = None
    panels: int = 1


def inline(frame: pl.DataFrame) -> alt.InlineData:
    """Return a table inside the chart, names of fields once and then rows: about half the size of records.

    `records` and the page's script turn it into what Vega-Lite reads.
    """
    rounded = frame.with_columns(pl.selectors.float().round_sig_figs(5))
    return alt.InlineData(values={"fields": rounded.columns, "rows": [list(row) for row in rounded.iter_rows()]})


def records(spec: Any) -> Any:
    """Return a chart's specification with every table of `inline` as a list of records."""
    if isinstance(spec, list):
        return [records(entry) for entry in spec]
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"fields", "rows"}:
        return [dict(zip(spec["fields"], row, strict=True)) for row in spec["rows"]]
    return {key: records(entry) for key, entry in spec.items()}


def by_order() -> alt.EncodingSortField:
    """Sort by the column ``order``; names stay out of expressions."""
    return alt.EncodingSortField(field="order", op="min")


def ordered(frame: pl.DataFrame, column: str, names: Sequence[str]) -> pl.DataFrame:
    """Add ``order``: the place of each row's ``column`` among ``names``; rows with other names are left out."""
    places = pl.DataFrame(
        {column: list(names), "order": range(len(names))}, schema={column: pl.String, "order": pl.Int64}
    )
    return frame.join(places, on=column, how="inner", maintain_order="left").sort("order", maintain_order=True)


def row_position() -> alt.Y:
    """Return one horizontal lane per value of ``order``; its label is a mark, because names are long."""
    return alt.Y("order:O", axis=None, scale=alt.Scale(type="band", paddingInner=0, paddingOuter=0))


def row_labels(data: alt.InlineData, *, lift_px: int) -> Any:
    """Return the labels of rows, at the left edge, ``lift_px`` above the middle of each row."""
    return (
        alt.Chart(data)
        .mark_text(align="left", baseline="middle", fontSize=12, lineBreak="\n", yOffset=-lift_px, color=role("ink"))
        .encode(x=alt.value(0), y=row_position(), text="label:N")
    )


def tooltips(messages: Messages, /, **fields: str) -> list[alt.Tooltip]:
    """Return tooltips: field → word that names it. Fields that end in ``_text`` are formatted already."""
    whole = {"replicate", "replicates", "pairs", "count", "classes", "epoch"}
    return [
        alt.Tooltip(f"{name}:Q", format=",", title=messages.text(f"word.{word}"))
        if name in whole
        else alt.Tooltip(f"{name}:N", title=messages.text(f"word.{word}"))
        for name, word in fields.items()
    ]


def arm_scale(names: Sequence[str], look: Literal["color", "dash"]) -> alt.Scale:
    """Return the scale that gives each arm its colour or its dash; together they also work in black and white."""
    ranges: dict[str, list[Any]] = {"color": arm_colours(len(names)), "dash": arm_dashes(len(names))}
    return alt.Scale(domain=list(names), range=ranges[look])


def panel_header(width_px: int = PANEL_PX) -> alt.Header:
    """Return the header of a panel: its value, left-aligned, cut at the panel's width."""
    return alt.Header(title=None, labelAnchor="start", labelLimit=width_px, labelPadding=6)
