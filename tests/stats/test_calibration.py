"""Calibration by simulation: the cells of `benchmarks/evidence.py`, with fewer studies.

Each share is compared with 5 % and 3.5 Monte-Carlo standard errors: a right rule fails a cell once in 4,000 runs of
another seed, and the seeds are fixed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence import DOCS, newest_record, read_counts, write_counts
from benchmarks.evidence_cells import ALPHA, CELLS, Cell
from benchmarks.evidence_errors import Counts, false_words, gate, judge
from benchmarks.evidence_replicates import QUESTIONS, judge_replicates, quantile
from benchmarks.evidence_tables import TABLES, share, tables, write_docs
from lossassay.stats import CODES, Looks, race

STUDIES = 2_000
NAMES = (
    "equal arms, normal, 3 arms, fixed 5",
    "equal arms, normal, 6 arms, planned",
    "equal arms, normal, 12 arms, fixed 10",
    "equal arms, normal, 3 arms, anytime",
    "equal arms, tied, 6 arms, fixed 10",
    "equal arms, mostly tied, 2 arms, planned",
    "equal arms, near 1, 3 arms, planned",
    "equal arms, skewed, 6 arms, planned",
    "at the margin, normal, 6 arms, planned",
    "at the margin, tied, 2 arms, fixed 10",
    "at the margin, skewed, 2 arms, planned",
    "at the margin, near 1, 6 arms, anytime",
)


def counts_of(name: str, rule: Callable[[str, int, int], Counts] = judge, studies: int = STUDIES) -> dict[str, int]:
    total: dict[str, int] = {}
    for chunk, size in enumerate(CELLS[name].chunks(studies)):
        for key, value in rule(name, chunk, size).items():
            total[key] = total.get(key, 0) + int(value)
    return total


@pytest.mark.parametrize("name", NAMES)
def test_studies_rarely_say_anything_false(name: str) -> None:
    counts = counts_of(name)
    assert counts["studies"] == STUDIES
    assert counts["false"] / STUDIES <= gate(STUDIES)
    assert counts["missed_when_stopped"] <= counts["missed_at_some_look"] <= gate(STUDIES) * STUDIES
    if "normal" in name and "any" not in name and "margin" not in name:  # exact but for Bonferroni: errors are spent
        assert counts["false"] / STUDIES >= 0.5 * ALPHA


def peeking(name: str, chunk: int, studies: int) -> Counts:
    """A wrong rule: a plain t interval after every replicate."""
    cell = CELLS[name]
    scores, _ = cell.draw(chunk, studies)
    once = [Looks(kind="fixed", first=n, last=n) for n in range(3, cell.rule.last + 1)]
    words = [race(scores[:, : one.last], cell.pairs, looks=one, alpha=ALPHA).verdict for one in once]
    false = np.stack([false_words(one, cell) for one in words]).any(axis=(0, 2))
    return {"studies": np.array(studies), "false": np.array(false.sum())}


def without_multiplicity(name: str, chunk: int, studies: int) -> Counts:
    """A wrong rule: each pair at alpha."""
    cell = CELLS[name]
    scores, _ = cell.draw(chunk, studies)
    alone = [race(scores, [pair], looks=cell.rule, alpha=ALPHA).verdict for pair in cell.pairs]
    false = false_words(np.concatenate(alone, axis=1), cell).any(axis=1)
    return {"studies": np.array(studies), "false": np.array(false.sum())}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("equal arms, normal, 2 arms, planned", peeking),
        ("equal arms, skewed, 3 arms, planned", peeking),
        ("equal arms, normal, 6 arms, fixed 10", without_multiplicity),
    ],
)
def test_a_wrong_rule_fails_the_same_gate(name: str, wrong: Callable[[str, int, int], Counts]) -> None:
    assert counts_of(name, wrong, 500)["false"] / 500 > 2 * gate(500)


def test_what_counts_as_false() -> None:
    cell = Cell(noise="normal", shifts=(1.0, 0.0, 0.0), looks="fixed 5", margin=1.0)
    better, worse, equivalent, undecided = (CODES.index(w) for w in ("better", "worse", "equivalent", "undecided"))
    words = np.array([[better, equivalent, better], [worse, undecided, worse], [undecided, better, equivalent]])
    expected = [[False, True, True], [True, False, True], [False, False, False]]
    assert false_words(words, cell).tolist() == expected
    turned = Cell(noise="normal", shifts=(1.0, 0.0, 0.0), looks="fixed 5", margin=1.0, higher_is_better=False)
    assert false_words(words, turned).tolist() == [[True, True, True], [False, False, True], [False, True, False]]


@pytest.mark.parametrize(
    ("name", "most", "power"),
    [
        ("2 arms, 0.674 sd, planned", 20, 0.90),
        ("6 arms, 1 sd, planned", 22, 0.90),
        ("6 arms, 2 sd, planned", 14, 0.99),
        ("2 arms, 0 sd, margin 1.5 sd, planned", 16, 0.99),
    ],
)
def test_verdicts_come_early_enough(name: str, most: int, power: float) -> None:
    histogram = sum(
        judge_replicates(name, chunk, size)["one_pair"] for chunk, size in enumerate(QUESTIONS[name].chunks(STUDIES))
    )
    median = quantile(histogram, 0.5)
    assert median is not None
    assert median <= most
    assert 1 - histogram[0] / STUDIES >= power


def test_each_cell_and_chunk_has_random_numbers_of_its_own() -> None:
    first, second = CELLS[NAMES[0]], CELLS["equal arms, normal, 3 arms, fixed 10"]
    assert np.array_equal(first.draw(0, 4)[0], first.draw(0, 4)[0])
    assert not np.array_equal(first.draw(0, 4)[0], first.draw(1, 4)[0])
    assert not np.array_equal(first.draw(0, 4)[0], second.draw(0, 4)[0][:, :5])


def test_the_page_holds_the_tables_of_the_newest_record() -> None:
    made = tables(read_counts(newest_record() / "counts.csv"))
    assert set(made) == set(TABLES)
    page = DOCS.read_text(encoding="utf-8")
    for name, text in made.items():
        assert f"<!-- table: {name} -->\n{text}\n<!-- end -->" in page, name


def test_counts_are_written_and_read_and_only_their_own_table_is_replaced(tmp_path: Path) -> None:
    name = "equal arms, normal, 2 arms, fixed 5"
    found = {"errors": {name: judge(name, 0, 400)}}
    write_counts(tmp_path / "counts.csv", found)
    assert read_counts(tmp_path / "counts.csv") == found
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table: equal arms -->\nold\n<!-- end -->\nb\n<!-- table: auroc -->\nkept\n<!-- end -->\n")
    write_docs(page, found)
    text = page.read_text()
    assert f"| normal | 2 | {share(found['errors'][name]['false'], 400)} |" in text
    assert "old" not in text
    assert text.startswith("a\n")
    assert "kept" in text
