"""A table becomes a manifest: patients, exams, times, repeated lines, further columns."""

import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data.manifest import Manifest
from lossassay.data.scan import scan
from lossassay.errors import DataError


def manifest_of(root: Path, text: str, **keys: Any) -> Manifest:
    for number in range(8):
        (root / f"{number}.png").write_bytes(b"x")
    (root / "table.csv").write_text(text, encoding="utf-8")
    return scan(DataConfig.model_validate({"path": str(root / "table.csv"), **keys}))


def codes(manifest: Manifest) -> list[str]:
    return [finding.code for finding in manifest.findings]


def grouped(manifest: Manifest) -> list[int]:
    """Groups as numbers in the order in which they appear; -1 for none."""
    groups = manifest.rows["group"].to_list()
    known = list(dict.fromkeys(group for group in groups if group is not None))
    return [-1 if group is None else known.index(group) for group in groups]


PATIENTS = "path,label,Patient-ID\n0.png,a,P1\n1.png,b,P1\n2.png,a,P2\n"


def test_a_known_patient_column_is_the_group(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, PATIENTS)
    assert grouped(found) == [0, 0, 1]
    assert codes(found) == ["patients-assumed"]
    assert found.findings[0].message == "Images are kept together by column 'Patient-ID', which names 2 patients."
    assert "data.group = false" in found.findings[0].advice
    assert found.rows.equals(manifest_of(tmp_path, PATIENTS, group="Patient-ID").rows)


def test_patients_can_be_left_apart(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, PATIENTS, group=False)
    assert grouped(found) == [-1, -1, -1]
    assert codes(found) == ["patients-unused"]


def test_a_named_group_needs_no_note(tmp_path: Path) -> None:
    assert codes(manifest_of(tmp_path, PATIENTS, group="Patient-ID")) == []
    assert grouped(manifest_of(tmp_path, PATIENTS, group_pattern=r"([01])\.")) == [0, 1, -1]


@pytest.mark.parametrize(
    "keys", [{"source": "Patient-ID"}, {"columns": {"Patient-ID": "ignore"}}, {"label_column": "Patient-ID"}]
)
def test_a_column_used_otherwise_is_no_patient(tmp_path: Path, keys: dict[str, Any]) -> None:
    found = manifest_of(tmp_path, PATIENTS, **keys)
    assert found.rows["group"].null_count() == 3
    assert codes(found) == []


def test_placeholders_are_no_patient(tmp_path: Path) -> None:
    words = ["nan", "None", "null", "n/a", "unknown", "-", ""]
    text = "path,label,patient\n" + "".join(f"{i}.png,a,{word}\n" for i, word in enumerate(words)) + "7.png,b,P\n"
    found = manifest_of(tmp_path, text)
    assert grouped(found) == [-1] * 7 + [0]
    assert codes(found) == ["patients-assumed", "group-missing"]
    nobody = manifest_of(tmp_path, text.replace(",P\n", ",-\n"))
    assert codes(nobody) == []


def test_identifiers_stay_text_in_one_unicode_form(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "김é")
    text = f"path,label,patient,site\n0.png,é,007,é\n1.png,e\u0301,7,e\u0301\n2.png,b,{name},\n3.png,b,김é,\n"
    found = manifest_of(tmp_path, text, source="site")
    assert grouped(found) == [0, 1, 2, 2]
    assert found.class_names == ("b", "é")
    assert found.rows["source"].to_list() == ["é", "é", None, None]


def test_patients_within_sites(tmp_path: Path) -> None:
    cells = ["A,1", "A,1", "B,1", "B,", "B,nan", ",1", ",1", "A,2"]
    text = "path,label,site,patient\n" + "".join(f"{i}.png,a,{cell}\n" for i, cell in enumerate(cells))
    found = manifest_of(tmp_path, text, group=["site", "patient"])
    assert grouped(found) == [0, 0, 1, -1, -1, 2, 2, 3]
    assert codes(found) == ["group-missing"]
    with pytest.raises(DataError, match=r"no column 'sites' \(data\.group\).*Did you mean 'site'"):
        manifest_of(tmp_path, text, group=["sites", "patient"])


def test_site_and_patient_do_not_run_together(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "path,label,s,p\n0.png,a,1,11\n1.png,b,11,1\n", group=["s", "p"])
    assert grouped(found) == [0, 1]


def test_exams_are_within_patients_and_stay_together(tmp_path: Path) -> None:
    text = "path,label,patient,visit\n0.png,a,P1,1\n1.png,a,P1,1\n2.png,b,P2,1\n3.png,b,P2,\n"
    exams = manifest_of(tmp_path, text, exam="visit").rows["exam"].to_list()
    assert exams[0] == exams[1] not in (None, exams[2])
    assert exams[2] is not None
    assert exams[3] is None
    alone = manifest_of(tmp_path, text, exam="visit", group=False)
    assert grouped(alone) == [-1] * 4
    assert alone.rows["exam"].n_unique() == 3
    assert codes(alone) == ["patients-unused"]
    by_label = manifest_of(tmp_path, text, exam="visit", group="label")
    assert by_label.rows["exam"].n_unique() == 3


def test_exams_are_no_patients(tmp_path: Path) -> None:
    text = "path,label,exam\n0.png,a,E1\n1.png,a,E1\n2.png,b,E2\n3.png,b,n/a\n"
    found = manifest_of(tmp_path, text, exam="exam")
    assert grouped(found) == [-1] * 4
    exams = found.rows["exam"].to_list()
    assert exams[0] == exams[1] not in (None, exams[2])
    assert exams[3] is None


def test_nothing_that_names_a_patient_reaches_rows_or_findings(tmp_path: Path) -> None:
    text = "path,label,patient,accession,date,site,note\n" + "".join(
        f"{i}.png,{'ab'[i // 4]},MRN-{i // 2},ACC-{i // 2},2024-01-0{i + 1},N,told {i}\n" for i in range(8)
    )
    found = manifest_of(tmp_path, text, exam="accession", time="date", group=["site", "patient"])
    seen = str(found.rows.to_dicts()) + str([one.message + one.advice for one in found.findings])
    seen += str(None if found.columns is None else found.columns.to_dicts())
    assert not [secret for secret in ("MRN", "ACC", "2024", "told") if secret in seen]
    assert found.rows["exam"].n_unique() == found.rows["group"].n_unique() == 4


def test_two_labels_in_an_exam_are_refused(tmp_path: Path) -> None:
    text = "path,label,exam\n0.png,a,E1\n1.png,b,E1\n2.png,b,E2\n"
    with pytest.raises(DataError, match=r"1 exams have images with different labels \(the first: lines 2, 3\)"):
        manifest_of(tmp_path, text, exam="exam")
    with pytest.raises(DataError, match=r"1 exams have images with different labels"):
        manifest_of(tmp_path, text, exam="exam", label_separator="|")


def test_times_are_ranks(tmp_path: Path) -> None:
    text = "path,label,date\n0.png,a,2024-02-01\n1.png,a,\n2.png,b,2023-02-01\n"
    found = manifest_of(tmp_path, text, time="date")
    assert found.rows["time"].to_list() == [1, None, 0]
    assert found.columns is None
    assert not any("2024" in str(row) for row in found.rows.rows())


def test_equal_lines_count_once(tmp_path: Path) -> None:
    text = "path,label,age\n0.png,a,5\n0.png,a,5\n./0.png,a,4\n1.png,b,7\n"
    found = manifest_of(tmp_path, text)
    assert found.rows["path"].to_list() == ["0.png", "1.png"]
    assert found.rows["row"].to_list() == [0, 1]
    assert codes(found) == ["duplicate-rows"]
    assert found.findings[0].message.startswith("2 rows of the table repeat an image with the same label")
    assert found.findings[0].paths == ("0.png",)
    other = manifest_of(tmp_path, "path,label,age\n1.png,b,7\n./0.png,a,4\n0.png,a,5\n0.png,a,5\n")
    assert found.rows.equals(other.rows)
    assert found.columns is not None
    assert found.columns.equals(other.columns)


@pytest.mark.parametrize(
    ("line", "what"),
    [("0.png,b,P1,N", "labels"), ("0.png,a,P2,N", "groups"), ("0.png,a,P1,S", "sources")],
)
def test_lines_that_differ_for_one_image_are_refused(tmp_path: Path, line: str, what: str) -> None:
    text = f"path,label,patient,site\n0.png,a,P1,N\n1.png,a,P1,N\n{line}\n"
    with pytest.raises(DataError, match=rf"1 paths stand in it more than once with different {what} \(lines 2, 4\)"):
        manifest_of(tmp_path, text, source="site")


def test_several_labels_as_cells_and_columns_agree(tmp_path: Path) -> None:
    joined = manifest_of(tmp_path, "path,label\n0.png,b;a\n1.png,\n", label_separator=";")
    apart = manifest_of(tmp_path, "path,a,b\n0.png,1,1.0\n1.png,,FALSE\n", finding_columns=["a", "b"])
    assert joined.rows["label"].to_list() == apart.rows["label"].to_list() == [[1, 1], [0, 0]]


def test_findings_with_decimal_commas_and_words(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "path;a;b\n0.png;1,0;TRUE\n1.png;-1,0;nan\n", finding_columns=["a", "b"])
    assert found.rows["label"].to_list() == [[1, 1], [-1, 0]]
    with pytest.raises(DataError, match=r"neither 1, 0, -1 nor empty \(line 3; the first is 'unknown'\)"):
        manifest_of(tmp_path, "path,a\n0.png,1\n1.png,unknown\n", finding_columns=["a"])


def test_grades_cut_from_decimal_commas(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "path;label\n0.png;1,5\n1.png;2,5\n", label_bins=[2.0])
    assert found.rows["label"].to_list() == [0, 1]


FURTHER = """path,label,patient_id,age,sex,visit date,weight,report,image_id,site,constant,filename,code
0.png,a,P1,50,f,2024-01-31,60.5,a long story that nobody counts,17,N,1,x0,A
1.png,b,P2,,m,2024-01-30,,another story,18,N,1,x1,B
2.png,a,P3,70,f,2024-01-29,80,n/a,19,S,1,x2,A
3.png,b,P4,unknown,m,2024-01-28,90,a third story,20,S,1,x3,C
"""


def test_further_columns_are_numbers_and_categories(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, FURTHER, source="site", part_column="official_split").columns
    assert found is not None
    assert dict(found.schema) == {"age": pl.Float64, "sex": pl.String, "weight": pl.Float64}
    assert found.rows() == [(50.0, "f", 60.5), (None, "m", None), (70.0, "f", 80.0), (None, "m", 90.0)]


def test_stated_types_choose_the_further_columns(tmp_path: Path) -> None:
    data = {"columns": {"weight": "integer", "image_id": "number", "visit date": "date", "sex": "ignore"}}
    with pytest.raises(DataError, match=r"1 cells of 'weight' are no integer \(line 2\)"):
        manifest_of(tmp_path, FURTHER, **data)
    found = manifest_of(tmp_path, FURTHER, columns={"sex": "ignore"}).columns
    assert found is not None
    assert found.columns == ["age", "weight", "site"]
    data["columns"]["weight"] = "number"
    found = manifest_of(tmp_path, FURTHER, **data).columns
    assert found is not None
    assert found.columns == ["age", "weight", "image_id", "site"]


def test_dates_in_numbers_are_no_numbers(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "path,label,taken,size\n0.png,a,20240131,20240131\n1.png,b,20240130,5\n")
    assert found.columns is not None
    assert found.columns.columns == ["size"]


def test_excel_tables_are_tables(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs the extra 'excel'")
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    book = openpyxl.Workbook()
    for row in (["path", "label", "patient"], ["0.png", 1, 7.0], ["1.png", 2, 7], ["2.png", 2, "007"]):
        book.active.append(row)
    book.save(tmp_path / "table.xlsx")
    found = scan(DataConfig(path=str(tmp_path / "table.xlsx")))
    assert found.class_names == ("1", "2")
    assert grouped(found) == [0, 0, 1]
