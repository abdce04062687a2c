"""What is wrong in a study file is said all at once, each with its place and what to do."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.config import load_study, parse_study
from lossassay.errors import StudyFileError


def minimal(**changes: Any) -> dict[str, Any]:
    return {"name": "s", "data": {"path": "digits"}, "arms": [{"loss": "mse"}], **changes}


def problems(raw: Any) -> tuple[str, ...]:
    with pytest.raises(StudyFileError) as caught:
        parse_study(raw)
    return caught.value.problems


def test_everything_is_reported_at_once() -> None:
    found = problems(
        {
            "name": "s",
            "colour": "red",
            "data": {"path": "digits", "image_size": 16, "imagesize": 64},
            "arms": [{"loss": "focall"}, {"loss": "focal", "gamma": -1.0}, {"loss": "mse", "gamma": 2.0}],
            "training": {"epochs": "ten", "model": "resnet8"},
            "evidence": {"metric": "acuracy", "margin": 0},
        }
    )
    expected = [
        "arms 1: No loss is called 'focall'",
        "arms 2 (focal): gamma: got -1.0",
        "arms 3 (mse): no hyper-parameter is called 'gamma'",
        "data.image_size:",
        "data.imagesize: no such key",
        "training.epochs:",
        "evidence.margin:",
        "colour: no such key",
        "training.model: No model is called 'resnet8'",
        "evidence.metric: No yardstick is called 'acuracy'",
    ]
    for start in expected:
        assert len([line for line in found if line.startswith(start)]) == 1, (start, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # unknown keys, with the nearest known one
        (
            {"evidense": {}},
            "evidense: no such key; known: name, data, arms, training, evidence, audit, biomarkers, tuning. "
            "Did you mean 'evidence'?",
        ),
        ({"data": {"path": "digits", "chanels": 1}}, "Did you mean 'channels'?"),
        (
            {"data": {"path": "digits", "split": {"tst": 0.1}}},
            "data.split.tst: no such key; known: official, kind, folds, by, validation",
        ),
        ({"training": {"augment": {"flipp": True}}}, "training.augment.flipp: no such key; known: flip, shift"),
        ({"training": {"lr": 0.1}}, "training.lr: no such key; known: model,"),
        # unknown names
        ({"arms": [{"loss": "focall"}]}, "arms 1: No loss is called 'focall'."),
        ({"arms": [{"loss": "focall"}]}, "Did you mean 'focal'?"),
        ({"training": {"model": "paper_cn"}}, "Did you mean 'paper_cnn'? Your own: `module:function`."),
        ({"evidence": {"metric": "auroc"}}, "Did you mean 'macro_auroc'?"),
        (
            {"evidence": {"compare": "nobody"}},
            "evidence.compare: 'nobody' is no arm; use \"all\" or one of mean_squared_error.",
        ),
        # wrong types and ranges
        ({"name": 3}, "name: input should be a valid string, got 3"),
        ({"name": ""}, "name: string should have at least 1 character, got ''"),
        ({"training": {"epochs": 1.5}}, "training.epochs: input should be a valid integer, got 1.5"),
        ({"training": {"epochs": 0}}, "training.epochs: input should be greater than or equal to 1, got 0"),
        (
            {"training": {"freeze_features": "yes"}},
            "training.freeze_features: input should be a valid boolean, got 'yes'",
        ),
        ({"training": {"optimizer": "adm"}}, "training.optimizer: input should be 'adam', 'adamw' or 'sgd', got 'adm'"),
        ({"data": {"path": "digits", "channels": 2}}, "data.channels: input should be 1 or 3, got 2"),
        (
            {"data": {"path": "digits", "image_size": 31}},
            "data.image_size: input should be greater than or equal to 32, got 31",
        ),
        ({"data": {}}, "data.path: missing, and it has no default"),
        ({"evidence": {"margin": -0.1}}, "evidence.margin: input should be greater than 0, got -0.1"),
        ({"evidence": {"vary": ["slit"]}}, "evidence.vary.0: input should be 'split', 'init', 'order'"),
        (
            {"training": {"model_options": {"widths": [4, "x"]}}},
            "widths: got [4, 'x'], expected a list of whole numbers",
        ),
        (
            {"training": {"model_options": {"width": [4]}}},
            "no option is called 'width'; known: dense, dropout, widths.",
        ),
        ({"data": {"path": "digits", "split": {"validation": 0.5, "test": 0.5}}}, "leave nothing to train on"),
        # arms
        ({"arms": []}, "arms is empty: name at least one loss"),
        ({"arms": {"loss": "mse"}}, "write [[arms]] with two brackets before each loss"),
        (
            {"arms": [{"name": "a"}]},
            "arms 1: `loss` must be the name of a loss, got None; `lossassay losses` lists them",
        ),
        ({"arms": [{"loss": "mse", "name": 3}]}, "arms 1: name must be text, got 3"),
        ({"arms": [{"loss": "mse"}, {"loss": "mean_squared_error"}]}, "two arms are called 'mean_squared_error'"),
        ({"arms": [{"loss": "focal", "gamma": -0.5}]}, "arms 1 (focal): gamma: got -0.5, expected a number, 0 or more"),
        ({"arms": [{"loss": "focal", "gamma": float("nan")}]}, "gamma: got nan, expected a number, 0 or more"),
        ({"arms": [{"loss": "focal", "gamma": "2"}]}, "gamma: got '2', expected a number, 0 or more"),
        (
            {"arms": [{"loss": "focal", "gama": 2.0}]},
            "no hyper-parameter is called 'gama'; known: gamma. Did you mean 'gamma'?",
        ),
        ({"arms": [{"loss": "mse", "trainin": {}}]}, "it has none. Did you mean 'training'?"),
        ({"arms": [{"loss": "mse", "training": 3}]}, "training must be a table like { learning_rate = 3e-4 }, got 3"),
        ({"arms": [{"loss": "mse", "training": {"batch_size": 9}}]}, "training.batch_size cannot differ between arms"),
        (
            {"arms": [{"loss": "mse", "training": {"learning_rate": -1.0}}]},
            "arms 1: training.learning_rate: input should be",
        ),
        (
            {"arms": [{"loss": "rmse"}], "training": {"class_weights": "balanced"}},
            "class weights have no meaning for it",
        ),
    ],
)
def test_each_message(changes: dict[str, Any], message: str) -> None:
    found = problems(minimal(**changes))
    assert len([line for line in found if message in line]) == 1, found
    assert len(found) == 1


def test_missing_arms_are_told_with_an_example() -> None:
    raw = minimal()
    del raw["arms"]
    (found,) = problems(raw)
    assert found == '[[arms]] is missing: name at least one loss, for example `[[arms]]` and `loss = "focal"`'


@pytest.mark.parametrize(("key", "value"), [("data", 3), ("training", "fast"), ("evidence", [1])])
def test_a_section_that_is_no_table_is_told(key: str, value: Any) -> None:
    (found,) = problems(minimal(**{key: value}))
    assert found.startswith(f"{key}: ")


def test_the_message_counts_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(
        'name = "s"\n[data]\npath = "digits"\nsize = 3\n[[arms]]\nloss = "mse"\ngamma = 1\n', encoding="utf-8"
    )
    with pytest.raises(StudyFileError) as caught:
        load_study(path)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{path} has 2 problems:"
    assert all(line.startswith("  - ") for line in lines)
    assert len(lines) == 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        StudyFileError, match=r"has 1 problem:\n  - there is no such file; `lossassay new PATH` writes one"
    ):
        load_study(tmp_path / "none.toml")
    with pytest.raises(StudyFileError, match="this is a folder, a study is a TOML file"):
        load_study(tmp_path)
    (tmp_path / "broken.toml").write_text("name = ", encoding="utf-8")
    with pytest.raises(StudyFileError, match=r"not readable as TOML: Invalid value \(at end of document\)"):
        load_study(tmp_path / "broken.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyFileError, match="not readable as TOML"):
        load_study(tmp_path / "binary.toml")


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab ", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab ", max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "data", "arms", "training", "evidence", "x"]), _ANYTHING))
def test_no_file_whatever_ends_in_another_error(raw: dict[str, Any]) -> None:
    assert problems(raw)


@given(st.dictionaries(st.sampled_from(["name", "loss", "gamma", "training", "x"]), _ANYTHING))
def test_no_arm_whatever_ends_in_another_error(arm: dict[str, Any]) -> None:
    assert problems(minimal(arms=[{**arm, "control": True}]))
