"""The page about large studies holds the tables of the newest records, and its arithmetic is right."""

import re
from pathlib import Path

import pytest

from benchmarks import scale_arithmetic as scale

FOUND = scale.records()


@pytest.mark.parametrize("name", scale.TABLES)
def test_the_page_holds_the_tables_of_the_newest_records(name: str) -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    block = f"<!-- table: {name} -->\n{scale.TABLES[name](FOUND)}\n<!-- end -->"
    assert block in page, "python -m benchmarks.scale_arithmetic --write-docs"


def test_the_page_has_no_other_table_and_names_every_record() -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"<!-- table: (.*?) -->", page) == list(scale.TABLES)
    for name in scale.RECORDS:
        (folder,) = [path for path in (scale.ROOT / "benchmarks" / "records").glob(f"*_{name}")][-1:]
        assert f"benchmarks/records/{folder.name}" in page


def test_what_the_page_says_in_words_is_what_the_tables_say() -> None:
    """Numbers of sentences, from the functions of the tables."""
    assert scale.runs() == 240
    assert scale.trained_images(100_000) == pytest.approx(2.52e8)
    assert scale.passes(100_000) - scale.trained_images(100_000) == pytest.approx(1.44e7)
    assert scale.SIMILARITIES_AT_ONCE // 100_000 == 335
    assert scale.SIMILARITIES_AT_ONCE // 10_000_000 == 3
    assert scale.cache_bytes(10_000_000, 300) == 900e9


def test_the_constants_are_those_of_the_code() -> None:
    from lossassay.data.audit import fingerprints, nearest, nearest_rows

    assert scale.SIMILARITIES_AT_ONCE == nearest._BLOCK_VALUES
    assert scale.PROBE_ROWS_AT_ONCE == nearest_rows._BLOCK_ROWS
    assert scale.PROBE_FOLDS == nearest_rows._FOLDS
    assert scale.VECTOR_LENGTH == fingerprints._VECTOR_LENGTH
    assert scale.THUMBNAIL_PX == fingerprints.LARGEST_SIDE_PX


@pytest.mark.parametrize("side", scale.SIDES)
def test_the_parameters_are_those_of_the_model(side: int) -> None:
    from lossassay.models import build, describe

    model = build("paper_cnn", {}, channels=1, image_size=side, dimensions=2, num_outputs=scale.CLASSES, seed=0)
    assert describe(model, channels=1, image_size=side, dimensions=2).parameters == scale.PARAMETERS[side]


def test_units_are_those_that_people_take() -> None:
    assert [scale.size(count) for count in (1_000, 999_000, 1e6, 9e9, 9e11, 8.5e15)] == [
        "1 kB",
        "999 kB",
        "1 MB",
        "9 GB",
        "900 GB",
        "8.5 PB",
    ]
    assert [scale.words(seconds) for seconds in (5, 119, 120, 7200, 2 * 86400, 730 * 86400)] == [
        "5 s",
        "119 s",
        "2.0 min",
        "2.0 h",
        "2.0 days",
        "2.0 years",
    ]


def test_tables_are_written_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- table: disk -->\nold\n<!-- end -->\nAfter.\n", encoding="utf-8")
    scale.write_docs(page)
    assert page.read_text(encoding="utf-8") == (
        f"Before.\n<!-- table: disk -->\n{scale.disk_table(FOUND)}\n<!-- end -->\nAfter.\n"
    )
