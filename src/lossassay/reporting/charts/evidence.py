"""The verdicts as a matrix, and how each interval shrank while replicates came in."""

from typing import Any

import altair as alt
import polars as pl

from lossassay.reporting import formatting
from lossassay.reporting.charts.common import PANEL_PX, WIDTH_PX, Figure, by_order, inline, ordered, tooltips
from lossassay.reporting.messages import Messages
from lossassay.reporting.palette import role
from lossassay.reporting.words import (
    arm_names,
    level,
    metric_name,
    primary_pairs,
    unit_of_difference,
    verdict_word,
    with_unit,
)
from lossassay.study.folder.results import StudyResults

_OPPOSITE = {"better": "worse", "worse": "better"}
_SYMBOLS = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{WHITE DOWN-POINTING TRIANGLE}",
    "equivalent": "\N{ALMOST EQUAL TO}",
    "undecided": "?",
    "same function": "=",
}
_MOST_PANELS = 12
_SPLIT = "split(datum.value, '\\n')"


def verdict_matrix(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw one cell for each pair of arms: the verdict on the row's arm against the column's."""
    pairs, names = primary_pairs(results), arm_names(results)
    if len(names) < 3 or pairs.is_empty() or pairs["arm_b"].n_unique() == 1:
        return None  # two arms, or all against one: a single row of cells says no more than the intervals
    cells = []
    for row in pairs.iter_rows(named=True):
        for first, second, word in (
            (row["arm_a"], row["arm_b"], row["verdict"]),
            (row["arm_b"], row["arm_a"], _OPPOSITE.get(row["verdict"], row["verdict"])),
        ):
            cells.append(
                {
                    "order": names.index(first),
                    "row": f"{names.index(first) + 1}  {first}",
                    "column": f"{names.index(second) + 1}",
                    "verdict": word,
                    "symbol": _SYMBOLS[word],
                    "word": verdict_word(messages, word),
                    "against": second,
                }
            )
    return Figure(
        name="verdict_matrix",
        table="comparisons",
        title=messages.text("chart.matrix.title"),
        subtitle=messages.text("chart.matrix.subtitle", metric=metric_name(messages, results.facts["primary_metric"])),
        chart=_matrix(pl.DataFrame(cells), len(names), messages),
    )


def _matrix(cells: pl.DataFrame, size: int, messages: Messages) -> Any:
    order = [f"{place + 1}" for place in range(size)]
    x = alt.X("column:N", sort=order, title=None, axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False))
    y = alt.Y("row:N", sort=by_order(), title=None, axis=alt.Axis(labelLimit=300, ticks=False, domain=False))
    fills = {
        "better": "blue",
        "worse": "vermillion",
        "equivalent": "green",
        "undecided": "tint",
        "same function": "tint",
    }
    scale = alt.Scale(domain=list(fills), range=[role(name) for name in fills.values()])
    tooltip = tooltips(messages, row="arm", against="pair", word="verdict")
    base = alt.Chart(inline(cells)).encode(x=x, y=y, tooltip=tooltip)
    return alt.layer(
        base.mark_rect(stroke=role("line"), opacity=0.35).encode(
            color=alt.Color("verdict:N", legend=None, scale=scale)
        ),
        base.mark_text(fontSize=17, yOffset=-8, color=role("ink")).encode(text="symbol:N"),
        base.mark_text(fontSize=11, yOffset=12, color=role("ink")).encode(text="word:N"),
    ).properties(width=WIDTH_PX, height=46 * size)


def looks(results: StudyResults, messages: Messages) -> Figure | None:
    """Draw the interval of every pair against the number of replicates; the undecided and the last decided first."""
    table = results.tables["looks"]
    if table.is_empty() or table["low"].null_count() == len(table):
        return None
    metric, margin = results.facts["primary_metric"], results.facts.get("margin")
    data, panels, pairs = _look_data(table.filter(pl.col("low").is_not_null()), metric)
    subtitle = messages.text("chart.looks.subtitle", level=level(results.facts), n=table["replicates"].max())
    if margin is not None:
        size = with_unit(messages, metric, formatting.size_of_difference(metric, margin))
        subtitle += " " + messages.text("chart.looks.margin", margin=size)
    if pairs > len(panels):
        subtitle += " " + messages.text("chart.looks.some", shown=len(panels), pairs=pairs)
    unit = unit_of_difference(messages, metric)
    base = alt.Chart(data)
    x = alt.X("replicates:Q", title=messages.text("word.replicates"), axis=alt.Axis(tickMinStep=1, tickCount=5))
    y_title = messages.text("chart.looks.axis", unit=unit)
    tooltip = tooltips(messages, pair="pair", replicates="replicates", low_text="low", high_text="high")
    layers = [
        *([] if margin is None else _margin(base, margin * formatting.shown_scale(metric))),
        base.mark_area(opacity=0.3, color=role("accent"), clip=True).encode(
            x=x, y=alt.Y("low:Q", title=y_title, axis=alt.Axis(tickCount=5)), y2="high:Q", tooltip=tooltip
        ),
        base.mark_line(color=role("ink"), strokeWidth=1.5).encode(x=x, y="difference:Q"),
        base.mark_rule(color=role("muted"), strokeWidth=1).encode(y=alt.datum(0)),
        base.mark_point(shape="diamond", filled=True, size=90, opacity=1, color=role("ink"))
        .encode(x=x, y="difference:Q")
        .transform_filter("datum.decided"),
    ]
    chart = (
        alt.layer(*layers)
        .properties(width=PANEL_PX, height=PANEL_PX * 0.7)
        .facet(facet=alt.Facet("pair:N", header=_two_lines(), sort=by_order(), title=None), columns=3)
        .resolve_scale(y="independent")
    )
    return Figure(
        name="looks",
        table="looks",
        title=messages.text("chart.looks.title"),
        subtitle=subtitle,
        chart=chart,
        panel_px=PANEL_PX + 60,
        panels=len(panels),
    )


def _two_lines() -> alt.Header:
    """Return the header of a panel: the two arms, one below the other."""
    return alt.Header(
        title=None, labelAnchor="start", labelLimit=PANEL_PX + 40, labelPadding=6, labelFontSize=11, labelExpr=_SPLIT
    )


def _look_data(table: pl.DataFrame, metric: str) -> tuple[alt.InlineData, list[str], int]:
    """Return what is drawn, the pairs that get a panel, and how many pairs there are."""
    scale = formatting.shown_scale(metric)
    table = table.with_columns(pair=pl.concat_str("arm_a", pl.lit("\n\N{MINUS SIGN} "), "arm_b"))
    changes = (pl.col("verdict") != "undecided") & (
        pl.col("verdict").shift(1).over("pair").fill_null("undecided") == "undecided"
    )
    table = table.with_columns(decided=changes)
    last = table.group_by("pair", maintain_order=True).agg(
        undecided=pl.col("verdict").last() == "undecided", at=pl.col("replicates").max()
    )
    panels = last.sort("undecided", "at", descending=True, maintain_order=True)["pair"].to_list()[:_MOST_PANELS]
    shown = ordered(table, "pair", panels).sort("order", "replicates", maintain_order=True)
    texts = [
        pl.Series(f"{name}_text", [formatting.difference(metric, value) for value in shown[name]], dtype=pl.String)
        for name in ("low", "high")
    ]
    columns = [(pl.col(name) * scale).alias(name) for name in ("difference", "low", "high")]
    return inline(shown.select("order", "pair", "replicates", "decided", *columns, *texts)), panels, len(last)


def _margin(base: Any, half: float) -> list[Any]:
    return [base.mark_rule(color=role("grey"), strokeDash=[2, 3]).encode(y=alt.datum(edge)) for edge in (-half, half)]
