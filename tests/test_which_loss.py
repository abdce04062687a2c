"""docs/which-loss.md stands on a record, whose analysis can be done again from its predictions."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from benchmarks.analyse_again import disagreements, verdicts_again
from benchmarks.record import RECORDS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "which-loss.md").read_text(encoding="utf-8")
RECORD = sorted(RECORDS.glob("????-??-??_kermany3_losses"))[-1]


@pytest.fixture(scope="module")
def again() -> tuple[pl.DataFrame, pl.DataFrame]:
    return verdicts_again(RECORD)


def test_the_predictions_give_the_verdicts_of_the_record(again: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    found, stored = again
    assert len(stored) >= 11
    assert disagreements(found, stored) == []


def test_another_verdict_or_number_is_told(again: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    found, stored = again
    assert disagreements(found.with_columns(low=pl.col("low") - 1e-6), stored)
    assert disagreements(found.with_columns(verdict=pl.lit("better")), stored)


def test_the_page_names_its_record_and_its_study() -> None:
    assert f"benchmarks/records/{RECORD.name}/" in PAGE
    assert "studies/kermany3_losses.toml" in PAGE
    facts = json.loads((RECORD / "record.json").read_text(encoding="utf-8"))
    assert facts["runs_finished"] >= 12 * 12


def test_the_table_of_the_page_is_that_of_the_record() -> None:
    stored = pl.read_csv(RECORD / "comparisons.csv").filter(pl.col("primary"))
    rows = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| `(.+?)` \| (.+?) \| (.+?) to (.+?) \| (.+?) \|$", line):
            rows[match[1]] = match.groups()[1:]
    assert len(rows) == len(stored)
    for row in stored.iter_rows(named=True):
        points = [f"{100 * row[key]:+.2f}" for key in ("difference", "low", "high")]
        assert rows[row["arm_a"]] == (*points, row["verdict"]), row["arm_a"]
