"""Charts → SVG and PNG files, and what the page needs to draw them again."""

import json
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert
from markupsafe import Markup

from lossassay.reporting.charts import Figure
from lossassay.reporting.charts.common import LOOK, records
from lossassay.reporting.palette import resolved, role
from lossassay.study.folder.whole_files import write_bytes

_PNG_SCALE = 2.0  # two pixels per px: sharp in slides and print
_TITLE_WIDTH_LETTERS = 112
_LARGEST_FALLBACK_BYTES = 90_000


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """A figure as the page embeds it.

    Args:
        name: Stem of its files, and its anchor.
        table: The table it draws.
        title: What it shows.
        subtitle: Unit, n, and how to read it.
        spec: Vega-Lite as JSON that is safe inside a script element.
        panel_px: Width of one of several panels, or None.
        panels: Their number.
        fallback: The drawing itself for readers without JavaScript, or None where it is too large.
    """

    name: str
    table: str
    title: str
    subtitle: str
    spec: Markup
    panel_px: int | None
    panels: int
    fallback: Markup | None


def write_figures(figures: Iterable[Figure], folder: Path) -> dict[str, DrawnFigure]:
    """Write ``<name>.svg`` and ``<name>.png`` of every figure into ``folder``, whole; return what the page embeds."""
    folder.mkdir(parents=True, exist_ok=True)
    return {figure.name: _write(figure, folder) for figure in figures}


def script_safe_json(content: Any) -> Markup:
    """Return JSON that cannot end or open an element when it stands inside a script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # the characters that HTML could read are gone


def inline_svg(figure: Figure) -> Markup:
    """Return a figure as a drawing inside a page without scripts; its colours are roles and follow the page's theme."""
    spec = _specification(figure)
    drawing = vl_convert.vegalite_to_svg({**records(spec), "background": None, "padding": 2})
    return Markup(_apart(drawing, figure.name))  # written by vl-convert, which escapes every text


def _write(figure: Figure, folder: Path) -> DrawnFigure:
    spec = _specification(figure)
    drawing = vl_convert.vegalite_to_svg(_for_files(spec, figure))
    svg = resolved(drawing)
    write_bytes(folder / f"{figure.name}.svg", svg.encode())
    write_bytes(folder / f"{figure.name}.png", vl_convert.svg_to_png(svg, scale=_PNG_SCALE))
    return DrawnFigure(
        name=figure.name,
        table=figure.table,
        title=figure.title,
        subtitle=figure.subtitle,
        spec=script_safe_json(_for_page(spec, figure)),
        panel_px=figure.panel_px,
        panels=figure.panels,
        fallback=_fallback(drawing, figure.name),
    )


def _specification(figure: Figure) -> dict[str, Any]:
    return figure.chart.configure(**LOOK).to_dict(validate=False)  # type: ignore[no-any-return]


def _for_files(spec: dict[str, Any], figure: Figure) -> dict[str, Any]:
    lines = textwrap.wrap(figure.subtitle, _TITLE_WIDTH_LETTERS)
    around = {"title": {"text": figure.title, "subtitle": lines}, "background": role("paper"), "padding": 16}
    return {**records(spec), **around}


def _for_page(spec: dict[str, Any], figure: Figure) -> dict[str, Any]:
    page = spec | {
        "padding": {"top": 2, "right": 2, "bottom": 6, "left": 0},
        "background": None,
        "description": figure.title,
    }
    if figure.panel_px is None:
        page |= {"width": "container", "autosize": "fit-x"}
    return page


def _fallback(drawing: str, name: str) -> Markup | None:
    """Keep roles as colours, so that it follows the page's theme; keep ids apart from those of other figures."""
    if len(drawing) > _LARGEST_FALLBACK_BYTES:
        return None
    return Markup(_apart(drawing, name))  # written by vl-convert, which escapes every text


def _apart(drawing: str, name: str) -> str:
    return re.sub(r'( id="|url\(#)', rf"\g<1>{name}-", drawing)
