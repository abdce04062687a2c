"""The page of an audit: whole, safe, without network, without names."""

import re
from pathlib import Path

import pytest

from lossassay.catalogue.audit_codes import AUDIT_CODES
from lossassay.errors import OutFolderError
from lossassay.reporting.audit_page import headline, render_audit, write_audit_page
from lossassay.reporting.charts.common import LOOK
from lossassay.reporting.charts.probes import probes
from lossassay.reporting.messages import load_messages
from lossassay.study.auditing.audit import AuditResult
from tests.reporting.fake_audit import fake_audit, fake_pictures, finding
from tests.reporting.test_page import Page

SECTIONS = ["Classes", "Findings", "Shortcut probes", "What the network sees"]
HOSTILE = (
    "</script><script>document.title='taken'</script>",
    '<img src=x onerror="alert(1)">',
    "two\nlines \"double\" & 'single'",
    "{{ 7 * 7 }} {0} %s `code`",
)


def page_of(result: AuditResult, **options: bool) -> Page:
    return Page(render_audit(result, fake_pictures(result), load_messages(), **options))


def test_golden_skeleton() -> None:
    page = page_of(fake_audit())
    titles = [heading.removeprefix("h2 ") for heading in page.headings if heading.startswith("h2")]
    assert titles == [*SECTIONS, "Preprocessing, before and after", "What was not looked at"]
    assert len(page.all("h1")) == 1
    assert page.text.count("What it means") == 4  # one code is not in the catalogue
    assert "12 of 40 images are shown." in page.text
    assert "0.850 to 0.890" in page.text
    assert page.text.count("The same with the centre masked") == 2  # chart and table
    assert page.text.count("Files and columns alone, no pixels") == 1  # it has no score
    assert "of a later version" in page.text
    assert "In one more way." in page.text
    assert len([image for image in page.all("img") if image["width"] == "90"]) == 12 + 4 + 1
    ids = {attributes.get("id") for _, attributes in page.tags}
    anchors = {str(a["href"])[1:] for a in page.all("a")}
    assert anchors <= ids


def test_sections_without_content_are_left_out() -> None:
    result = fake_audit(findings=(), probes=(), patients=None, official=False, sources=())
    page = Page(render_audit(result, fake_pictures(result, presets=(), shrunk=False), load_messages()))
    assert "h2 Preprocessing, before and after" not in page.headings
    assert "The audit found nothing to report." in page.text
    assert "No probe was made." in page.text
    assert "Patients" not in page.text
    assert not page.all("svg")


def test_the_chart_of_probes_is_valid() -> None:
    figure = probes(fake_audit().probes, load_messages())
    assert figure is not None
    assert figure.chart.configure(**LOOK).to_dict()  # checks it against the schema, which the page does not


def test_the_headline_counts_issues_notes_and_patients() -> None:
    messages = load_messages()
    assert headline(fake_audit(), messages) == "3 issues and 2 notes in 1,000 images of 2 classes from 400 patients."
    one = fake_audit(findings=(finding("no-groups", "note"),), patients=None)
    assert headline(one, messages) == "1 note in 1,000 images of 2 classes."
    assert headline(fake_audit(findings=()), messages).startswith("Nothing was found in 1,000 images")


def test_what_stops_a_study_is_said_at_the_top() -> None:
    assert "stops before its first run, because of: group-overlap" in page_of(fake_audit()).text
    drawn = page_of(fake_audit(official=False)).text
    assert "before its first run" not in drawn
    assert "stops a study" not in drawn


def test_pairs_stand_beside_each_other() -> None:
    result = fake_audit(findings=(finding("near-duplicate", rows=(1, 2, 3, 4)),))
    page = Page(render_audit(result, fake_pictures(result, presets=()), load_messages()))
    assert len([one for one in page.all("div") if one.get("class") == "pair"]) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_class_names_stay_text(name: str) -> None:
    result = fake_audit(names=(name, "other"), sources=(name,))
    page = page_of(result)
    assert page.all("script") == []
    assert not [attributes for _, attributes in page.tags if any(key.startswith("on") for key in attributes)]
    assert all(str(image["src"]).startswith("data:image/webp;base64,") for image in page.all("img"))
    assert page.text.count(name) >= 2


def test_no_file_name_without_being_asked_for() -> None:
    assert "patient-77" not in render_audit(fake_audit(), fake_pictures(fake_audit()), load_messages())
    named = render_audit(fake_audit(), fake_pictures(fake_audit()), load_messages(), names=True)
    assert named.count("patient-77") > 10
    assert "<li>patient-77/0.png</li>" in named  # of a file that has no picture


def test_no_address_is_ever_loaded() -> None:
    text = render_audit(fake_audit(), fake_pictures(fake_audit()), load_messages())
    assert "default-src 'none'" in text
    assert "<script" not in text
    outside = re.sub(r'xmlns(:\w+)?="http[^"]*"', "", text)
    assert "://" not in outside


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    result = fake_audit()
    target = tmp_path / "audit.html"
    target.write_text("earlier")
    assert write_audit_page(result, fake_pictures(result), target) == target
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["audit.html"]
    with pytest.raises(OutFolderError, match=r"cannot be written to .*Name another one with --out"):
        write_audit_page(result, fake_pictures(result), tmp_path / "nowhere" / "audit.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutFolderError, match="Expected a file name in a folder of your own"):
        write_audit_page(result, fake_pictures(result), tmp_path / "folder")


def test_every_code_has_its_meaning_on_the_page() -> None:
    result = fake_audit(findings=tuple(finding(code) for code in AUDIT_CODES))
    page = page_of(result)
    assert page.text.count("What it means") == len(AUDIT_CODES)
    assert "`" not in page.text
