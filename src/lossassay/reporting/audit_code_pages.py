"""Writes `docs/checks/` for the codes of the audit: ``python -m lossassay.reporting.audit_code_pages``.

Codes that are checks of a finished study too have a page written by hand.
"""

import sys
import textwrap
from pathlib import Path

from lossassay.catalogue.audit_codes import AUDIT_CODES, AuditCode

BY_HAND = ("group-overlap", "source-predicts-class")
_WIDTH_LETTERS = 120
_STOPS = {
    "always": "A study stops for it before its first run, unless `audit.accept` holds the code.",
    "official": 'A study with `split = "official"` stops for it before its first run, unless `audit.accept` holds the '
    "code.",
    "never": "It is reported; no study stops for it.",
}


def pages() -> dict[str, str]:
    """Return the page of every code that has none written by hand."""
    return {code: _page(code, known) for code, known in AUDIT_CODES.items() if code not in BY_HAND}


def index() -> str:
    """Return the table of all codes for the page that lists the checks."""
    rows = [f"| [{code}]({code}.md) | {known.what} | {_word(known)} |" for code, known in AUDIT_CODES.items()]
    return "\n".join(["| code | what is the case | stops a study |", "| - | - | - |", *rows]) + "\n"


def _word(known: AuditCode) -> str:
    return {"always": "yes", "official": "with the official split", "never": "no"}[known.stops]


def _page(code: str, known: AuditCode) -> str:
    parts = [
        f"# {known.what.removesuffix('.')}",
        f"Code: `{code}`, a finding of the [audit](../audit.md)",
        "## Why it matters",
        _wrapped(known.why),
        "## What to do",
        _wrapped(known.advice),
        _wrapped(_STOPS[known.stops]),
    ]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH_LETTERS, break_long_words=False, break_on_hyphens=False))


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for code, text in pages().items():
        (folder / f"{code}.md").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/checks"))
