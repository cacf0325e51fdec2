"""What a caller asks of a cluster, as the records to publish: JSON, as any sender would write it.

Ids are chosen here, before anything is sent. So a record whose fate is not known may be sent again:
the same `run_id` or `decision_id` with the same content counts once.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final, Literal, TypeAlias

from hitl_events.adapters.inbound.proof import FORWARDED, PRODUCER, ProvenChannel, producer_header
from hitl_events.adapters.inbound.write import command_json, decision_json
from hitl_events.adapters.system import SystemIds
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, iso, value
from hitl_events.ports import Clock, Headers, InboundKind

REPLY: Final = "hitl-reply"
"""The header whose value the answer on the topic of replies repeats."""
_TYPE = "hitl.v1."

CommandName: TypeAlias = Literal["StartRun", "CancelRun", "UnblockRun"]


@value
class Call:
    """One record to send, and the ids by which its answer is known.

    `run_id` is None for a token that is none of ours: whoever holds the right key may know it.
    """

    kind: InboundKind
    run_id: RunId | None
    decision_id: str | None = None
    reply: str
    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)
    is_new: bool = False
    """Whether the run's id was made for this call, so that nothing of it is in the log yet."""


class Calls:
    """Makes the calls of one process, which proves itself as `channel` with its token key."""

    def __init__(
        self, keys: TokenKeys, clock: Clock, *, channel: ProvenChannel, ids: SystemIds | None = None
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._channel = channel
        self._ids = ids or SystemIds()

    def start(
        self, recipe: str, input_: object, run_id: str | None = None, *, version: str | None = None
    ) -> Call:
        """Start a run, or take up the one with that id, recipe and input."""
        its = RunId(run_id) if run_id is not None else self._ids.run_id()
        body = command_json("StartRun", recipe=recipe, input=input_, run_id=its, version=version)
        return self._call("StartRun", body, its, is_new=run_id is None)

    def cancel(self, run_id: str, reason: str = "", *, by: str | None = None) -> Call:
        """Cancel a run."""
        body = command_json("CancelRun", run_id=run_id, reason=reason, cancelled_by=by)
        return self._call("CancelRun", body, RunId(run_id))

    def unblock(self, run_id: str, *, by: str | None = None) -> Call:
        """Let a blocked run go on if the engines' code fits it now."""
        return self._call(
            "UnblockRun", command_json("UnblockRun", run_id=run_id, by=by), RunId(run_id)
        )

    def decide(
        self, token: str, verdict: str, *, decision_id: str | None = None, **others: object
    ) -> Call:
        """Decide a gate; `others` are the fields of a decision by their names in the contract."""
        its = decision_id or self._ids.decision_id()
        body = decision_json(token=token, verdict=verdict, decision_id=its, **others)
        claim = self._keys.read(token)
        return self._call("Decide", body, claim.run_id if claim else None, decision_id=its)

    def again(self, kind: InboundKind, key: bytes | None, body: bytes | None, old: Headers) -> Call:
        """A record that was refused, as it was: a new submission, answered to this caller."""
        reply = self._ids.command_id()
        kept = ((name, held) for name, held in old if name not in {REPLY, FORWARDED})
        headers = (*kept, (REPLY, reply.encode()))
        return Call(kind=kind, run_id=None, reply=reply, key=key, value=body, headers=headers)

    def _call(
        self,
        name: CommandName | Literal["Decide"],
        body: bytes,
        run_id: RunId | None,
        *,
        decision_id: str | None = None,
        is_new: bool = False,
    ) -> Call:
        reply = self._ids.command_id()
        texts = {
            "ce_specversion": "1.0",
            "ce_id": decision_id or self._ids.command_id(),
            "ce_source": f"urn:hitl-events:{self._channel}",
            "ce_type": f"{_TYPE}{name}",
            "ce_time": iso(self._clock.now()),
            "content-type": "application/json",
            REPLY: reply,
        }
        if run_id is not None:
            texts["ce_subject"] = run_id
        proof = producer_header(self._keys, self._channel, body)
        return Call(
            kind="decision" if name == "Decide" else "command",
            run_id=run_id,
            decision_id=decision_id,
            reply=reply,
            key=None if run_id is None else run_id.encode(),
            value=body,
            headers=(*((each, text.encode()) for each, text in texts.items()), (PRODUCER, proof)),
            is_new=is_new,
        )
