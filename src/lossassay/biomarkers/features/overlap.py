"""Makes the next item while the last one is used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items in their order, each made in a thread while its predecessor is used.

    One item waits at most, so that memory holds two.

    Args:
        items: Makes the items; what it raises is raised here.
    """
    with ThreadPoolExecutor(1) as maker:
        waiting = maker.submit(next, items, _END)
        while (item := waiting.result()) is not _END:
            waiting = maker.submit(next, items, _END)
            yield item  # type: ignore[misc]
