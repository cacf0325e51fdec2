"""Checks a log: that every event reads, follows its predecessor, and can have happened (P12).

It takes the values as they are stored, runs interleaved, and keeps of each run only what its next
event must fit. Damage is named once: after it the check goes on from what it found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from hashlib import sha256
from itertools import count

from hitl_events.audit.merkle import Head
from hitl_events.audit.positions import Checked, difference
from hitl_events.audit.report import Problems, VerifyReport
from hitl_events.domain.events import (
    DecisionRejected,
    Event,
    GatePaused,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
)
from hitl_events.domain.evolve import evolve
from hitl_events.domain.state import RunState, status
from hitl_events.domain.values import EPOCH, NO_DIGEST, iso
from hitl_events.errors import CorruptLog, ImpossibleHistory
from hitl_events.ports import Codec, RunPosition

_ENDS = frozenset({RunCompleted, RunFailed, RunCancelled})
_MARKED = _ENDS | {GatePaused}
"""After these a run is mostly left alone, for long or for ever, so little is kept of it."""
_KEPT_BYTES_MAX = 2048
"""Events longer than this are folded without their user data, or 10,000 open runs with drafts of
100 KB would need 1 GB."""
_USER_DATA = frozenset({"input", "output", "draft", "data", "data_schema", "result"})

_ANY_START = RunStarted(
    recipe="", version="", input=b"", seed=b"", command_id="", identity="", channel=""
)
"""No event that follows is held against the first, so one stands for all."""
_NO_EVENTS = "expected the events of the run, of which the log keeps a position, found none"
_NO_POSITION = "expected a position of the run in the log, found its events alone"


class _Chain:
    """What the next event of a run must fit.

    `state` is None once the run has ended (`status` says how) or can no longer be folded (no
    status); `head` is None where the predecessor is not known; `offsets` is the sum of its events'.
    `awaited` is the seq of the event that a checkpoint has the digest of, None if none, and once it
    came.
    """

    __slots__ = ("awaited", "head", "offsets", "recorded_at", "seq", "state", "status")

    def __init__(self) -> None:
        self.head: bytes | None = NO_DIGEST
        self.seq = 0
        self.recorded_at = EPOCH
        self.state: RunState | None = None
        self.status = ""
        self.offsets = 0
        self.awaited: int | None = None


class ChainCheck:
    """Give it values in log order (`add`, or the faster `add_all`), then `finish`, then `report`.

    `expected` are the heads of an earlier moment, by run: each must still be an event of its run.
    `unmet` tells of which nothing came. Memory: 400 bytes for each run, 2 KB for one that has not
    ended.
    """

    def __init__(
        self,
        codec: Codec,
        problems: Problems | None = None,
        *,
        expected: Mapping[str, Head] | None = None,
    ) -> None:
        self._decode = codec.decode
        self._expected = expected or {}
        self._runs: dict[str, _Chain] = {}
        self._records = self._offset = 0
        self._problems = Problems() if problems is None else problems
        self._aside: dict[str, tuple[int, bytes]] = {}

    def add(self, value: bytes) -> None:
        """The next record of the log."""
        self.add_all((value,))

    def add_all(
        self,
        values: Iterable[bytes],
        *,
        first: int | None = None,
        offsets: Sequence[int] | None = None,
    ) -> None:
        """The next records of the log.

        They have these `offsets`, or stand side by side from `first` on (None: the next one).
        """
        # The loop behind the figure of verified events/s: one lookup and four comparisons for an
        # event that fits; whatever does not is looked at in `_unusual`.
        decode, chain_of, fold, digest = self._decode, self._runs.get, evolve, sha256
        held = list(values)
        start = self._offset if first is None else first
        offset = start - 1
        for offset, value in zip(count(start) if offsets is None else offsets, held, strict=False):
            try:
                event = decode(value)
            except CorruptLog as error:
                self._unreadable(offset, error)
                continue
            chain = chain_of(event.run_id)
            if chain is None:
                self._first(event, value, offset)
                continue
            chain.offsets += offset
            state = chain.state
            if (
                state is None
                or event.seq != state.seq + 1
                or event.prev_digest != chain.head
                or event.recorded_at < state.recorded_at
                or len(value) > _KEPT_BYTES_MAX
            ):
                self._unusual(chain, event, value)
                continue
            try:
                fold(state, event)
            except (ImpossibleHistory, KeyError) as error:
                self._impossible(chain, event, error)
            chain.head = digest(value).digest()
            if event.seq == chain.awaited:
                self._came(chain, event.run_id, event.seq)
            if event.__class__ in _MARKED:
                _mark(chain, state, event)
        self._records += len(held)
        self._offset = offset + 1

    def lost(self, run_id: str, seqs: Sequence[int], problem: str) -> None:
        """Events that the store cannot give (a damaged block): named here, not missed later on."""
        chain = self._runs.get(run_id) or self._begun(run_id)
        _level(chain)
        for seq in seqs:
            self._problems.add(run_id, seq, problem)
        chain.seq = max((chain.seq, *seqs))
        chain.head = chain.state = None
        chain.status = ""

    def forget(self, run_id: str) -> None:
        """No event of this run comes any more (values given run by run): free its state."""
        chain = self._runs.get(run_id)
        if chain is not None and chain.state is not None:
            _level(chain)
            chain.state = None

    def misled(self, sums: Iterable[tuple[str, int]]) -> Iterator[str]:
        """Runs for whose events the log looks elsewhere, by the sums of their offsets.

        It says something only where the events are sound: else an index that does not fit them is a
        consequence.
        """
        for run_id, offsets in sums:
            chain = self._runs.get(run_id)
            if chain is None or chain.offsets != offsets:
                yield run_id

    def heads(self) -> Iterator[Head]:
        """How far each run went, in the order in which they were met; of a sound log alone."""
        for run_id, chain in self._runs.items():
            _level(chain)
            if chain.head is not None:
                yield Head(run_id=run_id, seq=chain.seq, digest=chain.head)

    def unmet(self) -> Iterator[tuple[str, int]]:
        """Expected heads of which no event came, with the last seq of the run (0: no event)."""
        for run_id in self._expected:
            chain = self._runs.get(run_id)
            if chain is None:
                yield run_id, 0
            elif chain.awaited is not None:
                _level(chain)
                yield run_id, chain.seq

    def finish(self, heads: Iterable[RunPosition] | None = None, *, now: datetime = EPOCH) -> None:
        """Compare with what the log keeps of each run; None where there is nothing to compare with.

        The positions must be as new as the values: both from one moment of the log. Steps whose
        pause is over `now` may be under way again.
        """
        if heads is None:
            return
        unknown = self._runs.copy()
        for position in heads:
            chain = unknown.pop(position.run_id, None)
            at, problem = (1, _NO_EVENTS) if chain is None else _compared(chain, position, now)
            if problem:
                self._problems.add(position.run_id, at, problem)
        for run_id, chain in unknown.items():
            _level(chain)
            self._problems.add(run_id, chain.seq, _NO_POSITION)

    def report(self) -> VerifyReport:
        """What was found so far."""
        return VerifyReport(runs=len(self._runs), events=self._records, errors=self._problems.all())

    def _first(self, event: Event, value: bytes, offset: int) -> None:
        chain = self._begun(event.run_id)
        chain.offsets = offset
        if event.seq != 1 or event.prev_digest != NO_DIGEST or len(value) > _KEPT_BYTES_MAX:
            self._unusual(chain, event, value)
            return
        try:
            chain.state = evolve(None, event)
            chain.state.started = _ANY_START
        except ImpossibleHistory as error:
            self._impossible(chain, event, error)
        chain.head = sha256(value).digest()
        if chain.awaited == 1:
            self._came(chain, event.run_id, 1)

    def _begun(self, run_id: str) -> _Chain:
        chain = self._runs[run_id] = _Chain()
        expected = self._expected.get(run_id)
        if expected is not None:
            chain.awaited = expected.seq
        return chain

    def _came(self, chain: _Chain, run_id: str, seq: int) -> None:
        """The event of which a checkpoint has the digest."""
        chain.awaited = None
        expected = self._expected[run_id].digest
        if chain.head is not None and chain.head != expected:
            problem = (
                f"expected the digest {expected.hex()}, which the checkpoint has of this event, "
                f"found {chain.head.hex()}: the run was rewritten"
            )
            self._problems.add(run_id, seq, problem)

    # an event that is the next of an ended run, long, or wrong

    def _unusual(self, chain: _Chain, event: Event, value: bytes) -> None:
        _level(chain)
        if (event.seq - 1, event.prev_digest) == self._aside.pop(event.run_id, None):
            # The event set aside was no stray one: the run goes on from it (its seq was edited).
            chain.seq, chain.recorded_at = event.seq - 1, event.recorded_at
            chain.head = chain.state = None
            chain.status = ""
        if event.seq <= chain.seq:
            self._set_aside(chain, event, value)
            return
        if event.seq > chain.seq + 1:
            self._gap(chain, event)
        self._links(chain, event)
        chain.seq, chain.recorded_at = event.seq, event.recorded_at
        self._fold(chain, event, value)
        chain.head = sha256(value).digest()
        if event.seq == chain.awaited:
            self._came(chain, event.run_id, event.seq)

    def _set_aside(self, chain: _Chain, event: Event, value: bytes) -> None:
        problem = f"found event {event.seq} after event {chain.seq}: repeated, inserted or moved"
        self._problems.add(event.run_id, event.seq, problem)
        self._aside[event.run_id] = event.seq, sha256(value).digest()

    def _gap(self, chain: _Chain, event: Event) -> None:
        first, last = chain.seq + 1, event.seq - 1
        missing = f"event {first}" if first == last else f"events {first} to {last}"
        self._problems.add(event.run_id, first, f"expected {missing} next, found event {event.seq}")
        chain.head = chain.state = None
        chain.status = ""

    def _links(self, chain: _Chain, event: Event) -> None:
        """The digest of the predecessor and the time."""
        if chain.head is not None and event.prev_digest != chain.head:
            problem = (
                f"expected the digest {event.prev_digest.hex()}, to which event {event.seq} is "
                f"chained, found {chain.head.hex()}: one of the two was edited"
            )
            # The digest of the successor tells which: if that holds, it was the predecessor.
            self._problems.add(event.run_id, max(chain.seq, 1), problem)
        if event.seq > 1 and event.recorded_at < chain.recorded_at:
            problem = (
                f"expected a time not before its predecessor's, {iso(chain.recorded_at)}, "
                f"found {iso(event.recorded_at)}"
            )
            self._problems.add(event.run_id, event.seq, problem)

    def _fold(self, chain: _Chain, event: Event, value: bytes) -> None:
        if chain.status:
            if type(event) is not DecisionRejected:
                problem = f"expected only refusals after the end, found {type(event).__name__}"
                self._problems.add(event.run_id, event.seq, problem)
            return
        if chain.state is None and event.seq > 1:
            return  # what came before is lost
        if len(value) > _KEPT_BYTES_MAX:
            event = _without_user_data(event)
        try:
            chain.state = evolve(chain.state, event)
        except (ImpossibleHistory, KeyError) as error:
            self._impossible(chain, event, error)
        if type(event) in _ENDS and chain.state is not None:
            _end(chain, chain.state)

    def _impossible(self, chain: _Chain, event: Event, error: ImpossibleHistory | KeyError) -> None:
        """Named once: this run is folded no further."""
        known = error.problem if isinstance(error, ImpossibleHistory) else f"no step {error}"
        problem = f"{type(event).__name__} cannot have happened here: {known}"
        self._problems.add(event.run_id, event.seq, problem)
        chain.seq, chain.recorded_at, chain.state = event.seq, event.recorded_at, None

    def _unreadable(self, offset: int, error: CorruptLog) -> None:
        problem = f"record at offset {offset} is no event: {error.where}: {error.problem}"
        self._problems.add(None, None, problem)


def misleading(runs: int) -> str:
    """The problem of a log that looks for the events of so many runs in wrong places."""
    return f"the log's index leads to events of others, in {runs} runs"


def _level(chain: _Chain) -> None:
    """While a run is folded its state alone knows where it is."""
    if chain.state is not None:
        chain.seq, chain.recorded_at = chain.state.seq, chain.state.recorded_at


def _mark(chain: _Chain, state: RunState, event: Event) -> None:
    """Forget what the next event of a run that pauses, or ended, need not fit."""
    if isinstance(event, GatePaused):
        event.draft = event.draft_digest = event.prev_digest = b""  # type: ignore[misc]  # ours alone
        for step in state.steps.values():
            step.output = b""
    elif chain.state is not None:
        _end(chain, state)


def _end(chain: _Chain, state: RunState) -> None:
    chain.seq, chain.recorded_at = state.seq, state.recorded_at
    chain.status, chain.state = state.phase, None


def _compared(chain: _Chain, position: RunPosition, now: datetime) -> tuple[int, str]:
    """Where and how a run is not what the log keeps of it; "" if it is."""
    _level(chain)
    word = status(chain.state) if chain.state is not None else chain.status
    run = Checked(seq=chain.seq, head=chain.head, status=word, state=chain.state)
    return difference(run, position, now)


def _without_user_data(event: Event) -> Event:
    """What the fold needs of a long event; its digest was taken from all of it."""
    held = [field.name for field in fields(event) if field.name in _USER_DATA]
    emptied = {name: b"" for name in held if getattr(event, name) is not None}
    return replace(event, **emptied)  # type: ignore[arg-type]  # all of them are fields of bytes
