"""Runs every part of the audit on the decoded images of a data set."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from lossassay.catalogue.audit_codes import AUDIT_CODES
from lossassay.config.schema import SplitConfig
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding
from lossassay.study.auditing.facts import data_facts, not_looked_at

# Raised by any change that finds something else in the same data; part of what a stored audit is known by.
AUDIT_VERSION = 1

OnPart = Callable[[str, int, int], None]


class Part(NamedTuple):
    """One part of the audit.

    Args:
        name: What it looks at, in words.
        where: ``"module:function"``; it yields findings, or (``shortcuts``) returns findings and probes.
        takes: What it is called with.
    """

    name: str
    where: str
    takes: Literal["cache", "manifest and split", "likeness", "pixel facts", "shortcuts"] = "cache"


PARTS = (
    Part("patients, parts, class sizes", "lossassay.data.audit:audit", "manifest and split"),
    Part("exact duplicates", "lossassay.data.audit.duplicates:exact_duplicates"),
    Part("near duplicates", "lossassay.data.audit.near_duplicates:near_duplicates", "likeness"),
    Part("neighbours in a series", "lossassay.data.audit.neighbours:neighbour_images", "likeness"),
    Part("label conflicts", "lossassay.data.audit.label_conflicts:label_conflicts", "likeness"),
    Part("blank and inverted images", "lossassay.data.audit.blank:blank_findings", "pixel facts"),
    Part("drift between parts", "lossassay.data.audit.drift:drift_findings", "pixel facts"),
    Part("sources, storage, shortcuts", "lossassay.data.audit.shortcut_findings:find_shortcuts", "shortcuts"),
)
# What several parts need, computed once: how images look as a whole, and which of them are alike.
_PIXEL_FACTS = "lossassay.data.audit.pixels:pixel_facts"
_LIKENESS = "lossassay.data.audit.likeness:likeness"


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """What the audit brought up.

    Args:
        findings: Issues first, then those that can stop a study, then in the order of the parts.
        probes: Plain data, fields of `lossassay.data.audit.shortcut_probe.Probe`.
        facts: What was looked at, in plain data without file names: `facts.data_facts`, and ``looked_at``
            (part and seconds), ``not_looked_at`` (what and why), ``seconds``, ``version``, ``audit_version``.
    """

    findings: tuple[Finding, ...]
    probes: tuple[dict[str, Any], ...]
    facts: dict[str, Any]

    def counted(self, severity: Literal["issue", "note"]) -> int:
        """Return how many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)


def audit_data(cache: ImageCache, split: SplitConfig, *, on_part: OnPart | None = None) -> AuditResult:
    """Look for everything that can make results wrong.

    Args:
        cache: The decoded data.
        split: How the data will be split.
        on_part: Called before each part with its name, the number of parts done, and their number.
    """
    begun = time.perf_counter()
    tell = on_part or (lambda name, done, total: None)
    looks = _Looks(cache, split)
    findings, looked_at = [*cache.manifest.findings], []
    for done, part in enumerate(PARTS):
        tell(part.name, done, len(PARTS))
        started = time.perf_counter()
        findings += looks.at(part)
        looked_at.append({"part": part.name, "seconds": round(time.perf_counter() - started, 3)})
    tell("", len(PARTS), len(PARTS))
    facts = data_facts(cache, split) | {
        "version": version("lossassay"),
        "audit_version": AUDIT_VERSION,
        "looked_at": looked_at,
        "not_looked_at": not_looked_at(cache),
        "seconds": round(time.perf_counter() - begun, 3),
    }
    return AuditResult(findings=_in_order(findings), probes=looks.probes, facts=facts)


def _function(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


class _Looks:
    """Calls parts with what they take; what several of them need is computed once."""

    def __init__(self, cache: ImageCache, split: SplitConfig) -> None:
        self.cache, self.split = cache, split
        self.probes: tuple[dict[str, Any], ...] = ()

    def at(self, part: Part) -> list[Finding]:
        """Return the findings of one part; keep its probes."""
        function = _function(part.where)
        if part.takes == "shortcuts":
            found = function(self.cache, self._pixel_facts)
            self.probes = tuple(_plain(asdict(probe)) for probe in found.probes)
            return list(found.findings)
        if part.takes == "pixel facts":
            return list(function(self.cache, self._pixel_facts))
        if part.takes == "likeness":
            return list(function(self.cache, self._likeness))
        if part.takes == "manifest and split":
            return list(function(self.cache.manifest, self.split))
        return list(function(self.cache))

    @cached_property
    def _pixel_facts(self) -> Any:
        return _function(_PIXEL_FACTS)(self.cache)

    @cached_property
    def _likeness(self) -> Any:
        return _function(_LIKENESS)(self.cache)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: no numbers of numpy, no tuples, null for what is no number."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    once = dict.fromkeys(findings)
    return tuple(sorted(once, key=partial(_place, list(AUDIT_CODES))))


def _place(codes: list[str], finding: Finding) -> tuple[bool, int]:
    known = AUDIT_CODES.get(finding.code)
    return finding.severity != "issue", codes.index(finding.code) if known is not None else len(codes)
