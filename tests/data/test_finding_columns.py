"""Tables with one column for each finding, and what uncertain and empty cells stand for."""

from pathlib import Path

import pytest

from lossassay.config import DataConfig
from lossassay.data.scan import scan
from lossassay.data.split import one_hot
from lossassay.errors import DataError
from tests.data.conftest import Folder


def table(folder: Path, cells: list[str]) -> str:
    lines = ["path,effusion,mass", *(f"a/{row}.png,{cell}" for row, cell in enumerate(cells))]
    path = folder / "findings.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 0], [-1, 1], [0, 0]]),
        ({"uncertain": "zeros"}, [[1, 0], [0, 1], [0, 0]]),
        ({"uncertain": "ones"}, [[1, 0], [1, 1], [0, 0]]),
        ({"unmentioned": "unknown"}, [[1, 0], [-1, 1], [-1, 0]]),
    ],
)
def test_policies(class_folders: Folder, options: dict[str, str], expected: list[list[int]]) -> None:
    path = table(class_folders({"a": 3}), ["1,0", "-1.0,1", ",0"])
    manifest = scan(DataConfig(path=path, finding_columns=("effusion", "mass"), **options))  # type: ignore[arg-type]
    assert manifest.task == "multi_label"
    assert manifest.class_names == ("effusion", "mass")
    assert manifest.rows["label"].to_list() == expected
    assert one_hot(manifest).min() == 0  # unknown ones count as absent where parts are balanced


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["1,0", "2,1", "0,0"],
            r"1 cells of the finding 'effusion' are neither 1, 0, -1 nor empty \(line 3; the first is '2'\)",
        ),
        (["1,0", "maybe,1", "0,0"], "the first is 'maybe'"),
        (["1,0", "0,0", "0,0"], "no image has the finding 'mass'"),
    ],
)
def test_other_cells_are_refused(class_folders: Folder, cells: list[str], message: str) -> None:
    path = table(class_folders({"a": 3}), cells)
    with pytest.raises(DataError, match=message):
        scan(DataConfig(path=path, finding_columns=("effusion", "mass")))


def test_finding_columns_need_a_table(class_folders: Folder) -> None:
    with pytest.raises(DataError, match=r"data\.finding_columns cannot be used with class folders"):
        scan(DataConfig(path=str(class_folders({"a": 3, "b": 3})), finding_columns=("a",)))
