"""Systems over several data sets: mean ranks, and which systems were not shown to differ (Demšar 2006)."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting.charts.common import WIDTH_PX, Figure, inline, row_labels, row_position
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.study.scores.tables import DataSets

_ROW_PX, _LIFT_PX, _DROP_PX = 46, 10, 9


def critical_difference(found: DataSets, level: str, messages: Messages) -> Figure:
    """Draw the mean rank of every system, and one bar for each group in which no pair was shown to differ.

    Bars are those of Wilcoxon's test with Holm's rule; the length of Nemenyi's critical difference stands on top. A bar
    joins the systems that have a mark on it: it may pass a system that is not of the group.

    Args:
        found: Tests over three or more data sets.
        level: In percent.
        messages: Sentences.
    """
    ranks = found.wilcoxon_holm.mean_ranks
    order = sorted(range(len(ranks)), key=lambda place: ranks[place])
    systems = [{"order": row, "label": found.systems[place], "rank": ranks[place]} for row, place in enumerate(order)]
    groups = found.wilcoxon_holm.groups
    bars = [
        {"order": len(order) + row, "low": min(ranks[i] for i in group), "high": max(ranks[i] for i in group)}
        for row, group in enumerate(groups)
    ]
    marks = [{"order": len(order) + row, "rank": ranks[i]} for row, group in enumerate(groups) for i in group]
    subtitle = messages.text(
        "chart.critical_difference.subtitle",
        level=level,
        n=len(found.data_sets),
        size=f"{found.nemenyi.critical_difference:.2f}",
    )
    return Figure(
        name="critical_difference",
        table="",
        title=messages.text("chart.critical_difference.title"),
        subtitle=subtitle,
        chart=alt.layer(*_layers(systems, bars, marks, messages)).properties(
            width=WIDTH_PX, height=_ROW_PX * (len(order) + len(groups))
        ),
    )


def _layers(
    systems: list[dict[str, Any]], bars: list[dict[str, Any]], marks: list[dict[str, Any]], messages: Messages
) -> list[Any]:
    title = messages.text("chart.critical_difference.axis")
    scale = alt.Scale(domain=[1, max(2, len(systems))], nice=False, padding=14)
    x = alt.X("rank:Q", title=title, scale=scale, axis=alt.Axis(orient="top", tickMinStep=1, tickCount=len(systems)))
    data = inline(pl.DataFrame(systems))
    points = alt.Chart(data).mark_point(
        shape="diamond", filled=True, size=110, opacity=1, color=role("accent"), yOffset=_DROP_PX
    )
    layers = [points.encode(x=x, y=row_position()), row_labels(data, lift_px=_LIFT_PX)]
    if bars:
        joined = alt.Chart(inline(pl.DataFrame(bars))).mark_rule(strokeWidth=5, color=role("grey"))
        members = alt.Chart(inline(pl.DataFrame(marks))).mark_point(filled=True, size=70, opacity=1, color=role("ink"))
        layers += [
            joined.encode(x=alt.X("low:Q"), x2="high:Q", y=row_position()),
            members.encode(x="rank:Q", y=row_position()),
        ]
    return layers
