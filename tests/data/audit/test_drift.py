"""A test part that differs from the training part is described; equal parts, and data without parts, are not."""

from typing import Any

import numpy as np
import pytest

from lossassay.data.audit.drift import drift_findings
from tests.data.audit.conftest import Build, noise

PARTS = ["train"] * 150 + ["validation"] * 20 + ["test"] * 80
LABELS = [0, 1] * 125


def found(build: Build, images: np.ndarray | None = None, labels: list[Any] = LABELS, **of_rows: Any) -> list[str]:
    cache = build(noise(250) if images is None else images, labels, **{"parts": PARTS} | of_rows)
    findings = list(drift_findings(cache))
    assert all((finding.code, finding.severity) == ("drift-between-parts", "note") for finding in findings)
    return [finding.message for finding in findings]


def test_equal_parts_say_nothing(build: Build) -> None:
    assert found(build) == []


def test_without_a_test_part_there_is_nothing_to_compare(build: Build) -> None:
    assert found(build, parts=None, sources=["x"] * 170 + ["y"] * 80) == []
    assert found(build, parts=["train"] * 170 + ["validation"] * 80, sources=["x"] * 170 + ["y"] * 80) == []


@pytest.mark.parametrize(
    ("of_rows", "what"),
    [
        ({"sources": ["x"] * 170 + ["y"] * 80}, "by source, 100% of the images would have to change"),
        ({"facts": {"jpeg_quality": [75] * 170 + [90] * 80}}, "by JPEG quality, 100%"),
        ({"columns": {"age": [40] * 170 + [70] * 80}}, "by age, 100%"),
        ({"labels": [0] * 150 + [0, 1] * 10 + [1] * 80}, "by class, 100%"),
        (
            {"labels": [[0, row % 2] for row in range(170)] + [[1, row % 2] for row in range(80)]},
            "by label class 0, 100%",
        ),
    ],
)
def test_each_difference_is_named(build: Build, of_rows: dict[str, Any], what: str) -> None:
    (message,) = found(build, **of_rows)
    assert message.startswith("The official test part differs from the training part: " + what)
    assert message.count("; by") == 0


def test_brightness_is_looked_at(build: Build) -> None:
    images = noise(250) // 2
    images[170:] += 120
    (message,) = found(build, images)
    assert "by mean brightness, " in message


def test_groups_count_not_images(build: Build) -> None:
    """Five patients in test, of whom three came from the other site: no more than chance."""
    groups = [f"{row // 25}" for row in range(250)]
    parts = ["train"] * 125 + ["test"] * 125
    sources = ["x"] * 75 + ["y"] * 50 + ["x"] * 50 + ["y"] * 75
    assert found(build, parts=parts, sources=sources, groups=groups) == []
    assert found(build, parts=parts, sources=sources) != []
