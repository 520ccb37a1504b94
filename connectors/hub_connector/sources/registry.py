"""Which kind of source a location is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ..errors import ConfigError, SourceError
from .base import Source

__all__ = ["ENTRY_POINT_GROUP", "Opener", "open_source"]

ENTRY_POINT_GROUP: Final = "joinedup.sources"

#: Opens a location of its own kind, or answers None.
Opener = Callable[[str, Mapping[str, object]], "Source | None"]


def open_source(location: str, options: Mapping[str, object] | None = None) -> Source:
    """The source at `location`: a file's path, or whatever an installed kind of source understands.

    Args:
        location: as given on the command line or in the configuration.
        options: how to read it (for CSV: encoding, delimiter, quote, header_row); what is left out is detected.

    Raises:
        ConfigError: when an option is not known or has no sense.
        SourceError: when there is no such source or no kind of source understands it.
    """
    for opener in _openers():
        source = opener(location, dict(options or {}))
        if source is not None:
            return source
    raise SourceError(
        f"{location} is not a kind of source this connector knows.",
        "It reads CSV and TSV files. Other kinds can be installed as plugins; "
        "an export saved as CSV (UTF-8) works today.",
    )


def _openers() -> Iterator[Opener]:
    """Installed kinds first, so that a plugin can take over a file extension; the built-in kind last."""
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            yield point.load()
        except Exception as error:  # a plugin may fail in any way; the user needs its name
            raise ConfigError(
                f"The source plugin {point.name!r} cannot be loaded ({type(error).__name__}: {error}).",
                f"Repair or uninstall the distribution that provides {point.value}.",
            ) from error
    from .delimited import open_delimited

    yield open_delimited
