"""Every study file of docs/data.md is one that the tool takes."""

import re
import tomllib
from pathlib import Path

import pytest

from lossassay.config.load import parse_study
from lossassay.config.schema import DataConfig

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def _arms(data: dict[str, object]) -> list[dict[str, str]]:
    multi_label = "label_separator" in data or "finding_columns" in data
    return [{"loss": "binary_crossentropy" if multi_label else "categorical_crossentropy"}]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_study_file_of_the_page_is_taken(block: str) -> None:
    data = tomllib.loads(block)["data"]
    evidence = {"replicates": 10, "margin": 0.02}
    study = parse_study({"name": "page", "data": data, "arms": _arms(data), "evidence": evidence})
    assert {key for key in data if key in study.data.model_fields_set} == set(data)


def test_the_page_shows_every_key_that_is_about_the_form_of_data() -> None:
    shown = {key for block in BLOCKS for key in tomllib.loads(block)["data"]}
    general = {"image_size", "resize", "padding", "background", "path_column", "part_column", "encoding"}
    assert set(DataConfig.model_fields) - shown <= general | {"allow_paths_outside"}
