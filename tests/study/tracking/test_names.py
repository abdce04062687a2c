"""Names as folders and tags."""

import string

from hypothesis import given
from hypothesis import strategies as st

from lossassay.study.tracking.names import safe_name, safe_names

ALLOWED = set(string.ascii_letters + string.digits + "_.+=() -")


def test_plain_names_stay_as_they_are() -> None:
    for name in ("focal", "focal 2", "A_B-1.5", "gamma=2"):
        assert safe_name(name) == name


def test_names_that_differ_in_case_only_become_different_folders() -> None:
    found = safe_names(["Focal", "focal", "dice"])
    assert found["dice"] == "dice"
    assert len({one.casefold() for one in found.values()}) == 3


@given(st.lists(st.text(max_size=120), unique=True, max_size=8))
def test_any_names_become_safe_and_stay_different(names: list[str]) -> None:
    found = safe_names(names)
    assert list(found) == names
    assert len({one.casefold() for one in found.values()}) == len(names)
    for one in found.values():
        assert one
        assert set(one) <= ALLOWED
        assert one == one.strip()
        assert not one.startswith(".")
        assert len(one) <= 100


def test_names_of_devices_and_of_folders_above_are_no_folder_names() -> None:
    for name in ("..", ".", "", "CON", "nul.txt", "a/b", "a\\b"):
        assert safe_name(name) != name
        assert "/" not in safe_name(name)
