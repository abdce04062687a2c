"""Volumes of .npz files as they are, and slice by slice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossassay.config.schema import DataConfig, VolumeConfig
from lossassay.data import volumes
from lossassay.data.cache import open_cache
from lossassay.data.scan import scan
from lossassay.errors import DataError


def write(path: Path, shape: tuple[int, ...] = (12, 40, 32), *, count: int = 6, dtype: type = np.uint8) -> Path:
    random = np.random.default_rng(0)
    parts = {}
    for part in ("train", "val", "test"):
        images = random.integers(0, np.iinfo(dtype).max, (count, *shape)).astype(dtype)
        parts |= {f"{part}_images": images, f"{part}_labels": np.arange(count)[:, None] % 2}
    np.savez(path, **parts)
    return path


def config(path: Path, *, channels: Any = 1, **volume: Any) -> DataConfig:
    return DataConfig(path=str(path), image_size=32, channels=channels, volume=VolumeConfig(**volume))


def test_slices_are_rows_of_one_exam(tmp_path: Path) -> None:
    manifest = scan(config(write(tmp_path / "a.npz"), form="slices"))
    assert (manifest.kind, manifest.dimensions) == ("npz", 2)
    rows = manifest.rows
    assert len(rows) == 18 * 12
    assert rows["path"].to_list()[12:14] == ["train/1#0", "train/1#1"]
    assert rows["part"].to_list()[::72] == ["train", "validation", "test"]
    assert rows["exam"].n_unique() == rows["group"].n_unique() == 18
    assert rows["label"].to_list()[:24] == [0] * 12 + [1] * 12


@pytest.mark.parametrize(("axis", "place"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_are_those_of_the_stored_slices(tmp_path: Path, axis: str, place: int, dtype: type) -> None:
    path = write(tmp_path / "a.npz", (32, 32, 32), dtype=dtype)
    cache = open_cache(config(path, form="slices", axis=axis, slices=4))
    assert cache.images.dtype == dtype
    stored = np.load(path)["val_images"]
    for frame, position in enumerate((4, 12, 20, 28)):
        row = cache.manifest.rows["path"].to_list().index(f"val/2#{frame}")
        np.testing.assert_array_equal(cache.images[row][..., 0], stored[2].take(position, axis=place))


def test_three_slices_as_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", (32, 32, 32))
    cache = open_cache(config(path, channels=3, form="channels"))
    assert cache.images.shape == (18, 32, 32, 3)
    np.testing.assert_array_equal(cache.images[0], np.moveaxis(np.load(path)["train_images"][0, 15:18], 0, -1))
    assert cache.manifest.rows["exam"].null_count() == 18


def test_whole_volumes_are_as_before(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", (32, 32, 32))
    cache = open_cache(config(path))
    np.testing.assert_array_equal(cache.images[0][..., 0], np.load(path)["train_images"][0])
    assert cache.manifest.rows["frame"].null_count() == 18


def test_blank_slices_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", (32, 32, 32))
    stored = dict(np.load(path))
    stored["train_images"][:, :5] = 0
    np.savez(path, **stored)
    cache = open_cache(config(path, form="slices"))
    assert len(cache.images) == len(cache.manifest.rows) == 18 * 32 - 30
    assert cache.manifest.rows["path"].to_list()[0] == "train/0#5"
    np.testing.assert_array_equal(cache.images[0][..., 0], stored["train_images"][0, 5])
    assert "blank-slices" in {finding.code for finding in cache.manifest.findings}
    again = open_cache(config(path, form="slices"))
    assert again.manifest.rows.equals(cache.manifest.rows)
    assert again.digest == cache.digest


def test_nothing_but_blank_slices(tmp_path: Path) -> None:
    blank = {f"{part}_images": np.zeros((2, 8, 8, 8), np.uint8) for part in ("train", "test")}
    np.savez(tmp_path / "a.npz", **blank, train_labels=[0, 1], test_labels=[0, 1])
    with pytest.raises(DataError, match=r"Every slice of .* has one value only"):
        open_cache(config(tmp_path / "a.npz", form="slices"))


def test_one_block_is_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.npz", (32, 32, 32))
    whole = np.array(open_cache(config(path, form="slices", slices=3), cache_folder=tmp_path / "one").images)
    blocks = []
    original = volumes.image_blocks

    def small(path: Path, member: Any, block_bytes: int) -> Any:
        for block in original(path, member, 2 * 32**3):
            blocks.append(len(block))
            yield block

    monkeypatch.setattr(volumes, "image_blocks", small)
    by_block = open_cache(config(path, form="slices", slices=3), cache_folder=tmp_path / "two").images
    np.testing.assert_array_equal(by_block, whole)
    assert max(blocks) == 2


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"window": (0.0, 10.0)}, "data.volume.window cannot be used with an .npz file"),
        ({"form": "slices", "spacing_mm": 1.0, "crop": "foreground"}, "spacing_mm and data.volume.crop cannot be used"),
        ({"axis": "coronal"}, "data.volume.axis cannot be used with whole volumes of an .npz file"),
        ({"slices": 3}, 'the form "volume" takes whole volumes'),
        ({"form": "channels"}, "set data.channels = 3"),
    ],
)
def test_settings_that_arrays_cannot_follow(tmp_path: Path, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        scan(config(write(tmp_path / "a.npz"), **volume))


def test_colours_cannot_be_channels_of_slices(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its volumes have 3 channels"):
        scan(config(write(tmp_path / "a.npz", (8, 8, 8, 3)), channels=3, form="channels"))


def test_adrenal_glands_by_slice(shared_data: Path) -> None:
    path = shared_data / "adrenal3d" / "adrenalmnist3d_64.npz"
    manifest = scan(config(path, form="slices", slices=8))
    assert len(manifest.rows) == (1188 + 98 + 298) * 8
    assert scan(config(path)).dimensions == 3
