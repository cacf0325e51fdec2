"""The stream of events in blocks: writing at its end, reading in order, also around damage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from hitl_events.adapters.sqlite.blocks import pack, unpack
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.domain.values import value
from hitl_events.errors import CorruptLog
from hitl_events.ports import StoredEvent

_PAGE_BLOCKS = 256

JOINED_BYTES = 2048

_WRITE = "INSERT OR REPLACE INTO blocks (first, count, data) VALUES (?, ?, ?)"
_LAST = "SELECT first, count, length(data) FROM blocks ORDER BY first DESC LIMIT 1"
_END = "SELECT first + count FROM blocks ORDER BY first DESC LIMIT 1"
_PAGE = """SELECT first, count FROM blocks
WHERE first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?), 0) AND first < ?
ORDER BY first LIMIT ?"""
_DATA = "SELECT data FROM blocks WHERE first = ?"


@value
class Damage:
    """Offsets whose events cannot be read. `runs_in_block(first, count)` tells which they were."""

    first: int
    count: int
    problem: str


class Events:
    """The reading half of `EventLog`, over the table `blocks`."""

    _file: LogFile

    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        return self._sound(start, end_of(self._file))

    def read_lenient(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent] | Damage]:
        """As `read`, but what cannot be read is a piece too, and the next goes on after it."""
        return self._all(start, end_of(self._file))

    async def end(self) -> int:
        return end_of(self._file)

    async def _sound(self, start: int, end: int) -> AsyncIterator[Sequence[StoredEvent]]:
        for piece in self._pieces(start, end):
            if isinstance(piece, Damage):
                where = f"{self._file.path}, block at offset {piece.first}"
                raise CorruptLog(where, piece.problem)
            yield piece

    async def _all(self, start: int, end: int) -> AsyncIterator[Sequence[StoredEvent] | Damage]:
        for piece in self._pieces(start, end):
            yield piece

    def _pieces(self, start: int, end: int) -> Iterator[Sequence[StoredEvent] | Damage]:
        """Each block as a piece; no query stays open, so that a slow reader holds up nobody."""
        at = max(start, 0)
        while at < end:
            try:
                page = self._file.rows(_PAGE, (at, end, _PAGE_BLOCKS))
            except CorruptLog as error:
                yield Damage(first=at, count=end - at, problem=error.problem)
                return
            before = at
            for first, count in page:
                if first > at:
                    yield _missing(at, first)
                    at = first
                if first + count > at:
                    yield self._piece(first, count, at)
                    at = first + count
            if at == before:
                yield _missing(at, end)
                return

    def _piece(self, first: int, count: int, at: int) -> Sequence[StoredEvent] | Damage:
        try:
            row = self._file.row(_DATA, (first,))
            values = unpack((first, count, row[0] if row else b""), str(self._file.path))
        except CorruptLog as error:
            return Damage(first=first, count=count, problem=error.problem)
        skipped = at - first
        return [StoredEvent(offset=at + n, value=each) for n, each in enumerate(values[skipped:])]


def end_of(file: LogFile) -> int:
    """The offset that the next event will get."""
    row = file.row(_END)
    return int(row[0]) if row else 0


def write_values(file: LogFile, values: Sequence[bytes]) -> int:
    """Add these events at the end; returns the offset of the first."""
    if not values:
        return end_of(file)
    first, joined = _last_block(file, sum(map(len, values)))
    file.change(_WRITE, pack([*joined, *values], first))
    return first + len(joined)


def _last_block(file: LogFile, added_bytes: int) -> tuple[int, list[bytes]]:
    """Where the rows of the next events begin, and the values before them that they take in."""
    row = file.row(_LAST)
    if row is None:
        return 0, []
    first, count, size = row
    if size + added_bytes // 2 <= JOINED_BYTES:
        try:
            return first, unpack((first, count, file.row(_DATA, (first,))[0]), str(file.path))
        except CorruptLog:
            # It stays as it is, for `verify` to find; what comes after it is sound.
            pass
    return first + count, []


def _missing(first: int, end: int) -> Damage:
    problem = f"expected events up to offset {end - 1}, found no block with them"
    return Damage(first=first, count=end - first, problem=problem)
