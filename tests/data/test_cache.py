"""Decoded once, whole or not at all, and found again without reading an image."""

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lossassay.config.schema import DataConfig
from lossassay.data import cache as cache_module
from lossassay.data import decoding, entries
from lossassay.data.cache import ImageCache, cache_entries, clear_cache, open_cache
from lossassay.data.volumes import fit_array
from lossassay.errors import DataError
from tests.data.conftest import Folder, settle
from tests.data.test_decode import options
from tests.data.test_scan import write_npz


def config(path: Path | str, **changes: Any) -> DataConfig:
    return DataConfig(**{"path": str(path), "image_size": 32} | changes)


def root() -> Path:
    return entries.cache_root()


def test_position_is_row_and_pixels_are_the_files(class_folders: Folder) -> None:
    folder = class_folders({"a": 5, "b": 7}, size=(32, 32))
    cache = open_cache(config(folder))
    assert (cache.images.shape, cache.images.dtype) == ((12, 32, 32, 1), np.uint8)
    for row, path in enumerate(cache.manifest.rows["path"]):
        assert np.array_equal(cache.images[row, ..., 0], np.asarray(Image.open(folder / path)))
    with pytest.raises(ValueError, match="read-only"):
        cache.images[0] = 0
    assert Path(str(cache.images.filename)) == cache.folder / "images.npy"


def test_a_second_start_reads_no_image(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = class_folders({"a": 4, "b": 4})
    first = open_cache(config(folder))
    for path in folder.glob("*/*.png"):  # other bytes, same size and time: whoever reads them sees other images
        found = path.stat()
        path.write_bytes(b"x" * found.st_size)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    monkeypatch.setattr(cache_module, "decode_files", None)
    second = open_cache(config(folder))
    assert np.array_equal(first.images, second.images)
    assert (first.digest, first.folder) == (second.digest, second.folder)


def test_a_changed_file_is_seen(class_folders: Folder) -> None:
    folder = class_folders({"a": 4, "b": 4})
    first = open_cache(config(folder))
    shutil.copy(folder / "a" / "0.png", folder / "b" / "0.png")
    second = open_cache(config(folder))
    assert first.digest != second.digest
    assert np.array_equal(second.images[4], first.images[0])


def test_a_touched_file_is_read_and_not_decoded_again(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = class_folders({"a": 4, "b": 4})
    first = open_cache(config(folder))
    (folder / "a" / "0.png").touch()
    monkeypatch.setattr(cache_module, "decode_files", None)
    assert open_cache(config(folder)).digest == first.digest


@pytest.mark.parametrize(
    "changes",
    [{"image_size": 33}, {"channels": 3}, {"resize": "crop"}, {"padding": 9}, {"background": 0}],
    ids=lambda changes: next(iter(changes)),
)
def test_other_options_are_another_entry(class_folders: Folder, changes: dict[str, Any]) -> None:
    folder = class_folders({"a": 1, "b": 1}, size=(40, 20))
    first, second = open_cache(config(folder)), open_cache(config(folder, **changes))
    assert first.digest != second.digest
    assert first.folder != second.folder


def test_digest_is_of_content_labels_and_partition_not_of_names_or_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        image = Image.fromarray(random.integers(0, 256, (32, 32), dtype=np.uint8))
        image.save(tmp_path / "here" / f"{number}.png")
        image.save(tmp_path / "there" / f"renamed {number}.png")

    def digest(folder: str, labels: str, groups: str) -> str:
        names = [f"{number}.png" if folder == "here" else f"renamed {number}.png" for number in range(4)]
        lines = [f"{name},{label},{group}" for name, label, group in zip(names, labels, groups, strict=True)]
        (tmp_path / folder / "t.csv").write_text("\n".join(["path,label,g", *lines]))
        return open_cache(config(tmp_path / folder / "t.csv", group="g")).digest

    first = digest("here", "abab", "1123")
    assert digest("there", "abab", "1123") == first
    assert digest("here", "abab", "xxyz") == first  # other identifiers, same partition
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "other user"))
    assert digest("here", "abab", "1123") == first  # other key
    assert digest("here", "abab", "1122") != first
    assert digest("here", "abba", "1123") != first
    assert digest("here", "acac", "1123") != first  # class names


@pytest.mark.parametrize("deep", [False, True])
def test_workers_change_no_pixel(class_folders: Folder, tmp_path: Path, deep: bool) -> None:
    folder = class_folders({"a": 40, "b": 50}, size=(50, 37))
    if deep:
        Image.fromarray(np.full((40, 40), 999, np.uint16)).save(folder / "b" / "7.png")
    (folder / "a" / "9.png").write_bytes(b"")
    here, there = (open_cache(config(folder), workers=n, cache_folder=tmp_path / str(n)) for n in (0, 2))
    assert np.array_equal(here.images, there.images)
    assert here.digest == there.digest
    assert here.manifest.findings == there.manifest.findings
    assert here.images.dtype == (np.uint16 if deep else np.uint8)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken=st.sets(st.integers(0, 11), max_size=11), deep=st.sets(st.integers(0, 11), max_size=3))
def test_unreadable_files_are_left_out_and_named(
    tmp_path_factory: pytest.TempPathFactory, broken: set[int], deep: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    grey = np.random.default_rng(0).integers(0, 256, (12, 32, 32), dtype=np.uint8)
    for number in range(12):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(grey[number].astype(np.uint16) * 257 if number in deep else grey[number]).save(path)
        if number in broken:
            path.write_bytes(path.read_bytes()[:60])
    for _ in range(2):  # decoded, then opened
        cache = open_cache(config(folder))
        left = [int(Path(path).stem) for path in cache.manifest.rows["path"]]
        assert sorted(left) == sorted(set(range(12)) - broken)
        assert cache.manifest.rows["row"].to_list() == list(range(len(left)))
        assert cache.images.dtype == (np.uint16 if deep - broken else np.uint8)
        scale = 257 if deep - broken else 1
        assert np.array_equal(cache.images[..., 0], grey[left].astype(int) * scale)
        named = {path for f in cache.manifest.findings if f.code == "unreadable-image" for path in f.paths}
        assert {int(Path(path).stem) for path in named} == broken


def test_findings_of_decoding(class_folders: Folder) -> None:
    folder = class_folders({"a": 3, "b": 3})
    (folder / "a" / "0.png").write_bytes(b"")
    (folder / "a" / "9.jpg").write_text("a letter")
    Image.new("RGB", (90, 50)).save(folder / "b" / "9.bmp")
    findings = {finding.message: finding for finding in open_cache(config(folder)).manifest.findings}
    assert set(findings) == {
        "1 of 8 image files are empty (0 bytes); they are left out.",
        "1 of 8 image files are no PNG, JPEG, BMP, TIFF or WebP images, whatever their names say; they are left out.",
        "Images are stored in 2 ways: 5 grey, 1 RGB. All of them become the same kind of array.",
        "Images have 2 sizes, with sides from 40 to 90 px.",
    }
    empty = findings["1 of 8 image files are empty (0 bytes); they are left out."]
    assert (empty.code, empty.severity, empty.paths) == ("unreadable-image", "issue", ("a/0.png",))


def test_no_image_readable(class_folders: Folder) -> None:
    folder = class_folders({"a": 2, "b": 1})
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"No image below .* can be read\. 3 of 3 image files are empty"):
        open_cache(config(folder))
    assert list(root().glob("*")) == [] or not list(root().glob("partial.*"))


def test_progress_counts_every_image_once(class_folders: Folder) -> None:
    calls: list[tuple[int, int]] = []
    folder = class_folders({"a": 20, "b": 20})
    open_cache(config(folder), on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (40, 40)
    assert calls == sorted(set(calls))
    calls.clear()
    open_cache(config(folder), on_progress=lambda done, total: calls.append((done, total)))
    assert calls == []


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (40, 30), (9, 9, 9)])
def test_npz_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_npz(tmp_path / "x.npz", shape)
    volume = len(shape) == 3 and shape[-1] != 3
    cache = open_cache(config(path))
    assert cache.images.shape == ((22, 32, 32, 32, 1) if volume else (22, 32, 32, 1))
    with np.load(path) as arrays:
        stored = np.concatenate([arrays[f"{part}_images"] for part in ("train", "val", "test")])
    first = stored[0] if shape[-1] == 3 else stored[0][..., None]
    assert np.array_equal(cache.images[0], fit_array(first, options()))
    again = open_cache(config(path))
    assert (again.digest, again.folder) == (cache.digest, cache.folder)


def test_npz_of_the_right_size_is_copied_and_others_agree_with_files(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (6, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", train_images=grey, train_labels=np.arange(6)[:, None] % 2)
    assert np.array_equal(open_cache(config(tmp_path / "x.npz")).images[..., 0], grey)
    smooth = np.add.outer(np.arange(90), np.arange(60)).astype(np.uint8)
    file = Image.fromarray(smooth)
    file.save(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text("path,label\n1.png,a\n")
    decoded = open_cache(config(tmp_path / "t.csv", padding=5)).images[0].astype(int)
    assert np.abs(fit_array(smooth[..., None], options(padding=5)) - decoded).max() <= 2


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_volumes_scale_every_axis_alike(resize: str) -> None:
    volume = np.random.default_rng(0).integers(0, 256, (40, 20, 30, 1), dtype=np.uint8)
    chosen = options(resize=resize)
    found = fit_array(volume, chosen)
    turned = fit_array(np.ascontiguousarray(volume.transpose(2, 0, 1, 3)), chosen)
    assert found.shape == (32, 32, 32, 1)
    assert np.abs(found.transpose(2, 0, 1, 3).astype(int) - turned).max() <= 1


def test_transparent_arrays_show_the_background() -> None:
    image = np.full((32, 32, 4), 10, np.uint8)
    image[..., 3] = 0
    assert (fit_array(image, options(background=200)) == 200).all()


def test_damaged_npz(tmp_path: Path) -> None:
    path = Path(write_npz(tmp_path / "x.npz"))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"x\.npz cannot be read as \.npz"):
        open_cache(config(path))


def test_digits_are_decoded_once() -> None:
    cache = open_cache(config("digits"))
    assert cache.images.shape == (1797, 32, 32, 1)
    assert cache.images.max() == 255
    assert open_cache(config("digits")).digest == cache.digest


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_too_little_room_is_said_before_decoding(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries.shutil, "disk_usage", lambda path: Usage(10, 5, 5_000))
    with pytest.raises(DataError, match=r"need 8\.0 KiB in .*, and 4\.9 KiB are free there\. .*LOSSASSAY_CACHE"):
        open_cache(config(class_folders({"a": 4, "b": 4})))
    assert not list(root().glob("partial.*"))


def test_a_disk_that_fills_up_leaves_nothing(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(decoding, "decode_chunk", full)
    with pytest.raises(DataError, match=r"The decoded images need 8\.1 KiB in"):
        open_cache(config(class_folders({"a": 4, "b": 4})), workers=0)
    assert not list(root().glob("partial.*"))
    assert len(cache_entries()) == 0


def test_a_worker_that_dies_leaves_nothing(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_jobs: Any, on_message: Callable[[dict[str, Any]], None], **_options: Any) -> None:
        on_message({"event": "failed", "id": 0, "message": "the worker process was killed by signal 9"})

    monkeypatch.setattr(decoding, "run_jobs", dies)
    with pytest.raises(DataError, match=r"Decoding stopped: the worker process was killed by signal 9\. Nothing of it"):
        open_cache(config(class_folders({"a": 1, "b": 1})), workers=1)
    assert not list(root().glob("partial.*"))


def test_a_cache_folder_that_cannot_be_made(class_folders: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"The cache folder .*file cannot be used: .*Name another one with"):
        open_cache(config(class_folders({"a": 1, "b": 1})), cache_folder=tmp_path / "file")


OPEN = """
import sys
from pathlib import Path
from lossassay.config.schema import DataConfig
from lossassay.data.cache import open_cache
cache = open_cache(DataConfig(path=sys.argv[1], image_size=32), workers=1,
                   on_progress=lambda done, total: print(done, flush=True))
assert "torch" not in sys.modules
print(cache.digest, cache.images[:].sum())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_in_the_middle_nothing_is_left(class_folders: Folder) -> None:
    folder = class_folders({"a": 300, "b": 300})
    process = subprocess.Popen([sys.executable, "-c", OPEN, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) < 600
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(root().glob("partial.*"))) == 1
    assert len(cache_entries()) == 0
    other = class_folders({"a": 1, "b": 1}, root="other")
    open_cache(config(other))  # whoever comes next clears up
    assert not list(root().glob("partial.*"))
    assert open_cache(config(folder)).images.shape[0] == 600


def test_two_processes_at_once(class_folders: Folder) -> None:
    folder = class_folders({"a": 60, "b": 60})
    both = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(folder)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    last = [process.communicate()[0].splitlines()[-1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert last[0] == last[1]
    assert len(cache_entries()) == 1
    assert not list(root().glob("partial.*"))


def test_the_longest_unused_leaves_and_who_is_used_stays(
    class_folders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSSASSAY_CACHE_LIMIT_GB", "1e-6")
    caches: list[ImageCache | None] = []
    for number in range(3):
        caches.append(open_cache(config(class_folders({"a": 1, "b": 1}, root=str(number), seed=number))))
        time.sleep(0.01)
    assert len(cache_entries()) == 3  # over the limit, but each is in use
    assert cache_entries()["in_use"].all()
    kept = caches[1].folder.name if caches[1] else ""
    caches[0] = caches[2] = None
    gc.collect()
    last = open_cache(config(class_folders({"a": 1, "b": 1}, root="last", seed=9)))
    assert set(cache_entries()["key"]) == {kept, last.folder.name}


def test_what_a_process_of_another_machine_uses_stays_for_as_long_as_it_lives(
    class_folders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "_RENEWAL_SECONDS", 0.02)
    cache = open_cache(config(class_folders({"a": 1, "b": 1})))
    (mark,) = root().glob("entries/*/in-use.*")
    two_days_ago = time.time() - 48 * 3600
    os.utime(mark, (two_days_ago, two_days_ago))
    limit = time.monotonic() + 20
    while mark.stat().st_mtime < time.time() - 3600:
        assert time.monotonic() < limit, "the mark was not renewed"
        time.sleep(0.02)
    monkeypatch.setattr(entries.socket, "gethostname", lambda: "another-machine")
    assert cache_entries()["in_use"].to_list() == [True]
    renewers = [thread for thread in threading.enumerate() if thread.name == "in-use"]
    del cache
    gc.collect()
    assert cache_entries()["in_use"].to_list() == [False]
    for thread in renewers:
        thread.join(20)
    assert not any(thread.is_alive() for thread in renewers)


def test_entries_are_listed_and_cleared(class_folders: Folder) -> None:
    first = open_cache(config(class_folders({"a": 2, "b": 1})))
    listed = cache_entries()
    assert listed.select("key", "images", "shape", "pixel_type", "in_use").row(0) == (
        first.folder.name,
        3,
        [32, 32, 1],
        "uint8",
        True,
    )
    assert listed.schema["last_used"] == pl.Datetime("us", "UTC")
    assert clear_cache() == 0  # in use
    size = listed["bytes"][0]
    del first
    gc.collect()
    assert clear_cache(keys=["another"]) == 0
    assert clear_cache() == size
    assert len(cache_entries()) == 0


def test_a_damaged_entry_is_decoded_again(class_folders: Folder) -> None:
    folder = class_folders({"a": 2, "b": 2})
    first = open_cache(config(folder))
    expected, path = first.images[:].copy(), first.folder / "images.npy"
    del first
    gc.collect()
    path.write_bytes(path.read_bytes()[:-10])
    assert np.array_equal(open_cache(config(folder)).images, expected)


def test_limit_that_is_no_number(class_folders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSASSAY_CACHE_LIMIT_GB", "much")
    with pytest.raises(DataError, match="LOSSASSAY_CACHE_LIMIT_GB is 'much', expected a number above 0"):
        open_cache(config(class_folders({"a": 1, "b": 1})))


def test_names_in_another_unicode_form_are_opened(tmp_path: Path) -> None:
    for number in range(2):
        path = tmp_path / "images" / "a\u0308" / f"e\u0301{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 32), 9).save(path)
        settle(path)
    cache = open_cache(config(tmp_path / "images"))
    assert cache.manifest.rows["path"].to_list() == ["\u00e4/\u00e90.png", "\u00e4/\u00e91.png"]
    assert (cache.images == 9).all()


@pytest.mark.shared_data
def test_real_images(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = open_cache(config(shared_data / "cxr" / "cxr3.csv", group="patient_id", image_size=64))
    assert cache.images.shape == (6051, 64, 64, 1)
    assert [finding.code for finding in cache.manifest.findings] == ["mixed-modes"]
    assert 100 < cache.images[::50].mean() < 140
    monkeypatch.setattr(cache_module, "decode_files", None)  # nothing is decoded twice
    monkeypatch.setattr(cache_module, "_digest_of_file", None)  # nor read
    again = open_cache(config(shared_data / "cxr" / "cxr3.csv", group="patient_id", image_size=64))
    assert again.digest == cache.digest


def test_facts_that_an_older_entry_lacks_are_unknown(class_folders: Folder) -> None:
    cache = open_cache(config(class_folders({"a": 3, "b": 3})))
    path = cache.folder / "file_facts.parquet"
    pl.read_parquet(path).drop("spacing_mm", "format").write_parquet(path)
    assert cache_module.file_facts(cache)["spacing_mm"].to_list() == [0.0] * 6
    assert cache_module.file_facts(cache)["format"].to_list() == [""] * 6
