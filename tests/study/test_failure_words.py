"""Of a failed run one line is told, and no path of the machine."""

import traceback
from pathlib import Path

import pytest

from lossassay.study.analysis.failure_words import in_one_line


def test_of_a_traceback_the_error_is_told() -> None:
    try:
        try:
            open("/nowhere/patient 12.png")
        except OSError as error:
            raise RuntimeError("the loss failed\n  with more below") from error
    except RuntimeError:
        text = traceback.format_exc()
    assert __file__ in text
    assert in_one_line(text) == "RuntimeError: the loss failed"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("No loss is called 'focall'. Did you mean 'focal'?", "No loss is called 'focall'. Did you mean 'focal'?"),
        ("one\n  two and/or three, 1 / 2", "one two and/or three, 1 / 2"),
        ("[Errno 2] No such file: '/data/a b/p1.png'", "[Errno 2] No such file: <path>"),
        ("lies in /data/p1.png, not in ~/data.", "lies in <path>, not in <path>."),
        (r"lies in C:\data\p1.png (twice)", "lies in <path> (twice)"),
        ("scans/p1.png: 'scans/p1.png'", "scans/p1.png: <path>"),
        ("/out of mine/here cannot be written", "<path> cannot be written"),
        ("look at https://example.org/page", "look at https://example.org/page"),
        ("", ""),
        ("KeyError: 'focal/g 2'", "KeyError: 'focal/g 2'"),
        ("the arm a/b, and 'untuned: a/b'", "the arm a/b, and 'untuned: a/b'"),
        ("'/data/a/b/p1.png' of a/b", "<path> of a/b"),
        ("lies in /data/a/b or 'a/b/p1.png' or ../a/b", "lies in <path> or <path> or ..<path>"),
        (r"KeyError: 'x\y'", r"KeyError: 'x\y'"),
    ],
)
def test_no_place_is_told(message: str, told: str) -> None:
    names = ("a/b", "focal/g 2", r"x\y", "plain")
    assert in_one_line(message, [Path("/out of mine")], names) == told
