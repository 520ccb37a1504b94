"""Progress on the error stream: one line that moves on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

from ..pushing import Watcher

__all__ = ["Progress"]

_EVERY = 0.2


class Progress(Watcher):
    """Shows how far a check or a push is. Silent when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._moving = sys.stderr.isatty()
        self._last = 0.0
        self._open = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def stage(self, words: str) -> None:
        """A new stage begins."""
        if not self._quiet:
            self._clear()
            click.echo(f"{words} ...", err=True)

    def warn(self, words: str) -> None:
        """Said even when everything else is silent; never on the output that programs read."""
        self._clear()
        click.echo(f"note: {words}", err=True)

    def checked(self, rows: int, refused: int) -> None:
        """So many rows have been checked."""
        self._line(f"  {rows:,} rows, {refused:,} at fault")

    def sent(self, done: int, total: int) -> None:
        """The hub has so many of so many bytes."""
        self._line(f"  {done / 1e6:,.1f} of {total / 1e6:,.1f} MB", last=done == total)

    def _line(self, words: str, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._quiet or not self._moving or (now - self._last < _EVERY and not last):
            return
        self._last, self._open = now, True
        click.echo(f"\r\x1b[K{words}", nl=False, err=True)

    def _clear(self) -> None:
        if self._open:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._open = False
