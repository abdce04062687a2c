"""report.html: one file that opens offline, with its figures beside it."""

import base64
import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import vl_convert
from altair.utils.schemapi import debug_mode
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lossassay.errors import OutFolderError
from lossassay.reporting import (
    answer,
    audit_findings,
    biomarkers,
    checks,
    controls,
    details,
    evidence,
    formatting,
    gallery,
    heatmap_gallery,
    methods,
    palette,
    tables,
    tuning,
)
from lossassay.reporting.charts import FIGURES
from lossassay.reporting.figures import DrawnFigure, write_figures
from lossassay.reporting.messages import Messages, load_messages
from lossassay.reporting.words import level
from lossassay.study.folder.results import StudyResults
from lossassay.study.folder.whole_files import write_bytes


def write_report(results: StudyResults, *, progress: Callable[[str], None] | None = None) -> Path:
    """Draw a study: figures/*.svg, figures/*.png and report.html in its out folder.

    Args:
        results: What is stored.
        progress: Called with the name of each figure, then with ``"page"``.

    Returns:
        The path of report.html.

    Raises:
        OutFolderError: If the folder cannot be written.
    """
    messages = load_messages()
    tell = progress or (lambda _: None)
    with _explained(results.folder), debug_mode(False):  # every chart is checked against the schema by a test
        drawn: dict[str, DrawnFigure] = {}
        for name, draw in FIGURES.items():
            tell(name)
            figure = draw(results, messages)
            if figure is not None:
                drawn |= write_figures([figure], results.folder / "figures")
        tell("page")
        path = results.folder / "report.html"
        write_bytes(path, render(results, drawn, messages).encode())  # a reader never sees half a page
    return path


def render(results: StudyResults, figures: dict[str, DrawnFigure], messages: Messages) -> str:
    """Return the page as text.

    Args:
        results: What is stored.
        figures: By name; those that are missing are left out of the page.
        messages: Its sentences.
    """
    scripts = [_vega(), asset("script.js")]
    return (
        templates()
        .get_template("report.html.jinja")
        .render(
            **_view(results, messages),
            m=messages,
            figures=figures,
            style=asset("style.css"),
            light=Markup(palette.style_variables()),
            dark=Markup(palette.style_variables(dark=True)),
            scripts=[Markup(script) for script in scripts],
            script_digests=[_digest(script) for script in scripts],
        )
    )


def _view(results: StudyResults, m: Messages) -> dict[str, Any]:
    return {
        "name": results.plan.get("name", results.study.name),
        "version": results.plan.get("lossassay_version", ""),
        "byline": details.byline(results, m),
        "headline": answer.headline(results, m),
        "remarks": answer.remarks(results, m),
        "warnings": answer.warnings(results, m),
        "pairs": answer.pair_rows(results, m),
        "notes_in_words": answer.notes_in_words(results, m),
        "unit_of_table": answer.unit_of_table(results, m),
        "other_scope": answer.other_scope(results, m),
        "nothing": formatting.NOTHING,
        "evidence": {
            "stated": evidence.stated(results, m),
            "remarks": list(evidence.remarks(results, m)),
            "ranks": evidence.ranks(results, m),
            "beside": evidence.beside(results, m),
            "divergence": evidence.divergence(results, m),
            "any_diverged": bool(results.tables["divergence"]["diverged"].sum()),
            "level": level(results.facts),
            "control": evidence.control(results, m),
            "controls": controls.controls(results, m),
            "methods": methods.methods(results, m),
        },
        "checks": checks.check_rows(results, m),
        "stages": {
            "data": details.data(results, m),
            "preprocessing": details.preprocessing(results, m),
            "model": details.model(results, m),
            "training": details.training(results, m),
        },
        "tables": {
            name: getattr(tables, name)(results, m)
            for name in ("yardsticks", "classes", "parts", "arms", "costs", "noise_floor", "label_memory", "replicates")
        },
        "noise_in_words": tables.noise_in_words(results, m),
        "per_class": tables.per_class(results, m),
        "identities": tables.identities(results, m),
        "paper": tables.paper(results),
        "paper_facts": results.facts.get("paper") or {},
        "findings": audit_findings.finding_rows(results, m),
        "findings_counted": audit_findings.counted(results, m),
        "class_sheets": gallery.class_sheets(results, m),
        "worst_errors": gallery.worst_errors(results, m),
        "heatmaps": heatmap_gallery.heatmap_gallery(results, m),
        "held_fixed": details.held_fixed(results, m),
        "reproducibility": details.reproducibility(results, m),
        "biomarkers": biomarkers.section(results, m),
        "tuning": tuning.section(results, m),
    }


@cache
def templates() -> Environment:
    """Return the templates of all pages: everything they are given is escaped, and a name that is not given fails."""
    return Environment(
        loader=PackageLoader("lossassay.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _vega() -> str:
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace("</script", "<\\/script")


def asset(name: str) -> Markup:
    """Return a style sheet or script of the pages as it is."""
    return Markup((files("lossassay.reporting") / "templates" / name).read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    """Return the digest by which the page's security policy knows its own scripts and refuses all others."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutFolderError(
                f"The disk of {folder} is full. The runs and tables are kept: "
                f"free some space and draw again with `lossassay report {folder.name}`."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise OutFolderError(
                f"{folder} cannot be written ({error}). Expected a folder of your own: "
                f"allow writing to it, then draw again with `lossassay report {folder.name}`."
            ) from error
        raise
