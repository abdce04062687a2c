"""Losses for a data set: which rules speak, and that every reason has a number of these data."""

import re
from pathlib import Path

import pytest

from lossassay import api
from lossassay.catalogue.losses import LOSSES
from lossassay.config import DataConfig, parse_study
from lossassay.errors import DataError
from lossassay.study.proposing.look import look
from lossassay.study.proposing.suggest import LabelFacts, as_arms, label_facts, suggest, suggest_for
from tests.study.helpers import write_images


def facts(*counts: int, task: str = "single_label", images: int | None = None, unknown: int = 0) -> LabelFacts:
    return LabelFacts(
        task=task,  # type: ignore[arg-type]
        class_names=tuple("abcdefghijklmnopqrstuvwxyz"[: len(counts)]),
        counts=counts,
        images=images or sum(counts),
        unknown=unknown,
    )


def names(found: LabelFacts) -> list[str]:
    return [suggestion.loss for suggestion in suggest_for(found)]


ALL = [
    facts(500, 480),
    facts(5000, 20),
    facts(500, 400, 300),
    facts(*[30] * 26),
    facts(900, 60, 40, 10),
    facts(40, 30, 20, 10, task="ordinal"),
    facts(900, 30, 10, task="ordinal"),
    facts(50, 40, 2, task="multi_label", images=400),
    facts(300, 250, task="multi_label", images=400, unknown=30),
]


@pytest.mark.parametrize("found", ALL, ids=lambda found: f"{found.task} {len(found.counts)}")
def test_every_suggestion_is_of_the_catalogue_trains_the_task_and_has_a_number_in_its_reason(found: LabelFacts) -> None:
    suggestions = suggest_for(found)
    assert len({suggestion.loss for suggestion in suggestions}) == len(suggestions)
    for suggestion in suggestions:
        spec = LOSSES[suggestion.loss]
        assert spec.trains(found.task), suggestion.loss
        assert set(suggestion.hyper_parameters) <= set(spec.hyper_parameters)
        assert re.search(r"\d", suggestion.reason), suggestion.reason
        assert suggestion.reason.endswith(".")


def test_the_reference_comes_first() -> None:
    for found in ALL:
        expected = "binary_crossentropy" if found.task == "multi_label" else "categorical_crossentropy"
        assert names(found)[0] == expected


def test_uneven_classes_bring_losses_that_use_counts() -> None:
    uneven, even = names(facts(600, 100, 110)), names(facts(400, 100, 110))
    assert {"logit_adjustment", "class_balanced", "ldam"} <= set(uneven)
    assert not {"logit_adjustment", "class_balanced", "ldam"} & set(even)
    assert "focal" in even
    assert "6.0 times" in next(s.reason for s in suggest_for(facts(600, 100, 110)) if s.loss == "class_balanced")


def test_few_images_two_classes_and_many_classes_each_bring_one() -> None:
    assert "label_smoothing" in names(facts(99, 150, 150))
    assert "label_smoothing" not in names(facts(100, 150, 150))
    assert "pairwise_auroc" in names(facts(100, 150))
    assert "pairwise_auroc" not in names(facts(100, 150, 150))
    assert "arcface" in names(facts(*[30] * 20))
    assert "arcface" not in names(facts(*[30] * 19))
    assert "15,000 pairs" in " ".join(s.reason for s in suggest_for(facts(100, 150)))


def test_grades_bring_losses_that_know_the_order() -> None:
    grades = names(facts(40, 30, 20, 10, task="ordinal"))
    assert {"earth_mover_distance", "coral", "cumulative_link", "corn"} <= set(grades)
    assert "corn" not in names(facts(40, 30, 20, task="ordinal"))
    assert "logit_adjustment" in names(facts(900, 30, 10, task="ordinal"))


def test_findings_bring_losses_for_many_negatives() -> None:
    rare = facts(50, 40, 2, task="multi_label", images=400)
    assert names(rare) == ["binary_crossentropy", "asymmetric", "sigmoid_focal", "zlpr"]
    assert "Only 7.7 % of the known cells" in suggest_for(rare)[1].reason
    common = facts(300, 250, task="multi_label", images=400, unknown=30)
    assert "asymmetric" not in names(common)
    assert "30 cells are unknown" in suggest_for(common)[0].reason


def test_class_folders_are_counted(tmp_path: Path) -> None:
    folder = write_images(tmp_path, per_class=6)
    found, suggestions = api.suggest_losses(folder)
    assert (found.task, found.class_names, found.counts, found.images) == (
        "single_label",
        ("left", "middle", "right"),
        (6, 6, 6),
        18,
    )
    assert suggestions == suggest(look(folder)) == suggest(DataConfig(path=str(folder)))
    ordered = label_facts(DataConfig(path=str(folder), order=("right", "middle", "left")))
    assert (ordered.task, ordered.class_names) == ("ordinal", ("right", "middle", "left"))
    with pytest.raises(DataError, match="no file or folder"):
        api.suggest_losses(tmp_path / "nowhere")


def test_findings_of_a_table_are_counted_without_what_is_unknown(tmp_path: Path) -> None:
    write_images(tmp_path, per_class=2)
    table = tmp_path / "table.csv"
    table.write_text("path,effusion,oedema\nleft/000.png,1,0\nleft/001.png,-1,1\nright/000.png,0,1\n")
    data = DataConfig(path=str(table), finding_columns=("effusion", "oedema"))
    found = label_facts(data)
    assert (found.task, found.counts, found.images, found.unknown) == ("multi_label", (1, 2), 3, 1)


def test_suggestions_are_arms_that_a_study_file_takes() -> None:
    import tomllib

    found = facts(900, 60, 40, 10)
    text = as_arms(found, suggest_for(found))
    assert text.startswith("# 1,010 images, 4 classes: a 900, b 60, c 40, d 10")
    study = parse_study({"name": "x", "data": {"path": "digits"}, **tomllib.loads(text)})
    assert [arm.loss for arm in study.arms] == names(found)


def test_a_class_name_with_a_line_break_stays_in_its_comment() -> None:
    found = LabelFacts(task="single_label", class_names=("a\n[[arms]]", "b"), counts=(5, 500), images=505)
    assert "\n[[arms]]\nloss" in as_arms(found, suggest_for(found))
    assert all(
        line.startswith(("#", "[[arms]]", "loss = ")) or not line
        for line in as_arms(found, suggest_for(found)).splitlines()
    )
