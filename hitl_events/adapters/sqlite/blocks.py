"""A block: the bytes of events that lie next to each other in the log, as one row. Pure.

Row data: format (1 byte; 0 as it is, 1 one zstd frame), CRC-32 (4 bytes, little endian, over
format, first offset, count and all that follows), then the lengths of the values (4 bytes each)
and the values.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

import zstandard

from hitl_events.errors import CorruptLog

BLOCK_BYTES = 16 * 1024
"""Values in a block, before packing. Larger ones pack better (8 KiB: +6 % of disk), but to read one
run a whole block is unpacked: 16 KiB take 10 to 25 us."""
_PLAIN, _PACKED = 0, 1
_HEAD = struct.Struct("<BI")
_SIGNED = struct.Struct("<BQI")
_LEVEL = 1
_LENGTH_BYTES = 4

Row = tuple[int, int, bytes]
"""first, count, data"""


def pack(values: Sequence[bytes], first: int) -> list[Row]:
    """The rows that hold these values from offset `first` on."""
    rows: list[Row] = []
    start = size = 0
    for index, value in enumerate(values):
        if size + len(value) > BLOCK_BYTES and index > start:
            rows.append(_row(values[start:index], first + start))
            start, size = index, 0
        size += len(value)
    if start < len(values):
        rows.append(_row(values[start:], first + start))
    return rows


def unpack(row: Row, place: str, upto: int | None = None) -> list[bytes]:
    """The values of a block, the first `upto` where given.

    `CorruptLog` names the block by its first offset, after the `place` of the log.
    """
    first, count, data = row
    try:
        return _unpack(first, count, data, count if upto is None else upto)
    except (struct.error, zstandard.ZstdError, TypeError, ValueError, OverflowError) as error:
        where = f"{place}, block at offset {first}"
        raise CorruptLog(where, f"expected a whole block, found {error}") from None


def _row(values: Sequence[bytes], first: int) -> Row:
    count = len(values)
    raw = struct.pack(f"<{count}I", *map(len, values)) + b"".join(values)
    form, body = _PACKED, _contexts.compressor.compress(raw)
    if len(body) >= len(raw):
        form, body = _PLAIN, raw
    return first, count, _HEAD.pack(form, _checksum(form, first, count, body)) + body


def _checksum(form: int, first: int, count: int, body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(_SIGNED.pack(form, first, count)))


def _unpack(first: int, count: int, data: bytes, upto: int) -> list[bytes]:
    form, checksum = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if checksum != _checksum(form, first, count, body):
        raise ValueError("bytes that do not fit their checksum")
    if form == _PACKED:
        raw = _contexts.decompressor.decompress(body)
    elif form == _PLAIN:
        raw = bytes(body)
    else:
        raise ValueError(f"the unknown format {form}: upgrade hitl-events")
    lengths = struct.unpack_from(f"<{count}I", raw)
    ends = list(accumulate(lengths, initial=count * _LENGTH_BYTES))
    if ends[-1] != len(raw):
        raise ValueError(f"{len(raw)} bytes of {ends[-1]}")
    return [raw[start:end] for start, end in pairwise(ends[: upto + 1])]


class _Contexts(threading.local):
    """zstd's working memory: making it costs 20 us, sharing it between threads is not allowed."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()
