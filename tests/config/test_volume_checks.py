"""What a volume section cannot mean is said with the rest of a study file's problems."""

from typing import Any

import pytest

from lossassay.config.load import parse_study
from lossassay.errors import StudyFileError


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"volume": {"clip": [50, 50]}}, "data.volume.clip: must be two rising percentiles"),
        ({"volume": {"clip": [-1.0, 50.0]}}, "data.volume.clip: must be two rising percentiles"),
        ({"volume": {"window": [40.0, 0.0]}}, "data.volume.window: .* the width must be above 0; got"),
        ({"volume": {"form": "channels"}}, "data.channels is 1; set data.channels = 3"),
        ({"volume": {"slices": 3}}, 'the form "volume" takes whole volumes'),
        ({"volume": {"axis": "axal"}}, "data.volume.axis"),
        ({"volume": {"forn": "slices"}}, "no such key.* Did you mean 'form'"),
    ],
)
def test_problems(data: dict[str, Any], message: str) -> None:
    raw = {"name": "a", "data": {"path": "digits", **data}, "arms": [{"loss": "focal"}]}
    with pytest.raises(StudyFileError, match=message):
        parse_study(raw)


def test_nothing_is_said_of_a_good_one() -> None:
    volume = {"form": "channels", "slices": 5, "window": [40.0, 400.0]}
    data = {"path": "digits", "channels": 3, "volume": volume}
    assert parse_study({"name": "a", "data": data, "arms": [{"loss": "focal"}]}).data.volume.slices == 5
