"""Keys for control arms and presets of preprocessing."""

import tomllib
from typing import Any

import pytest

from lossassay.config import CONTROL_ARMS, parse_study, study_as_toml
from tests.config.test_messages import minimal, problems


@pytest.mark.parametrize(
    ("written", "controls"),
    [
        (False, ()),
        (True, ("same",)),
        ([], ()),
        ("masked_centre", ("masked_centre",)),
        (["permuted_labels", "same", "permuted_labels"], ("same", "permuted_labels")),
    ],
)
def test_controls_are_a_flag_a_name_or_names(written: Any, controls: tuple[str, ...]) -> None:
    study = parse_study(minimal(evidence={"control": written}))
    assert study.evidence.controls == controls
    assert parse_study(tomllib.loads(study_as_toml(study))) == study


def test_presets_are_a_name_or_names_in_their_order() -> None:
    assert parse_study(minimal(data={"path": "digits", "preprocess": "clahe"})).data.preprocess == ("clahe",)
    names = ["percentile", "lung_crop", "clahe"]
    assert parse_study(minimal(data={"path": "digits", "preprocess": names})).data.preprocess == tuple(names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evidence": {"control": "masked_center"}}, "evidence.control.0: .* Did you mean 'masked_centre'?"),
        ({"evidence": {"control": 3}}, "evidence.control: input should be a valid tuple, got 3"),
        ({"data": {"path": "digits", "preprocess": ["clahee"]}}, "data.preprocess.0: .* Did you mean 'clahe'?"),
        (
            {
                "data": {"path": "digits", "source": "site", "split": {"kind": "leave_one_out"}},
                "evidence": {"control": ["source_only"]},
            },
            "leave this control out, or split otherwise",
        ),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    found = problems(minimal(**changes))
    assert len(found) == 1
    assert all(part in found[0] for part in message.split(".*")), found


@pytest.mark.parametrize("name", CONTROL_ARMS.values())
def test_no_arm_may_be_called_like_a_control(name: str) -> None:
    (found,) = problems(minimal(arms=[{"loss": "mse", "name": name}]))
    assert found == f"arms: {name!r} is the name of a control (`evidence.control`); give the arm another"
