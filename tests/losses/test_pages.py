"""The pages of the losses are those that the catalogue gives."""

import re
from pathlib import Path

import pytest

from lossassay.catalogue.losses import FAMILY_OF, LOSSES
from lossassay.errors import OutFolderError
from lossassay.reporting.charts.loss_curve import as_png
from lossassay.reporting.loss_pages import INDEX, figure, pages, write_pages

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "losses"
COMMAND = "lossassay losses --write-docs docs/losses"
LARGEST_BYTES = 40_000


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return pages()


def test_the_pages_in_docs_are_up_to_date(texts: dict[str, str]) -> None:
    assert {page.name for page in FOLDER.glob("*.md")} == set(texts), f"run: {COMMAND}, and remove what is no loss"
    for name, text in texts.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} is not up to date; run: {COMMAND}"


def test_every_loss_has_a_small_drawing() -> None:
    assert {drawing.stem for drawing in (FOLDER / "figures").iterdir()} == set(LOSSES), f"run: {COMMAND}"
    for drawing in (FOLDER / "figures").iterdir():
        assert drawing.stat().st_size < LARGEST_BYTES, drawing.name


def test_the_index_names_every_family_and_loss(texts: dict[str, str]) -> None:
    index = texts[INDEX]
    assert re.findall(r"^## (.+)$", index, flags=re.MULTILINE) == [
        *dict.fromkeys(FAMILY_OF.values()),
        "A loss of your own",
    ]
    for name, spec in LOSSES.items():
        assert f"[`{name}`]({name}.md)" in index
        assert spec.when.replace("|", "\\|") in index


@pytest.mark.parametrize("name", LOSSES)
def test_a_page_says_what_the_catalogue_says(texts: dict[str, str], name: str) -> None:
    page, spec = texts[f"{name}.md"], LOSSES[name]
    assert f"```math\n{spec.formula}\n```" in page
    for words in (spec.paper, spec.when, spec.oracle, spec.differs, *spec.elsewhere.values(), *spec.hyper_parameters):
        assert words in page
    for identity in spec.equals:
        assert f"[`{identity.other}`]({identity.other}.md)" in page


def test_a_drawing_has_titles_on_its_axes_and_two_line_styles() -> None:
    svg = figure("focal")
    for words in ("Focal loss (softmax form)", "score of the true class minus the others", "gradient of the value"):
        assert words in svg
    assert svg.count("score of the true class minus the others") >= 2
    assert 'stroke-dasharray="6,3"' in svg
    assert "var(--" not in svg
    assert as_png(svg).startswith(b"\x89PNG")


def test_pages_go_to_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossassay.reporting.loss_pages.figure", lambda name: f"<svg>{name}</svg>")
    written = write_pages(tmp_path / "new" / "pages")
    assert written[0] == tmp_path / "new" / "pages" / INDEX
    assert len(written) == len(LOSSES) + 1
    assert (tmp_path / "new" / "pages" / "figures" / "focal.svg").read_text() == "<svg>focal</svg>"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutFolderError, match="cannot be written"):
        write_pages(tmp_path / "file")
