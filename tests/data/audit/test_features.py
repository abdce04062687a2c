"""Columns become categories or numbers that can be counted."""

import datetime

import numpy as np
import polars as pl

from lossassay.data.audit.features import from_categories, from_column, from_numbers


def test_categories_are_numbered_by_first_appearance() -> None:
    assert from_categories("x", ["b", "a", None, "b"]).codes.tolist() == [0, 1, 2, 0]


def test_few_values_keep_a_category_each() -> None:
    assert from_numbers("x", [5.0, 1.0, 5.0, np.nan]).codes.tolist() == [1, 0, 1, 2]


def test_many_numbers_are_cut_at_eighths() -> None:
    counts = np.bincount(from_numbers("x", np.arange(800.0)).codes)
    assert len(counts) == 8
    assert (np.abs(counts - 100) <= 1).all()


def test_one_common_value_has_a_category_of_its_own() -> None:
    values = np.concatenate([np.full(500, 512.0), np.arange(0, 500, 1.0), np.arange(600, 1100, 1.0)])
    codes = from_numbers("x", values).codes
    assert (values[codes == codes[0]] == 512).mean() > 0.7


def test_types_of_columns() -> None:
    texts = from_column("x", pl.Series(["f", "m", " f", None]))
    assert texts is not None
    assert (texts.codes.tolist(), texts.numbers) == ([0, 1, 0, 2], None)
    ages = from_column("x", pl.Series([*(str(age) for age in range(99)), None]))
    assert ages is not None
    assert ages.numbers is not None
    assert ages.codes[-1] == ages.codes.max()
    dates = from_column("x", pl.Series([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)]))
    assert dates is not None
    assert dates.numbers is not None
    yes_no = from_column("x", pl.Series([True, False, True]))
    assert yes_no is not None
    assert yes_no.codes.tolist() == [0, 1, 0]
    assert from_column("x", pl.Series([[1], [2]])) is None


def test_rows_are_chosen_and_numbered_anew() -> None:
    feature = from_categories("x", ["a", "b", "c"])
    assert feature.of_rows(np.array([2, 1, 2])).codes.tolist() == [0, 1, 0]
    assert not feature.of_rows(np.array([2, 2])).varies
