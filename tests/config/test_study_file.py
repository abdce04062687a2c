"""A good study file: defaults written out, frozen, and read back as it was written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lossassay.catalogue.losses import ALIASES, LOSSES
from lossassay.catalogue.models import MODELS
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import Study, load_study, parse_study, study_as_toml

DESIGN = """
name = "cxr3"

[data]
path = "data/cxr/cxr3.csv"
image_size = 64
group = "patient_id"
split = { validation = 0.1, test = 0.2 }

[[arms]]
loss = "categorical_crossentropy"

[[arms]]
loss = "sparse_categorical_crossentropy"

[[arms]]
loss = "focal"
gamma = 2.0
training = { learning_rate = 3e-4 }

[training]
model = "paper_cnn"
epochs = 15
batch_size = 100
optimizer = "adam"
learning_rate = 1e-3

[evidence]
replicates = 10
vary = ["split", "init", "order"]
metric = "balanced_accuracy"
margin = 0.03
alpha = 0.05
scope = "procedure"
compare = "all"
"""


def minimal(**changes: Any) -> dict[str, Any]:
    return {"name": "s", "data": {"path": "digits"}, "arms": [{"loss": "mse"}], **changes}


def test_the_file_of_the_design_is_read(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(DESIGN, encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    assert study.name == "cxr3"
    assert study.data.path == str((tmp_path / "data/cxr/cxr3.csv").resolve())
    assert [arm.loss for arm in study.arms] == ["categorical_crossentropy", "sparse_categorical_crossentropy", "focal"]
    assert study.arms[2].name == "focal gamma=2 learning_rate=0.0003"
    assert study.evidence.vary == ("split", "init", "order")
    rates = [study.training_of(arm).learning_rate for arm in study.arms]
    assert rates == [1e-3, 1e-3, 3e-4]


def test_a_minimal_study_has_every_default_written_out() -> None:
    study = parse_study(minimal(arms=[{"loss": "focal"}]))
    assert study.arms[0].hyper_parameters == {"gamma": 2.0}
    assert study.training.model_options == {"widths": [32, 64, 128, 256, 256], "dense": [256, 128], "dropout": 0.5}
    assert (study.data.path, study.data.image_size, study.evidence.replicates) == ("digits", 64, 10)
    assert study.evidence.margin is None


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases_are_resolved(alias: str, name: str) -> None:
    study = parse_study(minimal(arms=[{"loss": alias}]))
    assert study == parse_study(minimal(arms=[{"loss": name}]))
    assert study.arms[0].loss == name


def test_whole_numbers_are_taken_where_numbers_are_expected() -> None:
    study = parse_study(minimal(arms=[{"loss": "focal", "gamma": 3}], training={"learning_rate": 1}))
    assert study.arms[0].hyper_parameters["gamma"] == 3
    assert study.training.learning_rate == 1.0


def test_official_parts() -> None:
    study = parse_study(minimal(data={"path": "digits", "split": "official"}))
    assert study.data.split.official
    assert study.data.split.validation == 0.1


def test_a_study_is_frozen() -> None:
    study = parse_study(minimal())
    with pytest.raises(ValidationError, match="frozen"):
        study.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        study.training.epochs = 3  # type: ignore[misc]


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    raw = minimal(data={"path": "images"}, training={"weights": "w.safetensors"})
    study = parse_study(raw, folder=tmp_path)
    assert study.data.path == str((tmp_path / "images").resolve())
    assert study.training.weights == str((tmp_path / "w.safetensors").resolve())
    absolute = parse_study(minimal(data={"path": str(tmp_path / "x")}), folder=Path("/elsewhere"))
    assert absolute.data.path == str((tmp_path / "x").resolve())


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(DESIGN, encoding="utf-8-sig")
    assert load_study(tmp_path / "study.toml").name == "cxr3"


def test_a_model_of_the_users_own_takes_any_options() -> None:
    options = {"depth": 3, "kind": "x"}
    study = parse_study(minimal(training={"model": "mine:net", "model_options": options}))
    assert study.training.model_options == options


_ARM_TRAINING = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": st.floats(1e-6, 1),
        "optimizer": st.sampled_from(["adam", "adamw", "sgd"]),
        "epochs": st.integers(1, 500),
        "class_weights": st.sampled_from(["none", "balanced"]) | st.lists(st.floats(0.1, 10), min_size=2, max_size=4),
    },
)


@st.composite
def arms(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4, unique=True))
    found = []
    for name in names:
        loss = draw(st.sampled_from([*LOSSES, *ALIASES]))
        arm: dict[str, Any] = {"name": name, "loss": loss, "training": draw(_ARM_TRAINING)}
        if loss == "focal":
            arm["gamma"] = draw(st.floats(0, 10))
        if LOSSES[ALIASES.get(loss, loss)].kind == "batch":
            arm["training"].pop("class_weights", None)
        found.append(arm)
    return found


STUDIES = st.fixed_dictionaries(
    {
        "name": st.text(min_size=1, max_size=100),
        "data": st.fixed_dictionaries(
            {"path": st.sampled_from(["digits", "images", "/data/table.csv"])},
            optional={
                "image_size": st.integers(32, 4096),
                "channels": st.sampled_from([1, 3]),
                "resize": st.sampled_from(["pad", "crop", "stretch"]),
                "group": st.text(max_size=9),
                "split": st.just("official")
                | st.fixed_dictionaries({"validation": st.floats(0.01, 0.4), "test": st.floats(0.01, 0.4)}),
            },
        ),
        "arms": arms(),
    },
    optional={
        "training": st.fixed_dictionaries(
            {},
            optional={
                "model": st.sampled_from(list(MODELS)),
                "precision": st.sampled_from(["auto", "fp32", "bf16"]),
                "kernels": st.sampled_from(["auto", "plain", "fused"]),
                "threads": st.just("auto") | st.integers(1, 64),
                "augment": st.fixed_dictionaries({"flip": st.booleans(), "shift": st.floats(0, 0.5)}),
            },
        ),
        "evidence": st.fixed_dictionaries(
            {},
            optional={
                "replicates": st.integers(1, 99),
                "margin": st.floats(1e-6, 1),
                "metric": st.sampled_from(list(YARDSTICKS)),
                "vary": st.lists(st.sampled_from(["split", "init", "order"]), unique=True),
                "seed": st.integers(0, 2**60),
            },
        ),
    },
)


@given(STUDIES)
def test_what_is_written_is_read_back_as_the_same_study(raw: dict[str, Any]) -> None:
    study = parse_study(raw)
    again = parse_study(tomllib.loads(study_as_toml(study)), folder=Path("/elsewhere"))
    assert again == study
    assert study_as_toml(again) == study_as_toml(study)
    assert isinstance(again, Study)
