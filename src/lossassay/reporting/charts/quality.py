"""What the trained arms get right and wrong: confusion, ROC, reliability."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting.charts.common import (
    PANEL_PX,
    Figure,
    arm_scale,
    by_order,
    inline,
    ordered,
    panel_header,
    tooltips,
)
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import arm_names
from lossassay.study.folder.results import StudyResults

_ROC_PANELS = 6  # classes drawn; with more, those with the lowest area under the curve
_NUMBERS_UP_TO = 10  # classes; with more, the cells carry no numbers
_CELL_PX, _ROOMY_CELL_PX, _LARGEST_MATRIX_PX = 34, 44, 320  # a roomy cell holds share and count


def confusion(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw one confusion matrix per arm: share of the true class as shade, counts below the share."""
    table = results.tables["confusion"]
    if table.is_empty():
        return None
    classes = table["true"].unique(maintain_order=True).to_list()
    side = max(PANEL_PX, min(_LARGEST_MATRIX_PX, _CELL_PX * len(classes)))
    subtitle = messages.text("chart.confusion.subtitle")
    if side / len(classes) >= _ROOMY_CELL_PX:
        subtitle += " " + messages.text("chart.confusion.counts")
    arm = alt.Facet("arm:N", sort=by_order(), header=panel_header(side))
    panels = alt.layer(*_matrix(classes, messages, cell_px=side / len(classes))).properties(width=side, height=side)
    chart = panels.facet(
        data=inline(ordered(table, "arm", arm_names(results))), facet=arm, columns=3 if side < 240 else 2
    )
    return Figure(
        name="confusion",
        table="confusion",
        title=messages.text("chart.confusion.title"),
        subtitle=subtitle,
        chart=chart.resolve_axis(x="independent", y="independent"),
        panel_px=side + 110,
        panels=table["arm"].n_unique(),
    )


def _matrix(classes: list[str], messages: Messages, *, cell_px: float) -> list[Any]:
    axis = alt.Axis(labelLimit=90, grid=False, domain=False, ticks=False)
    scale = alt.Scale(domain=classes, paddingInner=0.04)
    base = alt.Chart().encode(
        x=alt.X("predicted:N", title=messages.text("word.predicted"), scale=scale, axis=axis),
        y=alt.Y("true:N", title=messages.text("word.true"), scale=scale, axis=axis),
        tooltip=[
            *tooltips(messages, true="true", predicted="predicted", count="count"),
            alt.Tooltip("share:Q", title=messages.text("word.share"), format=".1%"),
        ],
    )
    shade = alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.05, 1]))
    cells = base.mark_rect(color=role("accent")).encode(opacity=shade)
    return [cells, *_cell_numbers(base, cell_px)] if len(classes) <= _NUMBERS_UP_TO else [cells]


def _cell_numbers(base: alt.Chart, cell_px: float) -> list[Any]:
    colour = alt.condition("datum.share > 0.55", alt.value(role("paper")), alt.value(role("ink")))
    if cell_px < _ROOMY_CELL_PX:
        small = base.mark_text(fontSize=10, fontWeight=600)
        return [small.encode(text=alt.Text("share:Q", format=".0%"), color=colour)]
    share, count = base.mark_text(fontSize=13, fontWeight=600, dy=-7), base.mark_text(fontSize=11, dy=9)
    return [
        share.encode(text=alt.Text("share:Q", format=".1%"), color=colour),
        count.encode(text=alt.Text("count:Q", format=","), color=colour),
    ]


def roc(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the ROC curves of all arms, one panel per class."""
    table = results.tables["roc"]
    if table.is_empty():
        return None
    classes = _roc_classes(results)
    rows = ordered(table.filter(pl.col("class").is_in(classes)), "arm", arm_names(results))
    rows = _without_flat_points(rows.select("arm", "class", "false_positive_rate", "true_positive_rate"))
    panel = alt.Facet("class:N", sort=None, header=panel_header())
    chart = _roc_lines(arm_names(results), messages).facet(data=inline(rows), facet=panel, columns=3)
    all_drawn = len(classes) == table["class"].n_unique()
    return Figure(
        name="roc",
        table="roc",
        title=messages.text("chart.roc.title"),
        subtitle=messages.text("chart.roc.all" if all_drawn else "chart.roc.some", n=len(classes)),
        chart=chart.resolve_axis(x="independent", y="independent"),
        panel_px=PANEL_PX + 72,
        panels=len(classes),
    )


def _roc_lines(names: list[str], messages: Messages) -> Any:
    x, y = _share_axis("false_positive_rate", messages.text("chart.roc.x")), messages.text("chart.roc.y")
    picked = alt.selection_point(fields=["arm"], bind="legend", name="arm_in_legend")
    key = alt.Legend(symbolType="stroke", symbolSize=260)
    lines = alt.Chart().mark_line(strokeWidth=2, clip=True)
    return (
        lines.encode(
            x=alt.X(**x),
            y=alt.Y(**_share_axis("true_positive_rate", y)),
            color=alt.Color("arm:N", legend=key, scale=arm_scale(names, "color")),
            strokeDash=alt.StrokeDash("arm:N", legend=key, scale=arm_scale(names, "dash")),
            opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
            tooltip=[
                *tooltips(messages, arm="arm"),
                alt.Tooltip("false_positive_rate:Q", title=x["title"], format=".1%"),
                alt.Tooltip("true_positive_rate:Q", title=y, format=".1%"),
            ],
        )
        .add_params(picked)
        .properties(width=PANEL_PX, height=PANEL_PX)
    )


def _share_axis(field: str, title: str) -> dict[str, Any]:
    ticks = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".0%")
    return {"shorthand": f"{field}:Q", "title": title, "scale": alt.Scale(domain=[0, 1]), "axis": ticks}


def _roc_classes(results: StudyResults) -> list[str]:
    """Return the classes to draw: those with the lowest area under the curve where there are too many."""
    classes: list[str] = results.tables["roc"]["class"].unique(maintain_order=True).to_list()
    per_class = results.tables["per_class"]
    if len(classes) <= _ROC_PANELS or per_class.is_empty():
        return classes[:_ROC_PANELS]
    areas = per_class.filter(pl.col("metric") == "auroc").sort("estimate", nulls_last=True, maintain_order=True)
    hardest: list[str] = areas["class"].unique(maintain_order=True).to_list()[:_ROC_PANELS]
    return hardest


def _without_flat_points(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out points inside a level stretch: the line is the same, the page smaller."""
    height = pl.col("true_positive_rate")
    level = ((height == height.shift(1)) & (height == height.shift(-1))).over("arm", "class")
    return rows.filter(~level.fill_null(value=False))


def reliability(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw how often predictions come true against how sure they are, one panel per arm."""
    table = results.tables["reliability"]
    if table.is_empty():
        return None
    rows = ordered(table, "arm", arm_names(results)).select("order", "arm", "confidence", "frequency", "count")
    panels = alt.layer(*_reliability_lines(messages)).properties(width=PANEL_PX, height=PANEL_PX)
    arm = alt.Facet("arm:N", sort=by_order(), header=panel_header())
    chart = panels.facet(data=inline(rows), facet=arm, columns=3)
    return Figure(
        name="reliability",
        table="reliability",
        title=messages.text("chart.reliability.title"),
        subtitle=messages.text("chart.reliability.subtitle"),
        chart=chart.resolve_axis(x="independent", y="independent"),
        panel_px=PANEL_PX + 72,
        panels=rows["arm"].n_unique(),
    )


def _reliability_lines(messages: Messages) -> list[Any]:
    stated, came_true = messages.text("chart.reliability.x"), messages.text("chart.reliability.y")
    x, y = alt.X(**_share_axis("confidence", stated)), alt.Y(**_share_axis("frequency", came_true))
    corners = alt.InlineData(values=[{"confidence": 0, "frequency": 0}, {"confidence": 1, "frequency": 1}])
    diagonal = alt.Chart(corners).mark_line(color=role("grey"), strokeDash=[3, 3], strokeWidth=1)
    tooltip = [
        alt.Tooltip("confidence:Q", title=stated, format=".1%"),
        alt.Tooltip("frequency:Q", title=came_true, format=".1%"),
        *tooltips(messages, count="count"),
    ]
    base = alt.Chart().encode(x=x, y=y)
    return [
        diagonal.encode(x=x, y=y),
        base.mark_line(strokeWidth=1.6, color=role("blue")),
        base.mark_point(filled=True, size=34, opacity=1, color=role("blue")).encode(tooltip=tooltip),
    ]
