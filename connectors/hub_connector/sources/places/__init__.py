"""Places other than this machine's files: databases, SFTP, S3, web addresses and paged APIs.

Each module offers an opener that answers None to locations of another kind. A place either gives a file, which goes
to the readers of file formats as a `Blob`, or rows, as a `Source`. Secrets come from the dataset's options by way of
`hub_connector.secrets`; a location never holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from .http import open_http
from .rest import open_rest
from .s3 import open_s3
from .sftp import open_sftp
from .sql import open_sql

if TYPE_CHECKING:
    from ..base import Source

__all__ = ["OPENERS"]

#: Every kind of place; databases last, because any other `name://` may be one.
OPENERS: Final[tuple[Callable[[str, Mapping[str, object]], Source | None], ...]] = (
    open_http,
    open_rest,
    open_sftp,
    open_s3,
    open_sql,
)
