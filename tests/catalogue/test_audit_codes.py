"""Codes of the audit: all of them known, each with a page, and few that stop a study."""

import re
from pathlib import Path

import pytest

from lossassay.catalogue.audit_codes import AUDIT_CODES, STOPPING, stops
from lossassay.reporting.audit_code_pages import BY_HAND, index, pages

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ROOT / "docs" / "checks"


def test_every_code_that_the_package_can_find_is_in_the_catalogue() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "lossassay" / "data").rglob("*.py"))
    found = set(re.findall(r'code="([a-z-]+)"', text))
    assert len(found) >= 12
    assert sorted(found - set(AUDIT_CODES)) == []


@pytest.mark.parametrize("code", AUDIT_CODES)
def test_every_code_says_what_why_and_what_to_do(code: str) -> None:
    known = AUDIT_CODES[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    for text in (known.what, known.why, known.advice):
        assert text.endswith(".")
        assert text == text.strip()
        assert text.count("`") % 2 == 0


def test_the_pages_are_what_the_catalogue_says() -> None:
    for code, text in pages().items():
        assert (CHECKS / f"{code}.md").read_text(encoding="utf-8") == text, (
            "python -m lossassay.reporting.audit_code_pages"
        )
    for code in BY_HAND:
        assert f"Code: `{code}`" in (CHECKS / f"{code}.md").read_text(encoding="utf-8")
    assert index() in (CHECKS / "README.md").read_text(encoding="utf-8")


def test_what_stops_a_study() -> None:
    assert set(STOPPING) == {
        "group-overlap",
        "duplicate-across-parts",
        "near-duplicate-across-parts",
        "neighbour-across-parts",
        "duplicate-across-classes",
    }
    assert stops("duplicate-across-classes", official=False)
    assert stops("group-overlap", official=True)
    assert not stops("group-overlap", official=False)
    assert not stops("exact-duplicate", official=True)
    assert not stops("of a later version", official=True)
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert all(f"[{code}]" in page for code in STOPPING)
