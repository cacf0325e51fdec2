"""Between events and blobs: a blob is stored before the event that names it, and read after it.

If the process dies in between, a blob is left that nothing names: that harms nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hitl_events.domain.events import Event
from hitl_events.domain.references import filled, may_refer, reference_of, reference_to
from hitl_events.ports import Appended, Blobs, Codec


async def store_blobs(events: Iterable[Appended], blobs: Blobs | None) -> None:
    """All that these events name is durable once this returns; `LogUnavailable` if it is not."""
    if blobs is None:
        return
    for each in events:
        if each.blob is not None:
            await blobs.put(reference_to(each.blob), each.blob)


async def blobs_of(
    histories: Iterable[Iterable[bytes]], codec: Codec, blobs: Blobs | None
) -> Mapping[bytes, bytes]:
    """What these records name, by digest; what is missing, or was changed, is left out."""
    found: dict[bytes, bytes] = {}
    if blobs is None:
        return found
    records = [value for values in histories for value in values if may_refer(value)]
    for value in records:
        reference = None if codec.decode_mark(value) else reference_of(codec.decode(value))
        data = None if reference is None else await blobs.get(reference)
        if reference is not None and data is not None and reference.fits(data):
            found[reference.digest] = data
    return found


async def whole(values: Iterable[bytes], codec: Codec, blobs: Blobs | None) -> tuple[Event, ...]:
    """The events of stored values, `completed`."""
    return await completed(map(codec.decode, values), blobs)


async def completed(events: Iterable[Event], blobs: Blobs | None) -> tuple[Event, ...]:
    """Events with all their data; a reference stays where that is missing or was changed."""
    if blobs is None:
        return tuple(events)
    return tuple([await _completed(event, blobs) for event in events])


async def _completed(event: Event, blobs: Blobs) -> Event:
    reference = reference_of(event)
    data = None if reference is None else await blobs.get(reference)
    fits = reference is not None and data is not None and reference.fits(data)
    return filled(event, data) if fits and data is not None else event
