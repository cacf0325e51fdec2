"""The topic of dead letters: who was refused, with what reason, and the record as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from heapq import nlargest
from typing import Self

from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import REASONS, Reason
from hitl_events.domain.values import moment, value
from hitl_events.ports import DeadLetter

_ABOUT = "hitl-dlq-"
_WINDOW_MIN = 100
"""Offsets that are looked at together at the end of a partition; marks between are few."""


@value
class Letter:
    """A dead letter at its place in the topic; in a list it comes without its value."""

    partition: int
    offset: int
    letter: DeadLetter
    value_bytes: int

    @property
    def number(self) -> str:
        """How it is named."""
        return f"{self.partition}:{self.offset}"


class DeadLetterTopic:
    """Reads what is committed in the topic; nothing in it can be taken away."""

    def __init__(self, reader: Reader, places: tuple[Place, ...]) -> None:
        self._reader = reader
        self._places = places

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: KafkaSettings) -> AsyncGenerator[Self]:
        """Connect; `UnknownTopic` where there is none."""
        async with Follower(settings) as follower:
            places = await follower.places(Topics(settings.prefix).dead_letters)
        async with Reader(settings) as reader:
            yield cls(reader, places)

    async def newest(self, limit: int) -> list[Letter]:
        """The newest `limit`, the newest first."""
        found: list[Letter] = []
        for place in self._places:
            found = nlargest(limit, [*found, *await self._last(place, limit)], key=_age)
        return found

    async def at(self, partition: int, offset: int) -> Letter | None:
        """The one at that place, whole; None where there is none."""
        if not 0 <= partition < len(self._places):
            return None
        record = await self._reader.at(self._places[partition], offset)
        return None if record is None else letter_of(record)

    async def _last(self, place: Place, limit: int) -> list[Letter]:
        """The last `limit` of a partition: looks back in windows that grow until they hold them."""
        first, end = await self._reader.bounds(place)
        window = max(limit, _WINDOW_MIN)
        while True:
            start = max(first, end - window)
            found: list[Letter] = []
            async for piece in self._reader.read(place, start):
                found = [*found, *(_listed(letter_of(record)) for record in piece)][-limit:]
            if len(found) == limit or start == first:
                return found
            window *= 4


def letter_of(record: Stored) -> Letter:
    """A record of the topic as the dead letter that it is."""
    about = {name: held.decode("utf-8", "replace") for name, held in record.headers}
    letter = DeadLetter(
        reason=_reason(about.get(f"{_ABOUT}reason")),
        message=about.get(f"{_ABOUT}message", ""),
        source=_source(about),
        key=record.key,
        value=record.value or b"",
        is_null=record.value is None,
        headers=tuple(each for each in record.headers if not each[0].startswith(_ABOUT)),
        recorded_at=moment(record.timestamp_ms * 1000),
    )
    return Letter(
        partition=record.place.partition,
        offset=record.offset,
        letter=letter,
        value_bytes=len(letter.value),
    )


def _listed(letter: Letter) -> Letter:
    return replace(letter, letter=replace(letter.letter, key=None, value=b"", headers=()))


def _age(letter: Letter) -> tuple[object, ...]:
    return letter.letter.recorded_at, letter.partition, letter.offset


def _reason(text: str | None) -> Reason:
    return text if text in REASONS else "engine_error"


def _source(about: dict[str, str]) -> Source | None:
    try:
        return Source(
            topic=about[f"{_ABOUT}topic"],
            partition=int(about[f"{_ABOUT}partition"]),
            offset=int(about[f"{_ABOUT}offset"]),
            timestamp_ms=int(about[f"{_ABOUT}timestamp"]),
        )
    except (KeyError, ValueError):
        return None
