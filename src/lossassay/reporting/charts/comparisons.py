"""Differences between arms, the arms themselves, and the noise that both must be read against."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import WIDTH_PX, Figure, inline, ordered, row_labels, row_position, tooltips
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import (
    VERDICT_ORDER,
    arm_names,
    level,
    metric_name,
    metric_title,
    other_scope_rows,
    primary_pairs,
    unit_of_difference,
    verdict_word,
    with_unit,
)
from lossassay.study.folder.results import StudyResults

_VERDICT_COLOURS = ("blue", "vermillion", "green", "grey", "ink")
_VERDICT_SHAPES = ("triangle-right", "triangle-left", "square", "circle", "diamond")
_TWO_LINES_UP_TO = 12  # pairs; more get one line each
_MOST_CIRCLES = 200  # in one lane
_OTHER_DROP_PX = 6  # of the other scope's line below the interval
_ROW_PX, _LABEL_LIFT_PX, _MARK_DROP_PX = 50, 10, 9  # of rows with one line of label


def forest(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the paired difference of every pair of arms, with its interval, the margin and the verdict."""
    pairs = primary_pairs(results)
    if pairs.is_empty():
        return None
    metric, facts = results.facts["primary_metric"], results.facts
    unit, margin = unit_of_difference(messages, metric), facts.get("margin")
    roomy = len(pairs) <= _TWO_LINES_UP_TO
    subtitle = messages.text("chart.forest.subtitle", level=level(facts), n=pairs["replicates"].max())
    if margin is not None:
        width = with_unit(messages, metric, formatting.size_of_difference(metric, margin))
        subtitle += " " + messages.text("chart.forest.margin", margin=width)
    others = other_scope_rows(results)
    if any(row["low"] is not None for row in others.values()):
        other = "for_population" if facts["scope"] == "procedure" else "for_procedure"
        subtitle += " " + messages.text(f"chart.forest.{other}")
    x = alt.X(
        "low:Q",
        title=messages.text("chart.forest.axis", metric=metric_name(messages, metric), unit=unit),
        scale=alt.Scale(zero=True, nice=True, padding=12),
        axis=alt.Axis(tickCount=9),
    )
    limits = [others.get(pair, {}) for pair in zip(pairs["arm_a"], pairs["arm_b"], strict=True)]
    pairs = pairs.with_columns(
        pl.Series(f"other_{end}", [row.get(end) for row in limits], dtype=pl.Float64) for end in ("low", "high")
    )
    layers = [*_margin(margin, formatting.shown_scale(metric)), *_forest_rows(pairs, metric, messages, x, roomy)]
    return Figure(
        name="forest",
        table="comparisons",
        title=messages.text("chart.forest.title", metric=metric_name(messages, metric)),
        subtitle=subtitle,
        chart=alt.layer(*layers).properties(width=WIDTH_PX, height=len(pairs) * (66 if roomy else 38)),
    )


def _forest_rows(pairs: pl.DataFrame, metric: str, messages: Messages, x: alt.X, roomy: bool) -> list[Any]:
    data, drop = inline(_forest_data(pairs, metric, messages, roomy)), 16 if roomy else 9
    colour, shape = _verdict_colour(), _verdict_shape()
    tooltip = tooltips(
        messages, label="pair", word="verdict", difference_text="difference", low_text="low", high_text="high"
    )
    base = alt.Chart(data).encode(y=row_position(), color=colour, tooltip=tooltip)
    point = base.mark_point(filled=True, size=110, opacity=1, yOffset=drop)
    word = base.mark_text(align="right", fontWeight=600, yOffset=-18 if roomy else -8)
    other = base.transform_filter("isValid(datum.other_low)")
    return [
        base.mark_rule(strokeWidth=3, yOffset=drop).encode(x=x, x2="high:Q"),
        other.mark_rule(strokeWidth=1, yOffset=drop + _OTHER_DROP_PX, color=role("muted")).encode(
            x="other_low:Q", x2="other_high:Q", color=alt.value(role("muted"))
        ),
        point.encode(x="difference:Q", shape=shape),
        row_labels(data, lift_px=12 if roomy else 8),
        word.encode(x=alt.value("width"), text="word:N"),
    ]


def _forest_data(pairs: pl.DataFrame, metric: str, messages: Messages, roomy: bool) -> pl.DataFrame:
    minus = "\n\N{MINUS SIGN} " if roomy else " \N{MINUS SIGN} "
    return pairs.with_row_index("order").select(
        "order",
        "verdict",
        pl.concat_str("arm_a", pl.lit(minus), "arm_b").alias("label"),
        _text("word", [verdict_word(messages, word) for word in pairs["verdict"]]),
        *_shown(metric, "difference", "low", "high", "other_low", "other_high"),
        *_differences(pairs, metric, "difference", "low", "high"),
    )


def _shown(metric: str, *columns: str) -> list[pl.Expr]:
    return [pl.col(name).cast(pl.Float64) * formatting.shown_scale(metric) for name in columns]


def _differences(frame: pl.DataFrame, metric: str, *columns: str) -> list[pl.Series]:
    return [
        _text(f"{name}_text", [formatting.difference(metric, stored) for stored in frame[name]]) for name in columns
    ]


def _sizes(frame: pl.DataFrame, metric: str, *columns: str) -> list[pl.Series]:
    return [
        _text(f"{name}_text", [formatting.size_of_difference(metric, stored) for stored in frame[name]])
        for name in columns
    ]


def _text(name: str, values: list[str]) -> pl.Series:
    return pl.Series(name, values, dtype=pl.String)


def _margin(margin: float | None, scale: float) -> list[Any]:
    zero = _at(0.0).mark_rule(color=role("muted"), strokeWidth=1)
    if margin is None:
        return [zero.encode(x="x:Q")]
    half = margin * scale
    band = alt.Chart(alt.InlineData(values=[{"x": -half, "x2": half}])).mark_rect(color=role("tint"))
    edges = [_at(x).mark_rule(color=role("grey"), strokeDash=[2, 3]).encode(x="x:Q") for x in (-half, half)]
    return [band.encode(x="x:Q", x2="x2:Q"), *edges, zero.encode(x="x:Q")]


def _at(x: float) -> Any:
    return alt.Chart(alt.InlineData(values=[{"x": x}]))


def _verdict_colour() -> alt.Color:
    colours = [role(colour) for colour in _VERDICT_COLOURS]
    return alt.Color("verdict:N", legend=None, scale=alt.Scale(domain=list(VERDICT_ORDER), range=colours))


def _verdict_shape() -> alt.Shape:
    shapes = list(_VERDICT_SHAPES)
    return alt.Shape("verdict:N", legend=None, scale=alt.Scale(domain=list(VERDICT_ORDER), range=shapes))


def arms(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the primary yardstick of every arm: mean, interval and every single replicate."""
    metric, names = results.facts["primary_metric"], arm_names(results)
    means = results.tables["arms"].filter(pl.col("metric") == metric, pl.col("estimate").is_not_null())
    if means.is_empty():
        return None
    means = ordered(means, "arm", names)
    title = metric_title(messages, metric) + (" (%)" if formatting.in_percent(metric) else "")
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=True, padding=12), axis=alt.Axis(tickCount=9))
    layers = [*_single_runs(results, messages, metric), *_means(means, metric, messages, x)]
    n: Any = means["replicates"].max()
    circles = "chart.arms.circles" if n <= _MOST_CIRCLES else "chart.arms.few_circles"
    subtitle = messages.text("chart.arms.subtitle", level=level(results.facts))
    subtitle += " " + messages.text(circles, n=formatting.count(n), shown=_MOST_CIRCLES)
    if means["population_low"].count():
        subtitle += " " + messages.text("chart.arms.population")
    return Figure(
        name="arms",
        table="arms",
        title=messages.text("chart.arms.title", metric=metric_title(messages, metric)),
        subtitle=subtitle,
        chart=alt.layer(*layers).properties(width=WIDTH_PX, height=len(means) * _ROW_PX),
    )


def _means(means: pl.DataFrame, metric: str, messages: Messages, x: alt.X) -> list[Any]:
    columns = ("estimate", "low", "high")
    texts = [_text(f"{name}_text", [formatting.value(metric, stored) for stored in means[name]]) for name in columns]
    shown = _shown(metric, *columns, "population_low", "population_high")
    data = inline(means.select("order", pl.col("arm").alias("label"), *shown, *texts))
    tooltip = tooltips(messages, label="arm", estimate_text="mean", low_text="low", high_text="high")
    base = alt.Chart(data).encode(y=row_position(), tooltip=tooltip)
    mean = base.mark_point(
        shape="diamond", filled=True, size=130, opacity=1, color=role("accent"), yOffset=_MARK_DROP_PX
    )
    number = base.mark_text(align="right", fontWeight=600, yOffset=-_LABEL_LIFT_PX, color=role("ink"))
    return [
        base.mark_rule(strokeWidth=3, color=role("ink"), yOffset=_MARK_DROP_PX).encode(x=x, x2="high:Q"),
        base.transform_filter("isValid(datum.population_low)")
        .mark_rule(strokeWidth=1, color=role("muted"), yOffset=_MARK_DROP_PX + _OTHER_DROP_PX)
        .encode(x="population_low:Q", x2="population_high:Q"),
        mean.encode(x="estimate:Q"),
        row_labels(data, lift_px=_LABEL_LIFT_PX),
        number.encode(x=alt.value("width"), text="estimate_text:N"),
    ]


def _single_runs(results: StudyResults, messages: Messages, metric: str) -> list[Any]:
    runs = results.tables["runs"]
    if runs.is_empty() or metric not in runs.columns:
        return []
    used = _evenly(ordered(runs.filter(pl.col(metric).is_not_null()), "arm", arm_names(results)), metric)
    texts = _text("value_text", [formatting.value(metric, stored) for stored in used[metric]])
    data = inline(used.select("order", "replicate", *_shown(metric, metric), texts).rename({metric: "value"}))
    points = alt.Chart(data).mark_point(
        size=46, filled=False, opacity=0.8, color=role("grey"), strokeWidth=1.3, yOffset=_MARK_DROP_PX
    )
    tooltip = tooltips(messages, replicate="replicate", value_text="value")
    return [points.encode(x="value:Q", y=row_position(), tooltip=tooltip)]


def _evenly(runs: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Leave out runs of an arm that has more than can be told apart, evenly by rank; the extremes stay."""
    number = pl.len().over("arm").cast(pl.Int64)
    place = (pl.col(metric).rank("ordinal").over("arm").cast(pl.Int64) - 1) * (_MOST_CIRCLES - 1)
    next_step = place // (number - 1) > (place - (_MOST_CIRCLES - 1)) // (number - 1)
    return runs.filter((number <= _MOST_CIRCLES) | next_step)


def noise_floor(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw how far two single runs of one arm differ, with the differences between arms below."""
    metric = results.facts["primary_metric"]
    floor = results.tables["noise_floor"].filter(pl.col("metric") == metric, pl.col("median").is_not_null())
    if floor.is_empty():
        return None
    floor = ordered(floor, "arm", arm_names(results)).with_columns(order=pl.int_range(len(floor)))
    unit = unit_of_difference(messages, metric)
    title = messages.text("chart.noise.axis", metric=metric_name(messages, metric), unit=unit)
    x = alt.X("median:Q", title=title, scale=alt.Scale(domainMin=0, nice=True), axis=alt.Axis(tickCount=9))
    observed = _observed(results, messages, metric, order=len(floor))
    height = (len(floor) + bool(observed)) * _ROW_PX
    return Figure(
        name="noise_floor",
        table="noise_floor",
        title=messages.text("chart.noise.title"),
        subtitle=messages.text("chart.noise.subtitle", n=floor["replicates"].max(), pairs=floor["pairs"].max()),
        chart=alt.layer(*_quantiles(floor, metric, messages, x), *observed).properties(width=WIDTH_PX, height=height),
    )


def _quantiles(floor: pl.DataFrame, metric: str, messages: Messages, x: alt.X) -> list[Any]:
    columns = ("median", "p95", "largest")
    texts = _sizes(floor, metric, *columns)
    data = inline(floor.select("order", pl.col("arm").alias("label"), *_shown(metric, *columns), "pairs", *texts))
    tooltip = tooltips(
        messages, label="arm", median_text="median", p95_text="p95", largest_text="largest", pairs="run_pairs"
    )
    base = alt.Chart(data).encode(y=row_position(), tooltip=tooltip)
    drop = _MARK_DROP_PX
    return [
        base.mark_bar(size=2, color=role("grey"), yOffset=drop).encode(x=alt.X("largest:Q", stack=None)),
        base.mark_bar(size=11, color=role("sky"), yOffset=drop).encode(x=alt.X("p95:Q", stack=None)),
        base.mark_tick(thickness=3, size=18, color=role("ink"), yOffset=drop).encode(x=x),
        row_labels(data, lift_px=_LABEL_LIFT_PX),
    ]


def _observed(results: StudyResults, messages: Messages, metric: str, *, order: int) -> list[Any]:
    pairs = primary_pairs(results)
    pairs = pairs if pairs.is_empty() else pairs.filter(pl.col("difference").is_not_null())
    if pairs.is_empty():
        return []
    rows = pairs.select(
        pl.lit(order).alias("order"),
        "verdict",
        pl.concat_str("arm_a", pl.lit(" \N{MINUS SIGN} "), "arm_b").alias("pair"),
        *(shown.abs() for shown in _shown(metric, "difference")),
        *_sizes(pairs, metric, "difference"),
    )
    label = inline(pl.DataFrame({"order": [order], "label": [messages.text("chart.noise.observed")]}))
    points = alt.Chart(inline(rows)).mark_point(filled=False, size=90, strokeWidth=2, yOffset=_MARK_DROP_PX)
    encoded = points.encode(x="difference:Q", y=row_position(), shape=_verdict_shape(), color=_verdict_colour())
    return [
        row_labels(label, lift_px=_LABEL_LIFT_PX),
        encoded.encode(tooltip=tooltips(messages, pair="pair", difference_text="difference")),
    ]
