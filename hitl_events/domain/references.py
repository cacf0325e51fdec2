"""User data that is too large for its event: kept elsewhere, by a reference in its place.

A reference is a form that no JSON begins with: a byte 01, the SHA-256 of the data, its length as 8
bytes, highest first. All digests stay those of the data itself. What is done in memory is done with
the data; the reference is what is stored, chained and exported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from hitl_events.domain import canonical
from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    RunCompleted,
    StepCompleted,
)
from hitl_events.domain.values import digest, value
from hitl_events.errors import InvalidInput, RecipeStopped

FORM = b"\x01"
DIGEST_BYTES = 32
REFERENCE_BYTES = len(FORM) + DIGEST_BYTES + 8

BLOB_MISSING = "blob.missing"
"""Why a run is blocked that goes on by itself once its blob is back."""

_FIRST_OF_JSON = 0x20
_MARK = bytes([2 * REFERENCE_BYTES]) + FORM
"""How one begins in an Avro record: the length of its bytes (zigzag), then its form."""

_FIELDS: Mapping[type[Event], str] = {
    StepCompleted: "output",
    GatePaused: "draft",
    DecisionReceived: "data",
    DecisionRejected: "data",
    RunCompleted: "result",
}
"""What may be large. An input is bounded, and tells one start from another: it stays."""


@value
class Reference:
    """Data by its SHA-256 and its length in bytes; the data itself, a blob, is elsewhere."""

    digest: bytes
    size: int

    def fits(self, data: bytes) -> bool:
        """Whether that is the data."""
        return len(data) == self.size and digest(data) == self.digest

    def spelt(self) -> bytes:
        """As it stands in an event."""
        return FORM + self.digest + self.size.to_bytes(8, "big")

    def to_json(self) -> dict[str, Any]:
        """As it is shown in place of the data."""
        return {"sha256": self.digest.hex(), "bytes": self.size}


Read: TypeAlias = Callable[[Reference], bytes | None]
"""What is kept under a digest, if anything is; as `Blobs.get`, without waiting."""


def reference_to(data: bytes) -> Reference:
    """What stands for the data."""
    return Reference(digest=digest(data), size=len(data))


def reference_in(recorded: bytes) -> Reference | None:
    """What was recorded in place of data; None for data, `InvalidInput` for any other form."""
    if not recorded or recorded[0] >= _FIRST_OF_JSON:
        return None
    if recorded[:1] != FORM or len(recorded) != REFERENCE_BYTES:
        form = f"{len(recorded)} bytes of the form {recorded[0]:02x}"
        wanted = f"expected JSON or a reference of {REFERENCE_BYTES} bytes"
        raise InvalidInput(f"{wanted}, found {form}: this release does not know it")
    size = int.from_bytes(recorded[1 + DIGEST_BYTES :], "big")
    return Reference(digest=recorded[1 : 1 + DIGEST_BYTES], size=size)


def reference_of(event: Event) -> Reference | None:
    """The reference in an event as it is stored; `InvalidInput` as from `reference_in`."""
    name = _FIELDS.get(event.__class__)
    recorded: bytes | None = getattr(event, name) if name is not None else None
    if not recorded or recorded[0] >= _FIRST_OF_JSON:
        return None
    return reference_in(recorded)


def may_refer(record: bytes) -> bool:
    """False where a stored event has no reference: a look, as most have none."""
    return _MARK in record


def cut(event: Event, inline_bytes_max: int | None) -> tuple[Event, bytes | None]:
    """The event as it is stored, and the data that goes elsewhere (None: all of it stays)."""
    name = _FIELDS.get(event.__class__) if inline_bytes_max is not None else None
    data: bytes | None = getattr(event, name) if name is not None else None
    if name is None or data is None or inline_bytes_max is None or len(data) <= inline_bytes_max:
        return event, None
    return _with(event, name, reference_to(data).spelt()), data


def filled(event: Event, data: bytes) -> Event:
    """An event with the data in place of its reference."""
    return _with(event, _FIELDS[event.__class__], data)


def completed(event: Event, read: Read) -> Event:
    """The event with all its data; as it is stored where that is missing or was changed."""
    reference = reference_of(event)
    data = None if reference is None else read(reference)
    fits = reference is not None and data is not None and reference.fits(data)
    return filled(event, data) if fits and data is not None else event


def plain(recorded: bytes) -> bytes:
    """Recorded JSON as it is; of a reference what it says, as JSON."""
    reference = reference_in(recorded)
    return recorded if reference is None else canonical.dumps(reference.to_json())


def data_digest(recorded: bytes) -> bytes:
    """The digest of recorded user data, also where only its reference is there."""
    reference = reference_in(recorded)
    return digest(recorded) if reference is None else reference.digest


def shown(recorded: bytes) -> Any:
    """The JSON value of recorded user data for a reader; of a reference what it says."""
    reference = reference_in(recorded)
    return canonical.loads(recorded) if reference is None else reference.to_json()


def stopped_without(run_id: str, seq: int, reference: Reference) -> RecipeStopped:
    """What was recorded by its digest alone is not there: nothing may be guessed in its place."""
    wanted = f"the blob {reference.digest.hex()} of {reference.size} bytes"
    message = (
        f"expected {wanted}, of event {seq} of run {run_id}, in the blob store, found none that "
        f"fits its digest: bring it back, then `hitl unblock {run_id}`"
    )
    return RecipeStopped(BLOB_MISSING, message, expected=wanted, found="none", at_seq=seq)


def _with(event: Event, name: str, data: bytes) -> Event:
    changed: dict[str, Any] = {name: data}
    return replace(event, **changed)
