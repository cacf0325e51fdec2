"""Blobs in memory: as durable as the memory log beside them."""

from __future__ import annotations

from hitl_events.domain.references import Reference
from hitl_events.errors import InvalidInput


class MemoryBlobs:
    """The `Blobs` of one process; `held` may be looked at, and damaged by tests."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    async def put(self, reference: Reference, data: bytes) -> None:
        if not reference.fits(data):
            wanted = f"{reference.size} bytes of the SHA-256 {reference.digest.hex()}"
            raise InvalidInput(f"expected {wanted}, found others ({len(data)} bytes)")
        self.held[reference.digest] = data

    async def get(self, reference: Reference) -> bytes | None:
        data = self.held.get(reference.digest)
        return None if data is None else data[: reference.size + 1]
