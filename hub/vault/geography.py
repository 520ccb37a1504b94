"""Which small area a postcode lies in, for agreements that give the area instead of the postcode.

An operator loads the table, a public one (ONS Postcode Directory or National Statistics Postcode Lookup). It decides
what is given in place of a postcode, so it is kept like the rest of the vault: encrypted and authenticated under
a key of the hub's. Nobody who can write into the hub's store can put postcodes where areas belong.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from hub.storage.objects import ObjectStore

__all__ = ["AREA", "POSTCODE", "Areas"]

#: A postcode without spaces, in capitals, and the code of a lower layer super output area (England, Wales), a data zone
#: (Scotland) or a super output area or data zone (Northern Ireland). A postcode never looks like one of these.
POSTCODE: Final = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}")
AREA: Final = re.compile(r"[EWSN][0-9]{8}|95[A-Z]{2}[0-9]{2}[A-Z][0-9]")

_OBJECT: Final = "geography/postcode-areas"
_NONCE = 12
_SCHEMA = pa.schema([("postcode", pa.string()), ("area", pa.string())])


class Areas:
    """The table of one hub; read when it is first needed, and again after another was loaded."""

    def __init__(self, objects: ObjectStore, key: Callable[[], bytes]) -> None:
        self._objects, self._key = objects, key
        self._lock = threading.Lock()
        self._known: tuple[bytes, pa.Table] | None = None

    def put(self, rows: Iterable[pa.Table]) -> int:
        """Replace the table by one with the columns postcode and area; returns how many postcodes it has.

        Raises:
            Invalid: when a postcode or an area is none, a postcode comes twice, or there is nothing.
        """
        table = pa.concat_tables([part.select(_SCHEMA.names).cast(_SCHEMA) for part in rows])
        for name, form in (("postcode", POSTCODE), ("area", AREA)):
            fits = pc.match_substring_regex(table[name], f"^(?:{form.pattern})$")
            if not pc.all(pc.fill_null(fits, False)).as_py():
                raise Invalid(f"The table holds a {name} that is none; nothing was loaded.")
        if table.num_rows == 0 or pc.count_distinct(table["postcode"]).as_py() != table.num_rows:
            raise Invalid("The table is empty, or names a postcode twice; nothing was loaded.")
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._key()).encrypt(nonce, sink.getvalue().to_pybytes(), _OBJECT.encode())
        self._objects.put_bytes(_OBJECT, nonce + sealed)
        return table.num_rows

    def count(self) -> int | None:
        """How many postcodes the table has; None where none was loaded."""
        try:
            return self._table().num_rows
        except Conflict:
            return None

    def of(self, postcodes: pa.Array) -> pa.Array:
        """The areas of postcodes (no spaces, capitals); null for one that is not in the table.

        Raises:
            Conflict: when no table was loaded.
            Invalid: when it was changed by somebody else than the hub.
        """
        table = self._table()
        at = pc.index_in(postcodes, value_set=table["postcode"].combine_chunks())
        return table["area"].combine_chunks().take(at)

    def _table(self) -> pa.Table:
        """The table as it is now: its first bytes are drawn by lot whenever it is written."""
        with self._lock:
            try:
                with self._objects.open(_OBJECT) as stream:
                    nonce = stream.read(_NONCE)
                    if self._known is None or self._known[0] != nonce:
                        self._known = (nonce, self._opened(nonce, stream.read()))
                    return self._known[1]
            except NotFound:
                raise Conflict(
                    "The agreement gives small areas instead of postcodes, and this hub does not know which "
                    "postcode lies where. An operator loads the table: hub geography load FILE."
                ) from None

    def _opened(self, nonce: bytes, sealed: bytes) -> pa.Table:
        try:
            plain = AESGCM(self._key()).decrypt(nonce, sealed, _OBJECT.encode())
        except (InvalidTag, ValueError):
            raise Invalid("The table of postcodes and areas was changed; load it again.") from None
        return pq.read_table(pa.BufferReader(plain))
