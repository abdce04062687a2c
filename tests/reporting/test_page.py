"""The page: whole, small, safe and without network."""

import dataclasses
import errno
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lossassay.errors import OutFolderError
from lossassay.reporting.charts import FIGURES
from lossassay.reporting.figures import DrawnFigure
from lossassay.reporting.messages import load_messages
from lossassay.reporting.page import render, write_report
from lossassay.study.folder.results import StudyResults
from tests.reporting.fake_results import PAPER, empty_tables, fake_results

HEADINGS = """
h2 Answer
h3 Order of the arms
h2 Checks
h2 Evidence
h3 Diverged runs
h3 New patients, by three methods
h3 For your methods section
h2 Noise floor
h2 1 Data
h3 What the images look like
h4 covid-19
h4 normal
h4 pneumonia
h3 What the audit found
h2 2 Preprocessing
h2 3 Model
h2 4 Training
h3 The arms
h2 Cost
h3 Memory of the labels
h2 5 Evaluation
h3 The most surely wrong predictions
h2 Beside the paper
h2 What was held fixed
h2 Reproducibility
h2 Words
""".strip().splitlines()


class Page(HTMLParser):
    """Start tags, headings and text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style", "h2", "h3", "h4"):
            self._inside.append(tag)
            if tag.startswith("h"):
                self.headings.append(f"{tag} ")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside or self._inside[-1].startswith("h"):
            self.text += data
        if self._inside and self._inside[-1].startswith("h"):
            self.headings[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(results: StudyResults, figures: dict[str, DrawnFigure] | None = None) -> Page:
    return Page(render(results, figures or {}, load_messages()))


def test_golden_skeleton(tmp_path: Path) -> None:
    results = fake_results(tmp_path, arms=4)
    page = page_of(dataclasses.replace(results, facts=results.facts | {"paper": PAPER}))
    assert page.headings == HEADINGS
    assert "89.78%" in page.text
    assert len(page.all("h1")) == 1


def test_without_a_paper_there_is_no_such_section(tmp_path: Path) -> None:
    assert "h2 Beside the paper" not in page_of(fake_results(tmp_path, arms=2)).headings


def test_every_link_of_the_contents_has_its_section(tmp_path: Path) -> None:
    page = page_of(fake_results(tmp_path, arms=2))
    ids = {attributes.get("id") for _, attributes in page.tags}
    anchors = {str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")}
    assert len(anchors) >= 11
    assert anchors <= ids


def test_ten_arms_stay_under_3_mb_with_every_figure_in_three_forms(large_report: Path) -> None:
    assert large_report.stat().st_size < 3_000_000
    page = Page(large_report.read_text(encoding="utf-8"))
    links = {attributes["href"] for attributes in page.all("a")}
    folder = large_report.parent
    for name in FIGURES:
        assert {f"figures/{name}.svg", f"figures/{name}.png"} <= links
        assert ET.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    for href in links:
        assert str(href).startswith("#") or (folder / str(href)).is_file(), href
    assert {f"tables/{name}.csv" for name in ("comparisons", "curves", "roc", "costs", "label_memory")} <= links


def test_files_hold_colours_and_no_roles(large_report: Path) -> None:
    for path in (large_report.parent / "figures").glob("*.svg"):
        assert '="var(' not in path.read_text(encoding="utf-8"), path.name


def test_hostile_names_stay_text(large_report: Path, hostile_names: tuple[str, ...]) -> None:
    text = large_report.read_text(encoding="utf-8")
    page = Page(text)
    scripts = page.all("script")
    assert len(scripts) == len(FIGURES) + 2
    assert [s for s in scripts if s.get("type") != "application/json"] == [{}, {}]
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert all(str(image["src"]).startswith("data:image/webp;base64,") for image in page.all("img"))
    for name in hostile_names:
        assert name in page.text


def test_no_address_is_ever_loaded(large_report: Path) -> None:
    page = Page(large_report.read_text(encoding="utf-8"))
    policy = next(meta for meta in page.all("meta") if meta.get("http-equiv"))["content"]
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert "unsafe-eval" not in str(policy)
    assert page.all("link") == []
    assert not [s for s in page.all("script") if "src" in s]


def test_light_dark_print_and_readers_without_javascript(large_report: Path) -> None:
    text = large_report.read_text(encoding="utf-8")
    dark, paper = text.index("@media (prefers-color-scheme: dark)"), text.index("@media print")
    assert dark < paper, "print comes last, so that it is light in a dark browser too"
    assert text.count("<noscript>") == len(FIGURES)
    assert re.search(r"<noscript><svg .*?var\(--", text), "the drawing without JavaScript follows the theme too"
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_not_a_medical_device_and_no_path(tmp_path: Path) -> None:
    page = page_of(fake_results(tmp_path, arms=2))
    assert "Not a medical device." in page.text
    assert str(tmp_path) not in page.text


def test_empty_tables_and_facts_leave_a_page(tmp_path: Path) -> None:
    full = fake_results(tmp_path, arms=2)
    facts = {name: full.facts[name] for name in ("primary_metric", "scope", "alpha", "margin", "replicates_planned")}
    bare = dataclasses.replace(full, plan={}, facts=facts, tables=empty_tables(), findings=(), gallery=None)
    path = write_report(bare)
    assert "No run is finished yet" in Page(path.read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    "table", ["curves", "confusion", "roc", "reliability", "worst_errors", "label_memory", "noise_floor", "per_class"]
)
def test_each_optional_table_may_be_empty(tmp_path: Path, table: str) -> None:
    full = fake_results(tmp_path, arms=2)
    tables = full.tables | {table: empty_tables()[table]}
    changed = dataclasses.replace(full, tables=tables)
    for draw in FIGURES.values():
        draw(changed, load_messages())
    assert page_of(changed).headings[0] == "h2 Answer"


def test_progress_names_every_figure_then_the_page(tmp_path: Path) -> None:
    heard: list[str] = []
    bare = dataclasses.replace(fake_results(tmp_path, arms=2), tables=empty_tables())
    write_report(bare, progress=heard.append)
    assert heard == [*FIGURES, "page"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            errno.ENOSPC,
            r"is full\. The runs and tables are kept: free some space and draw again with `lossassay report",
        ),
        (errno.EACCES, r"cannot be written .* Expected a folder of your own: allow writing to it, then draw again"),
    ],
)
def test_a_disk_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    results = dataclasses.replace(fake_results(tmp_path, arms=2), tables=empty_tables())
    monkeypatch.setattr(Path, "write_bytes", refused)
    with pytest.raises(OutFolderError, match=words):
        write_report(results)
    assert not (tmp_path / "report.html").exists()


def test_reporting_never_imports_torch() -> None:
    code = "import sys, lossassay.reporting.page as _; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
