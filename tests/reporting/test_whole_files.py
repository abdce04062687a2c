"""Figures and pages are on disk whole or not at all."""

import os
from pathlib import Path

import pytest

from lossassay.errors import OutFolderError
from lossassay.reporting import figures
from lossassay.reporting.charts import FIGURES, Figure
from lossassay.reporting.messages import load_messages
from lossassay.reporting.model_card import write_card
from lossassay.reporting.page import write_report
from tests.reporting.fake_card import fake_card
from tests.reporting.fake_results import fake_results


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after half of each file."""

    def write_half(path: Path, content: bytes | str, **_options: object) -> int:
        with path.open("wb") as file:
            file.write((content if isinstance(content, bytes) else content.encode())[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    monkeypatch.setattr(Path, "write_text", write_half)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def forest(folder: Path) -> Figure:
    figure = FIGURES["forest"](fake_results(folder, arms=2), load_messages())
    assert figure is not None
    return figure


@pytest.mark.usefixtures("cut_off")
def test_a_figure_that_was_cut_off_leaves_the_earlier_one(tmp_path: Path) -> None:
    drawn = tmp_path / "figures"
    drawn.mkdir()
    for suffix in ("svg", "png"):
        with (drawn / f"forest.{suffix}").open("wb") as file:
            file.write(b"earlier")
    with pytest.raises(OSError, match="No space left"):
        figures.write_figures([forest(tmp_path / "study")], drawn)
    assert contents(drawn) == {"forest.svg": b"earlier", "forest.png": b"earlier"}


def test_a_page_that_was_cut_off_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    results = fake_results(tmp_path, arms=2)
    (results.folder / "report.html").write_text("earlier", encoding="utf-8")
    before = contents(results.folder)
    monkeypatch.setattr("lossassay.reporting.page.FIGURES", {})
    request.getfixturevalue("cut_off")  # only now: the study was written whole
    with pytest.raises(OutFolderError, match=r"The disk of .* is full"):
        write_report(results)
    assert contents(results.folder) == before


@pytest.mark.usefixtures("cut_off")
def test_a_card_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match="The model card cannot be written"):
        write_card(fake_card(), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_that_draw_at_once_write_to_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    really = os.replace

    def note(source: Path, target: Path) -> None:
        moved.append(Path(source).name)
        really(source, target)

    monkeypatch.setattr(os, "replace", note)
    for owner in ("1-2-abc", "3-4-abc"):
        monkeypatch.setattr("lossassay.study.folder.whole_files.own_name", lambda owner=owner: owner)
        for path in (tmp_path / "drawn").glob("*"):
            path.unlink()
        figures.write_figures([forest(tmp_path / "study")], tmp_path / "drawn")
    assert moved == [f".forest.{suffix}.{owner}" for owner in ("1-2-abc", "3-4-abc") for suffix in ("svg", "png")]
