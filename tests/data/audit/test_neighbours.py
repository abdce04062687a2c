"""Sequences are found by looks and order together, and not where a group says so already."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay.data.audit.neighbours import neighbour_images
from tests.data.audit.images import opened, save, scene


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Write 60 single images and two films, of 6 and of 9 frames."""
    for seed in range(60):
        save(scene(seed), tmp_path / "images" / "ab"[seed % 2] / f"p{seed:02}.png")
    for name, frames in (("a/film", 6), ("b/film", 9)):
        start, end = (scene(1000 + frames + step).astype(float) for step in (0, 500))
        for frame in range(frames):
            mixed = start + (end - start) * frame / frames
            save(mixed.astype(np.uint8), tmp_path / "images" / f"{name}{frame}.png")
    return tmp_path / "images"


def test_films_are_found_whole(films: Path) -> None:
    (finding,) = neighbour_images(opened(films))
    assert finding.code == "neighbour-images"
    assert finding.message.startswith("2 sequences of images look like")
    assert "15 images, 9 in the largest" in finding.message
    assert finding.paths == (*(f"a/film{i}.png" for i in range(6)), *(f"b/film{i}.png" for i in range(9)))


def test_a_film_in_two_official_parts_is_told_apart(films: Path) -> None:
    cache = opened(films)
    part = ["test" if path == "b/film4.png" else "train" for path in cache.manifest.rows["path"].to_list()]
    rows = cache.manifest.rows.with_columns(part=pl.Series(part))
    across, within = neighbour_images(replace(cache, manifest=replace(cache.manifest, rows=rows)))
    assert (across.code, len(across.rows)) == ("neighbour-across-parts", 9)
    assert (within.code, len(within.rows)) == ("neighbour-images", 6)


def test_groups_say_it_already(films: Path) -> None:
    assert list(neighbour_images(opened(films, group_pattern=r"/([a-z]+\d)"))) == []


def test_single_images_are_no_film(films: Path) -> None:
    for path in films.glob("*/film*"):
        path.unlink()
    assert list(neighbour_images(opened(films))) == []
