"""Every form of data becomes the same kind of manifest, in an order that depends on nothing but the data."""

import itertools
import random
import sys
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.scan import scan
from lossassay.errors import DataError
from tests.data.conftest import Folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def write_table(folder: Path, text: str, name: str = "table.csv") -> str:
    for number in range(6):
        touch(folder, f"{number}.png")
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_class_folders_are_sorted_and_numbered(tmp_path: Path) -> None:
    touch(tmp_path, "10/a.png", "2/b.JPG", "2/deep/c.tiff", "2/notes.txt", ".hidden/d.png", "2/.e.png", "loose.png")
    manifest = scan(DataConfig(path=str(tmp_path)))
    assert manifest.class_names == ("2", "10")
    assert manifest.rows["path"].to_list() == ["10/a.png", "2/b.JPG", "2/deep/c.tiff"]
    assert manifest.rows["label"].to_list() == [1, 0, 0]
    assert manifest.rows["row"].to_list() == [0, 1, 2]
    assert {finding.code: finding.paths for finding in manifest.findings} == {
        "ignored-files": ("2/notes.txt",),
        "loose-images": ("loose.png",),
    }
    assert manifest.findings[0].message.startswith("1 files in the class folders have no image ending")


def test_schema_is_the_same_for_every_form(tmp_path: Path) -> None:
    touch(tmp_path / "folders", "a/1.png", "b/2.png")
    table = write_table(tmp_path / "table", "path,label\n0.png,a\n1.png,b\n")
    expected = {
        "row": pl.Int64,
        "path": pl.String,
        "label": pl.Int64,
        "group": pl.String,
        "source": pl.String,
        "part": pl.String,
        "exam": pl.String,
        "time": pl.Int64,
        "frame": pl.Int64,
    }
    for path in (str(tmp_path / "folders"), table, "digits"):
        assert dict(scan(DataConfig(path=path)).rows.schema) == expected
    multi = scan(DataConfig(path=table, label_separator="|"))
    assert multi.rows.schema["label"] == pl.List(pl.Int64)


def test_official_parts_above_the_classes(tmp_path: Path) -> None:
    touch(tmp_path, "Train/a/1.png", "val/b/2.png", "test/a/3.png")
    manifest = scan(DataConfig(path=str(tmp_path)))
    assert manifest.class_names == ("a", "b")
    assert dict(zip(manifest.rows["path"], manifest.rows["part"], strict=True)) == {
        "Train/a/1.png": "train",
        "val/b/2.png": "validation",
        "test/a/3.png": "test",
    }


def test_a_class_called_train_is_a_class_beside_others(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "car/2.png")
    manifest = scan(DataConfig(path=str(tmp_path)))
    assert manifest.class_names == ("car", "train")
    assert manifest.rows["part"].null_count() == 2


def test_groups_from_paths_are_hashed_with_the_users_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/p1_x.png", "a/p1_y.png", "b/p2_z.png", "b/other.png")
    data = DataConfig(path=str(tmp_path), group_pattern=r"(p\d+)_")
    manifest = scan(data)
    groups = dict(zip(manifest.rows["path"], manifest.rows["group"], strict=True))
    assert groups["a/p1_x.png"] == groups["a/p1_y.png"] != groups["b/p2_z.png"]
    assert groups["b/other.png"] is None
    assert not any("p1" in str(group) for group in groups.values())
    assert [finding.code for finding in manifest.findings] == ["group-missing"]
    assert scan(data).rows.equals(manifest.rows)
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "other user"))
    assert scan(data).rows["group"][0] != manifest.rows["group"][0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_key_is_readable_by_the_user_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "config"))
    touch(tmp_path / "images", "a/p1.png")
    scan(DataConfig(path=str(tmp_path / "images"), group_pattern=r"(p\d)"))
    key = tmp_path / "config" / "group.key"
    assert len(key.read_bytes()) == 32
    assert key.stat().st_mode & 0o777 == 0o600


def test_table_with_every_column(tmp_path: Path) -> None:
    text = (
        "file,finding,patient,hospital,set\n1.png, sick ,P7,north,TRAIN\n0.png,well,P7,south,valid\n2.png,sick,,,test\n"
    )
    manifest = scan(
        DataConfig(
            path=write_table(tmp_path, text),
            path_column="file",
            label_column="finding",
            group="patient",
            source="hospital",
            part_column="set",
        )
    )
    rows = manifest.rows
    assert rows["path"].to_list() == ["0.png", "1.png", "2.png"]
    assert [manifest.class_names[label] for label in rows["label"]] == ["well", "sick", "sick"]
    assert rows["group"][0] == rows["group"][1] != "P7"
    assert rows["source"].to_list() == ["south", "north", None]
    assert rows["part"].to_list() == ["validation", "train", "test"]
    assert [finding.code for finding in manifest.findings] == ["group-missing"]


@pytest.mark.parametrize("form", ["csv", "semicolons", "tsv", "parquet"])
def test_tables_of_every_form_are_equal(tmp_path: Path, form: str) -> None:
    frame = pl.DataFrame({"path": ["1.png", "0.png", "2.png"], "label": [3, 12, 3], "group": [1, 1, 2]})
    path = Path(write_table(tmp_path, ""))
    if form == "parquet":
        frame.write_parquet(path := path.with_suffix(".parquet"))
    elif form == "tsv":
        frame.write_csv(path := path.with_suffix(".tsv"), separator="\t")
    else:
        frame.write_csv(path, separator=";" if form == "semicolons" else ",", include_bom=True)
    manifest = scan(DataConfig(path=str(path), group="group"))
    assert manifest.class_names == ("3", "12")
    assert manifest.rows["label"].to_list() == [1, 0, 0]
    assert manifest.rows["group"].n_unique() == 2


def test_several_labels_in_a_cell(tmp_path: Path) -> None:
    text = "path,label\n0.png,b | a\n1.png,\n2.png,b\n"
    manifest = scan(DataConfig(path=write_table(tmp_path, text), label_separator="|"))
    assert manifest.task == "multi_label"
    assert manifest.class_names == ("a", "b")
    assert manifest.rows["label"].to_list() == [[1, 1], [0, 0], [0, 1]]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000))
def test_row_order_of_a_table_does_not_matter(tmp_path: Path, seed: int) -> None:
    lines = [f"{number}.png,{'ab'[number % 2]},P{number % 3}" for number in range(6)]
    first = scan(DataConfig(path=write_table(tmp_path, "\n".join(["path,label,g", *lines])), group="g"))
    random.Random(seed).shuffle(lines)
    second = scan(DataConfig(path=write_table(tmp_path, "\n".join(["path,label,g", *lines])), group="g"))
    assert first.rows.equals(second.rows)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.text("aé1 ", min_size=1, max_size=5).map(str.strip).filter(bool), min_size=1, max_size=6))
def test_folders_any_names_sorted_complete(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    root = tmp_path_factory.mktemp("names")
    for (number, name), form in zip(enumerate(sorted(names)), itertools.cycle(("NFC", "NFD")), strict=False):
        touch(root, unicodedata.normalize(form, f"{name}/{number}é.png"))
    manifest = scan(DataConfig(path=str(root)))
    paths = manifest.rows["path"].to_list()
    assert paths == sorted(paths)
    assert len(paths) == len(names)
    assert all(unicodedata.is_normalized("NFC", path) for path in paths)
    assert all((root / manifest.names_on_disk.get(path, path)).is_file() for path in paths)
    assert set(manifest.class_names) == names


def write_npz(path: Path, shape: tuple[int, ...] = (28, 28), labels: int = 1) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("val", 4), ("test", 6)):
        arrays[f"{part}_images"] = random.integers(0, 256, (count, *shape), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count * labels) % (2 if labels > 1 else 3)).reshape(count, labels)
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(("shape", "dimensions"), [((28, 28), 2), ((28, 28, 3), 2), ((9, 9, 9), 3)])
def test_npz_of_every_shape(tmp_path: Path, shape: tuple[int, ...], dimensions: int) -> None:
    manifest = scan(DataConfig(path=write_npz(tmp_path / "x.npz", shape)))
    assert (manifest.kind, manifest.dimensions, manifest.task) == ("npz", dimensions, "single_label")
    assert manifest.rows["path"].to_list()[:2] == ["train/0", "train/1"]
    assert manifest.rows["part"].value_counts(sort=True)["count"].to_list() == [12, 6, 4]
    assert manifest.class_names == ("0", "1", "2")


def test_npz_with_several_labels_and_names_beside_it(tmp_path: Path) -> None:
    write_npz(tmp_path / "x.npz", labels=5)
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    manifest = scan(DataConfig(path=str(tmp_path)))
    assert (manifest.task, manifest.class_names) == ("multi_label", ("a", "b", "c", "d", "e"))
    assert manifest.rows["label"][0].to_list() == [0, 1, 0, 1, 0]
    (tmp_path / "classes.txt").write_text("a\nb\n")
    manifest = scan(DataConfig(path=str(tmp_path)))
    assert manifest.class_names == ("0", "1", "2", "3", "4")
    assert manifest.findings[0].message.startswith("classes.txt names 2 classes, the labels have 5")


def test_a_pickle_in_an_npz_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, train_images=np.zeros((2, 9, 9), np.uint8), train_labels=np.array([[1], [{}]], dtype=object))
    with pytest.raises(DataError, match=r"x\.npz cannot be read as \.npz: .*allow_pickle=False"):
        scan(DataConfig(path=str(path)))


def test_digits() -> None:
    manifest = scan(DataConfig(path="digits"))
    assert (len(manifest.rows), manifest.kind, manifest.root) == (1797, "digits", None)
    assert manifest.class_names == tuple("0123456789")


NPZ_PROBLEMS = {
    "layout": ({"images": np.zeros(3)}, r"holds images\. Expected train_images, train_labels"),
    "type": (
        {"train_images": np.zeros((2, 9, 9)), "train_labels": np.zeros((2, 1))},
        "holds float64 in C order, expected",
    ),
    "shape": ({"train_images": np.zeros((2, 9), np.uint8), "train_labels": np.zeros((2, 1))}, r"has shape \(2, 9\)"),
    "nan": (
        {"train_images": np.zeros((2, 9, 9), np.uint8), "train_labels": np.array([[0], [np.nan]])},
        r"1 labels of train_labels are NaN or no whole numbers \(the first in row 1\)",
    ),
    "count": (
        {"train_images": np.zeros((2, 9, 9), np.uint8), "train_labels": np.zeros((3, 1))},
        r"train_labels has shape \(3, 1\), expected \[2 1\]",
    ),
}


@pytest.mark.parametrize("problem", NPZ_PROBLEMS)
def test_npz_problems(tmp_path: Path, problem: str) -> None:
    arrays, message = NPZ_PROBLEMS[problem]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=message):
        scan(DataConfig(path=str(tmp_path / "x.npz")))


TABLE_PROBLEMS = {
    "label column": (
        "path,labels\n0.png,a\n",
        {},
        r"no column 'label' \(data\.label_column\)\. Its columns: path, labels\. Did you mean 'labels'\?",
    ),
    "path column": ("file,label\n0.png,a\n", {}, r"no column 'path' \(data\.path_column\)"),
    "group column": ("path,label\n0.png,a\n", {"group": "patient"}, r"no column 'patient' \(data\.group\)"),
    "part column": ("path,label\n0.png,a\n", {"split": SplitConfig(official=True)}, r"no column 'official_split'"),
    "empty label": (
        "path,label\n0.png,a\n1.png,\n2.png,nan\n",
        {},
        r"2 of 3 labels in 'label' are empty or placeholders \('nan'\) \(lines 3, 4\)",
    ),
    "nan among labels": (
        "path,label\n0.png,a|nan\n",
        {"label_separator": "|"},
        r"1 labels are placeholders, 'nan' \(line 2\)",
    ),
    "no label at all": ("path,label\n0.png,\n", {"label_separator": "|"}, "no image has a label"),
    "empty path": ("path,label\n,a\n", {}, r"1 cells of 'path' are empty \(line 2\)"),
    "missing file": (
        "path,label\n0.png,a\n9.png,a\n",
        {},
        r"1 of 2 files are not there \(line 3; the first is '9\.png'\)",
    ),
    "twice": (
        "path,label\n0.png,a\n1.png,a\n./0.png,b\n",
        {},
        r"1 paths stand in it more than once with different labels \(lines 2, 4\)",
    ),
    "above": (
        "path,label\n../0.png,a\n",
        {},
        r"1 paths leave the table's folder \(line 2; the first is '\.\./0\.png'\)",
    ),
    "absolute": ("path,label\n/etc/hosts,a\n", {}, "leave the table's folder"),
    "drive": ("path,label\nC:\\x.png,a\n", {}, "leave the table's folder"),
    "strange part": (
        "path,label,official_split\n0.png,a,trial\n",
        {},
        r"1 cells of 'official_split' name no part \(line 2",
    ),
    "no rows": ("path,label\n", {}, "has a header but no rows"),
    "empty": ("", {}, "is empty. Expected a header"),
    "pattern": ("path,label\n0.png,a\n", {"group_pattern": "(x"}, r"is no regular expression"),
    "pattern groups": (
        "path,label\n0.png,a\n",
        {"group_pattern": "x"},
        "has 0 groups in parentheses, expected exactly one",
    ),
    "pattern nowhere": ("path,label\n0.png,a\n", {"group_pattern": "(x)"}, "matches none of the 1 paths"),
}


@pytest.mark.parametrize("problem", TABLE_PROBLEMS)
def test_table_problems(tmp_path: Path, problem: str) -> None:
    text, options, message = TABLE_PROBLEMS[problem]
    with pytest.raises(DataError, match=message):
        scan(DataConfig(path=write_table(tmp_path, text), **options))


def test_paths_outside_are_allowed_on_request(tmp_path: Path) -> None:
    touch(tmp_path, "far.png", "other/far.png")
    inside = tmp_path / "in" / "1.png"
    text = f"path,label\n../far.png,a\n{tmp_path}/other/far.png,b\n{inside},b\n"
    manifest = scan(DataConfig(path=write_table(tmp_path / "in", text), allow_paths_outside=True))
    assert manifest.rows["path"].to_list() == sorted(["../far.png", f"{tmp_path.as_posix()}/other/far.png", "1.png"])


def test_path_problems(tmp_path: Path, class_folders: Folder) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "loose", "1.png", "2.png")
    touch(tmp_path / "scans", "a/1.dcm", "a/2.dcm", "table.csv")
    touch(tmp_path, "x.zip")
    for name, message in {
        "nowhere": "There is no .*nowhere. Expected class folders, a .csv",
        "empty": "empty is empty. Expected one folder for each class",
        "loose": "holds 2 images but no class folders above them",
        "scans": r"holds no images \(2 \.dcm, 1 \.csv\).*Name its table: .*table\.csv",
        "x.zip": r"x\.zip is a \.zip file",
    }.items():
        with pytest.raises(DataError, match=message):
            scan(DataConfig(path=str(tmp_path / name)))
    with pytest.raises(DataError, match=r"data\.group cannot be used with class folders.*group_pattern"):
        scan(DataConfig(path=str(class_folders({"a": 1, "b": 1})), group="patient"))


SHARED = {
    "symbols": ({"path": "symbols"}, 8171, {"0": 578, "9": 608, "add": 635, "sub": 637}),
    "symbols16": ({"path": "symbols16"}, 24_000, {"0": 1500, "plus": 1500, "y": 1500}),
    "cxr3": (
        {"path": "cxr/cxr3.csv", "group": "patient_id", "source": "source"},
        6051,
        {"normal": 1571, "pneumonia": 4237, "covid19": 243},
    ),
    "kermany3": (
        {"path": "cxr/kermany3.csv", "group": "patient_id"},
        5808,
        {"normal": 1571, "bacteria": 2752, "virus": 1485},
    ),
    "adrenal3d": ({"path": "adrenal3d"}, 1584, {"0": 1234, "1": 350}),
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", SHARED)
def test_real_data(shared_data: Path, name: str) -> None:
    options, images, counts = SHARED[name]
    manifest = scan(DataConfig(**{**options, "path": str(shared_data / options["path"])}))
    found = dict(manifest.rows["label"].value_counts().iter_rows())
    assert len(manifest.rows) == images
    assert {key: found[manifest.class_names.index(key)] for key in counts} == counts
    if name == "cxr3":
        assert manifest.rows["group"].n_unique() == 4152
        assert manifest.rows["source"].n_unique() == 2
    if name == "kermany3":
        sizes = manifest.rows["group"].value_counts()["count"]
        assert (len(sizes), int((sizes > 1).sum())) == (4081, 721)
        assert set(manifest.rows["part"]) == {"train", "test"}


@pytest.mark.shared_data
def test_real_multi_label_data(shared_data: Path) -> None:
    path = str(shared_data / "nih1000" / "nih1000.csv")
    with pytest.raises(DataError, match=r"Did you mean 'labels'\?"):
        scan(DataConfig(path=path))
    manifest = scan(DataConfig(path=path, label_column="labels", label_separator="|", group="patient_id"))
    labels = np.array(manifest.rows["label"].to_list())
    assert labels.shape == (1000, 14)
    assert ((labels.sum(axis=1) == 0).sum(), (labels.sum(axis=1) >= 2).sum()) == (499, 213)
    assert manifest.rows["group"].n_unique() == 264
