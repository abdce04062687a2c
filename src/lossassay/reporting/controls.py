"""What is left without the anatomy: sentences on the reference arm that was trained on a damaged input."""

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import arm, metric_name
from lossassay.study.folder.results import StudyResults


def controls(results: StudyResults, m: Messages) -> list[Markup]:
    """Return what each control reached in the primary yardstick; empty where there is none."""
    metric = results.facts["primary_metric"]
    return [
        Markup(" ").join(_sentences(row, results, m))
        for row in results.tables["controls"].iter_rows(named=True)
        if row["metric"] == metric and row["estimate"] is not None
    ]


def _sentences(row: dict[str, Any], results: StudyResults, m: Messages) -> Iterator[Markup]:
    metric = row["metric"]
    yield m(
        f"control.{row['control']}",
        arm=arm(results.facts["reference"]),
        metric=metric_name(m, metric),
        reached=_with_limits(m, metric, row, ""),
        reference=formatting.value(metric, row["reference"]),
        number=m.counted("count.replicates", row["replicates"]),
    )
    if row["chance"] is None:
        yield m("control.no_chance")
        return
    by_chance = formatting.value(metric, row["chance"])
    if row["control"] == "permuted_labels":
        yield m("control.chance", chance=by_chance)
    elif row["surviving"] is None:
        yield m("control.no_gain", chance=by_chance)
    else:
        yield m("control.surviving", share=_with_limits(m, "share", row, "surviving"), chance=by_chance)


def _with_limits(m: Messages, metric: str, row: dict[str, Any], name: str) -> Markup:
    """Return a number with its interval where it has one."""
    reached = formatting.value(metric, row[name or "estimate"])
    low, high = (row[f"{name}_{end}" if name else end] for end in ("low", "high"))
    if low is None or high is None:
        return m("control.reached", reached=reached)
    limits = {"low": formatting.bare_value(metric, low), "high": formatting.bare_value(metric, high)}
    return m("control.reached_from_to", reached=reached, **limits)
