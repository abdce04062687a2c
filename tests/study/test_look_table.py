"""What `lossassay new` recognises in a table, and that what it proposes can be read."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay import api
from lossassay.config import DataConfig, load_study
from lossassay.data.manifest import Manifest
from lossassay.data.scan import scan
from lossassay.errors import DataError
from lossassay.study.proposing.look import look
from lossassay.study.proposing.proposal import Proposal


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)


def look_at(root: Path, text: str, name: str = "table.csv") -> Proposal:
    for number in range(6):
        image(root / f"{number}.png")
    (root / name).write_text(text, encoding="utf-8")
    return look(root / name)


def keys(proposal: Proposal) -> dict[str, Any]:
    """The proposed keys but the path and how images become arrays."""
    return {
        key: value for key, value in proposal.data.items() if key not in ("path", "image_size", "channels", "padding")
    }


def read(proposal: Proposal) -> Manifest:
    return scan(
        DataConfig.model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in proposal.data.items()})
    )


def test_columns_are_recognised_by_their_names(tmp_path: Path) -> None:
    text = "File;Diagnosis;Patient ID;Hospital;Accession Number;StudyDate;Split\n" + "".join(
        f"{i}.png;{'ab'[i // 2 % 2]};P{i // 2};N;E{i // 2};2024010{i + 1};{['train', 'val', 'test'][i // 2]}\n"
        for i in range(6)
    )
    found = look_at(tmp_path, text)
    assert keys(found) == {
        "path_column": "File",
        "label_column": "Diagnosis",
        "group": "Patient ID",
        "source": "Hospital",
        "exam": "Accession Number",
        "time": "StudyDate",
        "part_column": "Split",
    }
    assert set(found.reasons) >= set(keys(found))
    rows = read(found).rows
    assert rows["exam"].n_unique() == 3
    assert rows["time"].to_list() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("split", ["0", "1", "2"]),  # folds
        ("exam_id", ["1", "1", "2"]),  # two labels in one exam
        ("exam_id", ["1", "2", "3"]),  # an exam for each image
        ("date", ["soon", "later", "now"]),
        ("patient", ["n/a", "-", ""]),
    ],
)
def test_columns_that_do_not_fit_are_not_proposed(tmp_path: Path, header: str, cells: list[str]) -> None:
    text = f"path,label,{header}\n" + "".join(f"{i}.png,{'aba'[i]},{cell}\n" for i, cell in enumerate(cells))
    found = look_at(tmp_path, text)
    assert keys(found) == {"path_column": "path", "label_column": "label"}
    assert found.notes == ("no patient column was found: if patients have several images, name it",)
    assert len(read(found).rows) == 3


def test_findings_in_columns(tmp_path: Path) -> None:
    text = "path,edema,mass,none_there,sex,split\n0.png,1,-1,0,1,1\n1.png,0,1,,0,0\n2.png,,1.0,0,1,1\n"
    found = look_at(tmp_path, text)
    assert keys(found) == {"path_column": "path", "finding_columns": ["edema", "mass"]}
    assert read(found).rows["label"].to_list() == [[1, -1], [0, 1], [0, 1]]


def test_one_column_of_ones_and_zeros_is_the_label(tmp_path: Path) -> None:
    found = look_at(tmp_path, "path,covid\n0.png,1\n1.png,0\n")
    assert keys(found) == {"path_column": "path", "label_column": "covid"}
    for unsure in ("2.png,\n", "2.png,-1\n"):
        found = look_at(tmp_path, "path,covid\n0.png,1\n1.png,0\n" + unsure)
        assert keys(found) == {"path_column": "path", "finding_columns": ["covid"]}


def test_labels_joined_in_a_cell(tmp_path: Path) -> None:
    found = look_at(tmp_path, "path,Finding Labels\n0.png,a|b\n1.png,a\n")
    assert keys(found) == {"path_column": "path", "label_column": "Finding Labels", "label_separator": "|"}


def test_several_columns_of_paths(tmp_path: Path) -> None:
    found = look_at(tmp_path, "front,side,label\n0.png,1.png,a\n2.png,3.png,b\n4.png,,a\n")
    assert keys(found) == {"path_columns": ["front", "side"], "label_column": "label"}
    assert len(read(found).rows) == 5


def test_several_paths_in_a_cell(tmp_path: Path) -> None:
    found = look_at(tmp_path, "images,label\n0.png;1.png,a\n2.png,b\n")
    assert keys(found) == {"path_column": "images", "path_separator": ";", "label_column": "label"}
    assert read(found).rows["exam"].null_count() == 1


def test_folders_of_exams_but_not_the_class_folders(tmp_path: Path) -> None:
    image(tmp_path / "exams/P1/a.png")
    image(tmp_path / "exams/P1/b.png")
    image(tmp_path / "exams/P2/a.png")
    (tmp_path / "well").mkdir()
    (tmp_path / "sick").mkdir()
    found = look_at(tmp_path, "label,folder\nwell,exams/P1\nsick,exams/P2\n")
    assert keys(found) == {"path_column": "folder", "label_column": "label"}
    assert len(read(found).rows) == 3


def test_a_workbook_in_a_folder_is_found(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="needs the extra 'excel'")
    import openpyxl

    for number in range(3):
        image(tmp_path / f"{number}.png")
    book = openpyxl.Workbook()
    for row in (["path", "label", "subject"], ["0.png", "a", 1], ["1.png", "b", 1], ["2.png", "b", 2]):
        book.active.append(row)
    book.save(tmp_path / "labels.xlsx")
    found = look(tmp_path)
    assert keys(found) == {"path_column": "path", "label_column": "label", "group": "subject"}
    assert found.notes == ("the folder holds the table labels.xlsx",)
    assert Path(found.data["path"]).name == "labels.xlsx"


def test_a_table_without_paths_or_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column that looks like file paths; its columns are name, label"):
        look_at(tmp_path, "name,label\nx,a\n")
    with pytest.raises(DataError, match=r"no column that looks like labels; its columns are path, note"):
        look_at(tmp_path, "path,note\n0.png,x\n")


def test_a_proposed_study_with_lists_can_be_loaded(tmp_path: Path) -> None:
    lines = []
    for number in range(24):
        image(tmp_path / f"{number}.png")
    for number in range(0, 24, 2):
        lines.append({"a": f"{number}.png", "b": f"{number + 1}.png", "label": "xy"[number // 2 % 2]})
    pl.DataFrame(lines).write_csv(tmp_path / "table.csv")
    written = api.new(tmp_path / "table.csv", tmp_path / "study.toml")
    study = load_study(written)
    assert study.data.path_columns == ("a", "b")
    assert scan(study.data).rows["exam"].n_unique() == 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,label\n0.png,a\n1.png,b\n2.png,a\nmissing.png,b\n", r"1 of 4 files are not there \(line 5;"),
        ("path,label\nx/0.png,a\nx/1.png,b\n", r"2 of 2 files are not there \(lines 2, 3;"),
        ("front,side,label\n0.png,1.png,a\n2.png,3.png,b\nmissing.png,4.png,a\n", r"1 of 6 files are not there"),
    ],
)
def test_missing_files_are_named_and_do_not_hide_the_column(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read(look_at(tmp_path, text))
