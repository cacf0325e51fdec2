"""Decisions for people: a row for each in columns that fit 80, under it what it said and was told.

Columns have their widths from the beginning, so that a row can be shown before the last is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from hitl_events.domain.references import shown
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.selection import Decided
from hitl_services.cli.display import in_a_line
from hitl_services.cli.pages import STYLES
from hitl_services.cli.screen import Line
from hitl_services.cli.tables import Row, laid_out
from hitl_services.reports.sheet import Tally
from hitl_services.text import age, clock, cut, harmless

_TITLES: Row = ("DECIDED", "VERDICT", "BY", "WAITED", "GATE")
_WIDTHS = (20, 15, 15, 6)
"""All but the gate's, which has the rest of the line."""
_GAPS = 2 * len(_WIDTHS)
_GATE_WIDTH_MIN = 8
_INDENT = "    "
_LABELLED = 8
"""`refused` and a blank."""


class DecidedPage:
    """Rounds as lines of at most `width` columns, but that ids of runs are never cut."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._widths = (*_WIDTHS, max(width - sum(_WIDTHS) - _GAPS, _GATE_WIDTH_MIN))
        self._begun = False

    def head(self) -> str:
        """Nothing: the titles come with the first round."""
        return ""

    def lines(self, decided: Decided) -> Iterator[str]:
        """The round as plain text."""
        return map(_plain, self.block(decided))

    def foot(self, tally: Tally) -> str:
        """The end as plain text."""
        return "".join(map(_plain, self.end(tally)))

    def block(self, decided: Decided) -> Iterator[Line]:
        """The round, under the names of the columns if it is the first."""
        if not self._begun:
            yield [(laid_out(_TITLES, self._widths), "bold")]
        self._begun = True
        yield from self._rows(decided)

    def end(self, tally: Tally) -> Iterator[Line]:
        """How much it is."""
        if self._begun:
            yield []
        yield [str(tally)]

    def _rows(self, decided: Decided) -> Iterator[Line]:
        """Each decision, then the refused attempts at the same round."""
        for decision in decided.decisions:
            yield self._row(_cells(decision), decision.resolution)
            yield self._where(decision)
            yield from self._said(decision)
        if not decided.decisions:
            first = decided.attempts[0]
            yield self._row(("-", "-", "-", "-", _gate(first)), None)
            yield [
                _INDENT,
                f"run {first.run_id}  {harmless(first.recipe)} {harmless(first.version)}",
            ]
        for attempt in decided.attempts:
            yield from self._attempt(attempt)

    def _row(self, row: Row, resolution: str | None) -> Line:
        text = laid_out(row, self._widths)
        style = {"approve": "approved", "deny": "denied"}.get(resolution or "", "")
        at = _WIDTHS[0] + 2
        verdict = text[at : at + _WIDTHS[1]]
        return [text[:at], (verdict, STYLES.get(style, "bold")), text[at + _WIDTHS[1] :]]

    def _where(self, entry: DecisionRow | AttemptRow) -> Line:
        where = f"{_INDENT}run {entry.run_id}  event {entry.seq}"
        rest = f"  {harmless(entry.recipe)} {harmless(entry.version)}, {_channel(entry)}"
        return [(where, ""), (cut(rest, max(self._width - len(where), 2)), "dim")]

    def _said(self, entry: DecisionRow | AttemptRow) -> Iterator[Line]:
        if entry.notes is not None:
            yield [_INDENT, self._in_a_line(f"notes: {' '.join(entry.notes.split())}")]
        if entry.data is not None:
            yield [_INDENT, self._in_a_line({"data": shown(entry.data)})]

    def _in_a_line(self, held: object) -> str:
        return in_a_line(held, self._width - len(_INDENT))

    def _attempt(self, attempt: AttemptRow) -> Iterator[Line]:
        who = attempt.decided_by or "nobody named"
        what = f"{attempt.verdict} by {who}, {_channel(attempt)}"
        said = f"{clock(attempt.at)}  event {attempt.seq}  {what}"
        yield [_INDENT, ("refused ", STYLES["error"]), self._beside(said)]
        yield [_INDENT, " " * _LABELLED, self._beside(f"{attempt.reason}: {attempt.message}")]

    def _beside(self, text: str) -> str:
        return cut(harmless(text), self._width - len(_INDENT) - _LABELLED)


def _plain(line: Line) -> str:
    text = "".join(part if isinstance(part, str) else part[0] for part in line)
    return f"{text.rstrip()}\n"


def _cells(decision: DecisionRow) -> Row:
    by = "(schedule)" if decision.channel == "schedule" else harmless(decision.decided_by or "-")
    waited = "-" if decision.waited is None else age(decision.waited)
    verdict = decision.verdict if decision.resolution else f"{decision.verdict} (+)"
    return (clock(decision.at), harmless(verdict), by, waited, _gate(decision))


def _gate(entry: DecisionRow | AttemptRow) -> str:
    if entry.gate is None:
        return "-"
    nth = f":{entry.occurrence}" if (entry.occurrence or 1) > 1 else ""
    return f"{harmless(entry.gate)}{nth}"


def _channel(entry: DecisionRow | AttemptRow) -> str:
    return f"through {harmless(entry.channel)} ({harmless(entry.identity)})"
