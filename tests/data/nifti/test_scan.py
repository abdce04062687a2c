"""Folders and tables of NIfTI volumes to manifests and caches."""

import builtins
import gzip
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay.config.schema import DataConfig, VolumeConfig
from lossassay.data.cache import open_cache
from lossassay.data.scan import scan
from lossassay.data.split import split
from lossassay.errors import DataError
from tests.data.conftest import settle
from tests.data.nifti.conftest import Volume


def config(path: Path, **changes: Any) -> DataConfig:
    volume = VolumeConfig(**changes.pop("volume", {}))
    return DataConfig(path=str(path), image_size=32, volume=volume, **changes)


@pytest.fixture
def folders(volume: Volume, tmp_path: Path) -> Path:
    """Two classes of four volumes of 10 axial slices."""
    for number in range(8):
        settle(volume(f"set/{'정상' if number < 4 else 'ill'}/환자 {number}.nii.gz", seed=number))
    return tmp_path / "set"


def test_class_folders_of_volumes(folders: Path) -> None:
    manifest = scan(config(folders))
    assert (manifest.kind, manifest.dimensions, manifest.class_names) == ("nifti", 3, ("ill", "정상"))
    assert manifest.rows["path"].to_list()[0] == "ill/환자 4.nii.gz"
    assert manifest.rows["frame"].null_count() == manifest.rows["exam"].null_count() == 8
    cache = open_cache(config(folders))
    assert cache.images.shape == (8, 32, 32, 32, 1)
    assert cache.images.dtype == np.uint16


def test_official_parts_above_the_classes(volume: Volume, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in "ab":
            volume(f"set/{part}/{label}/1.nii")
    manifest = scan(config(tmp_path / "set"))
    assert manifest.rows["part"].to_list() == ["test", "test", "train", "train"]


def test_names_in_the_other_unicode_form(volume: Volume, tmp_path: Path) -> None:
    for label in "ab":
        volume(f"set/{label}/{unicodedata.normalize('NFD', '환자')}.nii")
    cache = open_cache(config(tmp_path / "set", volume={"form": "slices", "slices": 2}))
    assert cache.manifest.rows["path"].to_list() == [f"{x}/환자.nii#{k}" for x in "ab" for k in range(2)]
    assert len(cache.images) == 4


def test_every_slice_is_a_row_and_a_volume_is_exam_and_group(folders: Path) -> None:
    data = config(folders, volume={"form": "slices"})
    cache = open_cache(data)
    rows = cache.manifest.rows
    assert cache.images.shape == (80, 32, 32, 1)
    assert rows["path"].to_list()[:2] == ["ill/환자 4.nii.gz#0", "ill/환자 4.nii.gz#1"]
    assert rows["frame"].to_list() == list(range(10)) * 8
    assert rows["row"].to_list() == list(range(80))
    assert rows["exam"].n_unique() == rows["group"].n_unique() == 8
    assert "환자" not in "".join(rows["exam"].to_list() + rows["group"].to_list())
    assert [finding.code for finding in cache.manifest.findings] == ["no-groups"]
    parts = split(cache.manifest, data.split, seed=1)
    assert all(len(set(rows["frame"][part].to_list())) == 10 for part in (parts.train, parts.validation, parts.test))


@pytest.mark.parametrize(("axis", "depth"), [("axial", 10), ("coronal", 14), ("sagittal", 12)])
def test_the_axis_says_how_many_slices_there_are(folders: Path, axis: str, depth: int) -> None:
    manifest = scan(config(folders, volume={"form": "slices", "axis": axis}))
    assert len(manifest.rows) == 8 * depth
    assert len(scan(config(folders, volume={"form": "slices", "axis": axis, "slices": 5})).rows) == 40
    assert len(scan(config(folders, volume={"form": "slices", "axis": axis, "slices": 99})).rows) == 8 * depth


def test_three_slices_as_channels(folders: Path) -> None:
    cache = open_cache(config(folders, channels=3, volume={"form": "channels"}))
    assert cache.images.shape == (8, 32, 32, 3)
    assert cache.manifest.rows["exam"].null_count() == cache.manifest.rows["group"].null_count() == 8
    several = open_cache(config(folders, channels=3, volume={"form": "channels", "slices": 3}))
    assert len(several.images) == 24
    assert several.manifest.rows["exam"].n_unique() == 8
    np.testing.assert_array_equal(several.images[1], cache.images[0])  # the middle one of three is the middle


def test_group_pattern_keeps_patients_together(folders: Path) -> None:
    data = config(folders, group_pattern=r"환자 (\d)", volume={"form": "slices", "slices": 2})
    assert [finding.code for finding in scan(data).findings] == []
    assert scan(data).rows["group"].n_unique() == 8


def test_a_table_of_volumes(folders: Path) -> None:
    lines = ["path,label,patient,site"]
    for number in range(8):
        name = f"{'정상' if number < 4 else 'ill'}/환자 {number}.nii.gz"
        lines.append(f"{name},{'정상' if number < 4 else 'ill'},p{number // 2},s{number % 2}")
    table = folders / "table.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    manifest = scan(config(table, group="patient", source="site", volume={"form": "slices", "slices": 3}))
    assert len(manifest.rows) == 24
    assert manifest.rows["group"].n_unique() == 4
    assert manifest.rows["exam"].n_unique() == 8
    assert set(manifest.rows["source"]) == {"s0", "s1"}


def test_workers_and_key_change_nothing(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = config(folders, volume={"form": "slices", "slices": 4})
    one = open_cache(data, cache_folder=tmp_path / "one", workers=0)
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "other key"))
    two = open_cache(data, cache_folder=tmp_path / "two", workers=2)
    assert one.manifest.rows["exam"].to_list() != two.manifest.rows["exam"].to_list()
    assert one.digest == two.digest
    np.testing.assert_array_equal(one.images, two.images)


def test_a_second_start_reads_no_volume(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_cache(config(folders))

    def forbidden(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("lossassay.data.cache.decode_files", forbidden)
    monkeypatch.setattr("lossassay.data.cache._digest_of_file", forbidden)
    assert open_cache(config(folders)).digest == first.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"spacing_mm": 2.0},
        {"clip": (1.0, 99.0)},
        {"window": (40.0, 400.0)},
        {"crop": "foreground"},
        {"axis": "coronal"},
    ],
)
def test_other_steps_are_another_entry(folders: Path, changes: dict[str, Any]) -> None:
    assert open_cache(config(folders)).digest != open_cache(config(folders, volume=changes)).digest


@pytest.mark.parametrize("form", ["volume", "slices"])
def test_one_corrupt_file_is_a_finding(folders: Path, volume: Volume, form: str) -> None:
    volume("set/ill/four.nii", (4, 4, 4, 3))
    broken = volume("set/ill/broken.nii.gz")
    broken.write_bytes(broken.read_bytes()[:-50])
    text = folders / "ill" / "text.nii"
    text.write_text("no volume")
    cache = open_cache(config(folders, volume={"form": form}))
    assert len(cache.images) == (8 if form == "volume" else 80)
    found = {finding.message: finding for finding in cache.manifest.findings if finding.code == "unreadable-image"}
    assert len(found) == 3
    assert all(finding.severity == "issue" for finding in found.values())
    texts = " ".join(found)
    assert "4-D data with 3 volumes; expected one" in texts
    assert "no NIfTI header" in texts
    assert "truncated or damaged" in texts
    assert not any(name in texts for name in ("four", "broken", "환자"))
    paths = sorted({path.split("#")[0] for finding in found.values() for path in finding.paths})
    assert paths == ["ill/broken.nii.gz", "ill/four.nii", "ill/text.nii"]


def test_blank_slices_are_left_out_with_a_note(volume: Volume, tmp_path: Path) -> None:
    for label in "ab":
        body = np.zeros((12, 12, 10), np.int16)
        body[2:9, 2:9, 3:7] = np.random.default_rng(ord(label)).integers(1, 999, (7, 7, 4))
        volume(f"set/{label}/1.nii", body)
    cache = open_cache(config(tmp_path / "set", volume={"form": "slices"}))
    assert cache.manifest.rows["frame"].to_list() == [3, 4, 5, 6] * 2
    notes = {finding.code: finding for finding in cache.manifest.findings}
    assert notes["blank-slices"].message == "12 of 20 slices have one value everywhere and are left out."
    assert notes["blank-slices"].severity == "note"
    assert "unreadable-image" not in notes


def test_notes_of_readers_become_findings(folders: Path, volume: Volume) -> None:
    body = np.random.default_rng(0).normal(size=(8, 8, 8))
    body[0, 0, 0] = np.nan

    def lost(header: Any) -> None:
        header["sform_code"] = header["qform_code"] = 0

    volume("set/ill/x.nii", body, change=lost)
    for workers in (0, 2):
        cache = open_cache(config(folders, volume={"crop": "foreground" if workers else "none"}), workers=workers)
        notes = {finding.code: finding for finding in cache.manifest.findings}
        assert notes["not-finite"].message.startswith("1 of 9 images hold values that are no finite numbers")
        assert notes["no-orientation"].paths == ("ill/x.nii",)


def test_flat_images_among_volumes(folders: Path) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(folders / "ill" / "a.png")
    with pytest.raises(DataError, match="8 of 9 files are NIfTI volumes and the others are flat images"):
        scan(config(folders))


def test_without_nibabel(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "nibabel":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r'pip install "lossassay\[nifti\]"'):
        scan(config(folders))


def test_settings_that_do_not_fit(folders: Path) -> None:
    with pytest.raises(DataError, match=r"data.channels is 1; set data.channels = 3"):
        scan(config(folders, volume={"form": "channels"}))
    with pytest.raises(DataError, match=r"For volumes write data.volume.spacing_mm"):
        scan(config(folders, spacing_mm=1.0))
    with pytest.raises(DataError, match="works on flat images"):
        scan(config(folders, preprocess=("clahe",)))
    with pytest.raises(DataError, match="two rising percentiles"):
        scan(config(folders, volume={"clip": (99.0, 1.0)}))
    with pytest.raises(DataError, match="cannot be used here: these are flat images"):
        scan(DataConfig(path="digits", volume=VolumeConfig(form="slices")))


def test_a_bomb_among_volumes(folders: Path, volume: Volume) -> None:
    plain = volume("set/ill/plain.nii")
    with gzip.open(folders / "ill" / "bomb.nii.gz", "wb", compresslevel=1) as file:
        file.write(plain.read_bytes())
        for _ in range(64):
            file.write(bytes(2**20))
    cache = open_cache(config(folders))
    findings = [finding for finding in cache.manifest.findings if finding.code == "unreadable-image"]
    assert [finding.paths for finding in findings] == [("ill/bomb.nii.gz",)]


def test_all_unreadable(volume: Volume, tmp_path: Path) -> None:
    for label in "ab":
        volume(f"set/{label}/1.nii", (4, 4, 4, 3))
    with pytest.raises(DataError, match=r"No image below .* can be read. .*4-D data with 3 volumes"):
        open_cache(config(tmp_path / "set", volume={"form": "slices"}))


def test_facts_hold_no_name(folders: Path) -> None:
    from lossassay.data.cache import file_facts

    facts = file_facts(open_cache(config(folders)))
    assert set(facts["format"]) == {"NIfTI"}
    assert set(facts["bits"]) == {16}
    assert (facts["width_px"][0], facts["height_px"][0]) == (12, 14)
    assert "환자" not in facts.select(pl.col(pl.String)).write_csv()
