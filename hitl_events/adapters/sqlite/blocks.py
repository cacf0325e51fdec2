"""A block: the bytes of events that lie next to each other in the log, as one row. Pure.

Row data: format (1 byte; 0 as it is, 1 deflated), CRC-32 (4 bytes, little endian, over format,
first offset, count and all that follows), then the lengths of the values (4 bytes each) and the
values.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

from hitl_events.errors import CorruptLog

BLOCK_BYTES = 16 * 1024
"""Values in a block, before deflating. Larger ones pack better (8 KiB: +6 % of disk), but to read
one run inflates half a block on average: 8 KiB take 28 us."""
_PLAIN, _DEFLATED = 0, 1
_HEAD = struct.Struct("<BI")
_SIGNED = struct.Struct("<BQI")
_LEVEL = 1
_WINDOW_BITS = -14
"""A window as large as a block, and no zlib frame (the CRC is ours): by default a block
of one event costs 50 us, of which 35 clear memory."""
_MEMORY_LEVEL = 8
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
    """The values of a block, the first `upto` where given (then no more than these is inflated).

    `CorruptLog` names the block by its first offset, after the `place` of the log.
    """
    first, count, data = row
    try:
        return _unpack(first, count, data, count if upto is None else upto)
    except (struct.error, zlib.error, TypeError, ValueError, OverflowError) as error:
        where = f"{place}, block at offset {first}"
        raise CorruptLog(where, f"expected a whole block, found {error}") from None


def _row(values: Sequence[bytes], first: int) -> Row:
    count = len(values)
    raw = struct.pack(f"<{count}I", *map(len, values)) + b"".join(values)
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    body = deflate.compress(raw) + deflate.flush()
    form = _DEFLATED
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
    if form == _PLAIN:
        lengths = struct.unpack_from(f"<{count}I", body)
        ends = list(accumulate(lengths[:upto], initial=0))
        raw = bytes(body[count * _LENGTH_BYTES :][: ends[-1]])
    elif form == _DEFLATED:
        inflate = zlib.decompressobj(_WINDOW_BITS)
        lengths = struct.unpack(f"<{count}I", inflate.decompress(body, count * _LENGTH_BYTES))
        ends = list(accumulate(lengths[:upto], initial=0))
        raw = inflate.decompress(inflate.unconsumed_tail, ends[-1]) if ends[-1] else b""
    else:
        raise ValueError(f"the unknown format {form}: upgrade hitl-events")
    if len(raw) != ends[-1]:
        raise ValueError(f"{len(raw)} bytes of {ends[-1]}")
    return [raw[start:end] for start, end in pairwise(ends)]
