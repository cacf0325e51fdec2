"""A check in shares: each process takes some of the runs, and together they say what one would.

The runs of a share are chosen by a checksum of their ids, so any process can tell its own from the
bytes of a record. What is found bears the place where it was met: by that it is put in order, the
same for one process as for many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from zlib import crc32

from hitl_events.adapters.avro.primitives import write_varint
from hitl_events.adapters.avro.schemas import HEAD_BYTES
from hitl_events.audit.chain import ChainCheck, misleading
from hitl_events.audit.merkle import Head
from hitl_events.audit.report import Problem, Problems, VerifyReport
from hitl_events.domain.values import value
from hitl_services.cli.workers import Tell
from hitl_services.text import quoted

HEADS_AT_ONCE = 1_000
"""That travel to the caller together: 100 KB."""
TOLD_AT_ONCE = 2_000
"""Events between two signs of life: 10 ms."""

Place: TypeAlias = tuple[int, int]
"""Of a problem: the part of the check, and how far that had come."""


@value
class Share:
    """Which of how many equal shares of the runs."""

    number: int = 0
    of: int = 1

    def has(self, run_id: str) -> bool:
        """Whether this run is in it."""
        text = run_id.encode(errors="surrogatepass")
        # Avro doubles a length (zigzag) before it becomes a varint.
        return self.of == 1 or _sum(write_varint(2 * len(text)) + text, 0) % self.of == self.number

    def spots(self, values: Sequence[bytes]) -> Sequence[int]:
        """Which of these records are of its runs."""
        if self.of == 1:
            return range(len(values))
        number, of = self.number, self.of
        try:
            # As `_sum`, written out: every process does this for every event.
            return [
                spot
                for spot, each in enumerate(values)
                if crc32(each[_ID : _ID + (each[HEAD_BYTES] >> 1)]) % of == number
            ]
        except IndexError:  # one of them is no event
            return [spot for spot, each in enumerate(values) if _sum(each) % of == number]


_ID = HEAD_BYTES + 1


def _sum(record: bytes, at: int = HEAD_BYTES) -> int:
    """The checksum of the id with which the body of a record begins; 0 where there is no body.

    The length of the id is taken to have one byte. It has two for an id of 64: then the sum is of
    other bytes, which are also the same for all events of the run.
    """
    if len(record) <= at:
        return 0
    return crc32(record[at + 1 : at + 1 + (record[at] >> 1)])


class PlacedProblems(Problems):
    """Problems that know where they were met: `at` is where the check is now."""

    __slots__ = ("_places", "at")

    def __init__(self) -> None:
        super().__init__()
        self.at: Place = (0, 0)
        self._places: list[Place] = []

    def add(self, run_id: str | None, seq: int | None, problem: str) -> None:
        """Take one down, with its place."""
        super().add(run_id, seq, problem)
        if len(self._places) < len(self.kept):
            self._places.append(self.at)

    def placed(self) -> list[tuple[Place, Problem]]:
        """Those kept, each with its place."""
        return list(zip(self._places, self.kept, strict=True))


@value
class ShareReport:
    """What one share came to.

    `unmet` are the runs of a checkpoint whose event did not come, with the last that did; `misled`
    those for whose events the log looks elsewhere.
    """

    runs: int
    events: int
    placed: Sequence[tuple[Place, Problem]]
    more: int
    unmet: Mapping[str, int]
    misled: Sequence[str] = ()


@value
class Sum:
    """What the shares of one source come to, or several sources that hold the runs together."""

    report: VerifyReport
    unmet: Mapping[str, int]


def share_report(
    check: ChainCheck, problems: PlacedProblems, misled: Sequence[str] = ()
) -> ShareReport:
    """What a check has found."""
    report = check.report()
    return ShareReport(
        runs=report.runs,
        events=report.events,
        placed=problems.placed(),
        more=len(problems) - len(problems.kept),
        unmet=dict(check.unmet()),
        misled=misled,
    )


def no_such_run(run_id: str) -> str:
    """The problem of a name under which there is nothing."""
    return f"expected a run of this log or a file, found neither under {quoted(run_id)}"


def summed(shares: Sequence[ShareReport], *, by_place: bool = False) -> Sum:
    """All of a source, share by share, or `by_place`: the same from one share as from many."""
    problems = Problems()
    last: Problem | None = None
    placed = [held for share in shares for held in share.placed]
    for _, each in sorted(placed, key=_order) if by_place else placed:
        # What is wrong with no run in particular is met by every share.
        if each.run_id is not None or each != last:
            problems.add(each.run_id, each.seq, each.problem)
        last = each
    problems.skip(sum(share.more for share in shares))
    misled = [run_id for share in shares for run_id in share.misled]
    if misled and not problems:
        problems.add(min(misled), None, misleading(len(misled)))
    return Sum(
        report=VerifyReport(
            runs=sum(share.runs for share in shares),
            events=sum(share.events for share in shares),
            errors=problems.all(),
        ),
        unmet={run_id: last for share in shares for run_id, last in share.unmet.items()},
    )


def together(sources: Sequence[Sum]) -> Sum:
    """Sources beside each other: a run that one lacks may be in another."""
    first, *others = [source.unmet for source in sources]
    unmet = {
        run_id: max(last, *(other[run_id] for other in others)) if others else last
        for run_id, last in first.items()
        if all(run_id in other for other in others)
    }
    return Sum(
        report=VerifyReport(
            runs=sum(source.report.runs for source in sources),
            events=sum(source.report.events for source in sources),
            errors=tuple(each for source in sources for each in source.report.errors),
        ),
        unmet=unmet,
    )


class Tally:
    """Tells how many more are done, now and then: to tell costs as much as to check some events."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._more = 0

    def add(self, more: int) -> None:
        """So many more are done."""
        self._more += more
        if self._more >= TOLD_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Tell what was not told yet."""
        self._tell(self._more)
        self._more = 0


def tell_heads(heads: Iterable[Head], tell: Tell) -> None:
    """Send them in pieces."""
    some: list[Head] = []
    for head in heads:
        some.append(head)
        if len(some) == HEADS_AT_ONCE:
            tell(some)
            some = []
    tell(some)


def _order(held: tuple[Place, Problem]) -> tuple[Place, str, str]:
    """Problems of one run keep their order, as they come from one share."""
    place, problem = held
    return place, problem.run_id or "", "" if problem.run_id else problem.problem
