"""The Protocols between the core and what does I/O; `hitl_events.testing` proves each promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from hitl_events.domain.events import Event, RunStarted, Source
from hitl_events.domain.mark import EndMark
from hitl_events.domain.references import Reference
from hitl_events.domain.refusals import Reason, Winner
from hitl_events.domain.requests import Request
from hitl_events.domain.state import RunState
from hitl_events.domain.values import RunId, value

InboundKind: TypeAlias = Literal["decision", "command"]
Headers: TypeAlias = tuple[tuple[str, bytes], ...]


@value
class InboundRecord:
    """Bytes that somebody submitted, before decoding.

    `source` is the position where it was first submitted, `number` that by which its intake is
    asked and answered. `is_null`: there was no value at all (`value` is empty then). `forwarded`:
    the owner of another partition passed it on, and proved it.
    """

    kind: InboundKind
    key: bytes | None = None
    value: bytes
    is_null: bool = False
    headers: Headers = ()
    channel: str
    source: Source
    number: int = 0
    forwarded: bool = False


@value
class Answer:
    """What became of a submission: `seq` of its event, or the reason why it was refused."""

    run_id: RunId | None
    seq: int | None
    reason: Reason | None = None
    message: str = ""
    winner: Winner | None = None


@value
class DeadLetter:
    """A record that has no place, key and value byte for byte, with its reason."""

    reason: Reason
    message: str
    source: Source | None
    key: bytes | None
    value: bytes
    is_null: bool = False
    headers: Headers = ()
    recorded_at: datetime


@value
class Forward:
    """A record whose run lives in another partition: it goes on there, in this transaction."""

    number: int
    record: InboundRecord
    partition: int


@value
class Appended:
    """An event with its envelope and the bytes that are stored for it.

    `seed` is that of its run, for logs whose subscribers get a token with each pause. `blob` is the
    data of which the stored bytes have only a reference: it is to be in the blob store before them.
    """

    event: Event
    value: bytes
    seed: bytes = b""
    blob: bytes | None = None


@value
class RunPosition:
    """What the log keeps by key of a run: its head and what wakes it.

    `due` is its earliest timer, `busy` says that steps of it are to run (a new owner takes it up).
    `ended` is the state of a run that has ended, for logs that keep of it an end mark only; `gates`
    the number of its open gates, for logs that count them.
    """

    run_id: RunId
    seq: int
    head: bytes
    status: str
    due: datetime | None
    busy: bool
    ended: RunState | None = field(default=None, compare=False, repr=False)
    gates: int = field(default=0, compare=False, repr=False)


@value
class EffectBatch:
    """All that one turn of the engine changes: written in one transaction, or not at all.

    `settled` maps numbers of the intake to their answers; what is in `forwards` is answered
    elsewhere.
    """

    events: list[Appended] = field(default_factory=list[Appended])
    positions: list[RunPosition] = field(default_factory=list[RunPosition])
    dead_letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    settled: list[tuple[int, Answer]] = field(default_factory=list[tuple[int, Answer]])
    forwards: list[Forward] = field(default_factory=list[Forward])

    def __bool__(self) -> bool:
        return bool(
            self.events or self.positions or self.dead_letters or self.settled or self.forwards
        )


@value
class StoredEvent:
    """The bytes of one event at its offset in the log."""

    offset: int
    value: bytes


@value
class Written:
    """An event by the schema in which it was written: its bare name, its fields in their order."""

    name: str
    fields: Mapping[str, object]


class EventLog(Protocol):
    """The append-only stream of one partition, in the order in which it was committed."""

    async def append(self, batch: EffectBatch) -> None:
        """Write all of it durably or nothing; `Fenced` where this owner is stale."""
        ...

    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """Committed events from offset `start` to the end at the call, in order, in pieces."""
        ...

    async def end(self) -> int:
        """The offset that the next event will get."""
        ...


class Blobs(Protocol):
    """User data too large for an event, by its SHA-256: written once, never changed."""

    async def put(self, reference: Reference, data: bytes) -> None:
        """Durable once it returns, however often it is put; `LogUnavailable` if it can not be.

        `InvalidInput` for data that the reference does not fit.
        """
        ...

    async def get(self, reference: Reference) -> bytes | None:
        """What is kept under that digest, at most a byte more than its size; None for nothing.

        It may have been changed since: whoever asks holds it against the reference.
        """
        ...


class RunStates(Protocol):
    """What is known of a run by its key, true for the end of the log."""

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each run that exists, seq 1 first.

        Of an ended run it may be its end mark instead, and the events after that.
        """
        ...

    async def busy(self, limit: int) -> Sequence[RunId]:
        """Runs with steps to run, oldest first."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        """Runs whose earliest timer is not later than `now`, earliest first."""
        ...

    async def next_due(self) -> datetime | None:
        """When the earliest timer of all runs is due."""
        ...

    def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in the order of their start, in pieces."""
        ...


class Intake(Protocol):
    """Where anybody puts decisions and commands; durable once `put` returns, answered once."""

    async def put(self, record: InboundRecord) -> int:
        """Store a record and return its number (its `source` is set too)."""
        ...

    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        """Unanswered records with numbers greater than `after`, in order."""
        ...

    async def caught_up(self) -> bool:
        """True if all that arrived before this call was taken, or the next `take` will give it."""
        ...

    async def answer(self, offset: int) -> Answer | None:
        """What became of the record of that number; None while nothing has."""
        ...


class DeadLetters(Protocol):
    """Records that have no place, kept whole and bounded in number."""

    async def list(self, limit: int) -> Sequence[tuple[int, DeadLetter]]:
        """The newest `limit` with their numbers."""
        ...

    async def discard(self, number: int) -> bool:
        """Forget one; False if there is none of that number."""
        ...


class Codec(Protocol):
    """Events and end marks to stored bytes and back.

    What was decoded encodes to the same bytes, unless they are of a schema that was superseded:
    that is read as today's event, and never written again.
    """

    def encode(self, event: Event) -> bytes:
        """The whole record value: single-object header and body."""
        ...

    def decode(self, value: bytes) -> Event:
        """The event; `CorruptLog` for bytes that are not exactly one."""
        ...

    def written(self, value: bytes) -> Written:
        """The fields of a record as they were written; `CorruptLog` as from `decode`."""
        ...

    def encode_mark(self, mark: EndMark) -> bytes:
        """The whole record value of an end mark."""
        ...

    def decode_mark(self, value: bytes) -> EndMark | None:
        """The mark; None for a record of another kind, `CorruptLog` for one that is cut."""
        ...


class RecipeDriver(Protocol):
    """Drives one run's recipe by its events; `RecipeStopped` where the code does not fit them."""

    @property
    def warnings(self) -> Sequence[tuple[int, str]]:
        """What does not fit and does no harm: seq and message."""
        ...

    def deliver(self, event: Event) -> None:
        """One recorded event, in the order of seq."""
        ...

    def requests(self) -> Sequence[Request]:
        """What the recipe asks for since the last call and has not got."""
        ...

    def begin_undo(self) -> None:
        """The run is cancelled and nothing of it is under way: take back what is done, then end."""
        ...

    def data_problem(self, kind: str, name: str, occurrence: int, data: bytes) -> str | None:
        """Why data for a gate, or an output for a step, does not fit the type in the code."""
        ...

    def close(self) -> None:
        """Forget the coroutines; the history can rebuild them."""
        ...


class RegisteredRecipe(Protocol):
    """One version of a recipe, ready to be driven."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...

    @property
    def code_fingerprint(self) -> str:
        """Changes when the code does."""
        ...

    @property
    def undo_on(self) -> frozenset[str]:
        """After which ends what is done is taken back: cancelled, failed, denied."""
        ...

    def driver(self, started: RunStarted, watch: Watch) -> RecipeDriver:
        """A fresh driver, to be given the events from `RunStarted` on."""
        ...

    def input_problem(self, input_: bytes) -> str | None:
        """Why an input does not fit the recipe."""
        ...


class RecipeBook(Protocol):
    """The recipes that are registered here."""

    def find(self, name: str, version: str | None) -> RegisteredRecipe | None:
        """That version, or the last registered where none is named."""
        ...

    def known(self) -> tuple[str, ...]:
        """Names (with versions) of all, for messages."""
        ...


class Clock(Protocol):
    """Time as an argument of the core."""

    def now(self) -> datetime:
        """The aware UTC time of the wall clock."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...


class Watch(Protocol):
    """Bounds the time that a recipe may take between two awaits (a recipe that spins)."""

    def begin(self) -> None:
        """A recipe gets control."""
        ...

    def end(self) -> None:
        """It has given it back."""
        ...
