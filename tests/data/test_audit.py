"""What is wrong with the data is found, and what is right is left alone."""

import shutil
from pathlib import Path

import pytest

from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.audit import audit
from lossassay.data.cache import open_cache
from lossassay.data.scan import scan
from lossassay.study.auditing.audit import audit_data
from tests.data.conftest import Folder
from tests.data.test_split import make


def codes(path: Path, **changes: str) -> dict[str, tuple[str, ...]]:
    cache = open_cache(DataConfig(path=str(path), image_size=40, **changes))
    return {finding.code: finding.paths for finding in audit_data(cache, SplitConfig()).findings}


def test_clean_data_have_only_the_note_on_groups(class_folders: Folder) -> None:
    assert set(codes(class_folders({"a": 60, "b": 60}))) == {"no-groups"}


def test_duplicates_within_and_across_classes(class_folders: Folder) -> None:
    folder = class_folders({"a": 60, "b": 60})
    shutil.copy(folder / "a" / "0.png", folder / "a" / "copy.png")
    shutil.copy(folder / "a" / "1.png", folder / "b" / "copy.png")
    found = codes(folder)
    assert found["exact-duplicate"] == ("a/0.png", "a/copy.png")
    assert found["duplicate-across-classes"] == ("a/1.png", "b/copy.png")


def test_duplicates_within_one_group_are_safe(class_folders: Folder) -> None:
    folder = class_folders({"a": 60, "b": 60})
    shutil.copy(folder / "a" / "0.png", folder / "a" / "0 copy.png")
    assert "exact-duplicate" not in codes(folder, group_pattern=r"/(\d+)")


def test_groups_in_two_official_parts() -> None:
    manifest = make([0, 1] * 20, [f"g{i // 4}" for i in range(40)], ["train"] * 34 + ["test"] * 6)
    finding = next(f for f in audit(manifest) if f.code == "group-overlap")
    assert (finding.severity, finding.rows) == ("issue", (32, 33, 34, 35))
    assert finding.message == "1 of 10 groups, with 4 images, are in more than one official part."


def test_tiny_classes_against_the_split() -> None:
    manifest = make([0] * 200 + [1] * 30)
    finding = next(f for f in audit(manifest, SplitConfig(test=0.2)) if f.code == "tiny-class")
    assert "class 1 30 (6)" in finding.message
    assert "class 0" not in finding.message
    assert not any(f.code == "tiny-class" for f in audit(manifest, SplitConfig(test=0.4)))
    official = make([0] * 200 + [1] * 30, None, ["train"] * 180 + ["test"] * 50)
    assert not any(f.code == "tiny-class" for f in audit(official, SplitConfig(official=True)))


def test_labels_of_too_few_patients() -> None:
    manifest = make([[1, 0]] * 2 + [[0, 1]] * 90)
    finding = next(f for f in audit(manifest) if f.code == "rare-label")
    assert finding.message.endswith("which cannot be in every part: class 0 2.")


def test_messages_hold_no_file_names(class_folders: Folder) -> None:
    folder = class_folders({"patient-77": 4, "b": 4})
    shutil.copy(folder / "b" / "0.png", folder / "b" / "patient-78.png")
    (folder / "b" / "patient-79.png").write_bytes(b"")
    cache = open_cache(DataConfig(path=str(folder), image_size=40))
    said = [f.message + f.advice for f in audit_data(cache, SplitConfig()).findings if f.code != "tiny-class"]
    assert said
    assert not any("patient-7" in text for text in said)


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_data(shared_data: Path) -> None:
    symbols = open_cache(DataConfig(path=str(shared_data / "symbols16"), image_size=32))
    duplicates = next(
        f for f in audit_data(symbols, SplitConfig(official=True)).findings if f.code == "exact-duplicate"
    )
    assert duplicates.message.startswith("2 images in 1 set have the same pixels")
    manifest = scan(
        DataConfig(
            path=str(shared_data / "nih1000" / "nih1000.csv"),
            label_column="labels",
            label_separator="|",
            group="patient_id",
        )
    )
    assert "Hernia 2" in next(f.message for f in audit(manifest) if f.code == "rare-label")
