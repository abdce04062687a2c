"""audit.html: what is in a data set and what is wrong with it, in one file that opens offline and runs no script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from lossassay.catalogue.audit_codes import AUDIT_CODES, stops
from lossassay.data.manifest import Finding
from lossassay.errors import OutFolderError
from lossassay.reporting import formatting, palette
from lossassay.reporting.charts.probes import probe_name
from lossassay.reporting.charts.probes import probes as probe_chart
from lossassay.reporting.figures import inline_svg
from lossassay.reporting.gallery import data_uri
from lossassay.reporting.messages import Messages, load_messages
from lossassay.reporting.page import asset, templates
from lossassay.reporting.words import breakable
from lossassay.study.auditing.audit import AuditResult
from lossassay.study.auditing.pictures import PAIRED, AuditImage, AuditPictures
from lossassay.study.folder.whole_files import write_bytes

_MOST_NAMES = 20  # file names of one finding


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One picture with what stands below it."""

    source: Markup  # data URI
    text: str  # for readers who do not see it
    caption: Markup


@dataclass(frozen=True, kw_only=True)
class FindingView:
    """One finding as the page shows it."""

    code: str
    severity: str
    stops: bool
    message: str
    advice: str
    images: str
    meaning: tuple[Markup, Markup] | None  # what it is and why it matters; what to do
    thumbnails: list[Thumbnail]
    paired: bool
    more: Markup | None
    names: list[str]


def make_folder_of(path: Path) -> None:
    """Make the folder of a page.

    Raises:
        OutFolderError: If it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutFolderError(f"{path.parent} cannot be made a folder: {error.strerror}. Name another --out.") from None


def write_audit_page(result: AuditResult, pictures: AuditPictures, path: Path, *, names: bool = False) -> Path:
    """Write the page.

    Args:
        result: Of the audit.
        pictures: Of the same audit.
        path: The file; an earlier one is replaced.
        names: Whether file names stand below pictures; they can hold patient numbers.

    Returns:
        The path.

    Raises:
        OutFolderError: If the file cannot be written.
    """
    text = render_audit(result, pictures, load_messages(), names=names)
    try:
        write_bytes(path, text.encode())  # a reader never sees half a page
    except OSError as error:
        raise OutFolderError(
            f"The page cannot be written to {path} ({error}). Expected a file name in a folder of your own. "
            "Name another one with --out."
        ) from error
    return path


def render_audit(result: AuditResult, pictures: AuditPictures, messages: Messages, *, names: bool = False) -> str:
    """Return the page as text.

    Args:
        result: Of the audit.
        pictures: Of the same audit.
        messages: Its sentences.
        names: As for `write_audit_page`.
    """
    view = _View(result, pictures, messages, names)
    return (
        templates()
        .get_template("audit.html.jinja")
        .render(
            v=view,
            m=messages,
            style=Markup(asset("style.css") + asset("audit.css")),
            light=Markup(palette.style_variables()),
            dark=Markup(palette.style_variables(dark=True)),
            version=result.facts["version"],
        )
    )


class _View:
    """Everything the template shows, ready for it."""

    def __init__(self, result: AuditResult, pictures: AuditPictures, m: Messages, names: bool) -> None:
        self._m, self._names, self._result = m, names, result
        facts = result.facts
        self.headline = headline(result, m)
        self.byline = _byline(facts, m)
        self.warning = _stopping(result, m)
        self.findings = [
            self._finding(finding, images) for finding, images in zip(result.findings, pictures.findings, strict=True)
        ]
        self.classes = class_table(facts, m)
        figure = probe_chart(result.probes, m)
        self.figure = figure
        self.drawing = inline_svg(figure) if figure is not None else None
        self.probes = probe_table(result.probes, m)
        self.sheets = [(breakable(name), self._sheet(images)) for name, images in pictures.classes.items()]
        self.shape = " × ".join(str(length) for length in facts["image_shape"])
        self.shrunk = pictures.shrunk
        self.presets = ", ".join(pictures.presets)
        self.compared = [
            (breakable(name), [one for pair in pairs for one in self._before_and_after(pair)])
            for name, pairs in pictures.compared.items()
        ]
        self.looked_at = facts["looked_at"]
        self.not_looked_at = facts["not_looked_at"]

    @property
    def sections(self) -> list[str]:
        """Sections of the page, in their order."""
        wanted = {"preprocessing": bool(self.compared)}
        every = ("classes", "findings", "probes", "images", "preprocessing", "gaps")
        return [name for name in every if wanted.get(name, True)]

    def _finding(self, finding: Finding, images: Sequence[AuditImage]) -> FindingView:
        m, number = self._m, len(finding.rows)
        paired = finding.code in PAIRED
        return FindingView(
            code=finding.code,
            severity=finding.severity,
            stops=stops(finding.code, official=bool(self._result.facts["official"])),
            message=finding.message,
            advice=finding.advice,
            images=m.counted("count.images", number) if number else "",
            meaning=_meaning(finding.code),
            thumbnails=[self._thumbnail(image) for image in images],
            paired=paired and len(images) > 1,
            more=m("audit.more", shown=len(images), number=f"{number:,}") if number > len(images) else None,
            names=list(finding.paths[:_MOST_NAMES]) if self._names and not images else [],
        )

    def _thumbnail(self, image: AuditImage, *, what: Markup | str = "") -> Thumbnail:
        m = self._m
        lines: list[Markup | str] = [m("gallery.row", row=image.row), breakable(image.label)]
        lines += [m(f"audit.part.{image.part}")] if image.part else []
        lines += [what] if what else []
        lines += [breakable(image.path)] if self._names else []
        return Thumbnail(
            source=data_uri(image.pixels),
            text=m.text("gallery.image", row=image.row, label=image.label),
            caption=Markup("<br>").join(lines),
        )

    def _sheet(self, images: Sequence[AuditImage]) -> list[Thumbnail]:
        return [self._thumbnail(image) for image in images]

    def _before_and_after(self, pair: tuple[AuditImage, AuditImage]) -> list[Thumbnail]:
        return [
            self._thumbnail(image, what=self._m(f"audit.{what}"))
            for image, what in zip(pair, ("before", "after"), strict=True)
        ]


def _meaning(code: str) -> tuple[Markup, Markup] | None:
    known = AUDIT_CODES.get(code)
    return None if known is None else (_coded(f"{known.what} {known.why}"), _coded(known.advice))


def _coded(text: str) -> Markup:
    """Return a text whose words between backticks are keys of the study file."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def headline(result: AuditResult, m: Messages) -> Markup:
    """Return the answer in one sentence: what was found, and in what."""
    facts = result.facts
    patients = facts["patients"]
    among = m(
        "audit.among" if patients is None else "audit.among_patients",
        images=m.counted("count.images", facts["images"]),
        classes=m.counted("count.classes", len(facts["class_names"])),
        patients="" if patients is None else m.counted("count.patients", patients),
    )
    issues, notes = result.counted("issue"), result.counted("note")
    counted = [m.counted("count.issues", issues)] if issues else []
    counted += [m.counted("count.notes", notes)] if notes else []
    if not counted:
        return m("audit.nothing", among=among)
    found = m("answer.and", first=counted[0], last=counted[1]) if len(counted) > 1 else counted[0]
    return m("audit.found", found=found, among=among)


def _byline(facts: dict[str, Any], m: Messages) -> list[str | Markup]:
    seconds = formatting.duration(facts["seconds"])
    return [
        m("audit.looked_in", checks=m.counted("audit.looked", len(facts["looked_at"])), seconds=seconds),
        m("audit.split_official" if facts["official"] else "audit.split_drawn"),
    ]


def _stopping(result: AuditResult, m: Messages) -> Markup | None:
    official = bool(result.facts["official"])
    codes = dict.fromkeys(one.code for one in result.findings if stops(one.code, official=official))
    return m("audit.stops", codes=", ".join(codes)) if codes else None


def class_table(facts: dict[str, Any], m: Messages) -> dict[str, Any]:
    """Return the table of classes: head, and rows of cells with the length of the bar of their images in percent."""
    head = [m("word.class"), m("word.images")]
    head += [m("audit.patients")] if facts["patients"] is not None else []
    head += [m(f"audit.part.{part}") for part in facts["parts"]]
    head += [breakable(name) if name else m("audit.other_sources") for name in facts["sources"]]
    rows = []
    for counted in facts["classes"]:
        cells = [formatting.count(counted["images"])]
        cells += [formatting.count(counted["patients"])] if facts["patients"] is not None else []
        cells += [formatting.count(number) for number in counted["parts"].values()]
        cells += [formatting.count(number) for number in counted["sources"].values()]
        largest = max(one["images"] for one in facts["classes"])
        bar = f"{100 * counted['images'] / largest:.1f}" if largest else "0"
        rows.append({"name": breakable(counted["name"]), "bar": bar, "cells": cells})
    return {"head": head, "rows": rows}


def probe_table(found: Sequence[dict[str, Any]], m: Messages) -> dict[str, Any] | None:
    """Return the table of all probes, those without a score too; None without probes."""
    if not found:
        return None
    head = [m(f"audit.probe.{name}") for name in ("name", "score", "interval", "chance", "images", "patients", "how")]
    rows = []
    for probe in found:
        limits = m(
            "table.limits",
            low=formatting.significant(probe.get("low")),
            high=formatting.significant(probe.get("high")),
        )
        numbers = [formatting.significant(probe.get("score")), limits, formatting.significant(probe.get("chance"))]
        numbers += [formatting.count(probe.get("num_images")), formatting.count(probe.get("num_groups"))]
        said = {"method": probe.get("method"), "words": _words(probe)}
        rows.append({"name": probe_name(probe, m), "numbers": numbers, **said})
    return {"head": head, "rows": rows}


def _words(probe: dict[str, Any]) -> str:
    words = probe.get("words") or ""
    return " ".join(words) if isinstance(words, list) else str(words)
