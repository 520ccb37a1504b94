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
        options: how to read it (for CSV: encoding, delimiter, quote, header_row); every format has its own, and what
            is left out is detected.

    Raises:
        ConfigError: when an option is not known or has no sense.
        SourceError: when there is no such source or no kind of source understands it.
    """
    for opener in _openers():
        source = opener(location, dict(options or {}))
        if source is not None:
            return source
    # An address may hold a password or a token: they stand before the @ and after the question mark.
    shown = location.partition("?")[0].rpartition("@")[2] if "://" in location else location
    raise SourceError(
        f"{shown} is not a kind of source this connector knows.",
        "It reads files of CSV, Excel, OpenDocument, JSON, XML and Parquet, also packed as .gz or .zip; on this "
        "machine, or at sftp://, s3:// and https:// addresses; APIs at rest+https://; and databases such as "
        "sqlite:///FILE or postgresql+psycopg://. Other kinds can be installed as plugins.",
    )


def _openers() -> Iterator[Opener]:
    """Installed kinds first, so that a plugin can take over a file extension; the built-in ones last."""
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            yield point.load()
        except Exception as error:  # a plugin may fail in any way; the user needs its name
            raise ConfigError(
                f"The source plugin {point.name!r} cannot be loaded ({type(error).__name__}: {error}).",
                f"Repair or uninstall the distribution that provides {point.value}.",
            ) from error
    from .formats import open_file
    from .places import OPENERS

    yield from OPENERS
    yield open_file
