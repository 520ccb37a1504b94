"""Making the next thing while the last one is being used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ahead"]

T = TypeVar("T")


def ahead(items: Generator[T, None, None]) -> Iterator[T]:
    """The same items in the same order, each made by a thread of its own while the one before is being used.

    Reading and checking both spend their time outside Python, so both go on at once; one item more is in memory. What
    `items` raises comes out where the item would have come. Who stops early waits for the one item under way.
    """
    with closing(items), ThreadPoolExecutor(1, "reader") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
