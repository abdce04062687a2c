"""Equal pixels, in whatever file, with whatever label, in whatever part."""

import shutil
from pathlib import Path

from PIL import Image

from lossassay.data.audit.duplicates import exact_duplicates
from tests.data.audit.images import opened, save, scene


def parts(folder: Path) -> None:
    for seed in range(12):
        save(scene(seed), folder / "train" / "ab"[seed % 2] / f"{seed:02}.png")
        save(scene(100 + seed), folder / "test" / "ab"[seed % 2] / f"{seed:02}.png")


def test_copies_in_two_official_parts_are_measured_against_them(tmp_path: Path) -> None:
    parts(tmp_path)
    shutil.copy(tmp_path / "train" / "a" / "02.png", tmp_path / "test" / "a" / "z.png")
    found = {finding.code: finding for finding in exact_duplicates(opened(tmp_path))}
    assert set(found) == {"duplicate-across-parts", "exact-duplicate"}
    finding = found["duplicate-across-parts"]
    assert finding.severity == "issue"
    assert finding.message == (
        "2 images in 1 set have the same pixels and are in more than one official part: 1 of 12 train, 1 of 13 test "
        "images."
    )
    assert sorted(finding.paths) == ["test/a/z.png", "train/a/02.png"]


def test_copies_in_one_part_are_not_across_parts(tmp_path: Path) -> None:
    parts(tmp_path)
    shutil.copy(tmp_path / "train" / "a" / "02.png", tmp_path / "train" / "a" / "z.png")
    assert [finding.code for finding in exact_duplicates(opened(tmp_path))] == ["exact-duplicate"]


def test_another_format_without_loss_is_the_same_picture(tmp_path: Path) -> None:
    parts(tmp_path)
    Image.open(tmp_path / "train" / "a" / "02.png").save(tmp_path / "train" / "b" / "z.bmp")
    finding = next(exact_duplicates(opened(tmp_path)))
    assert (finding.code, finding.message) == (
        "duplicate-across-classes",
        "2 images in 1 set have the same pixels and different labels.",
    )
