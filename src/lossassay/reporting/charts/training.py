"""Learning curves: the paper's figures 1 and 2, one panel per arm, with a band over replicates."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import PANEL_PX, Figure, by_order, inline, ordered, panel_header, tooltips
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import arm_names
from lossassay.study.folder.results import StudyResults

_FEW_EPOCHS = 3  # up to here the line also gets points: one epoch alone draws no line


def curves_loss(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw training and validation loss; every panel has its own scale, because losses do not compare."""
    rows = _rows(results, messages, "loss")
    if rows.is_empty():
        return None
    y = alt.Y("low:Q", title=messages.text("chart.curves.loss_axis"), axis=alt.Axis(tickCount=5))
    return Figure(
        name="curves_loss",
        table="curves",
        title=messages.text("chart.curves.loss_title"),
        subtitle=messages.text("chart.curves.loss_subtitle", n=rows["replicates"].max()),
        chart=_panels(rows, y, messages).resolve_scale(y="independent"),
        panel_px=PANEL_PX + 66,
        panels=rows["arm"].n_unique(),
    )


def curves_accuracy(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw training and validation accuracy on one scale."""
    rows = _rows(results, messages, "accuracy")
    if rows.is_empty():
        return None
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("low:Q", title=messages.text("chart.curves.accuracy_axis"), scale=scale, axis=alt.Axis(tickCount=5))
    return Figure(
        name="curves_accuracy",
        table="curves",
        title=messages.text("chart.curves.accuracy_title"),
        subtitle=messages.text("chart.curves.accuracy_subtitle", n=rows["replicates"].max()),
        chart=_panels(rows, y, messages).resolve_axis(x="independent", y="independent"),
        panel_px=PANEL_PX + 66,
        panels=rows["arm"].n_unique(),
    )


def _rows(results: StudyResults, messages: Messages, what: str) -> pl.DataFrame:
    parts = {f"train_{what}": messages.text("word.training"), f"validation_{what}": messages.text("word.validation")}
    table = results.tables["curves"]
    if table.is_empty():
        return table
    rows = table.filter(pl.col("quantity").is_in(list(parts)))
    return ordered(rows, "arm", arm_names(results)).select(
        "order",
        "arm",
        "epoch",
        "replicates",
        pl.col("quantity").replace_strict(parts, return_dtype=pl.String).alias("part"),
        *(pl.col(name).cast(pl.Float64) * formatting.shown_scale(what) for name in ("mean", "low", "high")),
    )


def _panels(rows: pl.DataFrame, y: alt.Y, messages: Messages) -> Any:
    parts = [messages.text("word.training"), messages.text("word.validation")]
    key = alt.Legend(symbolType="stroke", symbolOpacity=1, symbolSize=260)
    colours, dashes = [role("vermillion"), role("blue")], [[5, 3], [1, 0]]
    colour = alt.Color("part:N", legend=key, scale=alt.Scale(domain=parts, range=colours))
    dash = alt.StrokeDash("part:N", legend=key, scale=alt.Scale(domain=parts, range=dashes))
    axis = alt.Axis(tickMinStep=1, tickCount=5, grid=False)
    base = alt.Chart().encode(
        x=alt.X("epoch:Q", title=messages.text("word.epoch"), axis=axis, scale=alt.Scale(nice=False, zero=False)),
        color=colour,
        tooltip=[
            *tooltips(messages, part="part", epoch="epoch"),
            *(
                alt.Tooltip(f"{name}:Q", title=messages.text(f"word.{name}"), format=".4~g")
                for name in ("mean", "low", "high")
            ),
        ],
    )
    few = rows["epoch"].n_unique() <= _FEW_EPOCHS
    lines = alt.layer(
        base.mark_area(opacity=0.16).encode(y=y, y2="high:Q"),
        base.mark_line(strokeWidth=1.8, point={"size": 26} if few else False).encode(y="mean:Q", strokeDash=dash),
    ).properties(width=PANEL_PX, height=150)
    arm = alt.Facet("arm:N", sort=by_order(), header=panel_header())
    panels = lines.facet(data=inline(rows.drop("replicates")), facet=arm, columns=3)
    # flush: panels line up by their frames, however wide the labels are
    return panels.properties(bounds="flush", spacing={"row": 74, "column": 66}).resolve_axis(x="independent")
