"""What the world itself knows of each submission: the checker's own record of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from hitl_events.domain.refusals import Reason
from hitl_events.ports import Answer

Kind: TypeAlias = Literal["decide", "start", "cancel", "unblock"]
Place: TypeAlias = tuple[str, int]
"""Topic and offset: each submission has its own."""

CALL = "call"
"""The topic of the owner's own calls."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """One submission.

    `pause` is the seq that a decision's good token names, None where the token is bad. `dead` are
    the reasons for which it may become a dead letter; none for what an honest sender sends.
    """

    kind: Kind
    fields: Mapping[str, Any]
    run_id: str | None
    pause: int | None = None
    decision_id: str | None = None
    place: Place = ("", 0)
    arrived_at: datetime
    dead: tuple[Reason, ...] = ()
    durable: bool = False
    answers: list[Answer] = field(default_factory=list[Answer])

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of the canonical JSON of the six fields that make a decision's content."""
        names = ("data", "decided_by", "draft_digest", "notes", "token", "verdict")
        content = {name: self.fields.get(name) for name in names}
        spelt = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(spelt.encode()).digest()

    def __str__(self) -> str:
        shown = {name: held for name, held in self.fields.items() if name != "token"}
        place = ":".join(map(str, self.place))
        about = f"{self.run_id}.{self.pause}" if self.pause else self.run_id
        at = f"{self.arrived_at:%H:%M:%S.%f}"
        return f"{self.kind} {about} ({place} at {at}, id {self.decision_id}) {shown}"
