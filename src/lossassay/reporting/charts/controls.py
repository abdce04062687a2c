"""The reference arm beside itself on damaged inputs, and beside chance."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import WIDTH_PX, Figure, inline, row_labels, row_position, tooltips
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import level, metric_title
from lossassay.study.folder.results import StudyResults

_ROW_PX, _LABEL_LIFT_PX, _MARK_DROP_PX = 50, 10, 9


def controls(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the mean of the reference arm and of each control with a damaged input, with intervals and chance."""
    metric = results.facts["primary_metric"]
    table = results.tables["controls"]
    table = table if table.is_empty() else table.filter(pl.col("metric") == metric, pl.col("estimate").is_not_null())
    if table.is_empty():
        return None
    rows = [_whole_image(results, metric, table), *table.iter_rows(named=True)]
    by_chance = table["chance"][0]
    title = metric_title(messages, metric) + (" (%)" if formatting.in_percent(metric) else "")
    subtitle = messages.text("chart.controls.subtitle", level=level(results.facts), n=table["replicates"].max())
    if by_chance is not None:
        subtitle += " " + messages.text("chart.controls.chance", chance=formatting.value(metric, by_chance))
    return Figure(
        name="controls",
        table="controls",
        title=messages.text("chart.controls.title"),
        subtitle=subtitle,
        chart=alt.layer(*_layers(rows, metric, title, by_chance, messages)).properties(
            width=WIDTH_PX, height=len(rows) * _ROW_PX
        ),
    )


def _whole_image(results: StudyResults, metric: str, table: pl.DataFrame) -> dict[str, Any]:
    """Return the reference arm as a row; its interval is that of all its replicates."""
    arms = results.tables["arms"].filter(arm=results.facts["reference"], metric=metric)
    found = arms.row(0, named=True) if len(arms) else {"estimate": table["reference"][0], "low": None, "high": None}
    return found | {"control": "whole_image"}


def _layers(
    rows: list[dict[str, Any]], metric: str, title: str, by_chance: float | None, messages: Messages
) -> list[Any]:
    scale = formatting.shown_scale(metric)
    numbers = {
        name: pl.Series([None if row[name] is None else row[name] * scale for row in rows], dtype=pl.Float64)
        for name in ("estimate", "low", "high")
    }
    texts = {f"{name}_text": [formatting.value(metric, row[name]) for row in rows] for name in numbers}
    labels = [messages.text(f"control.name.{row['control']}") for row in rows]
    data = inline(pl.DataFrame({"order": range(len(rows)), "label": labels, **numbers, **texts}))
    tooltip = tooltips(messages, label="arm", estimate_text="mean", low_text="low", high_text="high")
    base = alt.Chart(data).encode(y=row_position(), tooltip=tooltip)
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=True, padding=12), axis=alt.Axis(tickCount=9))
    chance = alt.Chart(data).mark_rule(strokeDash=[4, 3], color=role("muted"))
    return [
        *([] if by_chance is None else [chance.encode(x=alt.datum(by_chance * scale))]),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=3, color=role("ink"), yOffset=_MARK_DROP_PX)
        .encode(x=x, x2="high:Q"),
        base.mark_point(
            shape="diamond", filled=True, size=130, opacity=1, color=role("accent"), yOffset=_MARK_DROP_PX
        ).encode(x=alt.X("estimate:Q", title=title)),
        row_labels(data, lift_px=_LABEL_LIFT_PX),
        base.mark_text(align="right", fontWeight=600, yOffset=-_LABEL_LIFT_PX, color=role("ink")).encode(
            x=alt.value("width"), text="estimate_text:N"
        ),
    ]
