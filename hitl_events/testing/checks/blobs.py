"""The promises of `Blobs`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hitl_events.domain.references import Reference, reference_to
from hitl_events.errors import InvalidInput
from hitl_events.ports import Blobs
from hitl_events.testing.checks.promise import BrokenPromise, same
from hitl_events.testing.checks.samples import noise

_SIZES = (0, 1, 41, 4096, 1_000_000)


async def check_blobs(open_: Callable[[], Blobs]) -> None:
    """What was put comes back to whoever opens the store, byte for byte, and nothing else does.

    `open_` opens the same store each time; it is empty at first.
    """
    blobs = open_()
    kept = {reference_to(data).digest: data for data in map(noise, _SIZES)}
    for data in kept.values():
        same(await blobs.get(reference_to(data)), None, "nothing before it was put")

    for data in kept.values():
        await blobs.put(reference_to(data), data)
        await blobs.put(reference_to(data), data)

    for each in (blobs, open_()):
        for data in kept.values():
            same(await each.get(reference_to(data)), data, "a blob as it was put")
    other = noise(4095)
    same(await blobs.get(reference_to(other)), None, "nothing where nothing was put")
    for wrong in (replace(reference_to(other), size=1), replace(reference_to(b"x"), size=4095)):
        await _refuses(blobs, wrong, other)


async def _refuses(blobs: Blobs, reference: Reference, data: bytes) -> None:
    try:
        await blobs.put(reference, data)
    except InvalidInput:
        return
    raise BrokenPromise("expected InvalidInput for data that does not fit, found that it was put")
