"""Single attributes of a data set, read with patience: an unusable value is as good as none."""

import math
from typing import Any


def as_text(data_set: Any, keyword: str) -> str | None:
    """Return the stripped text of an attribute, several values joined by a backslash; None where it is empty."""
    return "\\".join(as_texts(data_set, keyword)) or None


def as_texts(data_set: Any, keyword: str) -> tuple[str, ...]:
    """Return the stripped texts of an attribute's values; an empty or unusable one has none."""
    try:
        value = data_set.get(keyword)
        if value is None:
            return ()
        values = [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)
        return tuple(text for one in values if (text := str(one).strip(" \0")))
    except Exception:  # whatever a converter makes of damaged bytes
        return ()


def as_floats(data_set: Any, keyword: str, count: int | None = None) -> tuple[float, ...]:
    """Return the finite numbers of an attribute; none of them where one is unusable, or ``count`` differs."""
    try:
        numbers = tuple(float(text) for text in as_texts(data_set, keyword))
    except ValueError:
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
        items = data_set.get(keyword)
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
    groups = data_set.get("PerFrameFunctionalGroupsSequence")
    number = frame or 0
    if groups and number < len(groups):
        own = item_of(groups[number], keyword)
        if own is not None:
            return own
    shared = item_of(data_set, "SharedFunctionalGroupsSequence", keyword)
    return data_set if shared is None else shared
