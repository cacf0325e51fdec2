"""Headers that only a holder of the token key can write: what a producer is, where a record was.

Both are ASCII text, `WHAT:MAC`; the MAC is HMAC-SHA-256 in 64 lower-case hex digits over a word of
its own, WHAT and the record's value, with line feeds between. `schemas/README.md` shows it to those
who write it elsewhere. A header that is not exactly so, or whose MAC is wrong, counts as absent.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

from hitl_events.adapters.inbound.headers import position
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import InvalidInput
from hitl_events.ports import Headers

ProvenChannel: TypeAlias = Literal["http", "cli", "engine"]

PRODUCER: Final = "hitl-producer"
"""`cli:MAC`: the record comes from a process of ours with that channel.

`engine` is no channel of a decision: it is how engines tell each other of steps.
"""
FORWARDED: Final = "hitl-forwarded"
"""`topic:partition:offset:timestamp_ms:MAC`: the record was passed on and comes from there."""

_CHANNELS: tuple[ProvenChannel, ...] = get_args(ProvenChannel)
_MAC = "([0-9a-f]{64})"
_NUMBER = "0|[1-9][0-9]{0,18}"
_PRODUCER = re.compile(f"({'|'.join(_CHANNELS)}):{_MAC}".encode())
_FORWARDED = re.compile(
    f"(([A-Za-z0-9._-]{{1,249}}):({_NUMBER}):({_NUMBER}):(-1|{_NUMBER})):{_MAC}".encode()
)


def producer_header(keys: TokenKeys, channel: str, value: bytes) -> bytes:
    """What the header says of a record with that value; `InvalidInput` for another channel."""
    if channel not in _CHANNELS:
        raise InvalidInput(f"expected a channel of {', '.join(_CHANNELS)}, found {channel!r}")
    return _signed(keys, PRODUCER, channel.encode(), value)


def proven_channel(keys: TokenKeys, headers: Headers, value: bytes) -> ProvenChannel | None:
    """The channel that the producer of the record proved, None where it proved none."""
    found = _PRODUCER.fullmatch(_last(headers, PRODUCER))
    if found is None or not _holds(keys, PRODUCER, found, value):
        return None
    return next(channel for channel in _CHANNELS if channel.encode() == found[1])


def forwarded_header(keys: TokenKeys, source: Source, value: bytes) -> bytes:
    """What the header says of a record with that value that is passed on from its origin."""
    return _signed(keys, FORWARDED, position(source).encode(), value)


def origin_of(keys: TokenKeys, headers: Headers, value: bytes) -> Source | None:
    """The origin of a record that was passed on; None for one that was not."""
    found = _FORWARDED.fullmatch(_last(headers, FORWARDED))
    if found is None or not _holds(keys, FORWARDED, found, value):
        return None
    return Source(
        topic=found[2].decode(),
        partition=int(found[3]),
        offset=int(found[4]),
        timestamp_ms=int(found[5]),
    )


def _last(headers: Headers, name: str) -> bytes:
    """Of a repeated header the last counts: whoever passes a record on adds it at the end."""
    return next((raw for key, raw in reversed(headers) if key == name), b"")


def _signed(keys: TokenKeys, name: str, what: bytes, value: bytes) -> bytes:
    return what + b":" + keys.sign(_message(name, what, value)).hex().encode()


def _holds(keys: TokenKeys, name: str, found: re.Match[bytes], value: bytes) -> bool:
    mac = bytes.fromhex(found[found.re.groups].decode())
    return keys.signed(_message(name, found[1], value), mac)


def _message(name: str, what: bytes, value: bytes) -> bytes:
    """Neither the name nor what it says holds a line feed, so that no two messages are the same."""
    return b"%b\n%b\n%b" % (name.encode(), what, value)
