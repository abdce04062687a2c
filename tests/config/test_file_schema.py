"""The JSON schema of the study file takes what the loader takes, and refuses unknown keys and wrong types."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import lossassay.config.schema as models
from lossassay.catalogue.losses import ALIASES, LOSSES
from lossassay.config import load_study, parse_study, study_as_toml
from lossassay.config.file_schema import study_schema
from lossassay.config.key_descriptions import KEY_DESCRIPTIONS
from tests.config.test_messages import minimal, problems

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.toml"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SCHEMA = study_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def written(page: Path) -> Iterator[dict[str, Any]]:
    """Return the parts of study files on a page."""
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        yield tomllib.loads(block)


EXAMPLES = [(page.name, place, part) for page in PAGES for place, part in enumerate(written(page))]


def test_the_schema_is_one_and_plain_data() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_repository_fits(path: Path) -> None:
    CHECK.validate(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_as_resolved_fits_too(path: Path) -> None:
    CHECK.validate(tomllib.loads(study_as_toml(load_study(path))))


@pytest.mark.parametrize(("page", "place", "part"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_example_of_the_documents_fits(page: str, place: int, part: dict[str, Any]) -> None:
    data = {"path": "digits"} | part.get("data", {})
    CHECK.validate(minimal() | part | {"data": data})


@pytest.mark.parametrize("name", [*LOSSES, *ALIASES])
def test_every_loss_fits_with_its_own_hyper_parameters_alone(name: str) -> None:
    spec = LOSSES[ALIASES.get(name, name)]
    defaults = json.loads(json.dumps({k: p.default for k, p in spec.hyper_parameters.items() if p.default is not None}))
    for arm in ({"loss": name, **defaults}, {"loss": [{"name": name, "weight": 2, **defaults}]}):
        CHECK.validate(minimal(arms=[arm]))
    assert not CHECK.is_valid(minimal(arms=[{"loss": name, "no_such_key": 1.0}]))
    assert not CHECK.is_valid(minimal(arms=[{"loss": [{"name": name, "no_such_key": 1.0}]}]))


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"path": "d", "split": "official", "preprocess": "clahe", "group": ["site", "patient"]}},
        {"data": {"path": "d", "split": {"kind": "cross_validation", "folds": 5}, "group": False}},
        {"data": {"path": "d", "dicom": {"window": [40, 400.0], "frames": 3}, "volume": {"clip": [1, 99]}}},
        {"evidence": {"replicates": {"min": 3, "max": 9}, "control": ["same", "masked_centre"]}},
        {"evidence": {"control": "masked_centre"}},
        {"biomarkers": {"probes": ["sex", {"column": "folder", "values": ["a", "b"]}], "nuisance": "view"}},
        {"biomarkers": {"probes": "sex"}},
        {"training": {"model": "own:model", "model_options": {"anything": 1}, "threads": 2, "class_weights": [1, 2]}},
        {"arms": [{"loss": "own:loss", "anything": 1.0}], "tuning": {"space": {"anything": [0.0, 1.0]}}},
        {"tuning": {"space": {"learning_rate": "auto", "gamma": [0, 5], "optimizer": {"choices": ["sgd", "adam"]}}}},
        {"tuning": {"arms": {"focal": {"gamma": [0.5, 5], "learning_rate": "auto"}}}},
        {"arms": [{"loss": "own:loss"}], "tuning": {"arms": {"own:loss": {"anything": [0.0, 1.0]}}}},
        {"tuning": {"space": {"weight_decay": [1e-6, 1e-2, "log"]}, "pruning": "none", "sampler": "tpe"}},
        {"arms": [{"loss": [{"name": "mse", "weight": {"from": 0.0, "to": 1.0, "epochs": 3}}]}]},
    ],
)
def test_every_way_to_write_a_value_fits(changes: dict[str, Any]) -> None:
    CHECK.validate(minimal(**changes))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"colour": "red"}, []),
        ({"data": {"path": "digits", "imagesize": 64}}, ["data"]),
        ({"data": {"path": "digits", "image_size": 16}}, ["data", "image_size"]),
        ({"data": {"path": "digits", "split": "offical"}}, ["data", "split"]),
        ({"data": {"path": "digits", "split": {"kind": "random"}}}, ["data", "split"]),
        ({"data": {"path": "digits", "dicom": {"clip": [1, 2, 3]}}}, ["data", "dicom"]),
        ({"training": {"epochs": "ten"}}, ["training", "epochs"]),
        ({"training": {"model": "resnet8"}}, ["training", "model"]),
        ({"training": {"model_options": {"width": 3}}}, ["training", "model_options"]),
        ({"training": {"augment": {"flips": True}}}, ["training", "augment"]),
        ({"evidence": {"metric": "acuracy"}}, ["evidence", "metric"]),
        ({"evidence": {"margin": 0}}, ["evidence", "margin"]),
        ({"evidence": {"control": "masked_center"}}, ["evidence", "control"]),
        ({"evidence": {"replicates": {"min": 2}}}, ["evidence", "replicates"]),
        ({"audit": {"accept": ["A000"]}}, ["audit", "accept", 0]),
        ({"biomarkers": {"criterion": "repeatibility"}}, ["biomarkers", "criterion"]),
        ({"arms": []}, ["arms"]),
        ({"arms": [{"loss": "focall"}]}, ["arms", 0, "loss"]),
        ({"arms": [{"loss": "focal", "gamma": -1.0}]}, ["arms", 0, "gamma"]),
        ({"arms": [{"loss": "mse", "gamma": 2.0}]}, ["arms", 0]),
        ({"arms": [{"loss": "mse", "training": {"batch_size": 3}}]}, ["arms", 0, "training"]),
        ({"arms": [{"loss": [{"name": "mse"}], "gamma": 2.0}]}, ["arms", 0]),
        ({"arms": [{"name": "no loss"}]}, ["arms", 0]),
        ({"tuning": {"trials": 0}}, ["tuning", "trials"]),
        ({"tuning": {"pruning": "median"}}, ["tuning", "pruning"]),
        ({"tuning": {"space": {"learning_rate": "wide"}}}, ["tuning", "space", "learning_rate"]),
        ({"tuning": {"space": {"weight_decay": "auto"}}}, ["tuning", "space", "weight_decay"]),
        ({"tuning": {"space": {"learning_rat": [1e-4, 1e-2]}}}, ["tuning", "space"]),
        ({"tuning": {"arms": {"focal": {"gamm": [0, 1]}}}}, ["tuning", "arms", "focal"]),
        ({"tuning": {"arms": {"focal": {"gamma": "auto"}}}}, ["tuning", "arms", "focal", "gamma"]),
        ({"tuning": {"arms": {"focal": {}}}}, ["tuning", "arms", "focal"]),
    ],
)
def test_what_the_loader_refuses_is_marked_in_its_place(changes: dict[str, Any], place: list[Any]) -> None:
    raw = minimal(**changes)
    found = [list(error.absolute_path) for error in CHECK.iter_errors(raw)]
    assert found == [place]
    if not {"space", "arms"} & set(raw.get("tuning", {})):
        assert problems(raw)


def test_every_key_of_every_part_has_its_sentence_and_no_other_has() -> None:
    parts = {
        name: set(part.model_fields)
        for name, part in vars(models).items()
        if isinstance(part, type) and issubclass(part, BaseModel) and part.model_fields
    }
    parts["ArmConfig"] = (parts["ArmConfig"] - {"hyper_parameters"}) | {"terms"}
    assert {name: set(words) for name, words in KEY_DESCRIPTIONS.items()} == parts
    for words in KEY_DESCRIPTIONS.values():
        for key, sentence in words.items():
            assert sentence.endswith("."), key


def test_every_property_of_the_schema_carries_a_description() -> None:
    def walk(node: Any) -> Iterator[tuple[str, Any]]:
        for key, value in node.items() if isinstance(node, dict) else []:
            if key == "properties" and isinstance(value, dict):
                yield from value.items()
            yield from walk(value)
        for part in node if isinstance(node, list) else []:
            yield from walk(part)

    def without_rules(node: Any) -> Any:
        """A rule that asks about a key (`if`) or refines a table that is described elsewhere needs no words."""
        if isinstance(node, dict):
            return {key: without_rules(value) for key, value in node.items() if key not in ("if", "allOf")}
        return [without_rules(part) for part in node] if isinstance(node, list) else node

    found = list(walk(without_rules(SCHEMA)))
    assert len(found) > 200
    assert [key for key, value in found if not value.get("description")] == []


def test_defaults_are_those_of_the_loader() -> None:
    study = parse_study(minimal())
    properties = SCHEMA["properties"]
    assert properties["training"]["properties"]["epochs"]["default"] == study.training.epochs
    assert properties["evidence"]["properties"]["alpha"]["default"] == study.evidence.alpha
    assert "default" not in properties["data"]["properties"]["group"]  # none, which TOML cannot write
