"""The next item is made while the last one is used, and nothing else changes."""

import threading
from collections.abc import Iterator

import pytest

from lossassay.biomarkers.features.overlap import ahead


def test_order_is_kept_and_one_item_is_made_ahead() -> None:
    made: list[int] = []
    second = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    items = ahead(numbers())
    assert next(items) == 0
    assert second.wait(timeout=10)  # without asking for it
    assert 2 not in made
    assert list(items) == [1, 2, 3]


def test_no_item_is_no_item() -> None:
    assert list(ahead(iter(()))) == []


def test_what_the_maker_raises_comes_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = ahead(numbers())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_one_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    items = ahead(iter(range(100)))
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
