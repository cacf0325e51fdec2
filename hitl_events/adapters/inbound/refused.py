"""The answer to a record that is no command, and the limits that it may have broken."""

from __future__ import annotations

import re

from hitl_events.domain.refusals import Reason
from hitl_events.domain.token import PREFIX
from hitl_events.errors import HitlError

RECORD_BYTES_MAX = 256 * 1024
"""Of an inbound record's value, and of its user data once canonical (1e20 has 21 digits there)."""
NOTES_CHARS_MAX = 64 * 1024
"""A quarter of a record: some twenty pages, for the reason of a verdict or of a cancellation."""
VERDICT_CHARS_MAX = 64
VERSION_CHARS_MAX = 64
NAME_CHARS_MAX = 256
"""Of a recipe, or of somebody (`decided_by` and its like)."""
ID_CHARS_MAX = 256
"""Of a decision or command; a CloudEvents source and id, which stand for one, have it together."""

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class Unfit(HitlError):
    """A record is no command. It never leaves this package: `read_inbound` answers `Refused`."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason: Reason = reason
        super().__init__(message)


def shown(name: str) -> str:
    """The name of a field as a message may show it: it is foreign text, and may be a token."""
    fine = _FIELD_NAME.fullmatch(name) and not name.startswith(PREFIX)
    return repr(name) if fine else "one that is no name"
