"""A small reader of Parquet Modular Encryption, written from the published format alone: no code of pyarrow decrypts.

Sources: Apache Parquet format, Encryption.md (modules, AADs, footer) and parquet.thrift (the structures, read here by
their field numbers). It reads what the hub writes: an encrypted footer, AES_GCM_V1, flat columns of text and numbers,
plain or by dictionary. Only decompression is left to a library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["ModularFile", "Thrift"]

MAGIC: Final = b"PARE"
#: Module types, one byte each (Encryption.md, 4.4.2).
FOOTER, COLUMN_META, DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_HEADER, DICTIONARY_PAGE_HEADER = range(6)
_CODECS: Final = {0: None, 1: "snappy", 2: "gzip", 6: "zstd", 7: "lz4_raw"}
_BYTE_ARRAY = 6
_NUMBERS: Final = {1: "<i", 2: "<q", 4: "<f", 5: "<d"}
_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY = 0, 2, 8


class Thrift:
    """Thrift's compact protocol: a structure becomes {field number: value}."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """A whole number without sign, of as many bytes as it needs."""
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def _bytes(self) -> bytes:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at]

    def struct(self) -> dict[int, Any]:
        """The structure that begins here."""
        found: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = self._value(head & 0x0F)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            self.at += 8
            return struct.unpack_from("<d", self.data, self.at - 8)[0]
        if kind == 8:
            return self._bytes()
        if kind == 9:
            head = self._byte()
            size = head >> 4 if head >> 4 != 15 else self.number()
            return [self._byte() == 1 if head & 15 in (1, 2) else self._value(head & 15) for _ in range(size)]
        if kind == 12:
            return self.struct()
        raise ValueError(f"Thrift type {kind} is not read here")


class ModularFile:
    """An encrypted file; `key_of` gives the data key for the key metadata of the footer or a column.

    `prefix` is the AAD prefix, where the file does not keep it.
    """

    def __init__(self, data: bytes, key_of: Callable[[bytes], bytes], prefix: bytes = b"") -> None:
        if data[:4] != MAGIC or data[-4:] != MAGIC:
            raise ValueError("the footer is not encrypted")
        self.data, self._key_of = data, key_of
        size = int.from_bytes(data[-8:-4], "little")
        self.footer_at = len(data) - 8 - size
        reader = Thrift(data, self.footer_at)
        self.crypto = reader.struct()
        ((self.algorithm, terms),) = self.crypto[1].items()
        self.aad = (prefix if terms.get(3) else terms.get(1, b"")) + terms[2]
        self.footer_key = key_of(self.crypto[2])
        plain, _ = self._module(reader.at, self.footer_key, bytes([FOOTER]))
        self.footer = Thrift(plain).struct()
        self.names = [item[4].decode() for item in self.footer[2][1:]]
        self.optional = [item.get(3) == 1 for item in self.footer[2][1:]]

    def _module(self, at: int, key: bytes, suffix: bytes, data: bytes | None = None) -> tuple[bytes, int]:
        """The plain bytes of the module that begins at `at`, and where the next begins."""
        data = self.data if data is None else data
        size = int.from_bytes(data[at : at + 4], "little")
        nonce, sealed = data[at + 4 : at + 16], data[at + 16 : at + 4 + size]
        return AESGCM(key).decrypt(nonce, sealed, self.aad + suffix), at + 4 + size

    def chunk(self, name: str, group: int) -> tuple[dict[int, Any], bytes, bytes]:
        """The description of a column chunk, its key, and the ordinals that bind its modules to their place."""
        column = self.names.index(name)
        described = self.footer[4][group][1][column]
        ordinals = struct.pack("<hh", group, column)
        if 1 in described[8]:  # with the footer's key: described in the footer itself
            return described[3], self.footer_key, ordinals
        terms = described[8][2]
        assert [part.decode() for part in terms[1]] == [name]
        key = self._key_of(terms[2])
        plain, _ = self._module(0, key, bytes([COLUMN_META]) + ordinals, described[9])
        return Thrift(plain).struct(), key, ordinals

    def span(self, name: str, group: int) -> tuple[int, int]:
        """From where to where the pages of a column chunk lie in the file."""
        meta, _, _ = self.chunk(name, group)
        start = min(meta[9], meta.get(11, meta[9]))
        return start, start + meta[7]

    def column(self, name: str) -> list[Any]:
        """All values of a column; null is None."""
        return [value for group in range(len(self.footer[4])) for value in self._values(name, group)]

    def _values(self, name: str, group: int) -> Iterator[Any]:
        meta, key, ordinals = self.chunk(name, group)
        at, dictionary, page, left = min(meta[9], meta.get(11, meta[9])), [], 0, meta[5]
        if 11 in meta:
            plain, at = self._module(at, key, bytes([DICTIONARY_PAGE_HEADER]) + ordinals)
            header = Thrift(plain).struct()
            plain, at = self._module(at, key, bytes([DICTIONARY_PAGE]) + ordinals)
            dictionary = list(_plain(_unpacked(plain, meta[4], header[2]), meta[1], header[7][1]))
        while left > 0:
            place = ordinals + struct.pack("<h", page)
            plain, at = self._module(at, key, bytes([DATA_PAGE_HEADER]) + place)
            header = Thrift(plain).struct()
            plain, at = self._module(at, key, bytes([DATA_PAGE]) + place)
            count, encoding = header[5][1], header[5][2]
            yield from self._page(
                name, _unpacked(plain, meta[4], header[2]), count, encoding, meta[1], dictionary
            )
            page, left = page + 1, left - count

    def _page(
        self, name: str, data: bytes, count: int, encoding: int, kind: int, dictionary: list[Any]
    ) -> Iterator[Any]:
        there = [1] * count
        if self.optional[self.names.index(name)]:
            size = int.from_bytes(data[:4], "little")
            there, data = list(_hybrid(data[4 : 4 + size], 1, count)), data[4 + size :]
        held = sum(there)
        if encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
            values = iter([dictionary[place] for place in _hybrid(data[1:], data[0], held)])
        elif encoding == _PLAIN:
            values = iter(list(_plain(data, kind, held)))
        else:
            raise ValueError(f"encoding {encoding} is not read here")
        return (next(values) if present else None for present in there)


def _unpacked(data: bytes, codec: int, size: int) -> bytes:
    name = _CODECS[codec]
    return data if name is None else pa.decompress(data, size, name, asbytes=True)


def _plain(data: bytes, kind: int, count: int) -> Iterator[Any]:
    at = 0
    for _ in range(count):
        if kind == _BYTE_ARRAY:
            size = int.from_bytes(data[at : at + 4], "little")
            yield data[at + 4 : at + 4 + size].decode()
            at += 4 + size
        else:
            form = _NUMBERS[kind]
            yield struct.unpack_from(form, data, at)[0]
            at += struct.calcsize(form)


def _hybrid(data: bytes, width: int, count: int) -> Iterator[int]:
    """Run lengths and packed bits mixed (Encodings.md, RLE)."""
    reader, given = Thrift(data), 0
    size = (width + 7) // 8
    while given < count:
        head = reader.number()
        if head & 1:
            values = (head >> 1) * 8
            packed = int.from_bytes(data[reader.at : reader.at + values * width // 8], "little")
            reader.at += values * width // 8
            run = [packed >> (place * width) & ((1 << width) - 1) for place in range(values)]
        else:
            run = [int.from_bytes(data[reader.at : reader.at + size], "little")] * (head >> 1)
            reader.at += size
        yield from run[: count - given]
        given += len(run)
