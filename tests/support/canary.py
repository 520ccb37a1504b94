"""Looks for planted values in everything that was written, in the disguises in which they could lie there."""

from __future__ import annotations

import base64
import io
import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Processes", "Search", "disguises"]

_ZLIB = tuple(bytes([0x78, second]) for second in (0x01, 0x5E, 0x9C, 0xDA))
_GZIP, _ZSTD, _LZ4, _SNAPPY = (
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\xff\x06\x00\x00sNaPpY",
)
_MOST = 1 << 20


def disguises(value: str) -> set[bytes]:
    """A value in the encodings in which programs write text: UTF-8 and -16, hex, base64 at each of its offsets."""
    found: set[bytes] = set()
    for plain in (value.encode(), value.encode("utf-16-le"), value.encode("utf-16-be")):
        found |= {plain, plain.hex().encode(), plain.hex().upper().encode()}
        for offset in range(3):
            text = base64.b64encode(b"\0" * offset + plain)
            # characters that also hold bits of what stands before or after say nothing about the value
            inner = text[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]
            found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    if value.isdigit():
        found |= {int(value).to_bytes(8, "little"), int(value).to_bytes(8, "big")}
    return found


class Search:
    """Planted values to find; `looked` counts the bytes that were looked through."""

    def __init__(self, values: Iterable[str]) -> None:
        self._wanted = {disguise: value for value in values for disguise in disguises(value)}
        self.looked = 0

    def values_in(self, data: bytes) -> set[str]:
        """The values that lie in some bytes, as they are or in something compressed among them."""
        found = set()
        for layer in _layers(data):
            self.looked += len(layer)
            found |= {value for disguise, value in self._wanted.items() if disguise in layer}
        return found

    def files_with(self, *folders: Path) -> dict[str, set[str]]:
        """The files under some folders in whose names or bytes values lie, with these."""
        found = {}
        for folder in folders:
            for file in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
                name = str(file.relative_to(folder))
                data = file.read_bytes() if file.is_file() else b""
                if values := self.values_in(name.encode()) | self.values_in(data):
                    found[name] = values
        return found


def _layers(data: bytes) -> Iterator[bytes]:
    """The bytes, and whatever can be decompressed at any place in them."""
    yield data
    view = memoryview(data)
    for magic, bits in ((_GZIP, 31), *((head, 15) for head in _ZLIB)):
        for at in _places(data, magic):
            try:
                plain = zlib.decompressobj(bits).decompress(view[at : at + _MOST], _MOST)
            except zlib.error:
                continue
            if plain:
                yield plain
    for magic, codec in ((_ZSTD, "zstd"), (_LZ4, "lz4")):
        for at in _places(data, magic):
            yield _stream(data[at : at + _MOST], codec)
    for at in _places(data, _SNAPPY):
        yield from _snappy_frames(data[at:])
    if (
        data[:4] == b"PAR1"
    ):  # a Parquet file that nobody encrypted: all its columns, whatever compressed its pages
        table = pq.read_table(io.BytesIO(data))
        yield str([column.to_pylist() for column in table.columns]).encode()


def _places(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def _stream(data: bytes, codec: str) -> bytes:
    """What a stream gives before it ends or turns out to be none."""
    parts = []
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            while sum(map(len, parts)) < _MOST and (part := stream.read(1 << 16)):
                parts.append(part)
    except (OSError, pa.ArrowException):
        pass
    return b"".join(parts)


def _snappy_frames(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "little")
        block = data[at + 8 : at + 4 + size]  # after a checksum
        if kind == 1:
            yield block
        elif kind == 0:
            try:
                yield pa.decompress(block, _raw_size(block), "snappy", asbytes=True)
            except (OSError, pa.ArrowException, ValueError):
                return
        at += 4 + size


def _raw_size(block: bytes) -> int:
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return min(size, _MOST)
    raise ValueError("no snappy block")


class Processes:
    """Reads the arguments and environments of every process of this machine that it may, again and again.

    A context manager; `seen` holds them.
    """

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.programs: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for process in os.listdir("/proc"):
                if process.isdigit():
                    for what in ("cmdline", "environ"):
                        try:
                            data = Path(f"/proc/{process}/{what}").read_bytes()
                        except OSError:
                            continue  # it ended, or is not ours to look at
                        self.seen.add(data)
                        if what == "cmdline":
                            self.programs.add(data)
