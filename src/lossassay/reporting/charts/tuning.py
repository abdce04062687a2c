"""Best so far against trials, the best trials by learning rate, and where in its range each parameter was chosen."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.reporting import formatting
from lossassay.reporting.charts.common import (
    WIDTH_PX,
    Figure,
    arm_scale,
    inline,
    ordered,
    row_labels,
    row_position,
    tooltips,
)
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import arm_names, level, metric_name, metric_title
from lossassay.study.folder.results import StudyResults

_HEIGHT_PX, _ROW_PX, _LABEL_LIFT_PX, _MARK_DROP_PX = 240, 46, 10, 9
_EDGE = 5  # % of a range, as the check takes it


def tuning_best(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the best value so far of each arm, trial by trial."""
    table, metric = results.later("tuning_best_so_far"), _metric(results)
    if table.is_empty():
        return None
    jobs, limits = int(str(table["jobs"].max())), {name: name for name in ("mean", "low", "high")}
    rows = ordered(table, "arm", arm_names(results)).select("order", "arm", "trial", *_shown(limits, metric))
    names = {"metric": metric_name(messages, metric), "level": level(results.facts), "n": jobs}
    subtitle = messages.text("chart.tuning_best.once" if jobs == 1 else "chart.tuning_best.subtitle", **names)
    axis = alt.Axis(tickMinStep=1, grid=False)
    x = alt.X("trial:Q", title=messages.text("chart.tuning_best.trials"), axis=axis, scale=alt.Scale(nice=False))
    title = messages.text(
        "chart.tuning_best.axis_percent" if formatting.in_percent(metric) else "chart.tuning_best.axis"
    )
    return Figure(
        name="tuning_best",
        table="tuning_best_so_far",
        title=messages.text("chart.tuning_best.title"),
        subtitle=subtitle,
        chart=alt.layer(*_lines(rows, x, title, results, messages)).properties(width=WIDTH_PX, height=_HEIGHT_PX),
    )


def tuning_rate(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw how good the best trials of each arm were, by learning rate."""
    table, metric = results.later("tuning_sensitivity"), _metric(results)
    if table.is_empty():
        return None
    jobs = int(str(table["jobs"].max()))
    limits = {"mean": "value", "low": "value_low", "high": "value_high"}
    rows = ordered(table, "arm", arm_names(results)).select(
        "order",
        "arm",
        "learning_rate",
        *_shown(limits, metric),
    )
    axis = alt.Axis(grid=False, format="~g", tickCount=6)
    x = alt.X(
        "learning_rate:Q",
        title=messages.text("chart.tuning_rate.rate"),
        axis=axis,
        scale=alt.Scale(type="log", nice=False, padding=12),
    )
    title = metric_title(messages, metric) + (" (%)" if formatting.in_percent(metric) else "")
    return Figure(
        name="tuning_rate",
        table="tuning_sensitivity",
        title=messages.text("chart.tuning_rate.title"),
        subtitle=messages.text(
            "chart.tuning_rate.subtitle",
            metric=metric_name(messages, metric),
            epochs=messages.counted("count.epochs", results.facts["tuning"]["common_epochs"]),
            level=level(results.facts),
            n=jobs,
        ),
        chart=alt.layer(*_lines(rows, x, title, results, messages)).properties(width=WIDTH_PX, height=_HEIGHT_PX),
    )


def tuning_choices(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw a lane for each parameter of each arm, with a mark for every choice."""
    table = results.later("tuning_choices").filter(pl.col("position").is_not_null())
    if table.is_empty():
        return None
    lanes = table.unique(["parameter", "arm"], maintain_order=True).sort("parameter", maintain_order=True)
    labels = [_lane(row, messages) for row in lanes.iter_rows(named=True)]
    places = lanes.select("parameter", "arm").with_columns(order=pl.Series(range(len(lanes))))
    rows = table.join(places, on=["parameter", "arm"], maintain_order="left").select(
        "order", "text", position=pl.col("position") * 100
    )
    return Figure(
        name="tuning_choices",
        table="tuning_choices",
        title=messages.text("chart.tuning_choices.title"),
        subtitle=messages.text("chart.tuning_choices.subtitle", n=results.facts["tuning"]["jobs_finished"]),
        chart=alt.layer(*_lanes(rows, labels, messages)).properties(width=WIDTH_PX, height=len(lanes) * _ROW_PX),
    )


def _metric(results: StudyResults) -> str:
    return str((results.facts.get("tuning") or {"metric": results.facts["primary_metric"]})["metric"])


def _shown(limits: dict[str, str], metric: str) -> list[pl.Expr]:
    """Return columns as they are drawn; a band ends where the yardstick does, for all that few jobs leave open."""
    spec, scale = YARDSTICKS[metric], formatting.shown_scale(metric)
    return [
        (pl.col(stored).cast(pl.Float64).clip(spec.low, spec.high) * scale).alias(name)
        for name, stored in limits.items()
    ]


def _lines(rows: pl.DataFrame, x: alt.X, title: str, results: StudyResults, messages: Messages) -> list[Any]:
    """Return bands and lines, one for each arm, in colours and dashes."""
    names = arm_names(results)
    legend = alt.Legend(symbolType="stroke", symbolOpacity=1, symbolSize=260)
    colour = alt.Color("arm:N", legend=legend, scale=arm_scale(names, "color"))
    dash = alt.StrokeDash("arm:N", legend=legend, scale=arm_scale(names, "dash"))
    numbers = [
        alt.Tooltip(f"{name}:Q", title=messages.text(f"word.{name}"), format=".4~g") for name in ("mean", "low", "high")
    ]
    base = alt.Chart(inline(rows)).encode(x=x, color=colour, tooltip=[*tooltips(messages, arm="arm"), *numbers])
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    return [
        base.transform_filter("isValid(datum.low)").mark_area(opacity=0.13).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=1.8, point={"size": 30}).encode(y=y, strokeDash=dash),
    ]


def _lane(row: dict[str, Any], messages: Messages) -> str:
    ends = {"low": formatting.setting(row["low"]), "high": formatting.setting(row["high"])}
    return messages.text("chart.tuning_choices.row", parameter=row["parameter"], arm=row["arm"], **ends)


def _lanes(rows: pl.DataFrame, labels: list[str], messages: Messages) -> list[Any]:
    lanes = inline(pl.DataFrame({"order": range(len(labels)), "label": labels}))
    title = messages.text("chart.tuning_choices.axis")
    x = alt.X("position:Q", title=title, scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(tickCount=5))
    ends = inline(pl.DataFrame({"from": [0, 100 - _EDGE], "to": [_EDGE, 100]}))
    return [
        alt.Chart(ends).mark_rect(color=role("grid")).encode(x=alt.X("from:Q", title=title), x2="to:Q"),
        alt.Chart(inline(rows))
        .mark_point(filled=True, shape="diamond", size=90, opacity=0.45, color=role("ink"), yOffset=_MARK_DROP_PX)
        .encode(x=x, y=row_position(), tooltip=tooltips(messages, text="value")),
        row_labels(lanes, lift_px=_LABEL_LIFT_PX),
    ]
