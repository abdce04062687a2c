"""audit.json of an out folder, so that a study that goes on does not audit again; and what stops a study."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lossassay.catalogue.audit_codes import stops
from lossassay.config import Study
from lossassay.config.load import accept_problems
from lossassay.config.schema import AuditConfig
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding
from lossassay.errors import DataError, StudyFileError
from lossassay.study.auditing.audit import AUDIT_VERSION, AuditResult, OnPart, audit_data
from lossassay.study.folder.whole_files import explained, write_json

_FILE = "audit.json"


def audit_of_study(study: Study, cache: ImageCache, folder: Path, *, on_part: OnPart | None = None) -> AuditResult:
    """Audit the data of a study, or read what was found when it was started before.

    Args:
        study: As resolved.
        cache: Its decoded images.
        folder: The out folder, in which audit.json is kept. It names files and stays on this machine.
        on_part: As for `audit_data`; not called where the audit is there already.
    """
    key = _key(study, cache)
    known = _read(folder / _FILE, key)
    if known is not None:
        return known
    found = audit_data(cache, study.data.split, on_part=on_part)
    with explained(folder):
        write_json(folder / _FILE, {"key": key} | as_plain_data(found, names=True))
    return found


def as_plain_data(result: AuditResult, *, names: bool) -> dict[str, Any]:
    """Return findings, probes and facts for JSON.

    Args:
        result: Of the audit.
        names: Whether findings name their files, which can hold patient numbers.
    """
    hidden = () if names else ("paths",)
    findings = [
        {key: value for key, value in asdict(finding).items() if key not in hidden} for finding in result.findings
    ]
    return {"findings": findings, "probes": list(result.probes), "facts": result.facts}


def refuse_invalid(study: Study, result: AuditResult) -> None:
    """Stop a study whose results would be invalid, unless its file accepts that.

    Args:
        study: With ``audit.accept``.
        result: Of the audit of its data.

    Raises:
        DataError: With every finding that stops it, and how to go on.
    """
    official = study.data.split.official
    found = [one for one in result.findings if stops(one.code, official=official)]
    left = [one for one in found if one.code not in study.audit.accept]
    if not left:
        return
    listed = "\n".join(f"  - {one.code}: {one.message} {one.advice}" for one in left)
    codes = ", ".join(f'"{code}"' for code in dict.fromkeys(one.code for one in left))
    flags = " ".join(f"--accept {code}" for code in dict.fromkeys(one.code for one in left))
    raise DataError(
        f"The audit found what makes the results of {study.name!r} invalid, so nothing was trained:\n{listed}\n"
        "Expected data without these findings. Correct the data (`lossassay audit` shows the images), or go on all the "
        f"same with `accept = [{codes}]` in the section [audit] of the study file, or with {flags}; "
        "the report then says so on its first screen."
    )


def accepting(study: Study, codes: Sequence[str]) -> Study:
    """Return the study with more codes of findings that it does not stop for.

    Raises:
        StudyFileError: If a code is none of the audit's.
    """
    problems = [f"--accept: {problem}" for problem in accept_problems(codes)]
    if problems:
        raise StudyFileError(study.name, problems)
    accepted = tuple(dict.fromkeys((*study.audit.accept, *codes)))
    return study.model_copy(update={"audit": AuditConfig(accept=accepted)})


def _key(study: Study, cache: ImageCache) -> str:
    """Name what the audit depends on: the data, beyond what training sees, and how they are split."""
    rows, columns = cache.manifest.rows, cache.manifest.columns
    facts = [
        AUDIT_VERSION,
        cache.digest,
        study.data.split.model_dump(mode="json"),
        rows["path"].to_list(),
        rows["source"].to_list(),
        None if columns is None else columns.write_csv(),
        [asdict(finding) for finding in cache.manifest.findings],
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _read(path: Path, key: str) -> AuditResult | None:
    """Return the stored audit if it is one of the same data; None also for a file that is damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.get("key") != key:
            return None
        return AuditResult(
            findings=tuple(_finding(plain) for plain in stored["findings"]),
            probes=tuple(stored["probes"]),
            facts=stored["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _finding(plain: dict[str, Any]) -> Finding:
    return Finding(**plain | {"rows": tuple(plain["rows"]), "paths": tuple(plain["paths"])})
