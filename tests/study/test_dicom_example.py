"""A DICOM study from the tree to the report; nothing that identifies a person leaves the input."""

import importlib.util
import os
import shutil
from pathlib import Path
from types import ModuleType

import polars as pl
import pydicom
import pytest

from lossassay import api

STUDIES = Path(__file__).resolve().parents[2] / "studies"
LOCAL = {"audit.json", "study.toml"}  # name the user's files and folders, and say so in ARCHITECTURE.md
IDENTIFYING = (
    *("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "AccessionNumber", "StudyID"),
    *("InstitutionName", "ReferringPhysicianName", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
)


def example() -> ModuleType:
    """The module that writes the tree."""
    spec = importlib.util.spec_from_file_location("dicom_example", STUDIES / "dicom_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def secrets_of(tree: Path) -> set[bytes]:
    """Every identifying value of every file, and the names of the files."""
    found = set()
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix != ".csv":
            data_set = pydicom.dcmread(path, stop_before_pixels=True)
            found |= {str(data_set[keyword].value).encode() for keyword in IDENTIFYING}
            found |= {path.name.encode(), path.parent.name.encode()}
    return found


def content(path: Path) -> bytes:
    """What a file says: parquet is compressed, so its values are looked at as well as its bytes."""
    plain = path.read_bytes()
    return plain + str(pl.read_parquet(path).to_dicts()).encode() if path.suffix == ".parquet" else plain


def test_secrets_are_found_where_they_are(tmp_path: Path) -> None:
    """The search itself can find: without this, the test below could pass for no reason."""
    example().write_tree(tmp_path / "tree")
    secrets = secrets_of(tmp_path / "tree")
    assert len(secrets) > 600
    assert {b"MRN48151600", b"Example^Person001", b"19500217", b"ACC7700059"} <= secrets
    pl.DataFrame({"x": ["patient MRN48151600"] * 3}).write_parquet(tmp_path / "x.parquet")
    assert b"MRN48151600" in content(tmp_path / "x.parquet")


@pytest.mark.slow
def test_from_the_tree_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, out = tmp_path / "cache", tmp_path / "out"
    monkeypatch.setenv("LOSSASSAY_CACHE", str(cache))
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "key"))
    shutil.copy(STUDIES / "dicom_example.toml", tmp_path)
    module = example()
    module.write_tree(tmp_path / "dicom_example")
    for path in (tmp_path / "dicom_example").rglob("*"):
        if path.is_file():  # as if written an hour ago, so that the cache remembers it
            os.utime(path, (path.stat().st_atime - 3_600, path.stat().st_mtime - 3_600))
    api.run(tmp_path / "dicom_example.toml", out)
    rows = pl.read_parquet(out / "rows.parquet")
    assert len(rows) == 2 * module.PATIENTS + module.FRAMES
    assert rows["group"].n_unique() == module.PATIENTS
    assert rows["source"].unique().sort().to_list() == ["First Scanners", "Second Scanners"]
    assert (out / "report.html").is_file()
    secrets = secrets_of(tmp_path / "dicom_example")
    looked_at = [path for folder in (out, cache) for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in looked_at} >= {"rows.parquet", "report.html", "images.npy", "file_facts.parquet"}
    assert any(path.parent.name == "files" for path in looked_at), "the digests that the cache remembers"
    leaks = [
        (path.name, secret)
        for path in looked_at
        if path.name not in LOCAL
        for text in [content(path)]
        for secret in secrets
        if secret in text
    ]
    assert leaks == []


def test_audit_and_new_recognise_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lossassay.study.proposing.look import look

    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "key"))
    module = example()
    module.write_tree(tmp_path / "tree")
    data = look(tmp_path / "tree").data
    labels = str((tmp_path / "tree" / "labels.csv").resolve())
    assert data["dicom"] == {"labels": labels, "join": "PatientID", "join_column": "PatientID"}
    assert (data["label_column"], data["source"], data["channels"]) == ("label", "Manufacturer", 1)
    found = api.audit(tmp_path / "tree")
    assert found.facts["images"] == 2 * module.PATIENTS + module.FRAMES
    assert "dicom-left-out" in {one.code for one in found.findings}
    written = api.new(tmp_path / "tree", tmp_path / "study.toml")
    assert 'join = "PatientID"' in written.read_text(encoding="utf-8")
    assert api.load_study(written).data.dicom.labels == labels
