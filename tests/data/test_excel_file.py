"""Excel workbooks: what cells become, and which workbooks are refused before or after they are opened."""

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lossassay.data import excel_file
from lossassay.data.table_file import read_table
from lossassay.errors import DataError

openpyxl = pytest.importorskip("openpyxl", reason="needs the extra 'excel'")


def workbook(path: Path, *sheets: list[list[Any]], merge: str | None = None) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
        if merge:
            sheet.merge_cells(merge)
    book.save(path)
    return path


def rewrite(path: Path, member: str, change: Any) -> Path:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_cells_become_text(tmp_path: Path) -> None:
    rows = [
        ["path", "patient", "age", "visit", "at", "flag", "id"],
        ["가.png", 7.0, 63.5, datetime.datetime(2024, 1, 31), datetime.datetime(2024, 1, 31, 9, 30), True, "007"],
        [None] * 7,
        ["b.png", 8, None, None, datetime.time(9, 30), False, 2**40],
    ]
    table = read_table(workbook(tmp_path / "t.xlsx", rows))
    assert table.frame.rows() == [
        ("가.png", "7", "63.5", "2024-01-31", "2024-01-31 09:30:00", "TRUE", "007"),
        ("b.png", "8", "", "", "09:30:00", "FALSE", str(2**40)),
    ]
    assert table.lines == (2, 4)
    assert table.where([1]) == "row 4"


def test_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], [1]], [["b"], [2]])
    assert read_table(path).frame.to_dict(as_series=False) == {"a": ["1"]}
    assert read_table(path, sheet="sheet 1").frame.to_dict(as_series=False) == {"b": ["2"]}
    with pytest.raises(DataError, match=r"no sheet 'sheet1' .*sheet 0, sheet 1\. Did you mean 'sheet 1'\?"):
        read_table(path, sheet="sheet1")


def test_hidden_rows_count(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path"], ["a.png"], ["b.png"]])
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[3].hidden = True
    book.save(path)
    assert read_table(path).frame["path"].to_list() == ["a.png", "b.png"]


def test_merged_cells_are_refused_with_their_range(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path", "label"], ["a.png", "x"], ["b.png", None]], merge="B2:B3")
    with pytest.raises(DataError, match=r"the sheet 'sheet 0' has merged cells \(B2:B3\)"):
        read_table(path)


def test_a_merged_range_of_the_whole_sheet_costs_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path", "label"], ["a.png", "x"]], merge="A1:B1")
    rewrite(path, SHEET, lambda xml: xml.replace(b"A1:B1", b"A1:XFD1048576"))
    with pytest.raises(DataError, match=r"merged cells \(A1:XFD1048576\)"):
        read_table(path)


def test_formulas_count_by_their_stored_values(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path", "label"], ["a.png", "=1+1"], ["b.png", "=1+2"]])
    with pytest.raises(DataError, match=r"none of the 2 formulas in the sheet 'sheet 0' was ever computed .*row 2"):
        read_table(path)
    rewrite(
        path,
        SHEET,
        lambda xml: xml.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(
            b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"
        ),
    )
    assert read_table(path).frame["label"].to_list() == ["2", ""]


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path"], ["a.png"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/big.bin", "w") as file:
        for _ in range(257):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    monkeypatch.setattr(openpyxl, "load_workbook", None)  # is not reached
    with pytest.raises(DataError, match=r"unpacks to 257 MiB, expected 256 MiB at most"):
        read_table(path)


def test_more_than_it_declares_is_not_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path"], *[[f"{number}.png"] for number in range(5000)]])
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(SHEET).file_size
    content = path.read_bytes()
    small = content.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert small != content
    path.write_bytes(small)
    with pytest.raises(DataError, match=r"cannot be read as an Excel workbook|is no Excel workbook"):
        read_table(path)


def test_entities_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path"], ["a.png"]])
    rewrite(path, SHEET, lambda xml: b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml)
    with pytest.raises(DataError, match=r"defines XML entities"):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,label\n", r"is no Excel workbook"),
        (b"\xd0\xcf\x11\xe0 old", r"an old or an encrypted Excel file"),
        (b"", r"is no Excel workbook"),
    ],
)
def test_other_files_called_xlsx(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_a_zip_that_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"cannot be read as an Excel workbook"):
        read_table(path)


def test_far_cells_and_empty_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "wide.xlsx", [["path"], ["a.png"]])
    book = openpyxl.load_workbook(path)
    book.active.cell(row=3, column=16384, value="x")
    book.save(path)
    with pytest.raises(DataError, match=r"row 3 has 16384 columns; expected 2000"):
        read_table(path)
    with pytest.raises(DataError, match=r"is empty\. Expected a header"):
        read_table(workbook(tmp_path / "empty.xlsx", []))


def test_rows_far_below_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_file, "_LARGEST_ROWS", 50)
    path = workbook(tmp_path / "t.xlsx", [["path"], ["a.png"]])
    book = openpyxl.load_workbook(path)
    book.active.cell(row=60, column=1, value="x")
    book.save(path)
    with pytest.raises(DataError, match=r"expected 2000 columns and 50 rows at most"):
        read_table(path)


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "t.xlsx", [["path"], ["a.png"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r'pip install "lossassay\[excel\]"'):
        read_table(path)
