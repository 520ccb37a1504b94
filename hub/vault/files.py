"""Encrypted Parquet files as such: writing one under an owner's key, opening one with a client that has its keys.

It knows neither keyring nor database nor object store, so that the limited process that reads deliveries can use it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from hub.errors import HubError, Invalid, Unavailable
from hub.vault.kms import KeyTable, OwnerClient, decryption, encryption
from hub_schemas.delivery import FOOTER_KEY

if TYPE_CHECKING:
    from pyarrow import NativeFile

__all__ = ["ParquetSheet", "check_footer", "check_opened", "open_parquet", "transient", "write_parquet"]

#: Parquet's magic bytes where the footer is encrypted, and how the description of the encryption begins for AES_GCM_V1
#: (Thrift: field 1 is a structure, and in it field 1).
_SEALED, _GCM = b"PARE", b"\x1c\x1c"
#: Errors of a disk or a network: nothing is wrong with the file, and the same may work in a minute.
_PASSING = frozenset(
    {
        errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENODEV,
        errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPIPE,
        errno.EACCES, errno.EROFS, errno.EAGAIN,
    }
)  # fmt: skip


def check_footer(data: bytes | memoryview, name: str) -> None:
    """Go on only with a file whose footer is encrypted and whose modules all carry an authentication tag.

    Parquet knows weaker forms that pyarrow reads as gladly: a footer in the clear that is only signed, and AES_GCM_CTR,
    where a flipped bit of a page goes unnoticed. The vault keeps neither, so a delivery has to have neither.

    Raises:
        Invalid: saying which form it has.
    """
    head, tail = bytes(data[:4]), bytes(data[-8:])
    if head != _SEALED or tail[4:] != _SEALED:
        raise Invalid(
            f"The file {name} cannot be read: its footer is not encrypted, or it is no Parquet file."
        )
    start = len(data) - 8 - int.from_bytes(tail[:4], "little")
    if start < 4 or bytes(data[start : start + 2]) != _GCM:
        raise Invalid(f"The file {name} cannot be read: it is not encrypted with AES_GCM_V1 throughout.")


def transient(error: OSError) -> bool:
    """Whether an error is the place's and not the file's (pyarrow uses OSError for damaged files as well)."""
    return error.errno in _PASSING or "AWS Error" in str(error)


class ParquetSheet:
    """An encrypted file under way: a data key for every column; `classes` maps each to its classification.

    A context manager; left by an error, the file is given up.
    """

    def __init__(
        self, stream: BinaryIO | NativeFile, owner_key: bytes, binding: str, schema: pa.Schema,
        classes: Mapping[str, str],
    ) -> None:  # fmt: skip
        properties, self._material = encryption(OwnerClient(owner_key, binding, None), dict(classes))
        self._schema, self.rows = schema, 0
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd", encryption_properties=properties)

    def __enter__(self) -> ParquetSheet:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # closed before, or given up: what it would still write is of no use
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self._writer.write_table(table.cast(self._schema))
        self.rows += table.num_rows

    def finish(self) -> str:
        """End the file; returns its key material (JSON)."""
        self._writer.close()
        return self._material().decode()


def write_parquet(
    stream: BinaryIO | NativeFile,
    owner_key: bytes,
    binding: str,
    batches: Iterable[pa.RecordBatch | pa.Table],
    schema: pa.Schema,
    classes: Mapping[str, str],
) -> tuple[str, int]:
    """Encrypt batches into a stream; returns the key material (JSON) and how many rows there were."""
    with ParquetSheet(stream, owner_key, binding, schema, classes) as sheet:
        for batch in batches:
            sheet.write(batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch]))
        return sheet.finish(), sheet.rows


def check_opened(client: OwnerClient | KeyTable, name: str) -> None:
    """Go on only if opening a file took its footer's key: pyarrow reads a plain Parquet file in its place as gladly.

    Raises:
        Invalid: when somebody put a file there that was never encrypted.
    """
    if FOOTER_KEY not in client.opened:
        raise Invalid(
            f"The encrypted file {name} cannot be read: a file that is not encrypted is in its place."
        )


@contextmanager
def open_parquet(
    client: OwnerClient | KeyTable, stream: NativeFile, material: bytes, name: str
) -> Iterator[pq.ParquetFile]:
    """An encrypted file, opened with a client that has its keys; `name` stands in messages.

    Raises:
        Invalid: when it is no encrypted Parquet file, was changed, or its keys do not open.
        Unavailable: when the place it lies in does not answer.
    """
    try:
        properties, alive = decryption(client, material)
        parquet = pq.ParquetFile(stream, decryption_properties=properties)
        check_opened(client, name)
        yield parquet
        del alive
    except (HubError, MemoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and transient(error):
            raise Unavailable(
                f"The place that holds {name} does not answer ({type(error).__name__})."
            ) from None
        kind = (
            str(error).split("\n", 1)[0][:200] if isinstance(error, pa.ArrowInvalid) else type(error).__name__
        )
        raise Invalid(f"The encrypted file {name} cannot be read: damaged or changed ({kind}).") from None
