"""Objects in S3-compatible storage: `s3://bucket/folder/file.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from ...errors import ConfigError, SourceError
from ._address import plain_name, require_https, split_address
from ._pick import PICK, PICKS, Found, has_pattern, pick
from ._settings import Settings, separate
from ._spool import MOST_BYTES, FetchedBlob, Spool

if TYPE_CHECKING:
    from ..base import Source

__all__ = ["OPTIONS", "open_s3"]

#: What can be said about an S3 source; the file's format has more options.
OPTIONS: Final = {
    "endpoint": "address of storage that is not Amazon's, such as https://minio.example.gov.uk:9000",
    "region": "the bucket's region, such as eu-west-2",
    "access_key": "the access key's id",
    "secret_key": "the place of its secret",
    "session_token": "the place of a session token",
    "anonymous": "true for open data that needs no key",
    "pick": PICK,
    "timeout": "longest silence of the server, 60s",
    "max_bytes": "largest file, for example 2GB",
    "allow_http": "true lets data travel unencrypted",
}
_CHUNK: Final = 1 << 22
#: Words in the errors of the storage's client, what they mean and what to do.
_WORDS: Final = (
    (("NO_SUCH_BUCKET", "NoSuchBucket"), "there is no such bucket", "Check the bucket's name and region."),
    (
        ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID",
         "EXPIRED", "status 403", "HTTP code 403"),
        "access is denied",
        "Check access_key and secret_key, and that the key may list and read the bucket.",
    ),
    (
        ("NETWORK_CONNECTION", "curlCode", "REQUEST_TIMEOUT", "resolve"),
        "the storage does not answer",
        "Check endpoint and network, and try again.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Place:
    bucket: str
    key: str
    pick: str
    keys: Mapping[str, Any] = field(repr=False)

    @property
    def shown(self) -> str:
        return f"s3://{self.bucket}/{self.key}"[:300]


def open_s3(location: str, options: Mapping[str, object]) -> Source | None:
    """An object of a bucket, fetched when it is first read; None for other locations.

    Raises:
        ConfigError: when the address or an option cannot be used.
        SourceError: when no object matches a pattern.
    """
    if not location.lower().startswith("s3://"):
        return None
    settings, rest = separate("S3", options, OPTIONS)
    parts = split_address(location, pattern=True)
    bucket, key = parts.netloc, unquote(parts.path).lstrip("/")
    if not key or key.endswith("/") or parts.query or parts.fragment:
        raise ConfigError(
            "The S3 address names no object.",
            "It looks like s3://bucket/folder/file.csv; endpoint and region are options.",
        )
    place = _Place(bucket, key, settings.one_of("pick", PICKS, "newest"), _keywords(settings))
    most = settings.size("max_bytes", MOST_BYTES)
    if has_pattern(key):
        place = _picked(place)
    from ..formats import open_blob

    return open_blob(
        FetchedBlob(plain_name(key_name(place.key), bucket), most, lambda spool: _fetch(place, spool)), rest
    )


def key_name(key: str) -> str:
    """The key as a path whose per cent signs stand for themselves."""
    return key.replace("%", "%25")


def _keywords(settings: Settings) -> dict[str, Any]:
    """What pyarrow's file system is made with."""
    timeout = settings.seconds("timeout", 60.0, most=3600.0)
    found: dict[str, Any] = {"request_timeout": timeout, "connect_timeout": min(timeout, 15.0)}
    if "endpoint" in settings:
        endpoint = settings.text("endpoint")
        parts = split_address(endpoint if "://" in endpoint else f"https://{endpoint}")
        if parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
            raise ConfigError("The option endpoint is no address.", "It looks like https://host:9000")
        require_https(parts, settings.flag("allow_http"))
        found |= {"scheme": parts.scheme, "endpoint_override": parts.netloc}
    if "region" in settings:
        found["region"] = settings.text("region")
    access, secret, token = (
        settings.text_or_secret("access_key"), settings.secret("secret_key"), settings.secret("session_token"),
    )  # fmt: skip
    if bool(access) != (secret is not None) or (token and not access):
        raise ConfigError("access_key and secret_key go together.", "Give both, or neither.")
    if settings.flag("anonymous"):
        found["anonymous"] = True
    elif secret is not None:
        found |= {"access_key": access, "secret_key": secret.reveal()}
        if token is not None:
            found["session_token"] = token.reveal()
    return found


def _picked(place: _Place) -> _Place:
    from pyarrow import fs

    folder, _, pattern = place.key.rpartition("/")
    try:
        listed = _storage(place).get_file_info(fs.FileSelector(f"{place.bucket}/{folder}".rstrip("/")))
    except OSError as error:
        raise _failed(error, place) from None
    files = (
        Found(one.base_name, one.size, one.mtime_ns / 1e9) for one in listed if one.type == fs.FileType.File
    )
    chosen = pick(files, pattern, place.pick, place.shown)
    return _Place(place.bucket, f"{folder}/{chosen.name}".lstrip("/"), place.pick, place.keys)


def _fetch(place: _Place, spool: Spool) -> None:
    """Copy an object; it must be the same at the end as it was at the beginning."""
    from pyarrow import fs

    storage, path = _storage(place), f"{place.bucket}/{place.key}"
    try:
        before = storage.get_file_info(path)
        if before.type != fs.FileType.File:
            raise SourceError(f"There is no object {place.shown}.", "Check bucket and key; case matters.")
        with storage.open_input_stream(path) as stream:
            while chunk := stream.read(_CHUNK):
                spool.append(chunk)
        after = storage.get_file_info(path)
    except OSError as error:
        raise _failed(error, place) from None
    if (before.size, before.mtime_ns) != (after.size, after.mtime_ns) or spool.size != before.size:
        raise SourceError(
            f"{place.shown} changed while it was being read.", "Run this again once the export has finished."
        )


def _storage(place: _Place) -> Any:
    from pyarrow import fs

    try:
        return fs.S3FileSystem(**place.keys)
    except (OSError, ValueError) as error:
        raise _failed(error, place) from None


def _failed(error: Exception, place: _Place) -> SourceError:
    """In words; the client's own text may hold addresses and ids of keys, and stays out."""
    text = str(error)
    for signs, what, hint in _WORDS:
        if any(sign in text for sign in signs):
            return SourceError(f"{place.shown} cannot be read: {what}.", hint)
    return SourceError(
        f"{place.shown} cannot be read ({type(error).__name__}).",
        "Check bucket, key, endpoint, region and keys in the dataset's options.",
    )
