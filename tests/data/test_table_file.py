"""Text tables of any dialect and encoding give the same cells and the lines an editor shows."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossassay.data.table_file import find_delimiter, read_table
from lossassay.errors import DataError

TEXT = "path,label,환자\n가.png,폐렴,김 1\n나.png,정상,이 2\n"
CELLS = st.text(st.sampled_from("ab ,;\t|\"\n'가é."), max_size=8)


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_any_cells_come_back_with_any_delimiter(
    tmp_path: Path, rows: list[list[str]], delimiter: str, ending: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([["path", "label", "note"], *rows])
    table = read_table(write(tmp_path, text.getvalue() + f'"last"{delimiter}"x"{delimiter}"y"{ending}'))
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [list(row) for row in table.frame.rows()[:-1]] == kept
    assert table.frame.columns == ["path", "label", "note"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_beside_others_in_quotes(delimiter: str) -> None:
    others = "".join(sign for sign in ",;\t|" if sign != delimiter)
    text = f'"path {others}"{delimiter}label\n"0.png"{delimiter}"a{others}{others}"\n1.png{delimiter}b\n'
    assert find_delimiter(text) == delimiter


def test_the_delimiter_is_the_one_that_rows_and_header_share() -> None:
    assert find_delimiter("path,a;b;c\n0.png,x\n1.png,y\n") == ","
    assert find_delimiter("path;size, mm;label\n0.png;1,5;x\n1.png;2;y\n") == ";"
    assert find_delimiter("path\n0.png\n") == ","


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-32", "cp949", "euc-kr", "utf-16-be-named"]
)
def test_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    named = None
    if encoding == "utf-16-le-bom":
        content = b"\xff\xfe" + TEXT.encode("utf-16-le")
    elif encoding == "utf-16-be-named":
        named, content = "utf-16-be", TEXT.encode("utf-16-be")
    else:
        content = TEXT.encode(encoding)
    table = read_table(write(tmp_path, content), encoding=named)
    assert table.frame.columns == ["path", "label", "환자"]
    assert table.frame.rows() == [("가.png", "폐렴", "김 1"), ("나.png", "정상", "이 2")]


@pytest.mark.parametrize("word", ["Müller", "é", "Ärzte", "Niño"])
def test_latin_1_is_never_guessed(tmp_path: Path, word: str) -> None:
    path = write(tmp_path, f"path,label\n0.png,b\n1.png,{word}\n".encode("latin-1"))
    with pytest.raises(
        DataError, match=r"is no text in UTF-8 or CP949 \(Korean\): the first wrong byte is .. in line 3"
    ):
        read_table(path)
    assert read_table(path, encoding="latin-1").frame["label"].to_list() == ["b", word]


def test_a_stated_encoding_is_taken_at_its_word(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.encode("cp949"))
    with pytest.raises(DataError, match=r"is no text in UTF-8: the first wrong byte is .. in line 1"):
        read_table(path, encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.encoding 'utf8x' is no encoding .*Did you mean 'utf-8'\?"):
        read_table(path, encoding="utf8x")


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    table = read_table(
        write(tmp_path, '\npath,label\r\n"a\nb.png",x\r\n\r\n,,\r\nc.png,"y\n\nz"\nd.png,w'.replace(",,", ","))
    )
    assert table.lines == (3, 7, 10)
    assert table.where([2, 0]) == "lines 3, 10"
    assert table.where([1]) == "line 7"
    assert table.frame["path"].to_list() == ["a\nb.png", "c.png", "d.png"]


def test_semicolons_bring_decimal_commas(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "path;age\n0.png;63,5\n1.png;-,5\n2.png;1,2,3\n3.png;7\n"))
    assert table.decimal_comma
    assert table.with_points(table.column("age", "columns")) == ["63.5", "-.5", "1,2,3", "7"]
    commas = read_table(write(tmp_path, 'path,age\n0.png,"63,5"\n'))
    assert commas.with_points(commas.column("age", "columns")) == ["63,5"]


def test_excels_own_word_for_the_delimiter(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "sep=|\r\npath|label\r\n0.png|a,b;c\r\n"))
    assert table.frame.rows() == [("0.png", "a,b;c")]
    assert table.lines == (3,)


def test_short_rows_and_nameless_columns(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, ",path,label\n0,0.png,a\n1,1.png\n2,2.png,b,,\n"))
    assert table.frame.columns == ["column 1", "path", "label"]
    assert table.frame["label"].to_list() == ["a", "", "b"]


def test_parquet_keeps_its_types_and_counts_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({" path ": ["0.png", "1.png"], "n": [7, None]}).write_parquet(path)
    table = read_table(path)
    assert table.column("n", "group") == ["7", None]
    assert table.column("path", "path_column") == ["0.png", "1.png"]
    assert table.where([0, 1]) == "rows 1, 2"


PROBLEMS: dict[str, tuple[str | bytes, str]] = {
    "open quote": ('path,label\n0.png,a\n"1.png,b\n2.png,c\n', r"record that starts in line 3 is no CSV"),
    "after a quote": ('path,label\n0.png,"a"b\n', r"record that starts in line 2 is no CSV"),
    "long row": ("path,label\n0.png,a,b\n1.png,a\n2.png,a,,c\n", r"2 rows have more cells .*\(lines 2, 4; the header"),
    "two names": ("path,label, label\n0.png,a,b\n", r"1 column names more than once: label"),
    "workbook": (b"PK\x03\x04....", r"no text table but a zip or Excel file\. Give it the ending \.xlsx"),
    "old workbook": (b"\xd0\xcf\x11\xe0....", r"no text table but an old Excel file"),
    "gzip": (b"\x1f\x8b....", r"no text table but a gzip file\. Unpack it"),
    "zeros": (b"path,label\n0.png,\0\n", r"holds zero bytes"),
    "nothing": (b"", r"is empty\. Expected a header"),
    "blank lines": (b"\n , \n\n", r"is empty\. Expected a header"),
    "header alone": ("path,label\n", r"has a header but no rows"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_files_that_are_no_tables(tmp_path: Path, problem: str) -> None:
    content, message = PROBLEMS[problem]
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, content))


def test_damaged_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read as a PARQUET table"):
        read_table(write(tmp_path, b"PAR1 or not", "table.parquet"))
