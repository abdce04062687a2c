"""What a study that tunes states before its first run."""

from pathlib import Path
from typing import Any

from lossassay.config import parse_study
from lossassay.study.folder.registered import register


def study(**tuning: Any) -> Any:
    losses = ("categorical_crossentropy", "focal")
    asked = {"data": {"path": "digits", "image_size": 32}, "arms": [{"loss": loss} for loss in losses], "name": "tuned"}
    return parse_study(asked | ({"tuning": tuning} if tuning else {}))


def test_the_budget_and_the_ranges_are_stated_and_a_change_is_named(tmp_path: Path) -> None:
    first = register(tmp_path, study(trials=4, space={"learning_rate": [1e-4, 1e-2, "log"]}), "accuracy")
    words = '4 trials of each arm, in every replicate: learning_rate [0.0001, 0.01, "log"]'
    assert first.first["tuning"] == words
    assert register(tmp_path, study(trials=4, space={"learning_rate": [1e-4, 1e-2, "log"]}), "accuracy").changes == ()
    later = register(tmp_path, study(trials=8, space={"learning_rate": [1e-4, 1e-2, "log"]}), "accuracy")
    assert later.changes == (f"tuning: {words}, later {words.replace('4 trials', '8 trials')}",)
    assert register(tmp_path, study(), "accuracy").changes[1].endswith("later none")


def test_ranges_of_one_arm_are_stated_and_a_change_is_named(tmp_path: Path) -> None:
    space = {"learning_rate": "auto"}
    first = register(tmp_path, study(trials=4, space=space, arms={"focal": {"gamma": [0.5, 5]}}), "accuracy")
    words = '4 trials of each arm, in every replicate: learning_rate "auto"; for focal alone gamma [0.5, 5]'
    assert first.first["tuning"] == words
    later = register(tmp_path, study(trials=4, space=space, arms={"focal": {"gamma": [2, 3]}}), "accuracy")
    assert later.changes == (f"tuning: {words}, later {words.replace('[0.5, 5]', '[2, 3]')}",)
