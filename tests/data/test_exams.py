"""Exams join groups, must be one case, and name the data."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config.schema import SplitConfig
from lossassay.data.cache import _digest
from lossassay.data.grouping import check_exams, exam_numbers, group_numbers, joined
from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.data.split import split
from lossassay.errors import DataError


def manifest(
    labels: list, *, groups: list | None = None, exams: list | None = None, task: str = "single_label"
) -> Manifest:
    paths = [f"{row}.png" for row in range(len(labels))]
    rows = manifest_rows(paths, labels, task=task, groups=groups, exams=exams)
    return Manifest(kind="files", root=None, rows=rows, class_names=("a", "b"), task=task, dimensions=2)


def test_without_exams_nothing_is_new() -> None:
    found = manifest([0, 1, 0, 1], groups=["p", None, "p", "q"])
    assert exam_numbers(found) is None
    assert group_numbers(found).tolist() == [0, 1, 0, 2]
    alone = manifest([0, 1, 0, 1], groups=["p", None, "p", "q"], exams=["w", "x", None, "z"])
    assert exam_numbers(alone) is None
    assert _digest("key", alone) == _digest("key", found)


def test_rows_that_share_a_group_or_an_exam_belong_together() -> None:
    found = manifest([0] * 6, groups=["p", "q", None, "p", None, "r"], exams=[None, "x", "x", "y", "y", "z"])
    assert group_numbers(found).tolist() == [0, 1, 1, 0, 0, 2]
    assert exam_numbers(found).tolist() == [0, 1, 1, 2, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_joined_numbers_are_connected_components(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(values) for values in zip(*pairs, strict=True))
    found = joined(first, second)
    reach = np.equal.outer(first, first) | np.equal.outer(second, second)
    for _ in pairs:
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    np.testing.assert_array_equal(np.equal.outer(found, found), reach)
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))


def test_exams_and_not_their_hashes_name_the_data() -> None:
    plain = manifest([0, 1, 0, 1])
    exams, other_key = (manifest([0, 1, 0, 1], exams=names) for names in (["x", "y", "x", "y"], ["1", "2", "1", "2"]))
    assert _digest("key", exams) == _digest("key", other_key)
    assert _digest("key", exams) != _digest("key", plain)
    grouped = manifest([0, 1, 0, 1], groups=["x", "y", "x", "y"])
    assert _digest("key", exams) != _digest("key", grouped)  # the same groups, but predicted together


@pytest.mark.parametrize("seed", range(5))
def test_a_split_parts_no_exam(seed: int) -> None:
    exams = [f"e{row // 3}" for row in range(90)]
    found = split(manifest([(row // 3) % 2 for row in range(90)], exams=exams), SplitConfig(), seed=seed)
    numbers = np.arange(90) // 3
    for a, b in ((found.train, found.validation), (found.train, found.test), (found.validation, found.test)):
        assert not set(numbers[a]) & set(numbers[b])


def test_an_exam_with_two_labels_is_refused() -> None:
    check_exams(manifest([0, 0, 1, 1], exams=["x", "x", "y", None]))
    message = r"1 of 2 exams have images with more than one label.*must have one label\. Label the whole exam"
    with pytest.raises(DataError, match=message):
        check_exams(manifest([0, 1, 1, 1], exams=["x", "x", "y", "y"]))
    rows = [[0, 1], [0, 1], [1, 0], [1, 1]]
    with pytest.raises(DataError, match="1 of 2 exams have images with more than one label"):
        check_exams(manifest(rows, exams=["x", "x", "y", "y"], task="multi_label"))
    check_exams(manifest(rows[:2], exams=["x", "x"], task="multi_label"))


@pytest.mark.parametrize("groups", [["p", "q", "p", "p"], ["p", None, "p", "p"]])
def test_an_exam_of_two_patients_is_refused(groups: list[str | None]) -> None:
    with pytest.raises(DataError, match=r"1 of 2 exams have images with more than one group.*check data\.exam"):
        check_exams(manifest([0, 0, 1, 1], groups=groups, exams=["x", "x", "y", "y"]))


def test_the_order_of_rows_decides_numbers_and_nothing_else() -> None:
    found = manifest([0] * 4, exams=["b", "a", "b", "a"])
    turned = replace(found, rows=found.rows.with_columns(exam=pl.Series(["a", "b", "a", "b"])))
    assert exam_numbers(found).tolist() == exam_numbers(turned).tolist() == [0, 1, 0, 1]
