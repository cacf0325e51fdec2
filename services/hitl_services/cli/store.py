"""The log as a reader sees it: nothing is created, locked or driven, also beside an owner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Generator, Sequence
from contextlib import contextmanager
from typing import Self

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.events import Event, RunStarted
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, LogUnavailable, UnknownRun
from hitl_events.ports import RunPosition
from hitl_services.cli.settings import Settings

EVENTS_AT_ONCE = 500
"""A block on disk holds some 40 events of several runs: read together, it is inflated once."""


class Store:
    """Runs by key, their events decoded; tokens for the holder of the key."""

    def __init__(self, log: SqliteLog, keys: TokenKeys | None, *, empty: bool) -> None:
        self.log = log
        self.codec = AvroCodec()
        self.keys = keys
        self.empty = empty

    @classmethod
    @contextmanager
    def open(cls, settings: Settings, *, must_exist: bool = False) -> Generator[Self]:
        """The log of the data directory; where there is none, an empty one, if that will do."""
        directory = DataDirectory(settings.directory)
        if must_exist and not directory.has_log():
            message = f"expected a log in {settings.directory}, found none"
            raise LogUnavailable(f"{message}; name its place with --dir or HITL_DATA")
        log = SqliteLog.open_for_reading(directory)
        try:
            yield cls(log, token_keys(settings, directory), empty=not directory.has_log())
        finally:
            log.close()

    async def history(self, run_id: str) -> tuple[Event, ...]:
        """All events of a run; `UnknownRun` where there is none."""
        values = (await self.log.load([RunId(run_id)])).get(RunId(run_id))
        if not values:
            raise UnknownRun(run_id)
        return self.decoded(values)

    def decoded(self, values: Sequence[bytes]) -> tuple[Event, ...]:
        """The events of stored values."""
        return tuple(map(self.codec.decode, values))

    async def positions(
        self, statuses: Collection[str] | None = None
    ) -> AsyncIterator[Sequence[RunPosition]]:
        """Runs in the order of their start, in pieces; those with one of the statuses."""
        async for piece in self.log.positions():
            yield [each for each in piece if statuses is None or each.status in statuses]

    async def histories(
        self, run_ids: Collection[str] = ()
    ) -> AsyncIterator[tuple[RunId, Sequence[bytes]]]:
        """The named runs with their record values, all if none is named, by their start.

        `UnknownRun` comes before the first of them.
        """
        wanted = set(run_ids)
        positions = [
            [each for each in piece if not wanted or each.run_id in wanted]
            async for piece in self.positions()
        ]
        known = {each.run_id for piece in positions for each in piece}
        for run_id in run_ids:
            if run_id not in known:
                raise UnknownRun(run_id)
        for piece in positions:
            for some in _portions(piece):
                loaded = await self.log.load([position.run_id for position in some])
                for position in some:
                    yield position.run_id, loaded[position.run_id]

    def outcome(self, events: Sequence[Event]) -> Outcome:
        """The outcome after these events."""
        return Outcome(events, keys=self.keys)


def token_keys(settings: Settings, directory: DataDirectory) -> TokenKeys | None:
    """The keys of the settings, else the directory's; None where none was ever made."""
    if settings.token_keys:
        return TokenKeys(settings.token_keys)
    key = directory.existing_token_key()
    return None if key is None else TokenKeys([key])


def start_of(events: Sequence[Event]) -> RunStarted:
    """The first event of a run."""
    first = events[0]
    if not isinstance(first, RunStarted):
        where = f"run {first.run_id!r}"
        raise CorruptLog(where, f"expected RunStarted first, found {type(first).__name__}")
    return first


def _portions(positions: Sequence[RunPosition]) -> list[list[RunPosition]]:
    """Runs that are loaded together: some hundred events, unless one run alone has more."""
    portions: list[list[RunPosition]] = []
    events = EVENTS_AT_ONCE
    for position in positions:
        if events + position.seq > EVENTS_AT_ONCE:
            portions.append([])
            events = 0
        portions[-1].append(position)
        events += position.seq
    return portions
