"""Copies are found however they were changed, and images that only look alike are not."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossassay.data.audit import likeness as module
from lossassay.data.audit.likeness import Likeness, likeness
from lossassay.data.audit.near_duplicates import _across_groups, _across_parts, _between_parts, near_duplicates
from lossassay.data.manifest import Finding, Manifest
from tests.data.audit.images import opened, save, scene
from tests.data.test_split import make

CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": lambda image: image.resize((48, 48), Image.Resampling.BICUBIC),
    "double": lambda image: image.resize((192, 192), Image.Resampling.BICUBIC),
    "jpeg": lambda image: jpeg(image, 60),
    "cropped": lambda image: image.crop((4, 1, 95, 92)),
    "darker": lambda image: image.point(lambda value: value * 0.8),
    "brighter": lambda image: image.point(lambda value: min(255, value * 1.2)),
}


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=quality)
    return Image.open(stored).convert("L")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Write 60 different images of two classes; each has a patient of its own."""
    for seed in range(60):
        save(scene(seed), tmp_path / "images" / "ab"[seed % 2] / f"p{seed:02}.png")
    return tmp_path / "images"


def found(folder: Path, **changes: str) -> dict[str, tuple[str, ...]]:
    return {finding.code: finding.paths for finding in near_duplicates(opened(folder, **changes))}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(scenes: Path, name: str) -> None:
    save(CHANGES[name](Image.open(scenes / "a" / "p10.png")), scenes / "a" / "z.png")
    assert found(scenes) == {"near-duplicate": ("a/p10.png", "a/z.png")}


def test_different_images_are_left_alone(scenes: Path) -> None:
    assert found(scenes) == {}


def test_a_copy_with_another_label(scenes: Path) -> None:
    save(CHANGES["jpeg"](Image.open(scenes / "a" / "p10.png")), scenes / "b" / "z.png")
    finding = next(near_duplicates(opened(scenes)))
    assert (finding.code, finding.severity) == ("near-duplicate-across-classes", "issue")
    assert finding.message == "1 pair of images are all but the same and have different labels."


def test_copies_within_one_group_are_safe(scenes: Path) -> None:
    save(CHANGES["jpeg"](Image.open(scenes / "a" / "p10.png")), scenes / "a" / "p10 again.png")
    assert found(scenes, group_pattern=r"/(p\d+)") == {}
    assert "near-duplicate" in found(scenes)


def test_pairs_stand_side_by_side_the_most_alike_first(scenes: Path) -> None:
    save(CHANGES["cropped"](Image.open(scenes / "a" / "p10.png")), scenes / "a" / "y.png")
    save(CHANGES["darker"](Image.open(scenes / "a" / "p20.png")), scenes / "a" / "z.png")
    cache = opened(scenes)
    finding = next(near_duplicates(cache))
    assert finding.paths == ("a/p20.png", "a/z.png", "a/p10.png", "a/y.png")
    paths = cache.manifest.rows["path"].to_list()
    assert tuple(paths[row] for row in finding.rows) == finding.paths
    assert not any(path in finding.message + finding.advice for path in paths)


def test_copies_in_two_official_parts_are_counted(tmp_path: Path) -> None:
    for seed in range(40):
        for part, first in (("train", 0), ("test", 100)):
            save(scene(first + seed), tmp_path / part / "ab"[seed % 2] / f"{seed:02}.png")
    save(CHANGES["jpeg"](Image.open(tmp_path / "train" / "a" / "10.png")), tmp_path / "test" / "a" / "z.png")
    save(CHANGES["jpeg"](Image.open(tmp_path / "train" / "a" / "20.png")), tmp_path / "train" / "a" / "z.png")
    across, within = near_duplicates(opened(tmp_path))
    assert (across.code, across.paths) == ("near-duplicate-across-parts", ("test/a/z.png", "train/a/10.png"))
    assert "they touch 1 of 41 images of the test part." in across.message
    assert within.code == "near-duplicate"
    assert within.message.endswith("1 pair more lie in two official parts.")


def test_copies_that_touch_little_of_the_test_part_are_named_and_stop_nothing() -> None:
    parts = ["train", "test"] * 200
    pairs = np.array([[0, 1], [2, 4]])
    (finding,) = _findings(make([0] * 400, None, parts), pairs)
    assert finding.code == "near-duplicate"
    assert finding.message.endswith("1 pair of them in two official parts.")
    assert [f.code for f in _findings(make([0] * 400, None, parts), np.array([[0, 1], [2, 3]]))] == [
        "near-duplicate-across-parts"
    ]


def _findings(manifest: Manifest, pairs: np.ndarray) -> list[Finding]:
    leaks = _between_parts(manifest, pairs)
    return [*_across_parts(manifest, pairs[leaks]), *_across_groups(manifest, pairs[~leaks], pairs)]


def test_names_of_files_and_workers_change_nothing(scenes: Path, tmp_path: Path) -> None:
    """The same images under names in the opposite order give the same differences."""
    for path in scenes.glob("*/*.png"):
        number = 99 - int(path.stem[1:])
        save(Image.open(path), tmp_path / "turned" / path.parent.name / f"p{number:02}.png")
    one, other = (likeness(opened(folder)) for folder in (scenes, tmp_path / "turned"))
    assert len(one.difference) == len(other.difference) > 100
    np.testing.assert_allclose(np.sort(one.difference), np.sort(other.difference), atol=1e-5)


def test_flat_images_have_no_copies(scenes: Path) -> None:
    save(np.full((96, 96), 7, dtype=np.uint8), scenes / "a" / "y.png")
    save(np.full((96, 96), 9, dtype=np.uint8), scenes / "a" / "z.png")
    assert found(scenes) == {}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_images(tmp_path: Path, count: int) -> None:
    for seed in range(count):
        save(scene(seed), tmp_path / "images" / "a" / f"{seed}.png")
        save(scene(50 + seed), tmp_path / "images" / "b" / f"{seed}.png")
    assert found(tmp_path / "images") == {}


def test_a_second_look_is_read_from_the_cache(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened(scenes)
    first = likeness(cache)
    monkeypatch.setattr(module, "_compare", lambda cache: pytest.fail("compared again"))
    second = likeness(cache)
    np.testing.assert_array_equal(first.difference, second.difference)
    np.testing.assert_array_equal(first.second, second.second)


def test_a_damaged_file_in_the_cache_is_made_again(scenes: Path) -> None:
    cache = opened(scenes)
    first = likeness(cache)
    (kept,) = cache.folder.glob("likeness.*")
    kept.write_bytes(b"nothing")
    np.testing.assert_array_equal(first.difference, likeness(cache).difference)


def ring(differences: list[float], count: int) -> Likeness:
    """Image 0 and one more for each difference; all others are far from each other."""
    pairs = [(0, place + 1, difference) for place, difference in enumerate(differences)]
    others = range(len(differences) + 1, count)
    pairs += [(i, j, 0.5 + 0.01 * (j - i)) for i in others for j in others if i < j <= i + 8]
    first, second, difference = zip(*sorted(pairs), strict=True)
    return Likeness(
        first=np.array(first), second=np.array(second), difference=np.array(difference, dtype=np.float32), count=count
    )


def test_a_pair_is_judged_by_what_surrounds_it() -> None:
    """0.02 is a copy where the others are at 0.5, and none where they are at 0.03."""
    assert ring([0.02, 0.5, 0.5, 0.5, 0.55, 0.6, 0.6, 0.6], 60).copies()[0]
    assert not ring([0.02, 0.03, 0.03, 0.035, 0.04, 0.045, 0.05, 0.05], 60).copies().any()


def test_whatever_surrounds_it_a_different_image_is_no_copy() -> None:
    assert not ring([0.4, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0], 60).copies().any()
