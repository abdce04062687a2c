"""What a split leaves of a class in its smallest test part, for every kind of split."""

from dataclasses import replace

import polars as pl
import pytest

from lossassay.config.schema import SplitConfig
from lossassay.data.audit.class_sizes import tiny_classes
from lossassay.data.manifest import Manifest
from lossassay.data.split_kinds import expected_test_counts
from tests.data.test_split import make

LABELS = [0] * 200 + [1] * 30


def with_rows(manifest: Manifest, **columns: list[object]) -> Manifest:
    rows = manifest.rows.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
    return replace(manifest, rows=rows)


@pytest.mark.parametrize(
    ("config", "expected", "part"),
    [
        (SplitConfig(test=0.2), [40, 6], "the test part"),
        (SplitConfig(kind="cross_validation", folds=5), [40, 6], "a fold"),
        (SplitConfig(kind="cross_validation", folds=2), [100, 15], "a fold"),
    ],
)
def test_drawn_parts(config: SplitConfig, expected: list[int], part: str) -> None:
    manifest = make(LABELS)
    assert expected_test_counts(manifest, config).tolist() == expected
    findings = list(tiny_classes(manifest, config))
    assert len(findings) == (expected[1] < 10)
    assert all(f"(and in {part}): class 1 30 (6)." in finding.message for finding in findings)


def test_official_parts() -> None:
    manifest = make(LABELS, None, ["train"] * 180 + ["test"] * 50)
    assert expected_test_counts(manifest, SplitConfig(official=True)).tolist() == [20, 30]


def test_leave_one_out_counts_in_the_smallest_part() -> None:
    manifest = with_rows(make(LABELS), source=["x"] * 100 + ["y"] * 130)
    config = SplitConfig(kind="leave_one_out")
    assert expected_test_counts(manifest, config).tolist() == [100, 0]
    assert "(and in the smallest test part): class 1 30 (0)." in next(tiny_classes(manifest, config)).message


def test_time_counts_the_latest() -> None:
    manifest = with_rows(make(LABELS), time=list(range(230)))
    assert expected_test_counts(manifest, SplitConfig(kind="time", test=0.2)).tolist() == [16, 30]


def test_frames_of_one_exam_are_one_case() -> None:
    exams = [f"exam {row // 10}" for row in range(230)]  # of ten frames each: 20 exams of class 0, 3 of class 1
    manifest = with_rows(make(LABELS), exam=exams)
    assert expected_test_counts(manifest, SplitConfig(test=0.5)).tolist() == [10, 1]
    message = next(tiny_classes(manifest, SplitConfig(test=0.5))).message
    assert message.startswith("Classes with fewer than 10 exams in the test part")
    assert message.endswith("class 1 3 (1).")
