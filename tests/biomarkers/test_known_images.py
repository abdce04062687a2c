"""Images that a run learnt from are recognised, by their pixels and by their patients."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.biomarkers.new_images.images import open_new_images
from lossassay.data.cache import open_cache
from lossassay.errors import OutFolderError
from lossassay.study.planning.bench import TEST


@pytest.fixture
def run(image_study: Path) -> LoadedRun:
    return load_run(image_study)


def said(run: LoadedRun, source: Path) -> list[str]:
    return [one.message for one in open_new_images(run, source).findings if one.code == "learnt-from"]


def copied(run: LoadedRun, rows: np.ndarray, folder: Path) -> Path:
    """Copy images of the study under other names."""
    manifest = open_cache(run.study.data).manifest
    assert manifest.root is not None
    for place, row in enumerate(rows):
        shutil.copy(manifest.root / manifest.rows["path"][int(row)], folder / f"{place}.png")
    return folder


def test_images_that_were_learnt_from_are_counted_under_any_name(run: LoadedRun, tmp_path: Path) -> None:
    learnt, tested = np.flatnonzero(run.parts() < TEST)[:3], np.flatnonzero(run.parts() == TEST)[:2]
    (message,) = said(run, copied(run, np.concatenate([learnt, tested]), tmp_path))
    assert message.startswith("Of 5 images 3 are images that it learnt from (its training or validation part), so ")


def test_nothing_is_said_of_images_that_are_new(run: LoadedRun, tmp_path: Path) -> None:
    copied(run, np.flatnonzero(run.parts() == TEST)[:2], tmp_path)
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (32, 32), dtype=np.uint8)).save(tmp_path / "new.png")
    assert said(run, tmp_path) == []


def test_other_images_of_patients_who_were_learnt_from_are_counted(run: LoadedRun, tmp_path: Path) -> None:
    rows = pl.read_parquet(run.folder / "rows.parquet").with_columns(group=pl.format("patient {}", "row"))
    folder = tmp_path / "out"
    shutil.copytree(run.folder, folder)
    known = open_new_images(run, copied(run, np.arange(1), tmp_path)).groups
    assert known == (None,)
    table = tmp_path / "t.csv"
    Image.fromarray(np.random.default_rng(6).integers(0, 255, (32, 32), dtype=np.uint8)).save(tmp_path / "later.png")
    pl.DataFrame({"path": ["0.png", "later.png"], "patient_id": ["p", "p"]}).write_csv(table)
    (hashed, _again) = open_new_images(run, table).groups
    learnt = int(np.flatnonzero(run.parts() < TEST)[0])
    groups = [hashed if row == learnt else None for row in rows["row"]]
    rows.with_columns(group=pl.Series(groups, dtype=pl.String)).write_parquet(folder / "rows.parquet")
    (message,) = said(load_run(folder), table)
    first_was_learnt_from = run.parts()[0] < TEST
    expected = (
        "1 are images that it learnt from and 1 show patients whose other images it learnt from"
        if first_was_learnt_from
        else "2 show patients whose images it learnt from"
    )
    assert f"Of 2 images {expected} (" in message


def test_folders_from_before_pixels_were_stored_still_open(run: LoadedRun, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(run.folder, folder)
    (folder / "pixels.parquet").unlink()
    learnt = np.flatnonzero(run.parts() < TEST)[:2]
    (tmp_path / "new").mkdir()
    assert said(load_run(folder), copied(run, learnt, tmp_path / "new")) == []


@pytest.mark.parametrize("name", ["pixels.parquet", "rows.parquet"])
def test_what_is_damaged_is_named_with_the_command_that_writes_it(run: LoadedRun, tmp_path: Path, name: str) -> None:
    folder, new = tmp_path / "out", tmp_path / "new"
    shutil.copytree(run.folder, folder)
    new.mkdir()
    damaged = replace(run, folder=folder)
    copied(run, np.arange(1), new)
    (folder / name).write_bytes(b"x")
    with pytest.raises(OutFolderError, match=rf"{name} is missing, empty or damaged.* Give `lossassay run` again"):
        open_new_images(damaged, new)
