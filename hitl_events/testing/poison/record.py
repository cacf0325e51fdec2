"""One bad record, and the run that it would harm if somebody believed it."""

from __future__ import annotations

from hitl_events.domain.refusals import Reason
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import value
from hitl_events.ports import Headers, InboundKind


@value
class Target:
    """An open gate: bad decisions bear its token, so that only what is bad about them saves it.

    `recipe` is registered and is that of the run `run_id`; `keys` are those of the engine.
    """

    token: str
    run_id: str
    recipe: str
    keys: TokenKeys


@value
class Poison:
    """A bad record for one topic, and the `reason` of its dead letter.

    `is_late`: it is a well-formed command, and the engine refuses it for what it says.
    """

    name: str
    kind: InboundKind
    key: bytes | None = None
    value: bytes
    is_null: bool = False
    headers: Headers = ()
    reason: Reason
    is_late: bool = False
