"""What the headers of a record and its position say: form, type, id, trace.

A structured CloudEvent says the same in its envelope; `of_event` puts that in the headers' place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from hitl_events.adapters.inbound.refused import ID_CHARS_MAX, Unfit
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import RunId
from hitl_events.ports import InboundRecord

RUN_NAMESPACE: Final = UUID("8af0764b-2e90-5040-a01f-23ef229d38b8")
"""UUIDv5 of the URL `urn:hitl-events:run`; the namespace of ids of runs, so it never changes."""
SPECVERSION: Final = "1.0"

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACES = ("traceparent", "ce_traceparent")
"""The record's own, then that of the event in it (an extension of CloudEvents)."""


class Headers:
    """The headers of one record; of a repeated one the last counts."""

    def __init__(self, record: InboundRecord, reason: Reason) -> None:
        self._raw = dict(record.headers)
        self._source = record.source
        self._reason: Reason = reason

    def text(self, name: str) -> str | None:
        """A header that is there and not empty."""
        raw = self._raw.get(name)
        try:
            return raw.decode() if raw else None
        except UnicodeDecodeError:
            raise Unfit(self._reason, f"expected UTF-8 in the header {name}") from None

    def content_type(self) -> str:
        """What the record says of its form, empty where it says nothing."""
        return self._raw.get("content-type", b"").decode("ascii", "replace")

    def type(self) -> str | None:
        """The CloudEvents type, of a version of CloudEvents that is known."""
        version = self.text("ce_specversion")
        if version not in {None, SPECVERSION}:
            raise Unfit(self._reason, f"expected ce_specversion {SPECVERSION}, found another")
        return self.text("ce_type")

    def id(self) -> str:
        """CloudEvents source and id if both are there, else the position of the record.

        They are joined by a space, which no source may contain (it is a URI reference), so that no
        two pairs give one text.
        """
        source, event_id = self.text("ce_source"), self.text("ce_id")
        if source is None or event_id is None:
            return position(self._source)
        joined = f"{source.replace(' ', '%20')} {event_id}"
        if len(joined) > ID_CHARS_MAX:
            wanted = f"expected at most {ID_CHARS_MAX} characters in ce_source and ce_id"
            raise Unfit(self._reason, f"{wanted} together, found {len(joined)}")
        return joined

    def run_id(self) -> RunId:
        """The id of a run whose start names none: the same each time the record is read."""
        return RunId(str(uuid5(RUN_NAMESPACE, position(self._source))))

    def traceparent(self) -> str | None:
        """The W3C trace context; one that is malformed is dropped, as its specification wants."""
        for name in _TRACES:
            raw = self._raw.get(name, b"").decode("ascii", "replace")
            if _TRACEPARENT.fullmatch(raw):
                return raw
        return None

    def of_event(self, event: Mapping[str, Any]) -> None:
        """Take the attributes of a structured event; those of the same name may only repeat it."""
        for name in ("specversion", "id", "source", "type"):
            said = event.get(name)
            if not isinstance(said, str) or not said:
                raise Unfit(self._reason, f"expected a text as {name!r} of the event, found none")
            if self.text(f"ce_{name}") not in {None, said}:
                found = f"found one in the header ce_{name} and another in the event"
                raise Unfit(self._reason, f"expected one {name}, {found}")
            self._raw[f"ce_{name}"] = said.encode("utf-8", "replace")
        trace = event.get("traceparent")
        if isinstance(trace, str):
            self._raw["ce_traceparent"] = trace.encode("ascii", "replace")


def position(source: Source) -> str:
    """`topic:partition:offset:timestamp` of the original record."""
    return f"{source.topic}:{source.partition}:{source.offset}:{source.timestamp_ms}"
