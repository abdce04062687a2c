"""How far simple probes tell the class, each with its interval and what chance would give."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import WIDTH_PX, Figure, inline, row_labels, row_position
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role

_ROW_PX, _LIFT_PX, _DROP_PX = 50, 10, 9


def probes(found: Sequence[Mapping[str, Any]], messages: Messages) -> Figure | None:
    """Draw the score of every probe that has one.

    Args:
        found: Probes as plain data, as in `lossassay.study.auditing.audit.AuditResult`.
        messages: Sentences.
    """
    scored = [probe for probe in found if probe.get("score") is not None]
    if not scored:
        return None
    return Figure(
        name="probes",
        table="probes",
        title=messages.text("chart.probes.title"),
        subtitle=messages.text("chart.probes.subtitle"),
        chart=alt.layer(*_layers(_rows(scored, messages), messages)).properties(
            width=WIDTH_PX, height=len(scored) * _ROW_PX
        ),
    )


def probe_name(probe: Mapping[str, Any], messages: Messages) -> str:
    """Return what a probe is called in words; its own name where there are none."""
    name = str(probe["name"])
    key = f"audit.probe_name.{name.replace('-', '_')}"
    return messages.text(key) if key in messages else name


def _rows(scored: Sequence[Mapping[str, Any]], messages: Messages) -> pl.DataFrame:
    numbers = ("score", "low", "high", "chance")
    columns = {name: pl.Series([probe.get(name) for probe in scored], dtype=pl.Float64) for name in numbers}
    labels = pl.Series([probe_name(probe, messages) for probe in scored], dtype=pl.String)
    texts = pl.Series([formatting.significant(probe["score"]) for probe in scored], dtype=pl.String)
    return pl.DataFrame({"order": range(len(scored)), "label": labels, "text": texts, **columns})


def _layers(rows: pl.DataFrame, messages: Messages) -> list[Any]:
    data = inline(rows)
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("score:Q", title=messages.text("chart.probes.axis"), scale=scale, axis=alt.Axis(tickCount=6))
    base = alt.Chart(data).encode(y=row_position())
    number = base.mark_text(align="right", fontWeight=600, yOffset=-_LIFT_PX, color=role("ink"))
    chance = base.mark_tick(thickness=2, size=22, yOffset=_DROP_PX, color=role("vermillion"))
    return [
        base.mark_rule(strokeWidth=3, yOffset=_DROP_PX, color=role("blue")).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=110, opacity=1, yOffset=_DROP_PX, color=role("blue")).encode(x=x),
        chance.encode(x=alt.X("chance:Q")),
        row_labels(data, lift_px=_LIFT_PX),
        number.encode(x=alt.value("width"), text="text:N"),
    ]
