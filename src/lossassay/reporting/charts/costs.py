"""What training costs, and the paper's memory argument."""

from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import (
    WIDTH_PX,
    Figure,
    inline,
    ordered,
    panel_header,
    row_labels,
    row_position,
    tooltips,
)
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import arm_names
from lossassay.study.folder.results import StudyResults

_MIB = 2**20
_PANEL_PX = 262
# column → title of its panel, what it is divided by to be shown, text of a value
_COSTS: dict[str, tuple[str, float, Callable[[float | None], str]]] = {
    "epoch_seconds": ("chart.cost.epoch_seconds", 1, formatting.duration),
    "images_per_second": ("chart.cost.images_per_second", 1, formatting.significant),
    "peak_memory_bytes": ("chart.cost.peak_memory", _MIB, formatting.size_in_bytes),
}


def cost(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw seconds per epoch, images per second and peak memory of every arm."""
    table = results.tables["costs"]
    if table.is_empty():
        return None
    data = inline(_cost_rows(ordered(table, "arm", arm_names(results)), messages))
    x = alt.X("value:Q", title=None, stack=None, axis=alt.Axis(tickCount=4))
    base = alt.Chart(data).encode(y=row_position(), tooltip=tooltips(messages, label="arm", text="value"))
    number = base.mark_text(align="right", fontWeight=600, yOffset=-9, color=role("ink"))
    panels = alt.layer(
        base.mark_bar(size=9, color=role("sky"), yOffset=8).encode(x=x),
        row_labels(data, lift_px=9),
        number.encode(x=alt.value("width"), text="text:N"),
    ).properties(width=_PANEL_PX, height=len(table) * 44)
    place = alt.EncodingSortField(field="place", op="min")
    quantity = alt.Facet("quantity:N", sort=place, header=panel_header(_PANEL_PX))
    return Figure(
        name="cost",
        table="costs",
        title=messages.text("chart.cost.title"),
        subtitle=messages.text("chart.cost.subtitle"),
        chart=panels.facet(facet=quantity, columns=3).resolve_scale(x="independent").resolve_axis(x="independent"),
        panel_px=_PANEL_PX + 34,
        panels=len(_COSTS),
    )


def _cost_rows(rows: pl.DataFrame, messages: Messages) -> pl.DataFrame:
    return pl.concat(
        rows.select(
            "order",
            pl.col("arm").alias("label"),
            pl.lit(place).alias("place"),
            pl.lit(messages.text(key)).alias("quantity"),
            (pl.col(column).cast(pl.Float64) / divisor).alias("value"),
            pl.Series("text", [form(stored) for stored in rows[column]], dtype=pl.String),
        )
        for place, (column, (key, divisor, form)) in enumerate(_COSTS.items())
    )


def label_memory(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the bytes of integer and of one-hot labels against the number of classes."""
    table = results.tables["label_memory"]
    if table.is_empty():
        return None
    chart = alt.layer(*_memory_lines(table, messages)).properties(width=WIDTH_PX, height=240)
    images: int = table["images"][0]
    return Figure(
        name="label_memory",
        table="label_memory",
        title=messages.text("chart.label_memory.title"),
        subtitle=messages.text("chart.label_memory.subtitle", images=formatting.count(images)),
        chart=chart,
    )


def _memory_lines(table: pl.DataFrame, messages: Messages) -> list[Any]:
    forms = {"integer_bytes": messages.text("word.integer_labels"), "dense_bytes": messages.text("word.dense_labels")}
    names = list(forms.values())
    rows = table.unpivot(on=list(forms), index="classes", variable_name="form", value_name="bytes")
    rows = rows.select(
        "classes",
        pl.col("form").replace_strict(forms, return_dtype=pl.String),
        (pl.col("bytes").cast(pl.Float64) / _MIB).alias("mebibytes"),
        pl.Series("text", [formatting.size_in_bytes(stored) for stored in rows["bytes"]], dtype=pl.String),
    )
    classes = alt.Axis(values=table["classes"].to_list(), format=",", grid=False)
    memory = alt.Axis(format=",~r", tickCount=5)
    log = alt.Scale(type="log", nice=False, padding=14)
    colours = alt.Scale(domain=names, range=[role("blue"), role("vermillion")])
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("classes:Q", title=messages.text("word.classes"), scale=log, axis=classes),
        y=alt.Y(
            "mebibytes:Q", title=messages.text("chart.label_memory.axis"), scale=alt.Scale(type="log"), axis=memory
        ),
        color=alt.Color("form:N", legend=None, scale=colours),
        tooltip=tooltips(messages, form="labels", classes="classes", text="memory"),
    )
    dashes = alt.Scale(domain=names, range=[[1, 0], [6, 3]])
    shapes = alt.Scale(domain=names, range=["circle", "square"])
    names_at_the_end = base.mark_text(align="right", dx=-8, dy=-14, fontWeight=600).encode(text="form:N")
    names_at_the_end.data = inline(rows.filter(pl.col("classes") == pl.col("classes").max()))
    return [
        base.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("form:N", legend=None, scale=dashes)),
        base.mark_point(filled=True, size=55, opacity=1).encode(shape=alt.Shape("form:N", legend=None, scale=shapes)),
        names_at_the_end,
    ]
