"""What the cache remembers of files: their digests, and nothing of their names."""

from pathlib import Path

import polars as pl
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data import entries
from lossassay.data.cache import open_cache
from lossassay.data.known_files import recall, remember, take_stamps
from tests.data.conftest import Folder, settle


def test_names_are_remembered_as_keyed_hashes(class_folders: Folder) -> None:
    folder = class_folders({"KIM": 3, "LEE": 3})
    open_cache(DataConfig(path=str(folder), image_size=32))
    remembered = list((entries.cache_root() / "files").glob("*.parquet"))
    assert len(remembered) == 1
    frame = pl.read_parquet(remembered[0])
    assert (len(frame), frame["path"].n_unique()) == (6, 6)
    assert frame["path"].str.len_chars().unique().to_list() == [24]
    assert not any(name in str(frame.to_dicts()) for name in ("KIM", "LEE", ".png"))


def test_with_another_key_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"x")
    settle(path)
    remember(tmp_path / "root", tmp_path, take_stamps(["x.bin"], [str(path)]), ["digest"])
    assert recall(tmp_path / "root", tmp_path, take_stamps(["x.bin"], [str(path)])) == ["digest"]
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "other"))
    assert recall(tmp_path / "root", tmp_path, take_stamps(["x.bin"], [str(path)])) == [None]


def test_without_a_place_for_a_key_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"x")
    settle(path)
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(path / "no folder"))
    stamps = take_stamps(["x.bin"], [str(path)])
    remember(tmp_path / "root", tmp_path, stamps, ["digest"])
    assert recall(tmp_path / "root", tmp_path, stamps) == [None]
