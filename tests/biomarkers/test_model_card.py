"""What a model card says, as Markdown and HTML."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.loaded_run import load_run
from lossassay.biomarkers.model_card import CardFacts, card_facts
from lossassay.config import load_study
from lossassay.reporting.messages import load_messages
from lossassay.reporting.model_card import card_as_html, card_as_markdown, write_card
from tests.study.here import jobs_in_this_process


@pytest.fixture(scope="module")
def facts(image_study: Path) -> CardFacts:
    return card_facts(load_run(image_study))


def test_yardsticks_are_those_of_the_tables(image_study: Path, facts: CardFacts) -> None:
    arms = pl.read_parquet(image_study / "tables" / "arms.parquet")
    runs = pl.read_parquet(image_study / "tables" / "runs.parquet").filter(pl.col("run") == facts.run)
    assert facts.yardsticks[0].metric == "balanced_accuracy"
    for one in facts.yardsticks:
        row = arms.row(by_predicate=pl.col("metric") == one.metric, named=True)
        assert (one.estimate, one.low, one.high) == (row["estimate"], row["low"], row["high"])
        assert one.replicates == 2
        assert one.of_run == pytest.approx(runs[one.metric][0], rel=1e-6)


def test_the_card_says_data_recipe_findings_and_limits(facts: CardFacts) -> None:
    text = card_as_markdown(facts, load_messages())
    for said in (
        "# Model card: categorical\\_crossentropy, pictures",
        "Not a medical device.",
        "90 images of 3 classes; each becomes an array of 32 × 32 × 1.",
        "| left | 30 | 33.3 % |".replace(" %", "\N{NARROW NO-BREAK SPACE}%"),
        "| optimizer | adam |",
        "| batch\\_size | 16 |",
        "| balanced accuracy |",
        "## Operating points",
        facts.plan["data"]["digest"],
        facts.weights_digest,
    ):
        assert said in text, said
    for code, severity, _ in facts.findings:
        assert f"| {code.replace('_', chr(92) + '_')} | {severity} |" in text
    assert facts.findings


def test_both_forms_say_the_same_and_name_no_place(image_study: Path, facts: CardFacts, tmp_path: Path) -> None:
    markdown, html = write_card(facts, tmp_path / "f.parquet")
    assert (markdown.name, html.name) == ("f-model-card.md", "f-model-card.html")
    for path in (markdown, html):
        text = path.read_text(encoding="utf-8")
        assert str(image_study.parent) not in text
        assert ".png" not in text
        assert facts.weights_digest in text
    assert "http:" not in html.read_text(encoding="utf-8")
    assert "https:" not in html.read_text(encoding="utf-8")


def test_names_cannot_break_out_of_the_page_or_the_table(facts: CardFacts) -> None:
    strange = replace(facts, arm="<script>", findings=(("a|b", "note", "*x* <i>"),))
    assert "<script>" not in card_as_html(strange, load_messages())
    assert "| a\\|b | note | \\*x\\* \\<i\\> |" in card_as_markdown(strange, load_messages())


def test_a_fit_says_what_to_expect_and_that_it_is_not_measured(image_study: Path, tmp_path: Path) -> None:
    study = load_study(image_study / "study.toml")
    with jobs_in_this_process():
        api.fit(study, "categorical_crossentropy", tmp_path / "fit", study_out=image_study)
    text = (tmp_path / "fit" / "fit-model-card.md").read_text(encoding="utf-8")
    assert "those to expect are" not in text
    assert "Those to expect are the yardsticks of the arm in the study pictures" in text
    assert "This run has no test part" in text
    expected = json.loads((tmp_path / "fit" / "expected.json").read_text(encoding="utf-8"))["yardsticks"]
    own = {one.metric: one for one in card_facts(load_run(tmp_path / "fit")).yardsticks}
    assert own["accuracy"].of_run is None
    assert own["accuracy"].estimate == next(one["estimate"] for one in expected if one["metric"] == "accuracy")
    (tmp_path / "fit" / "expected.json").unlink()
    alone = card_as_markdown(card_facts(load_run(tmp_path / "fit")), load_messages())
    assert "no finished study was named beside it" in alone
