"""Single attributes of a data set, read with patience: an unusable value is as good as none."""

import math
from functools import cache
from typing import Any


@cache
def tag_of(keyword: str) -> Any:
    """Return the tag of a keyword of DICOM; looked up once, because this is asked for every file.

    Raises:
        ValueError: If there is no such keyword.
    """
    from pydicom.tag import Tag

    return Tag(keyword)


def value_of(data_set: Any, keyword: str) -> Any:
    """Return the value of an attribute; None where it is absent. Faster than by attribute name, above all if absent."""
    tag = tag_of(keyword)  # the data set's own "in" makes a tag of its argument each time
    return data_set[tag].value if tag in data_set.keys() else None


def as_text(data_set: Any, keyword: str) -> str | None:
    """Return the stripped text of an attribute, several values joined by a backslash; None where it is empty."""
    return "\\".join(as_texts(data_set, keyword)) or None


def as_texts(data_set: Any, keyword: str) -> tuple[str, ...]:
    """Return the stripped texts of an attribute's values; an empty or unusable one has none."""
    try:
        value = value_of(data_set, keyword)
        if value is None:
            return ()
        values = [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)
        return tuple(text for one in values if (text := str(one).strip(" \0")))
    except Exception:  # whatever a converter makes of damaged bytes
        return ()


def as_floats(data_set: Any, keyword: str, count: int | None = None) -> tuple[float, ...]:
    """Return the finite numbers of an attribute; none of them where one is unusable, or ``count`` differs."""
    try:
        value = value_of(data_set, keyword)
        if value is None or value == "":
            return ()
        single = isinstance(value, str | bytes) or not hasattr(value, "__iter__")
        numbers = (float(value),) if single else tuple(float(one) for one in value)
    except Exception:  # whatever a converter makes of damaged bytes
        return ()
    if not all(math.isfinite(number) for number in numbers) or (count is not None and len(numbers) != count):
        return ()
    return numbers


def as_int(data_set: Any, keyword: str) -> int | None:
    """Return the whole number of an attribute; None where there is none."""
    numbers = as_floats(data_set, keyword)
    return int(numbers[0]) if numbers else None


def item_of(data_set: Any, *keywords: str) -> Any | None:
    """Return the first item of a sequence inside the first items of others; None where one of them is missing."""
    for keyword in keywords:
        items = value_of(data_set, keyword)
        if not items:
            return None
        data_set = items[0]
    return data_set


def of_frame(data_set: Any, frame: int | None, keyword: str) -> Any:
    """Return what holds a macro of a frame: its own functional group, the shared one, or the data set itself.

    Args:
        data_set: Of the whole file.
        frame: Number of the frame, from 0; None: the first.
        keyword: Of the macro's sequence, such as ``"FrameVOILUTSequence"``.
    """
    groups = value_of(data_set, "PerFrameFunctionalGroupsSequence")
    number = frame or 0
    if groups and number < len(groups):
        own = item_of(groups[number], keyword)
        if own is not None:
            return own
    shared = item_of(data_set, "SharedFunctionalGroupsSequence", keyword)
    return data_set if shared is None else shared
