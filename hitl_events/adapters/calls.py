"""Commands that are called, not sent: the same fields and rules as a record, without its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from hitl_events.adapters.inbound.commands import BUILD, FIELDS
from hitl_events.adapters.inbound.fields import Fields
from hitl_events.adapters.inbound.forms import Schemas
from hitl_events.adapters.inbound.headers import Headers
from hitl_events.adapters.inbound.read import read_inbound
from hitl_events.adapters.inbound.refused import Unfit
from hitl_events.adapters.inbound.write import command_json, decision_json
from hitl_events.adapters.limits import RECORD_BYTES_KEPT_MAX
from hitl_events.adapters.system import SystemIds, new_seed
from hitl_events.domain.commands import Command, Decide, Origin, StartRun
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Reason, Refused
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, maker, micros, moment
from hitl_events.engine.inputs import Submission
from hitl_events.errors import HitlError, NotSerialisable
from hitl_events.ports import Clock, InboundKind, InboundRecord
from hitl_events.recipes import values

Name: TypeAlias = Literal["StartRun", "Decide", "CancelRun", "UnblockRun"]
_BELOW_MS = [timedelta(microseconds=below) for below in range(1000)]
"""To cut a time to its millisecond in 0.1 us; `replace` takes 0.8."""
_USER_DATA = {"StartRun": "input", "Decide": "data"}

_new_submission = maker(Submission)


class Caller:
    """Makes the submissions of one process's own calls; each names its run, if it can be known."""

    def __init__(self, keys: TokenKeys, ids: SystemIds, clock: Clock, channel: str) -> None:
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._channel = channel
        self._origin = Origin(channel=channel)

    def call(self, name: Name, given: Mapping[str, Any]) -> tuple[Submission, RunId | None]:
        """What is left out is None; a value that does not fit is a refusal, never an exception."""
        fields = dict(given)
        user = _USER_DATA.get(name, "")
        if fields.get(user) is not None:
            try:
                # a decision's data as everybody else has to send it: as the gate's schema says
                fields[user] = values.dump(fields[user], by_alias=name == "Decide")
            except NotSerialisable as error:
                problem = f"expected JSON as {user!r}, found at {error.path} {error.problem}"
                return self._refused(name, {}, problem)
        origin = self._origin_at(_to_ms(self._clock.now()))
        reason: Reason = "invalid_decision" if name == "Decide" else "invalid_command"
        try:
            taken = Fields(fields, reason, packed=user)
            taken.only(FIELDS[name])
            # ids of our own instead of those that a record's headers and position give
            command = BUILD[name](taken, cast("Headers", self), origin)
        except Unfit as unfit:
            return self._refused(name, fields, str(unfit), is_large=unfit.reason == "too_large")
        command = self._completed(command)
        return _new_submission(command=command, record=partial(self._record, name, fields)), _run(
            command
        )

    def _origin_at(self, arrived_at: datetime) -> Origin:
        """Calls of one millisecond share theirs: it is a value, and each is kept by its command."""
        if self._origin.arrived_at != arrived_at:
            self._origin = Origin(channel=self._channel, arrived_at=arrived_at)
        return self._origin

    def _completed(self, command: Command) -> Command:
        if isinstance(command, Decide):
            command.claim = self._keys.read(command.token)  # type: ignore[misc]  # just made, not yet seen
        elif isinstance(command, StartRun):
            command.seed = self._ids.seed()  # type: ignore[misc]  # as above
        return command

    def _refused(
        self, name: Name, fields: Mapping[str, Any], message: str, *, is_large: bool = False
    ) -> tuple[Submission, None]:
        reason: Reason = "invalid_decision" if name == "Decide" else "invalid_command"
        if is_large:
            reason = "too_large"
        refused = Refused(reason=reason, message=message)
        return Submission(command=refused, record=partial(self._record, name, fields)), None

    def id(self) -> str:
        """Of a command or decision that brought none."""
        return self._ids.command_id()

    def run_id(self) -> RunId:
        """Of a run whose start names none."""
        return self._ids.run_id()

    def _record(self, name: Name, fields: Mapping[str, Any]) -> InboundRecord:
        """The call as a record, for the intake of another process or for a dead letter."""
        now = self._clock.now()
        kind: InboundKind = "decision" if name == "Decide" else "command"
        try:
            body = decision_json(**fields) if name == "Decide" else command_json(name, **fields)
        except HitlError:
            body = b"{}"  # a call with values that no record can hold
        return InboundRecord(
            kind=kind,
            value=body if len(body) <= RECORD_BYTES_KEPT_MAX else b"{}",
            channel=self._channel,
            source=Source(topic="call", partition=0, offset=0, timestamp_ms=micros(now) // 1000),
        )


def submission(record: InboundRecord, schemas: Schemas | None = None) -> Submission:
    """A record of an intake as the engine takes it."""
    arrived_at = moment(record.source.timestamp_ms * 1000)
    command = read_inbound(record, arrived_at=arrived_at, schemas=schemas)
    if isinstance(command, StartRun):
        command.seed = new_seed()  # type: ignore[misc]  # just made, not yet seen
    return Submission(command=command, record=lambda: record, settles=record.number)


def _to_ms(now: datetime) -> datetime:
    """As a record's time of arrival is known: a call may not be late by less than others can be."""
    return now - _BELOW_MS[now.microsecond % 1000]


def _run(command: Command) -> RunId | None:
    if isinstance(command, Decide):
        return command.claim.run_id if command.claim else None
    return command.run_id
