"""explain.html: images with their maps, and what the maps are worth, in one file that opens offline."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from PIL import Image

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage, Explanation, Measure
from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic
from lossassay.errors import OutFolderError
from lossassay.reporting import formatting, palette
from lossassay.reporting.heatmap_pictures import as_uri, picture
from lossassay.reporting.messages import Messages, load_messages
from lossassay.reporting.page import asset, templates
from lossassay.reporting.words import breakable

KINDS = ("right", "wrong", "undecided", "row", "given")
_WHATS = ("insertion", "deletion", "regions", "agreement", "randomised")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One picture of the page."""

    source: Markup  # data URI
    text: str  # for readers who do not see it
    width: int
    height: int
    caption: Markup


def write_explanation(explanation: Explanation, folder: Path) -> Path:
    """Write the page and the files beside it, and return the path of the page.

    Files: ``explain.html``; ``pictures/`` with a PNG for each image and method; ``maps.npz`` with one array for each
    method; ``images.csv`` with one line for each image; ``worth.csv`` with one line for each number. None of them
    holds a file name.

    Args:
        explanation: What to show.
        folder: Made if it is not there; files of an earlier call are replaced.

    Raises:
        OutFolderError: If they cannot be written.
    """
    pictures = {
        (image.number, method["method"]): picture(image, method["method"], method["title"])
        for image in explanation.images
        for method in explanation.methods
    }
    page = folder / "explain.html"
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        for old in (folder / "pictures").glob("image-*.png"):
            old.unlink()
        for (number, method), drawn in pictures.items():
            drawn.save(folder / "pictures" / f"image-{number:03d}-{method}.png")
        _write_maps(explanation, folder / "maps.npz")
        image_table(explanation).write_csv(folder / "images.csv")
        measure_table(explanation.measures).write_csv(folder / "worth.csv")
        page.write_text(render_explanation(explanation, pictures, load_messages()), encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutFolderError(
            f"The maps cannot be written to {folder} ({error}). Expected a folder of your own. Name another with --out."
        ) from error
    return page


def _write_maps(explanation: Explanation, path: Path) -> None:
    arrays: dict[str, Any] = {
        method["method"]: np.stack([image.maps[method["method"]] for image in explanation.images])
        for method in explanation.methods
        if explanation.images
    }  # all of one run, so of one shape
    numbers = np.array([image.number for image in explanation.images], dtype=np.int64)
    np.savez_compressed(path, image=numbers, **arrays)


def image_table(explanation: Explanation) -> pl.DataFrame:
    """Return one line for each image: image, row, kind, label, class, score, probability."""
    columns: dict[str, pl.DataType] = {
        "image": pl.Int64(),
        "row": pl.Int64(),
        "kind": pl.String(),
        "label": pl.String(),
        "class": pl.String(),
        "score": pl.Float64(),
        "probability": pl.Float64(),
    }
    rows = [
        (one.number, one.row, one.kind, one.label, one.of_class, one.score, one.probability)
        for one in explanation.images
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def measure_table(measures: Iterable[Measure]) -> pl.DataFrame:
    """Return one line for each number: method, what, name, layer, estimate, low, high, images, patients, interval."""
    columns: dict[str, pl.DataType] = {
        "method": pl.String(),
        "what": pl.String(),
        "name": pl.String(),
        "layer": pl.String(),
        "estimate": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "images": pl.Int64(),
        "patients": pl.Int64(),
        "interval": pl.String(),
    }
    rows = [
        (
            one.method,
            one.what,
            one.name,
            one.layer,
            one.value.estimate,
            one.value.low,
            one.value.high,
            one.value.n,
            one.value.patients,
            one.value.method,
        )
        for one in measures
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def render_explanation(
    explanation: Explanation, pictures: Mapping[tuple[int, str], Image.Image], messages: Messages
) -> str:
    """Return the page as text.

    Args:
        explanation: What to show.
        pictures: Number of the image and method → its picture.
        messages: The sentences.
    """
    return (
        templates()
        .get_template("explain.html.jinja")
        .render(
            v=_View(explanation, pictures, messages),
            m=messages,
            style=Markup(asset("style.css") + asset("explain.css")),
            light=Markup(palette.style_variables()),
            dark=Markup(palette.style_variables(dark=True)),
        )
    )


class _View:
    """Everything the template shows, ready for it."""

    def __init__(self, found: Explanation, pictures: Mapping[tuple[int, str], Image.Image], m: Messages) -> None:
        run = found.run
        self.headline = m("explain.headline", arm=run["arm"], study=run["study"])
        self.byline = [
            m("explain.run", run=run["run"]),
            m("explain.replicate", number=run["replicate"]),
            m.text("explain.model", model=run["model"]),
        ]
        self.galleries = [
            (kind, m(f"explain.kind.{kind}"), m(f"explain.kind_text.{kind}"), drawn)
            for kind in KINDS
            if (drawn := [_drawn(one, found, pictures, m) for one in found.images if one.kind == kind])
        ]
        self.methods = [_method(one, m) for one in found.methods]
        self.tables = [
            (what, m(f"explain.what.{what}"), m(f"explain.what_text.{what}"), _rows(found, what, m))
            for what in _WHATS
            if any(one.what == what for one in found.measures)
        ]
        self.notes = found.notes
        self.findings = [f"{one.message} {one.advice}" for one in found.findings]
        self.measured = m.counted("count.images", found.measured_images) if found.measured_images else ""
        self.version = _version()


def _version() -> str:
    from importlib.metadata import version

    return version("lossassay")


def _drawn(
    image: ExplainedImage, found: Explanation, pictures: Mapping[tuple[int, str], Image.Image], m: Messages
) -> tuple[Markup, list[Drawn]]:
    """Return the words on an image and one picture for each method."""
    name = m("explain.name_row" if image.row is not None else "explain.name_given", number=_number(image))
    probability = formatting.probability(image.probability)
    words = m("explain.says", name=name, class_name=breakable(image.of_class), probability=probability)
    if image.label is not None:
        words += " " + m("explain.truth", label=breakable(image.label or m.text("explain.no_finding")))
    drawn = []
    for method in found.methods:
        one = pictures[image.number, method["method"]]
        fields = {"method": method["title"], "name": name, "class_name": image.of_class, "probability": probability}
        text = m.text("explain.picture", **fields)
        drawn.append(
            Drawn(
                source=as_uri(one),
                text=text,
                width=one.width,
                height=one.height,
                caption=Markup.escape(method["title"]),
            )
        )
    return words, drawn


def _number(image: ExplainedImage) -> int:
    return image.number if image.row is None else image.row


def _method(facts: Mapping[str, Any], m: Messages) -> dict[str, Any]:
    known = {
        key: value for key, value in facts.items() if key not in ("method", "title", "paper") and value is not None
    }
    settings = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in known.items())
    return {
        "title": facts["title"],
        "text": m(f"explain.method.{facts['method']}"),
        "settings": settings,
        "paper": facts["paper"],
    }


def _rows(found: Explanation, what: str, m: Messages) -> list[tuple[str, Markup, str, str, str]]:
    """Return method, what the number is, the number, its interval and on how many images."""
    titles = {method["method"]: method["title"] for method in found.methods}
    rows = []
    for one in found.measures:
        if one.what == what:
            label = m(f"explain.number.{one.name}")
            if one.layer is not None:
                label = m("explain.down_to", label=label, layer=one.layer)
            rows.append(
                (titles[one.method], label, _value(one.value.estimate), _interval(one.value, m), str(one.value.n))
            )
    return rows


def _value(number: float) -> str:
    return formatting.NOTHING if not np.isfinite(number) else f"{number:.3f}".replace("-", "\u2212")


def _interval(value: MapStatistic, m: Messages) -> str:
    if not (np.isfinite(value.low) and np.isfinite(value.high)):
        return formatting.NOTHING
    return m.text("explain.interval", low=_value(value.low), high=_value(value.high))


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Return what programs want to know, without pixels and maps."""
    return {
        "run": dict(explanation.run),
        "methods": [dict(one) for one in explanation.methods],
        "images": image_table(explanation).to_dicts(),
        "worth": json.loads(measure_table(explanation.measures).write_json()),
        "notes": list(explanation.notes),
        "left_out": explanation.left_out,
        "findings": [
            {"code": one.code, "severity": one.severity, "message": one.message} for one in explanation.findings
        ],
    }
