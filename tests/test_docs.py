"""What the documents promise."""

import doctest
import importlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from lossassay.cli import app
from lossassay.config.schema import (
    ARM_TRAINING_KEYS,
    AuditConfig,
    AugmentConfig,
    DataConfig,
    DicomConfig,
    EvidenceConfig,
    TrainingConfig,
    TuningConfig,
    VolumeConfig,
)

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return re.split(r"\n###? ", text.split(f"## `[{title}]`")[1])[0]


@pytest.mark.parametrize(
    ("title", "config"),
    [
        ("data", DataConfig),
        ("data.dicom", DicomConfig),
        ("data.volume", VolumeConfig),
        ("training", TrainingConfig),
        ("evidence", EvidenceConfig),
        ("audit", AuditConfig),
        ("tuning", TuningConfig),
    ],
)
def test_the_study_file_page_names_every_key_and_no_other(title: str, config: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
    first_cells = [line.split("|")[1] for line in section(page, title).splitlines() if line.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    unlisted = {"momentum"} if config is TrainingConfig else set()  # stands with its optimizer
    assert named == set(config.model_fields) - unlisted


def test_the_study_file_page_names_what_arms_and_augmentation_may_set() -> None:
    page = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
    for key in (*ARM_TRAINING_KEYS, *AugmentConfig.model_fields):
        assert key in page, key


def test_every_command_in_the_readme_exists() -> None:
    named = set(re.findall(r"lossassay (\w+) ", README)) - {"runs", "in"}
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert named <= commands
    assert {"new", "plan", "run", "paper", "audit"} <= named


def test_the_scripts_of_the_readme_can_be_run() -> None:
    for name in ("setup", "demo", "test", "check"):
        script = ROOT / "scripts" / name
        assert os.access(script, os.X_OK), name
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_setting_up_twice_does_nothing_the_second_time() -> None:
    if not (ROOT / ".venv" / "installed-from").exists():
        pytest.skip("the tests run in an environment that scripts/setup did not make")
    before = (ROOT / ".venv" / "installed-from").stat().st_mtime_ns
    found = subprocess.run([str(ROOT / "scripts" / "setup")], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("", "")
    assert (ROOT / ".venv" / "installed-from").stat().st_mtime_ns == before


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_place_in_the_map_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    assert len(text.splitlines()) < 150


def test_the_numbers_in_the_readme_are_those_of_the_record() -> None:
    """The demo's table in the README is what the recorded demo printed."""
    records = sorted((ROOT / "benchmarks" / "records").glob("*_demo/record.json"))
    printed = "\n".join(json.loads(records[-1].read_text(encoding="utf-8"))["rounds"][0]["printed"])
    table = re.search(r"\| a \| b \|.*?\n\n", README, flags=re.DOTALL)
    assert table is not None
    numbers = re.findall(r"[+-]\d\.\d{4}", table.group())
    assert len(numbers) >= 12
    for number in numbers:
        assert number in printed, number


@pytest.mark.parametrize(
    "name",
    [
        "lossassay.losses",
        "lossassay.losses.cross_entropy",
        "lossassay.losses.binary",
        "lossassay.losses.squared_error",
        "lossassay.losses.focal",
        "lossassay.models",
        "lossassay.stats.agreement",
    ],
)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"torch": importlib.import_module("torch")})
    assert found.attempted > 0
    assert found.failed == 0
