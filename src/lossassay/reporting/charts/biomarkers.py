"""Features as biomarkers: repeatability, change, separation against transfer, the Pareto chart, a map of images."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.catalogue.criteria import CRITERIA
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.reporting import formatting
from lossassay.reporting.biomarkers import BASELINE, criterion_value
from lossassay.reporting.charts.common import (
    PANEL_PX,
    WIDTH_PX,
    Figure,
    arm_scale,
    inline,
    row_labels,
    row_position,
    tooltips,
)
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import arm_colours, role
from lossassay.reporting.words import arm_names, capital, level, metric_title
from lossassay.study.folder.results import StudyResults

_ROW_PX, _LABEL_LIFT_PX, _MARK_DROP_PX = 50, 10, 9
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
_GOOD, _EXCELLENT = 0.75, 0.9  # Koo and Li 2016
_MOST_NAMES = 8  # classes or sources with a colour of their own
_MAP_PX = 250


def biomarkers_repeatability(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw ICC of each arm with its interval, and of the classical baseline."""
    scale = alt.Scale(domainMax=1)
    return _by_arm(results, messages, ("biomarkers_repeatability", "repeatability"), (_GOOD, _EXCELLENT), scale)


def biomarkers_change(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the change per year of each arm's features beside the smallest detectable change; needs visits."""
    return _by_arm(
        results, messages, ("biomarkers_change", "change_per_year"), (1.0,), alt.Scale(zero=True, padding=60)
    )


def _by_arm(
    results: StudyResults, messages: Messages, names: tuple[str, str], steps: tuple[float, ...], scale: alt.Scale
) -> Figure | None:
    """Draw one criterion, a row for each arm and for the classical baseline, with dashed lines at some steps."""
    name, criterion = names
    table = results.later("biomarkers").filter(pl.col("criterion") == criterion, pl.col("estimate").is_not_null())
    if results.biomarkers is None or table.is_empty():
        return None
    rows = table.with_columns(
        pl.when(pl.col("arm") == BASELINE)
        .then(pl.lit(messages.text("biomarkers.baseline_text")))
        .otherwise("arm")
        .alias("label"),
        order=pl.int_range(len(table)),
        **{f"{end}_text": pl.Series(map(criterion_value, table[end])) for end in ("estimate", "low", "high")},
    ).drop("arm", "criterion", "sd")
    x = alt.X("estimate:Q", title=messages.text(f"chart.{name}.axis"), scale=scale)
    return Figure(
        name=name,
        table="biomarkers",
        title=messages.text(f"chart.{name}.title"),
        subtitle=messages.text(f"chart.{name}.subtitle", level=level(results.facts)),
        chart=_rows_with_intervals(rows, messages, x, steps),
    )


def _rows_with_intervals(rows: pl.DataFrame, messages: Messages, x: alt.X, steps: tuple[float, ...]) -> Any:
    data = inline(rows)
    tooltip = tooltips(messages, label="arm", estimate_text="mean", low_text="low", high_text="high")
    base = alt.Chart(data).encode(y=row_position(), tooltip=tooltip)
    rule = alt.Chart(data).mark_rule(strokeDash=[4, 3], color=role("muted"))
    layers = [
        *(rule.encode(x=alt.datum(step)) for step in steps),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=3, color=role("ink"), yOffset=_MARK_DROP_PX)
        .encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(
            shape="diamond", filled=True, size=130, opacity=1, color=role("accent"), yOffset=_MARK_DROP_PX
        ).encode(x=x),
        row_labels(data, lift_px=_LABEL_LIFT_PX),
        base.mark_text(align="right", fontWeight=600, yOffset=-_LABEL_LIFT_PX, color=role("ink")).encode(
            x=alt.value("width"), text="estimate_text:N"
        ),
    ]
    return alt.layer(*layers).properties(width=WIDTH_PX, height=len(rows) * _ROW_PX)


def biomarkers_transfer(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw class separation against transfer, one mark for each arm; needs a probe."""
    facts, table = results.biomarkers, results.later("biomarkers")
    if facts is None or not facts["probes"]:
        return None
    x, y = (
        table.filter(criterion=name).select(
            "arm", *(pl.col(k).alias(f"{side}_{k}") for k in ("estimate", "low", "high"))
        )
        for side, name in (("x", "separation"), ("y", "transfer"))
    )
    points = x.join(y, on="arm", how="inner", maintain_order="left").drop_nulls(["x_estimate", "y_estimate"])
    points = points.filter(pl.col("arm").is_in(arm_names(results)))
    if points.is_empty():
        return None
    titles = [capital(messages.text(f"criterion.{name}.name")) for name in ("separation", "transfer")]
    return Figure(
        name="biomarkers_transfer",
        table="biomarkers",
        title=messages.text("chart.biomarkers_transfer.title"),
        subtitle=messages.text(
            "chart.biomarkers_transfer.subtitle", level=level(results.facts), probes=", ".join(facts["probes"])
        ),
        chart=_crosses(points.with_columns(filled=pl.lit(True)), titles, results, messages),
    )


def biomarker_pareto(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw prediction against biomarkers, one mark for each arm; those not beaten in both are filled."""
    facts, table = results.biomarkers, results.later("biomarker_pareto")
    if facts is None or len(table) < 2:
        return None
    metric, criterion = facts["metric"], facts["criterion"]
    scale = formatting.shown_scale(metric)
    ends = {"": "estimate", "_low": "low", "_high": "high"}
    points = table.select(
        "arm",
        pl.col("beaten_in_both_by").is_null().alias("filled"),
        *((pl.col(f"prediction{end}") * scale).alias(f"x_{name}") for end, name in ends.items()),
        *(pl.col(f"biomarkers{end}").alias(f"y_{name}") for end, name in ends.items()),
    ).drop_nulls(["x_estimate", "y_estimate"])
    if points.is_empty():
        return None
    titles = [
        metric_title(messages, metric) + (" (%)" if formatting.in_percent(metric) else ""),
        capital(messages.text(f"criterion.{criterion}.name")),
    ]
    right, up = YARDSTICKS[metric].best == "high", CRITERIA[criterion].best == "high"
    return Figure(
        name="biomarker_pareto",
        table="biomarker_pareto",
        title=messages.text("chart.biomarker_pareto.title"),
        subtitle=messages.text(
            "chart.biomarker_pareto.subtitle",
            level=level(results.facts),
            right=messages.text(f"chart.biomarker_pareto.{'right' if right else 'left'}"),
            up=messages.text(f"chart.biomarker_pareto.{'up' if up else 'down'}"),
        ),
        chart=_crosses(points, titles, results, messages),
    )


def biomarker_map(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw test images in the plane: by class, and where there are several, by source."""
    table = results.later("biomarker_map")
    if results.biomarkers is None or table.is_empty():
        return None
    columns = [
        column for column in ("class", "source") if column == "class" or table[column].drop_nulls().n_unique() > 1
    ]
    panels = [
        _map_panel(table.filter(method=method), column, messages.text(f"chart.biomarker_map.{method}"), messages)
        for column in columns
        for method in ("pca", "tsne")
    ]
    subtitle = messages.text("chart.biomarker_map.subtitle", number=len(table.filter(method="pca")))
    for column in columns:
        _, left_out = _named(table, column)
        if left_out:
            subtitle += " " + messages.text(f"chart.biomarker_map.left_out_{column}", names=", ".join(left_out))
    pairs = [alt.hconcat(*panels[first : first + 2]) for first in range(0, len(panels), 2)]
    return Figure(
        name="biomarker_map",
        table="biomarker_map",
        title=messages.text("chart.biomarker_map.title", arm=table["arm"][0]),
        subtitle=subtitle,
        chart=alt.vconcat(*pairs).resolve_scale(color="independent", shape="independent"),
        panel_px=2 * _MAP_PX + 60,
        panels=1,
    )


def _named(points: pl.DataFrame, column: str) -> tuple[list[str], list[str]]:
    """Return the names that are drawn, those with the most images, and those that are left out."""
    counts = points.group_by(column).len().drop_nulls().sort(pl.col("len"), column, descending=[True, False])
    names = counts[column].to_list()
    return sorted(names[:_MOST_NAMES]), sorted(names[_MOST_NAMES:])


def _map_panel(points: pl.DataFrame, column: str, title: str, messages: Messages) -> Any:
    names, _ = _named(points, column)
    shown = points.filter(pl.col(column).is_in(names)).select("x", "y", pl.col(column).alias("name"))
    colours = alt.Scale(domain=names, range=arm_colours(len(names)))
    shapes = alt.Scale(domain=names, range=list(_SHAPES[: len(names)]))
    where = messages.text(f"chart.biomarker_map.by_{column}")
    none = alt.Axis(labels=False, ticks=False, title=None, grid=False)
    return (
        alt.Chart(inline(shown))
        .mark_point(size=26, opacity=0.75)
        .encode(
            x=alt.X("x:Q", axis=none, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=none, scale=alt.Scale(zero=False)),
            color=alt.Color("name:N", scale=colours),
            shape=alt.Shape("name:N", scale=shapes),
        )
        .properties(
            width=_MAP_PX,
            height=_MAP_PX,
            title=alt.TitleParams(f"{title}, {where}", fontSize=12, offset=4),
            view=alt.ViewBackground(stroke=role("grid")),
        )
    )


def _crosses(points: pl.DataFrame, titles: list[str], results: StudyResults, messages: Messages) -> Any:
    """Return arms as marks with an interval on both axes; colour and shape tell them apart."""
    names = [name for name in arm_names(results) if name in set(points["arm"])]
    numbers = {f"{side}_{end}" for side in "xy" for end in ("estimate", "low", "high")}
    texts = {f"{name}_text": pl.Series(map(criterion_value, points[name])) for name in sorted(numbers)}
    data = inline(points.with_columns(**texts))
    colour = alt.Color("arm:N", scale=arm_scale(names, "color"))
    shapes = alt.Scale(domain=names, range=[_SHAPES[place % len(_SHAPES)] for place in range(len(names))])
    tooltip = [
        *tooltips(messages, arm="arm"),
        *(alt.Tooltip(f"{side}_estimate_text:N", title=title) for side, title in zip("xy", titles, strict=True)),
    ]
    wide = alt.Scale(zero=False, padding=18)
    x, y = alt.X("x_estimate:Q", title=titles[0], scale=wide), alt.Y("y_estimate:Q", title=titles[1], scale=wide)
    base = alt.Chart(data).encode(color=colour, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7)
    point = base.encode(x=x, y=y, shape=alt.Shape("arm:N", scale=shapes))
    layers = {  # a layer without data would warn in the reader's console
        "isValid(datum.x_low)": (points["x_low"].is_not_null(), bars.encode(x=alt.X("x_low:Q"), x2="x_high:Q", y=y)),
        "isValid(datum.y_low)": (points["y_low"].is_not_null(), bars.encode(x=x, y=alt.Y("y_low:Q"), y2="y_high:Q")),
        "datum.filled": (points["filled"], point.mark_point(filled=True, size=150, opacity=1)),
        "!datum.filled": (~points["filled"], point.mark_point(filled=False, size=150, opacity=1, strokeWidth=2)),
    }
    return alt.layer(
        *(layer.transform_filter(where) for where, (there, layer) in layers.items() if there.any())
    ).properties(width=WIDTH_PX, height=round(1.6 * PANEL_PX))
