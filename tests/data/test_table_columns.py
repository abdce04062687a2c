"""What columns hold is checked: numbers, dates and their ranks, placeholders."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig
from lossassay.data.known_columns import PATIENT_NAMES, identifies, is_metadata, recognised
from lossassay.data.table_columns import Table, as_date, as_number, check_types, is_placeholder, moments, ranks, typed
from lossassay.errors import DataError


def table_of(decimal_comma: bool = False, **columns: list[str]) -> Table:
    frame = pl.DataFrame(columns)
    lines = tuple(range(2, len(frame) + 2))
    return Table(path=Path("t.csv"), frame=frame, lines=lines, unit="line", decimal_comma=decimal_comma)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2024-01-31", "2023-12-01", "", "2024-01-31"], [1, 0, None, 1]),
        (["31.01.2024", "1.2.2024", "02.02.2023"], [1, 2, 0]),
        (["20240131", "19991231"], [1, 0]),
        (["2024-01-31", "20240130", "01.02.2024"], [1, 0, 2]),
        (["2024-01-31T10:00", "2024-01-31 09:59:59", "2024-01-31"], [2, 1, 0]),
        (["2024-01-31T10:00+02:00", "2024-01-31T09:00Z"], [0, 1]),
        (["10", "9", "2.5", "nan", "unknown"], [2, 1, 0, None, None]),
        (["2020-05", "2019-12"], [1, 0]),
        (["2020", "1890"], [1, 0]),
    ],
)
def test_times_become_dense_ranks(cells: list[str], expected: list[int | None]) -> None:
    table = table_of(t=cells)
    assert ranks(moments(table.column("t", "time"), table, "t")) == expected


def test_decimal_commas_count_where_semicolons_separate() -> None:
    table = table_of(decimal_comma=True, t=["1,5", "1,25"])
    assert ranks(moments(table.column("t", "time"), table, "t")) == [1, 0]


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        (["2024-01-31", "31/01/2024", "2024-02-30"], "lines 3, 4"),
        (["2024-01-31", "2024-02-01", "5"], "line 4"),
        (["1", "2", "soon"], "line 4"),
    ],
)
def test_what_is_no_time_is_named_by_its_lines(cells: list[str], lines: str) -> None:
    table = table_of(t=cells)
    with pytest.raises(DataError, match=rf"cells of 't' \(data\.time\) are no dates like the others \({lines}\)"):
        ranks(moments(table.column("t", "time"), table, "t"))


@given(st.lists(st.dates(), min_size=1, max_size=20))
def test_every_way_to_write_dates_gives_the_same_ranks(days: list) -> None:
    days = [
        day.replace(year=1900 + day.year % 200) if (day.month, day.day) != (2, 29) else day.replace(day=28, year=2000)
        for day in days
    ]
    found = []
    for form in ("{0:%Y-%m-%d}", "{0:%Y%m%d}", "{0.day}.{0.month}.{0.year}"):
        table = table_of(t=[form.format(day) for day in days])
        found.append(ranks(moments(table.column("t", "time"), table, "t")))
    order = sorted(set(days))
    assert found == [[order.index(day) for day in days]] * 3


@pytest.mark.parametrize("cell", ["1/2/2024", "2024-13-01", "20241301", "12345678", "2024-01-011", "x", "2024", "1.5"])
def test_no_dates(cell: str) -> None:
    assert as_date(cell) is None


@pytest.mark.parametrize("cell", ["inf", "nan", "1_000", "x", "1,5"])
def test_no_numbers(cell: str) -> None:
    assert as_number(cell) is None


@pytest.mark.parametrize(
    "cell", [None, "nan", "NaN", "None", "NULL", "n/a", "N/A", "unknown", "-", "NA", "#N/A", "<NA>", "#REF!"]
)
def test_placeholders(cell: str | None) -> None:
    assert is_placeholder(cell)


@pytest.mark.parametrize("cell", ["0", "nana", "--", "N", "unknown 1"])
def test_no_placeholders(cell: str) -> None:
    assert not is_placeholder(cell)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", ["63", "6.5", "", "nan", "-1e3"], ["x", "inf", "1,5"]),
        ("integer", ["63", "7.0", ""], ["6.5", "x"]),
        ("date", ["2024-01-31", "20240131", ""], ["1/2/2024", "7"]),
        ("text", ["anything", ""], []),
        ("ignore", ["anything", ""], []),
    ],
)
def test_types_are_checked_and_lines_named(kind: str, good: list[str], bad: list[str]) -> None:
    data = DataConfig.model_validate({"path": "t.csv", "columns": {"c": kind}})
    check_types(table_of(c=good), data)
    if bad:
        lines = ", ".join(str(len(good) + 2 + number) for number in range(len(bad)))
        with pytest.raises(DataError, match=rf"{len(bad)} cells of 'c' are no {kind} \(lines {lines}\)"):
            check_types(table_of(c=good + bad), data)


def test_decimal_commas_are_numbers_with_semicolons() -> None:
    table = table_of(decimal_comma=True, c=["63,5", "7"])
    check_types(table, DataConfig(path="t.csv", columns={"c": "number"}))
    assert typed(table, table.column("c", "columns"), "number") == [63.5, 7.0]


def test_an_unknown_typed_column_is_refused() -> None:
    with pytest.raises(DataError, match=r"no column 'aeg' \(data\.columns\)\. .*Did you mean 'age'\?"):
        check_types(table_of(age=["1"]), DataConfig(path="t.csv", columns={"aeg": "number"}))


@pytest.mark.parametrize(
    "name",
    ["patient", "Patient_ID", "PatientID", "patient-id", "patientid", "SUBJECT ID", "subject_id", "person_id", "PID"],
)
def test_patient_columns_are_recognised(name: str) -> None:
    assert recognised(["path", name, "label"], PATIENT_NAMES) == name


@pytest.mark.parametrize("name", ["patients", "inpatient", "patient_age", "case", "id", "subject matter", "rapid"])
def test_other_columns_are_no_patients(name: str) -> None:
    assert recognised([name], PATIENT_NAMES) is None


def test_the_patient_comes_before_the_subject() -> None:
    assert recognised(["subject", "Patient ID"], PATIENT_NAMES) == "Patient ID"


@pytest.mark.parametrize(
    "name", ["image_id", "StudyInstanceUID", "studydate", "Birth Date", "file name", "", "__", "MRN"]
)
def test_identifying_names(name: str) -> None:
    assert identifies(name)


@pytest.mark.parametrize("name", ["age", "thyroid", "steroid", "covid", "view", "Follow-up #", "video"])
def test_names_that_identify_nobody(name: str) -> None:
    assert not identifies(name)


@pytest.mark.parametrize("name", ["Patient Age", "sex", "View_Position", "PatientSex", "manufacturer"])
def test_usual_metadata(name: str) -> None:
    assert is_metadata(name)
