"""The command `schema`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossassay import api
from lossassay.cli import app
from lossassay.errors import OutFolderError


def test_it_prints_the_schema() -> None:
    found = CliRunner().invoke(app, ["schema"])
    assert found.exit_code == 0
    assert json.loads(found.stdout) == api.schema()


def test_it_writes_a_file_and_says_the_first_line_of_a_study(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "study.schema.json"
    found = CliRunner().invoke(app, ["schema", "-o", str(target)])
    assert found.exit_code == 0
    assert found.stdout.strip() == str(target)
    assert "#:schema ./study.schema.json" in found.stderr
    assert json.loads(target.read_text(encoding="utf-8")) == api.schema()


def test_a_study_file_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "study.toml"
    target.write_text("name = 'mine'", encoding="utf-8")
    with pytest.raises(OutFolderError, match=r"A schema is a \.json file, got 'study\.toml'"):
        api.schema(target)
    assert target.read_text(encoding="utf-8") == "name = 'mine'"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(OutFolderError, match=r"taken\.json cannot be written: .*Name another --out"):
        api.schema(tmp_path / "taken.json")
