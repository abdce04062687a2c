"""The first study file: what it proposes beside data and arms."""

import re
import tomllib
from pathlib import Path

import pytest

from lossassay import api
from lossassay.config import load_study, parse_study


@pytest.fixture(scope="module")
def written(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.new(images, tmp_path_factory.mktemp("new") / "study.toml")


def test_a_search_space_is_proposed_but_not_taken(written: Path) -> None:
    assert load_study(written).tuning is None
    lines = written.read_text(encoding="utf-8").splitlines()
    start = lines.index("# [tuning]")
    proposed = tomllib.loads("\n".join([*lines[:start], *(line.removeprefix("# ") for line in lines[start:])]))
    tuning = parse_study(proposed).tuning
    assert tuning is not None
    assert (tuning.trials, tuning.scope) == (20, "nested")
    assert tuning.space == {"learning_rate": "auto", "gamma": [0.5, 5.0]}  # the focal loss is among the arms


def test_the_cost_of_tuning_is_said(written: Path) -> None:
    text = written.read_text(encoding="utf-8").replace("\n# ", " ")
    assert re.search(r"It takes about 12 times as long: \d+ (minutes|hours) in place of \d+ (minutes|hours)\.", text)


def test_editors_are_told_of_a_schema_only_where_it_lies_beside(written: Path, images: Path, tmp_path: Path) -> None:
    assert "#:schema" not in written.read_text(encoding="utf-8")
    api.schema(tmp_path / "study.schema.json")
    beside = api.new(images, tmp_path / "study.toml")
    assert beside.read_text(encoding="utf-8").splitlines()[0] == "#:schema ./study.schema.json"
    assert load_study(beside).arms == load_study(written).arms
