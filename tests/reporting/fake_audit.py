"""Audits with every kind of content, made of fixed numbers."""

from typing import Any

import numpy as np

from lossassay.data.manifest import Finding
from lossassay.study.auditing.audit import AuditResult
from lossassay.study.auditing.pictures import AuditImage, AuditPictures

PROBES: tuple[dict[str, Any], ...] = (
    {
        "name": "thumbnails",
        "score": 0.87,
        "low": 0.85,
        "high": 0.89,
        "chance": 1 / 3,
        "num_images": 6051,
        "num_groups": 4152,
        "method": "balanced accuracy",
        "words": "Five folds, patients whole.",
    },
    {
        "name": "masked-centre",
        "score": 0.61,
        "low": 0.55,
        "high": 0.68,
        "chance": 1 / 3,
        "num_images": 6051,
        "num_groups": 4152,
        "method": "balanced accuracy",
        "words": "",
    },
    {
        "name": "metadata",
        "score": None,
        "low": None,
        "high": None,
        "chance": None,
        "num_images": 0,
        "num_groups": 0,
        "method": "none",
        "words": "There is only one class with five patients.",
    },
    {
        "name": "of a later version",
        "score": 0.5,
        "low": 0.4,
        "high": 0.6,
        "chance": 0.5,
        "num_images": 10,
        "num_groups": 5,
        "method": "",
        "words": ["In one", "more way."],
    },
)


def finding(code: str, severity: str = "issue", rows: tuple[int, ...] = (), path: str = "patient-77/0.png") -> Finding:
    return Finding(
        code=code,
        severity=severity,  # type: ignore[arg-type]
        message=f"{len(rows)} images have this.",
        advice="Look at them.",
        rows=rows,
        paths=(path,) * max(1, len(rows)),
    )


def fake_audit(
    *,
    names: tuple[str, ...] = ("normal", "pneumonia"),
    findings: tuple[Finding, ...] | None = None,
    probes: tuple[dict[str, Any], ...] = PROBES,
    patients: int | None = 400,
    official: bool = True,
    sources: tuple[str, ...] = ("north", "south", ""),
) -> AuditResult:
    """An audit of 1,000 images."""
    if findings is None:
        findings = (
            finding("group-overlap", rows=tuple(range(40))),
            finding("near-duplicate", rows=(1, 2, 3, 4)),
            finding("unreadable-image"),
            finding("no-groups", "note"),
            finding("not-in-the-catalogue", "note", rows=(7,)),
        )
    parts = {"train": 300, "validation": 100, "test": 100} if official else {}
    facts = {
        "version": "9.9.9",
        "digest": "0" * 32,
        "images": 1000,
        "patients": patients,
        "class_names": list(names),
        "official": official,
        "image_shape": [64, 64, 1],
        "parts": parts,
        "sources": dict.fromkeys(sources, 10),
        "classes": [
            {
                "name": name,
                "images": 500 - 100 * k,
                "patients": patients,
                "parts": parts,
                "sources": dict.fromkeys(sources, 5),
            }
            for k, name in enumerate(names)
        ],
        "looked_at": [{"part": "exact duplicates", "seconds": 0.25}],
        "not_looked_at": [{"what": "Whether labels are right.", "why": "Only a reader can tell."}],
        "seconds": 0.25,
    }
    return AuditResult(findings=findings, probes=probes, facts=facts)


def fake_image(row: int, label: str = "normal", side_px: int = 32, path: str = "patient-77/0.png") -> AuditImage:
    pixels = np.random.default_rng(row).integers(0, 255, (side_px, side_px)).astype(np.uint8)
    return AuditImage(row=row, label=label, part="train" if row % 2 else None, path=path, pixels=pixels)


def fake_pictures(result: AuditResult, *, presets: tuple[str, ...] = ("clahe",), shrunk: bool = True) -> AuditPictures:
    """Pictures that fit an audit."""
    names = result.facts["class_names"]
    compared = {name: ((fake_image(1, name), fake_image(1, name)),) * 3 for name in names} if presets else {}
    return AuditPictures(
        findings=tuple(tuple(fake_image(row, names[0]) for row in one.rows[:12]) for one in result.findings),
        classes={name: tuple(fake_image(row, name) for row in range(5)) for name in names},
        shrunk=shrunk,
        presets=presets,
        compared=compared,
    )
