"""Which decisions and attempts of a run are asked for: those of a period, a recipe, a gate, ..."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hitl_events.domain.events import Event, RunStarted
from hitl_events.domain.values import value
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.ledger import Ledger


@value
class Selection:
    """What is wanted; None wants all. `since` is the first moment, `until` the first beyond."""

    recipe: str | None = None
    gate: str | None = None
    decider: str | None = None
    verdict: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def may_have(self, started: RunStarted) -> bool:
        """False for a run that has nothing to show, by its first event alone."""
        begun_later = self.until is not None and started.recorded_at >= self.until
        return not begun_later and self.recipe in {None, started.recipe}

    def has(self, entry: DecisionRow | AttemptRow) -> bool:
        """True for what is wanted by itself."""
        return (
            self.has_time(entry.at)
            and self.recipe in {None, entry.recipe}
            and self.gate in {None, entry.gate}
            and self.decider in {None, entry.decided_by}
            and self.verdict in {None, entry.verdict}
        )

    def has_time(self, at: datetime) -> bool:
        """True inside the period."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@value
class Decided:
    """What happened at one round of a gate: the decisions that counted, what was refused beside.

    Without a pause (`opened_seq` None) stand attempts that named none.
    """

    opened_seq: int | None
    decisions: tuple[DecisionRow, ...]
    attempts: tuple[AttemptRow, ...]


def selected(events: Iterable[Event], wanted: Selection) -> tuple[Decided, ...]:
    """The rounds of a run at which something wanted happened, in the order in which they opened.

    An attempt is listed if it is wanted by itself, or is in the period and stands beside a decision
    that is listed: what was refused belongs to what was decided, whoever tried it.
    """
    rounds: dict[int | None, tuple[list[DecisionRow], list[AttemptRow]]] = {}
    ledger = Ledger()
    for event in events:
        for row in ledger.add(event):
            if isinstance(row, DecisionRow):
                rounds.setdefault(row.opened_seq, ([], []))[0].append(row)
            elif isinstance(row, AttemptRow):
                rounds.setdefault(row.opened_seq, ([], []))[1].append(row)
    last = len(ledger.pauses) and ledger.pauses[-1].seq + 1
    found = (
        _chosen(seq, *rounds[seq], wanted)
        for seq in sorted(rounds, key=lambda seq: last if seq is None else seq)
    )
    return tuple(each for each in found if each.decisions or each.attempts)


def _chosen(
    seq: int | None,
    decisions: Sequence[DecisionRow],
    attempts: Sequence[AttemptRow],
    wanted: Selection,
) -> Decided:
    listed = tuple(row for row in decisions if wanted.has(row))
    beside = tuple(
        row for row in attempts if wanted.has(row) or (listed and wanted.has_time(row.at))
    )
    return Decided(opened_seq=seq, decisions=listed, attempts=beside)
