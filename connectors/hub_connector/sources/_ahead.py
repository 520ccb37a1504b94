"""Making the next thing while the last one is being used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ahead", "each_ahead"]

T = TypeVar("T")
U = TypeVar("U")


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


def each_ahead(items: Iterable[T], make: Callable[[T], U]) -> Iterator[tuple[T, U]]:
    """Every item with what `make` makes of it, which a thread of its own does while the one before is being used.

    The items themselves are drawn here: a connection to a database may know only the thread that opened it. When
    drawing fails, what was drawn before comes first.
    """
    source = iter(items)
    failure: Exception | None = None
    with ThreadPoolExecutor(1, "preparing") as pool:
        waiting: tuple[T, Future[U]] | None = None
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            coming = (item, pool.submit(make, item))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()
    if failure is not None:
        raise failure
