"""Cells of a table name files: one, several, a folder of them, in any Unicode form; near names are shown."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig
from lossassay.data.manifest import Manifest
from lossassay.data.scan import scan
from lossassay.data.table import scan_table
from lossassay.errors import DataError

NFC, NFD = "폐렴é.png", unicodedata.normalize("NFD", "폐렴é.png")


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def manifest_of(root: Path, text: str, **keys: object) -> Manifest:
    (root / "table.csv").write_text(text, encoding="utf-8")
    return scan(DataConfig.model_validate({"path": str(root / "table.csv"), **keys}))


def paths(manifest: Manifest) -> list[str]:
    return manifest.rows["path"].to_list()


@pytest.mark.parametrize("on_disk", [NFC, NFD])
@pytest.mark.parametrize("in_table", [NFC, NFD])
def test_names_match_in_both_unicode_forms(tmp_path: Path, on_disk: str, in_table: str) -> None:
    folder = {NFC: "é", NFD: unicodedata.normalize("NFD", "é")}[on_disk]
    touch(tmp_path, f"{folder}/{on_disk}", "b.png")
    found = manifest_of(tmp_path, f"path,label\né/{in_table},a\nb.png,b\n")
    assert paths(found) == ["b.png", f"é/{NFC}"]
    assert [(tmp_path / name).is_file() for path in paths(found) for name in found.files_of(path)] == [True, True]
    assert found.names_on_disk == ({} if on_disk == NFC else {f"é/{NFC}": f"{folder}/{NFD}"})


def test_two_files_that_differ_only_in_form_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, NFC, NFD)
    with pytest.raises(DataError, match=r"1 paths stand in it more than once with different spellings \(lines 2, 3\)"):
        manifest_of(tmp_path, f"path,label\n{NFC},a\n{NFD},a\n")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("a1 ,;'\"\n가é.|"), min_size=1, max_size=8).map(lambda name: f"x{name}x.png"))
def test_any_name_of_a_file_is_found(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.mktemp("names")
    touch(root, name)
    quoted = name.replace('"', '""')
    assert paths(manifest_of(root, f'path,label\n"{quoted}",a\n')) == [unicodedata.normalize("NFC", name)]


def test_several_columns_are_one_exam(tmp_path: Path) -> None:
    touch(tmp_path, "1a.png", "1b.png", "2a.png")
    text = "front,side,label,age\n1a.png,1b.png,x,50\n2a.png,,y,60\n"
    found = manifest_of(tmp_path, text, path_columns=["front", "side"])
    rows = found.rows
    assert paths(found) == ["1a.png", "1b.png", "2a.png"]
    assert rows["label"].to_list() == [0, 0, 1]
    assert rows["exam"][0] == rows["exam"][1] is not None
    assert rows["exam"][2] is None
    assert found.columns is not None
    assert found.columns["age"].to_list() == [50.0, 50.0, 60.0]
    assert found.findings == ()


def test_several_paths_in_a_cell(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png", "c.png")
    found = manifest_of(tmp_path, "path,label,patient\na.png | b.png|,x,P1\nc.png,y,P1\n", path_separator="|")
    assert paths(found) == ["a.png", "b.png", "c.png"]
    assert found.rows["exam"].null_count() == 1
    assert found.rows["group"].n_unique() == 1  # of the patient, not of the exam


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    touch(tmp_path, "P1/10.png", "P1/2.png", "P1/deep/3.JPG", "P1/notes.txt", "P1/.hidden.png", "P2/1.png")
    found = manifest_of(tmp_path, "path,label\nP1/,x\nP2,y\n")
    assert paths(found) == ["P1/10.png", "P1/2.png", "P1/deep/3.JPG", "P2/1.png"]
    assert found.rows["label"].to_list() == [0, 0, 0, 1]
    assert found.rows["exam"][:3].n_unique() == 1
    assert found.rows["exam"][3] is None


def test_rows_of_exams_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    touch(tmp_path, "P1/1.png", "P1/2.png", "P2/1.png", "P2/2.png", "P3/1.png")
    lines = ["P1,x", "P2,y", "P3,y"]
    first = manifest_of(tmp_path, "\n".join(["path,label", *lines]))
    second = manifest_of(tmp_path, "\n".join(["path,label", *reversed(lines)]))
    assert first.rows.equals(second.rows)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "P1/notes.txt", "P2/1.png")
    with pytest.raises(DataError, match=r"1 cells name folders without images \(line 2; the first is 'P1'\)"):
        manifest_of(tmp_path, "path,label\nP1,x\nP2,y\n")


def test_lines_without_any_path(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"1 cells of 'front', 'side' are empty \(line 3\)"):
        manifest_of(tmp_path, "front,side,label\na.png,,x\n,,y\n", path_columns=["front", "side"])


NEAR = {
    "ending": ("img_1", r"'img_1' is near to 'scans/img_1\.png'"),
    "folder": ("img_2.png", r"'img_2\.png' is near to 'scans/img_2\.png'"),
    "other ending": ("scans/img_1.jpg", r"'scans/img_1\.jpg' is near to 'scans/img_1\.png'"),
    "capitals": ("scans/IMG_1.PNG", r"'scans/IMG_1\.PNG' is near to 'scans/img_1\.png'"),
    "spelling": ("scans/imgg_1.png", r"'scans/imgg_1\.png' is near to 'scans/img_1\.png'"),
}


@pytest.mark.parametrize("problem", NEAR)
def test_missing_files_are_shown_with_their_like(tmp_path: Path, problem: str) -> None:
    touch(tmp_path, "scans/img_1.png", "scans/img_2.png", "there.png")
    cell, message = NEAR[problem]
    with pytest.raises(DataError, match=r"1 of 2 files are not there \(line 3; the first is .*" + message):
        manifest_of(tmp_path, f"path,label\nthere.png,x\n{cell},y\n")


def test_missing_files_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    lines = "\n".join(f"zzzzzz{number}q,x" for number in range(8))
    with pytest.raises(DataError, match=r"8 of 9 files are not there \(lines 3, 4, 5, 6, 7, …; ") as caught:
        manifest_of(tmp_path, f"path,label\na.png,x\n{lines}\n")
    assert "What is there" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["a.nii.gz", "b.NII"], "nifti"),
        (["c.dcm", "1.2.840.113"], "dicom"),
        (["e.png", "odd"], "files"),
        (["a.nii.gz", "e.png"], "files"),  # refused by those who read volumes
        (["P1"], "nifti"),
        (["P2"], "dicom"),
    ],
)
def test_kinds_of_files_are_told_apart(tmp_path: Path, cells: list[str], kind: str) -> None:
    touch(tmp_path, "a.nii.gz", "b.NII", "c.dcm", "e.png", "odd", "P1/2.nii", "P1/10.nii.gz", "P1/x.txt", "P2/1.IMA")
    (tmp_path / "1.2.840.113").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "table.csv").write_text("path,label\n" + "".join(f"{cell},x\n" for cell in cells))
    found = scan_table(tmp_path / "table.csv", DataConfig(path=str(tmp_path / "table.csv")))
    assert found.kind == kind
    if cells == ["P1"]:
        assert paths(found) == ["P1/10.nii.gz", "P1/2.nii"]


def test_paths_outside_are_refused_in_every_column(tmp_path: Path) -> None:
    root = tmp_path / "in"
    touch(root, "a.png", "..b.png")
    touch(tmp_path, "c.png")
    assert len(manifest_of(root, "path,label\na.png,x\n..b.png,y\n").rows) == 2
    with pytest.raises(DataError, match=r"1 paths leave the table's folder \(line 2; the first is '\.\./c\.png'\)"):
        manifest_of(root, "front,side,label\na.png,../c.png,x\n", path_columns=["front", "side"])
