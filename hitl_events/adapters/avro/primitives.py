"""Numbers, times and lists as Avro spells them, for compiled readers and writers to call.

What is common (a number of one byte, a text) stands in the compiled source itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from hitl_events.domain.values import EPOCH, MICROSECOND
from hitl_events.errors import InvalidInput

SHORT = 1024
"""Numbers below it are looked up: sequence numbers, counts, most lengths. The table has 60 kB."""
_TIMES = 256
"""Times kept, either way: the events of one commit (some hundred at most) mostly share one."""
_LISTS = 64
"""Lists of verdicts kept as bytes: a recipe has a few gates, and each run offers the same."""
_MORE = 0x80
"""The top bit of a byte that others of the same number follow."""
_TOPS_OF_8 = 0x8080808080808080
_TOPS_OF_7 = 0x0080808080808080


def write_varint(zigzag: int) -> bytes:
    """Seven bits to a byte, the lowest first."""
    z = zigzag
    if z < 1 << 7:
        return bytes((z,))
    if z < 1 << 14:
        return bytes((z & 127 | _MORE, z >> 7))
    if z < 1 << 21:
        return bytes((z & 127 | _MORE, z >> 7 & 127 | _MORE, z >> 14))
    low = z & 0xFFFFFFF
    tail = b"" if z == low else write_varint(z >> 28)
    top = low >> 21 | _MORE if tail else low >> 21
    return bytes((low & 127 | _MORE, low >> 7 & 127 | _MORE, low >> 14 & 127 | _MORE, top)) + tail


def write_long(number: int) -> bytes:
    """A number of 64 bits, in zigzag: small ones are short, whatever their sign."""
    if -1 << 63 <= number < 1 << 63:
        return write_varint(number << 1 ^ number >> 63)
    raise InvalidInput(f"expected a number of 64 bits, found one of {number.bit_length() + 1}")


def write_int(number: int) -> bytes:
    """A number of 32 bits, written like a long."""
    if -1 << 31 <= number < 1 << 31:
        return write_long(number)
    raise InvalidInput(f"expected a number of 32 bits, found one of {number.bit_length() + 1}")


@lru_cache(_LISTS)
def write_strings(values: tuple[str, ...]) -> bytes:
    """An array: one block of items and the empty block that ends it."""
    items = [write_long(len(text)) + text for text in map(str.encode, values)]
    return b"".join((write_long(len(items)), *items, b"\0")) if items else b"\0"


def write_items(values: Sequence[Any], write: Callable[[Any], bytes]) -> bytes:
    """An array of anything, in the same form."""
    items = [write(each) for each in values]
    return b"".join((write_long(len(items)), *items, b"\0")) if items else b"\0"


def write_blob(value: bytes) -> bytes:
    """Bytes behind their length."""
    return write_long(len(value)) + value


@lru_cache(_TIMES)
def write_time(at: datetime) -> bytes:
    """Microseconds since 1970."""
    return write_long((at - EPOCH) // MICROSECOND)


def unfit(size: int, value: bytes) -> NoReturn:
    """A digest or a seed that is none."""
    raise InvalidInput(f"expected {size} bytes, found {len(value)}")


def read_varint(b: bytes, p: int, bits: int) -> tuple[int, int]:
    """The zigzag form at `p`, in its shortest spelling only, and where it ends."""
    first = b[p]
    if first < _MORE:
        return first, p + 1
    second = b[p + 1]
    if 0 < second < _MORE:
        return first & 127 | second << 7, p + 2
    third = b[p + 2]
    if second >= _MORE and 0 < third < _MORE:
        return first & 127 | (second & 127) << 7 | third << 14, p + 3
    zigzag = shift = 0
    for group in b[p : p + 10]:
        zigzag |= (group & 127) << shift
        if group < _MORE:
            break
        shift += 7
    # A last byte of 0 is a longer spelling; where there is no last byte, nothing is left either.
    if zigzag >> bits or not zigzag >> shift:
        raise ValueError(f"expected a number of {bits} bits in its shortest form")
    return zigzag, p + shift // 7 + 1


def read_length(b: bytes, p: int) -> tuple[int, int]:
    """A length, still doubled by the zigzag."""
    n, p = read_varint(b, p, 64)
    if n & 1:
        raise ValueError("expected a length, found a negative number")
    return n, p


def read_strings(b: bytes, p: int) -> tuple[tuple[str, ...], int]:
    """An array in the one form in which it is written here."""
    count, p = read_length(b, p)
    items: list[str] = []
    for _ in range(count >> 1):
        n = b[p]
        n, p = read_length(b, p) if n & 0x81 else (n, p + 1)
        items.append(b[p : (p := p + (n >> 1))].decode())
    if not items:
        return (), p
    if b[p] != 0:
        raise ValueError("expected an array of one block")
    return tuple(items), p + 1


def read_items(
    b: bytes, p: int, read: Callable[[bytes, int], tuple[Any, int]]
) -> tuple[tuple[Any, ...], int]:
    """An array of anything, in the same form."""
    count, p = read_length(b, p)
    items: list[Any] = []
    for _ in range(count >> 1):
        item, p = read(b, p)
        items.append(item)
    if items and b[p] != 0:
        raise ValueError("expected an array of one block")
    return tuple(items), p + 1 if items else p


def read_blob(b: bytes, p: int) -> tuple[bytes, int]:
    """Bytes behind their length."""
    n, p = read_length(b, p)
    return b[p : (p := p + (n >> 1))], p


def read_boolean(b: bytes, p: int) -> tuple[bool, int]:
    """One byte, 0 or 1."""
    if b[p] > 1:
        raise ValueError(f"expected 0 or 1 as a boolean, found {b[p]}")
    return b[p] == 1, p + 1


@lru_cache(_TIMES)
def read_time(raw: bytes) -> datetime | None:
    """A time in eight bytes, as all are from 1978 to 3111; None if it has more or fewer."""
    z = int.from_bytes(raw, "little")
    if z & _TOPS_OF_8 != _TOPS_OF_7 or not z >> 56:
        return None
    # Eight groups of seven bits close up in pairs, three times: half the price of a loop.
    z = z & 0x007F007F007F007F | (z & 0x7F007F007F007F00) >> 1
    z = z & 0x00003FFF00003FFF | (z & 0x3FFF00003FFF0000) >> 2
    z = z & 0x000000000FFFFFFF | (z & 0x0FFFFFFF00000000) >> 4
    return _moment(z)


def read_any_time(b: bytes, p: int) -> tuple[datetime, int]:
    """A time of any length."""
    z, p = read_varint(b, p, 64)
    return _moment(z), p


def branch(index: int) -> NoReturn:
    """A union takes null and one type: 0 and 2 in zigzag."""
    raise ValueError(f"expected null or a value, found {index} as the branch of a union")


def _moment(zigzag: int) -> datetime:
    return EPOCH + (zigzag >> 1 ^ -(zigzag & 1)) * MICROSECOND


WRITING: dict[str, Any] = {
    "join": b"".join,
    "short": tuple(write_varint(number << 1) for number in range(SHORT)),
    "long": write_long,
    "int": write_int,
    "strings": write_strings,
    "items": write_items,
    "blob": write_blob,
    "time": write_time,
    "unfit": unfit,
}
"""The names that a compiled writer uses."""
READING: dict[str, Any] = {
    "new": object.__new__,
    "varint": read_varint,
    "length": read_length,
    "strings": read_strings,
    "items": read_items,
    "blob": read_blob,
    "boolean": read_boolean,
    "time": read_time,
    "any_time": read_any_time,
    "branch": branch,
}
"""The names that a compiled reader uses."""
