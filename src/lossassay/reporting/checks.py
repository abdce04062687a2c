"""Coded checks of the study: what, why, and what to do; those that passed too."""

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import arm, metric_name, with_unit
from lossassay.study.folder.results import StudyResults

_ORDER = ("failed", "passed", "not applicable")
_STATUS = {"failed": "check.failed", "passed": "check.passed", "not applicable": "check.not_applicable"}
_SENTENCES = {"failed": "failed", "passed": "passed", "not applicable": "not_applicable"}
PAGES = "docs/checks"


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One check as the page shows it."""

    code: str
    kind: str
    status: Markup
    what: Markup
    why: Markup
    advice: Markup
    page: str


def check_rows(results: StudyResults, m: Messages) -> list[CheckRow]:
    """Return every check, the failed ones first."""
    rows = sorted(results.tables["checks"].iter_rows(named=True), key=lambda row: _ORDER.index(row["status"]))
    return [_row(row["code"], row["status"], json.loads(row["fields"]), results, m) for row in rows]


def _row(code: str, status: str, stored: dict[str, Any], results: StudyResults, m: Messages) -> CheckRow:
    key = f"check.{code.replace('-', '_')}"
    fields = _fields(stored, results.facts["primary_metric"], m)
    sentence = _SENTENCES[status]
    if status == "failed" and None in stored.values():
        sentence = "failed_unknown"
    return CheckRow(
        code=code,
        kind=status.replace(" ", "-"),
        status=m(_STATUS[status]),
        what=m(f"{key}.{sentence}", **fields),
        why=m(f"{key}.why"),
        advice=m(f"{key}.advice"),
        page=f"{PAGES}/{code}.md",
    )


def _fields(stored: dict[str, Any], metric: str, m: Messages) -> dict[str, Any]:
    """Return stored values as they stand in a sentence."""
    fields: dict[str, Any] = {"metric": metric_name(m, metric)}
    for name, value in stored.items():
        if name in ("margin", "resolution"):
            fields[name] = with_unit(m, metric, formatting.size_of_difference(metric, value))
        elif name in ("low", "high", "chance"):
            fields[name] = formatting.value(metric, value)
        elif isinstance(value, list):
            fields[name] = _listed(name, value, m)
        elif name == "method":
            fields[name] = m(f"check.method.{value}")
        elif name.startswith("arm_"):
            fields[name] = arm(value)
        elif name != "metric":
            fields[name] = formatting.significant(value) if isinstance(value, float) else value
    return fields


def _listed(name: str, values: list[Any], m: Messages) -> Markup | str:
    """Return a list of stored values in one line."""
    if name == "pairs":
        return Markup("; ").join(m("check.pair", a=arm(a), b=arm(b)) for a, b in values)
    if name == "edges":
        return Markup("; ").join(_edge(edge, m) for edge in values)
    if name == "cuts":
        return Markup("; ").join(_cut(cut, m) for cut in values)
    if name == "classes":
        return Markup(", ").join(m("check.class", name=label, cases=cases) for label, cases in values)
    if name == "kept":
        return Markup(", ").join(
            m("check.kept", name=m(f"control.name.{control}"), share=formatting.value("share", share))
            for control, share in values
        )
    return "; ".join(values)


def _edge(edge: list[Any], m: Messages) -> Markup:
    name, parameter, end, limit, jobs, of = edge
    fields = {"parameter": parameter, "limit": formatting.setting(limit), "jobs": jobs, "of": of}
    return m("check.edge", arm=arm(name), end=m(f"check.{end}_end"), **fields)


def _cut(cut: list[Any], m: Messages) -> Markup:
    name, epoch, stuck, trials, jobs, of = cut
    fields = {"stuck": stuck, "trials": trials, "jobs": jobs, "of": of}
    return m("check.cut", arm=arm(name), epochs=m.counted("count.epochs", epoch), **fields)
