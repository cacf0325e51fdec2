"""Blobs in an audit: whether each is there as it was recorded, and how they travel in a file.

In an export a blob stands in a line of its own, before the first event of its run that refers to
it: `{"bytes": N, "json": VALUE, "sha256": HEX, "type": "Blob"}`. A blob that is missing or was
changed has no line, and the file tells so as the log does.
"""

from __future__ import annotations

from typing import Any

from hitl_events.audit.export import spelt
from hitl_events.audit.report import Problems
from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused
from hitl_events.domain.mark import EndMark
from hitl_events.domain.references import Read, Reference, may_refer, reference_of, reference_to
from hitl_events.domain.values import digest
from hitl_events.errors import InvalidInput
from hitl_events.ports import Codec, Written

BLOB_TYPE = "Blob"

_SOUND_MAX = 1000
"""Blobs that need not be read twice: a draft is most often the output of the step before it."""


class BlobCheck:
    """A codec that looks at the blob of each event it decodes, and takes down what is wrong.

    `read` None: there is no store to look into, which is wrong where something refers to one.
    """

    def __init__(self, codec: Codec, read: Read | None, problems: Problems) -> None:
        self._codec = codec
        self._read = read
        self._problems = problems
        self._sound: set[bytes] = set()

    def decode(self, value: bytes) -> Event:
        """As the codec does; what is wrong with the blob is taken down."""
        event = self._codec.decode(value)
        if may_refer(value):
            self._look(event)
        return event

    def encode(self, event: Event) -> bytes:
        """As the codec does."""
        return self._codec.encode(event)

    def written(self, value: bytes) -> Written:
        """As the codec does."""
        return self._codec.written(value)

    def encode_mark(self, mark: EndMark) -> bytes:
        """As the codec does."""
        return self._codec.encode_mark(mark)

    def decode_mark(self, value: bytes) -> EndMark | None:
        """As the codec does."""
        return self._codec.decode_mark(value)

    def _look(self, event: Event) -> None:
        try:
            reference = reference_of(event)
        except InvalidInput as error:
            self._problems.add(event.run_id, event.seq, str(error))
            return
        if reference is None:
            return
        problem = _misnamed(event, reference)
        if problem is None and reference.digest not in self._sound:
            problem = self._problem(reference)
        if problem is not None:
            self._problems.add(event.run_id, event.seq, problem)

    def _problem(self, reference: Reference) -> str | None:
        wanted = f"expected the blob {reference.digest.hex()} of {reference.size} bytes"
        if self._read is None:
            return f"{wanted}, found no blob store to look into: HITL_BLOBS names it"
        data = self._read(reference)
        if data is None:
            return f"{wanted}, found none in the blob store"
        if not reference.fits(data):
            return f"{wanted}, found other bytes ({digest(data).hex()}): it was changed"
        if len(self._sound) >= _SOUND_MAX:
            self._sound.clear()
        self._sound.add(reference.digest)
        return None


class BlobLines:
    """The lines that stand before those of events, run by run; `lacking` had none to give."""

    def __init__(self, codec: Codec, read: Read | None) -> None:
        self.lacking = 0
        self._codec = codec
        self._read = read
        self._run_id = ""
        self._told: set[bytes] = set()

    def before(self, value: bytes) -> bytes:
        """The spelt line of the blob that is to stand before that of the event, if there is one."""
        if not may_refer(value):
            return b""
        event = self._codec.decode(value)
        reference = reference_of(event)
        if event.run_id != self._run_id:
            self._run_id = event.run_id
            self._told.clear()
        if reference is None or reference.digest in self._told:
            return b""
        self._told.add(reference.digest)
        data = None if self._read is None else self._read(reference)
        if data is None or not reference.fits(data):
            self.lacking += 1
            return b""
        return spelt(blob_line(data)) + b"\n"


def blob_line(data: bytes) -> dict[str, Any]:
    """The JSON object of a blob's line; `spelt` gives the line."""
    reference = reference_to(data)
    return {"type": BLOB_TYPE, "json": canonical.loads(data), **reference.to_json()}


def _misnamed(event: Event, reference: Reference) -> str | None:
    """A draft has its digest twice in its event."""
    if not isinstance(event, GatePaused) or event.draft_digest == reference.digest:
        return None
    found = f"{event.draft_digest.hex()} as its digest, {reference.digest.hex()} as its blob"
    return f"expected one draft, found {found}"
