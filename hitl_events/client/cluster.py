"""A caller of a cluster: publishes a command, hears what became of it, and follows its run.

It needs no engine in its own process and none to be up: what was published stays accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.sender import Sender
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.client.calls import Call
from hitl_events.client.history import History, not_before_ms
from hitl_events.client.replies import Reply, reply_of
from hitl_events.domain.events import Event
from hitl_events.domain.outcome import Outcome, refused
from hitl_events.domain.refusals import Rejection
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, value
from hitl_events.errors import (
    AccessDenied,
    HitlError,
    LogUnavailable,
    OutcomeUnknown,
    RecordTooLarge,
    UnknownTopic,
)
from hitl_events.ports import Blobs
from hitl_events.runtime.blobs import completed

WAIT_S = 30.0
"""For an answer and for the run to rest, where nobody says otherwise."""
_LOOK_S = 0.5
"""One wait for records; what comes wakes it at once."""
_FINAL = (AccessDenied, RecordTooLarge, UnknownTopic)
"""After these the record is not in the topic."""


@value
class Unanswered:
    """A call whose record was accepted and whose run did not come to rest in time.

    `events` are what was seen of the run by then; where an answer came, `answered` is true.
    """

    call: Call
    answered: bool
    events: tuple[Event, ...] = field(default=(), repr=False)


Answered: TypeAlias = Outcome | Unanswered

Sent: TypeAlias = Literal["not", "perhaps", "accepted"]


class ClusterClient:
    """One caller. `open` makes it; one call at a time."""

    def __init__(
        self,
        settings: KafkaSettings,
        keys: TokenKeys,
        follower: Follower,
        blobs: Blobs | None = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._follower = follower
        self._topics = Topics(settings.prefix)
        self._codec = AvroCodec()
        self._blobs = blobs
        self.sent: Sent = "not"
        """How far the record of the last call is, for whoever is interrupted while it waits."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: KafkaSettings, keys: TokenKeys, blobs: Blobs | None = None
    ) -> AsyncGenerator[Self]:
        """Connect; `LogUnavailable` says within seconds what is in the way.

        Outcomes show what is in `blobs`, of other large data its digest, as of all large data where
        they can not be reached.
        """
        async with Follower(settings) as follower:
            yield cls(settings, keys, follower, blobs)

    async def publish(self, call: Call) -> None:
        """The record is accepted once this returns; after an error it may be, or not."""
        places = await self._follower.places(self._topic(call), "WRITE")
        record = Outgoing(
            place=places[_partition(call, len(places))],
            key=call.key,
            value=call.value,
            headers=call.headers,
        )
        self.sent = "perhaps"
        error = await self._sent(record)
        if error is not None:
            # The ids in it were chosen before: should the first one be there after all, no harm.
            try:
                error = await self._sent(record)
            except HitlError as second:
                error = second
        if error is not None:
            raise OutcomeUnknown(f"{error}; {unknown(call)}") from error
        self.sent = "accepted"

    async def _sent(self, record: Outgoing) -> HitlError | None:
        """None once it is acknowledged; the error where that is not known."""
        async with Sender(self._settings) as sender:
            try:
                await sender.send(record)
            except _FINAL:
                raise
            except HitlError as error:
                return error
        return None

    async def ask(self, call: Call, wait_s: float = WAIT_S) -> Answered:
        """Publish, wait for the answer, then until the run pauses, ends or blocks.

        "At rest" is what the events say: with several gates open at once a step that runs beside
        them is not seen.
        """
        seen = _Seen(history=History(self._codec))
        replies = await self._follower.ends(await self._follower.places(self._topics.replies))
        events = await self._end_of_run(call)
        # Where to read is known before the record is sent: its answer cannot be missed.
        self._follower.follow(replies)
        await self.publish(call)
        try:
            async with asyncio.timeout(wait_s):
                seen.reply = await self._reply(call, replies)
                return await self._outcome(call, seen, events)
        except TimeoutError:
            events_seen = tuple(seen.history.events)
            return Unanswered(call=call, answered=seen.reply is not None, events=events_seen)

    async def _end_of_run(self, call: Call) -> int:
        """Where the run's partition ends before the call; a new run cannot begin before that."""
        if not call.is_new or call.run_id is None:
            return 0
        place = await self._place(call.run_id)
        return (await self._follower.ends([place]))[place]

    async def _reply(self, call: Call, replies: Mapping[Place, int]) -> Reply:
        """The answer to the call."""
        while True:
            records = await self._follower.take(_LOOK_S)
            found = [reply_of(each.value) for each in records if each.place in replies]
            for reply in found:
                if reply is not None and reply.reply == call.reply:
                    return reply

    async def _outcome(self, call: Call, seen: _Seen, start: int) -> Outcome:
        reply = seen.reply
        assert reply is not None
        run_id, refusal = call.run_id or reply.run_id, reply.refusal
        if run_id is None:
            return _refused((), refusal, call)
        place = await self._place(run_id)
        end = (await self._follower.ends([place]))[place]
        if not call.is_new:
            start = await self._start(place, run_id)
        await self._read(seen, place, run_id, (start, end))
        if seen.history.is_cut:
            first = (await self._follower.begins([place]))[place]
            await self._read(seen, place, run_id, (first, end))
        if refusal is not None:
            return _refused(await self._whole(seen.history), refusal, call)
        while not seen.history.rests(reply.seq or 1):
            await self._more(seen.history, place, run_id)
        return Outcome(await self._whole(seen.history), keys=self._keys)

    async def _whole(self, history: History) -> tuple[Event, ...]:
        """With the blobs, if they can be reached: what was recorded is told in any case."""
        try:
            return await completed(history.events, self._blobs)
        except LogUnavailable:
            return tuple(history.events)

    async def _read(self, seen: _Seen, place: Place, run_id: RunId, span: tuple[int, int]) -> None:
        """The run's events from an offset on to what was the end."""
        start, end = span
        seen.history = History(self._codec)
        self._follower.follow({place: start})
        while await self._follower.position(place) < end:
            await self._more(seen.history, place, run_id)

    async def _start(self, place: Place, run_id: RunId) -> int:
        """An offset before all events of the run, if its id says when it was made."""
        first = (await self._follower.begins([place]))[place]
        hint = not_before_ms(run_id)
        if hint is None:
            return first
        found = await self._follower.since(place, hint)
        return first if found is None else max(found, first)

    async def _more(self, history: History, place: Place, run_id: RunId) -> None:
        key = run_id.encode()
        for record in await self._follower.take(_LOOK_S):
            if record.place == place and record.key == key:
                history.add(record.value)

    async def _place(self, run_id: RunId) -> Place:
        places = await self._follower.places(self._topics.events)
        return places[partition_of(run_id, len(places))]

    def _topic(self, call: Call) -> str:
        return self._topics.decisions if call.kind == "decision" else self._topics.commands


@dataclass(slots=True)
class _Seen:
    """What a waiting caller has, should its time be over."""

    history: History
    reply: Reply | None = None


def _partition(call: Call, count: int) -> int:
    """Of its key; without one of its id, so that such records are spread too."""
    key = call.reply if call.key is None else call.key.decode("utf-8", "replace")
    return partition_of(key, count)


def _refused(events: Sequence[Event], refusal: Rejection | None, call: Call) -> Outcome:
    rejection = refusal or Rejection(
        reason="engine_error", message="expected an answer that names the run, found none in it"
    )
    return refused(tuple(events), rejection, decision=call.kind == "decision")


def unknown(call: Call) -> str:
    """What to do about a record that may have been accepted or not."""
    again = "send it again"
    if call.decision_id is not None:
        again = f"send it again with --id {call.decision_id}: it counts once"
    elif call.is_new:
        again = f"send it again with --run-id {call.run_id}: it is one run"
    return f"the record may have been accepted or not: {again}"
