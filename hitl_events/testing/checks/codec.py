"""The promises of `Codec`."""

from __future__ import annotations

from collections.abc import Callable

from hitl_events.errors import CorruptLog
from hitl_events.ports import Codec
from hitl_events.testing.checks.promise import BrokenPromise, same
from hitl_events.testing.checks.samples import Story, noise


async def check_codec(make: Callable[[], Codec]) -> None:
    """An event comes back equal and encodes to the same bytes; all else is `CorruptLog`."""
    codec = make()

    for event in [appended.event for appended in Story().tell(3, noise(100))]:
        value = codec.encode(event)
        same(codec.decode(value), event)
        same(codec.encode(codec.decode(value)), value)
        for bad in (b"", value[:5], value[:-1], value + b"\0", b"\0" + value):
            _refuses(codec, bad)


def _refuses(codec: Codec, value: bytes) -> None:
    try:
        codec.decode(value)
    except CorruptLog:
        return
    raise BrokenPromise(f"expected CorruptLog for {value[:20]!r}, found that it was decoded")
