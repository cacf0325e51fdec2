"""Runs as a reader sees them: nothing is created, locked or driven, also beside an owner."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Protocol, TypeAlias

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.blobs import FileBlobs
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.blobs import BlobCheck
from hitl_events.audit.report import Problems
from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.references import Read, completed
from hitl_events.domain.token import KEY_BYTES_MIN, TokenKeys
from hitl_events.domain.values import RunId, value
from hitl_events.errors import CorruptLog, InvalidInput, LogUnavailable, UnknownRun, UnreadableKey
from hitl_events.ports import RunPosition
from hitl_events.projections.runs import RunRow
from hitl_services.cli.rows import STATUSES, row_of
from hitl_services.cli.settings import Settings

EVENTS_AT_ONCE = 500
"""A block on disk holds some 40 events of several runs: read together, it is inflated once."""


_MAY_HAVE_GATES = frozenset({"paused", "running", "blocked"})

Told: TypeAlias = Callable[[int], None]
Pause: TypeAlias = tuple[RunStarted, GatePaused]
ENDED = frozenset({"completed", "failed", "cancelled"})
"""Statuses of runs in which nothing happens any more."""

Keys: TypeAlias = Callable[[], TokenKeys | None]
"""Reads the token keys. Who may not read them can read all the rest."""

Place: TypeAlias = tuple[int, int] | tuple[None, None]
"""Partition and offset of an event, where it stands in a topic."""


@value
class Wanted:
    """Which entries of a list: of a recipe, waiting since then, with a status, so many."""

    recipe: str | None = None
    until: datetime | None = None
    status: str | None = None
    limit: int | None = None

    @property
    def statuses(self) -> frozenset[str] | None:
        """The log's words for the status; None wants all."""
        return None if self.status is None else STATUSES.get(self.status, frozenset({self.status}))

    def has(self, pause: Pause) -> bool:
        """True for a gate that is wanted."""
        started, paused = pause
        return self.recipe in {None, started.recipe} and (
            self.until is None or paused.recorded_at <= self.until
        )


class ReadLog(Protocol):
    """A log by its runs; the embedded one, or what was read of a topic."""

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each run that exists, seq 1 first."""
        ...

    def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in the order of their start, in pieces."""
        ...

    async def end(self) -> int:
        """How many events there are."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads inside see one moment of the log."""
        ...


class Store:
    """Runs by key, their events decoded; tokens for the holder of the key."""

    def __init__(
        self,
        log: ReadLog,
        find_keys: Keys,
        *,
        place: str,
        empty: bool,
        blobs: FileBlobs | None = None,
    ) -> None:
        self.log = log
        self.blobs = blobs
        self.codec = AvroCodec()
        self.find_keys = find_keys
        self.place = place
        self.empty = empty
        self.keyless: str | None = None
        """Why tokens are not shown, where their key is there and may not be read."""

    @cached_property
    def keys(self) -> TokenKeys | None:
        """What tokens are made with: read when the first is made. None where none can be."""
        try:
            return self.find_keys()
        except UnreadableKey as error:
            self.keyless = str(error)
            return None

    def places(self, run_id: RunId, count: int) -> Sequence[Place]:
        """Where the events of a run stand: nowhere, in the embedded log."""
        return [(None, None)] * count

    async def history(self, run_id: str) -> tuple[Event, ...]:
        """All events of a run; `UnknownRun` where there is none."""
        values = (await self.log.load([RunId(run_id)])).get(RunId(run_id))
        if not values:
            raise UnknownRun(run_id)
        return self.decoded(values)

    @property
    def read_blob(self) -> Read | None:
        """What is kept under a digest; None: there is no blob store."""
        return None if self.blobs is None else self.blobs.read

    def decoded(self, values: Sequence[bytes]) -> tuple[Event, ...]:
        """The events of stored values, with all their data that is there."""
        events = map(self.codec.decode, values)
        blobs = self.blobs
        return tuple(events if blobs is None else (completed(each, blobs.read) for each in events))

    async def positions(
        self, statuses: Collection[str] | None = None
    ) -> AsyncIterator[Sequence[RunPosition]]:
        """Runs in the order of their start, in pieces; those with one of the statuses."""
        async for piece in self.log.positions():
            yield [each for each in piece if statuses is None or each.status in statuses]

    async def histories(
        self, run_ids: Collection[str] = (), *, open_only: bool = False
    ) -> AsyncIterator[tuple[RunId, Sequence[bytes]]]:
        """The named runs with their record values, all if none is named, by their start.

        `open_only`: of these those that have not ended. `UnknownRun` comes before the first of
        them. All runs are read in pieces: their number does not count in memory, the longest of
        them does.
        """
        named = await self._positions_of(run_ids) if run_ids else None
        async for piece in self.log.positions() if named is None else _one_piece(named):
            wanted = [each for each in piece if not open_only or each.status not in ENDED]
            for some in portions(wanted):
                loaded = await self._loaded(some)
                for position in some:
                    yield position.run_id, loaded[position.run_id]

    async def _loaded(self, some: Sequence[RunPosition]) -> Mapping[RunId, Sequence[bytes]]:
        """The record values of runs that are there."""
        loaded = await self.log.load([position.run_id for position in some])
        for position in some:
            if position.run_id not in loaded:
                problem = "expected to find the run by its id, found no way to it"
                raise CorruptLog(f"run {position.run_id!r}", problem)
        return loaded

    async def _positions_of(self, run_ids: Collection[str]) -> list[RunPosition]:
        wanted = set(run_ids)
        found = [
            each async for piece in self.log.positions() for each in piece if each.run_id in wanted
        ]
        known = {each.run_id for each in found}
        for run_id in run_ids:
            if run_id not in known:
                raise UnknownRun(run_id)
        return found

    async def open_pauses(self, wanted: Wanted, told: Told) -> tuple[list[Pause], int]:
        """The open gates that are wanted, the longest waiting first, and how many there are."""
        found: list[Pause] = []
        async for piece in self.positions(_MAY_HAVE_GATES):
            loaded = await self._loaded(piece)
            for values in loaded.values():
                found += filter(wanted.has, _open_of(self.decoded(values)))
            told(len(piece))
        found.sort(key=lambda pause: pause[1].recorded_at)
        return found[: wanted.limit], len(found)

    async def run_rows(self, wanted: Wanted, told: Told) -> list[RunRow]:
        """The runs that are wanted in the order of their start, the last of them."""
        kept: deque[RunRow] = deque(maxlen=wanted.limit)
        async for piece in self.positions(wanted.statuses):
            # Without a recipe to look for, only the last of them need be read.
            some = piece if wanted.recipe or not wanted.limit else piece[-wanted.limit :]
            loaded = await self._loaded(some)
            rows = [self._row(position, loaded[position.run_id]) for position in some]
            kept.extend(row for row in rows if wanted.recipe in {None, row.recipe})
            told(len(piece))
        return list(kept)

    def _row(self, position: RunPosition, values: Sequence[bytes]) -> RunRow:
        # a later event may have been added since the position was read
        first = start_of(self.decoded(values[:1]))
        return row_of(position, first, self.codec.decode(values[position.seq - 1]))

    def outcome(self, events: Sequence[Event]) -> Outcome:
        """The outcome after these events."""
        return Outcome(events, keys=self.keys)


@contextmanager
def embedded_log(settings: Settings, *, must_exist: bool = False) -> Generator[SqliteLog]:
    """The log of the data directory; where there is none, an empty one, if that will do."""
    directory = DataDirectory(settings.directory)
    if must_exist and not directory.has_log():
        message = f"expected a log in {settings.directory}, found none"
        raise LogUnavailable(f"{message}; name its place with --dir or HITL_DATA")
    log = SqliteLog.open_for_reading(directory)
    try:
        yield log
    finally:
        log.close()


def blobs_of(settings: Settings) -> FileBlobs | None:
    """Where what is large is kept; None: nowhere that is known here."""
    if settings.cluster is None:
        return FileBlobs(DataDirectory(settings.directory).blobs_path)
    return None if settings.blobs is None else FileBlobs.shared(settings.blobs)


def checking(settings: Settings, problems: Problems) -> BlobCheck:
    """A codec that takes down what is wrong with the blobs of what it decodes."""
    blobs = blobs_of(settings)
    return BlobCheck(AvroCodec(), None if blobs is None else blobs.read, problems)


def token_keys(settings: Settings, *, needed: bool = False) -> TokenKeys | None:
    """The keys of the settings, else the directory's; None where none was ever made.

    A cluster keeps none: `InvalidInput` where tokens are `needed` and no key was given.
    """
    if settings.token_keys:
        return TokenKeys(settings.token_keys)
    if settings.cluster is None:
        key = DataDirectory(settings.directory).existing_token_key()
        return None if key is None else TokenKeys([key])
    if needed:
        message = f"expected HITL_TOKEN_KEY, the key of at least {KEY_BYTES_MIN} bytes with which"
        raise InvalidInput(f"{message} the engines of this cluster make tokens, found none")
    return None


def start_of(events: Sequence[Event]) -> RunStarted:
    """The first event of a run."""
    first = events[0]
    if not isinstance(first, RunStarted):
        where = f"run {first.run_id!r}"
        raise CorruptLog(where, f"expected RunStarted first, found {type(first).__name__}")
    return first


def _open_of(events: Sequence[Event]) -> Iterator[Pause]:
    run = fold(events)
    if run is not None:
        for gate in run.pending.values():
            yield run.started, gate.paused


async def _one_piece(positions: Sequence[RunPosition]) -> AsyncIterator[Sequence[RunPosition]]:
    yield positions


def portions(positions: Sequence[RunPosition]) -> list[list[RunPosition]]:
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
