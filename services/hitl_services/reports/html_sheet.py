"""Decisions as one page for a browser or a printer: each round with what was refused at it.

It says nothing of when and where it was made: the same events give the same page everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from hitl_events.domain.values import iso
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.selection import Decided, Selection
from hitl_services.reports.markup import escaped, escaped_lines, page_foot, page_head
from hitl_services.reports.sheet import Tally
from hitl_services.text import age, clock

_TITLES = ("Decided", "Verdict", "By", "Channel", "Waited", "Gate", "Notes and data", "Event")


class HtmlPage:
    """The page of what was asked for; `ascii_only` writes the rest as references."""

    def __init__(self, wanted: Selection, *, ascii_only: bool = False) -> None:
        self._wanted = wanted
        self._ascii_only = ascii_only

    def head(self) -> str:
        """Title, what was asked for, and the head of the table."""
        titles = "".join(f"<th>{title}</th>" for title in _TITLES)
        asked = f'<p class="dim">{escaped(_asked(self._wanted))}</p>\n'
        begun = f"{page_head('Decisions')}{asked}<table>\n<thead><tr>{titles}</tr></thead>\n"
        return self._fitting(begun)

    def lines(self, decided: Decided) -> Iterator[str]:
        """The rows of a round, which stay together on paper."""
        yield "<tbody>\n"
        for decision in decided.decisions:
            yield self._fitting(_row(decision, "", escaped(decision.verdict)))
        for attempt in decided.attempts:
            verdict = f"refused: {escaped(attempt.verdict)}"
            why = f"{escaped(attempt.reason)}: {escaped(attempt.message)}"
            yield self._fitting(_row(attempt, why, verdict))
        yield "</tbody>\n"

    def foot(self, tally: Tally) -> str:
        """How much it is."""
        return f"</table>\n<p>{escaped(str(tally))}</p>\n{page_foot()}"

    def _fitting(self, text: str) -> str:
        """The same markup in the characters that can be written."""
        return text.encode("ascii", "xmlcharrefreplace").decode() if self._ascii_only else text


def _row(entry: DecisionRow | AttemptRow, why: str, verdict: str) -> str:
    by = "by the schedule" if entry.channel == "schedule" else entry.decided_by or "nobody named"
    waited = "-" if entry.waited is None else age(entry.waited)
    cells = (
        f'<td class="nowrap" title="{iso(entry.at)}">{clock(entry.at)}</td>',
        f"<td>{verdict}</td>",
        f'<td>{escaped(by)} <span class="dim">({escaped(entry.identity)})</span></td>',
        f"<td>{escaped(entry.channel)}</td>",
        f'<td title="{escaped(str(entry.waited))}">{escaped(waited)}</td>',
        f"<td>{_gate(entry)}</td>",
        f"<td>{_told(entry, why)}</td>",
        f"<td>{_event(entry)}</td>",
    )
    kind = ' class="refused"' if isinstance(entry, AttemptRow) else ""
    return f"<tr{kind}>{''.join(cells)}</tr>\n"


def _gate(entry: DecisionRow | AttemptRow) -> str:
    recipe = f'<span class="dim">{escaped(entry.recipe)} {escaped(entry.version)}</span>'
    if entry.gate is None:
        return f"- {recipe}"
    return f"{escaped(entry.gate)} ({entry.occurrence}) {recipe}"


def _told(entry: DecisionRow | AttemptRow, why: str) -> str:
    parts = [why] if why else []
    if entry.notes is not None:
        parts.append(escaped_lines(entry.notes))
    if entry.data is not None:
        parts.append(f"<code>{escaped(entry.data.decode())}</code>")
    return "<br>".join(parts)


def _event(entry: DecisionRow | AttemptRow) -> str:
    where = f"{escaped(entry.run_id)}, event {entry.seq}"
    known = [f"id {escaped(entry.decision_id)}"]
    if entry.draft_digest is not None:
        known.append(f"draft {entry.draft_digest.hex()}")
    return f'{where}<br><code class="dim">{"<br>".join(known)}</code>'


def _asked(wanted: Selection) -> str:
    """What was asked for, in words."""
    named = [
        f"{name} {held}"
        for name in ("recipe", "gate", "decider", "verdict")
        if (held := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        named.append(f"from {clock(wanted.since)}")
    if wanted.until is not None:
        named.append(f"before {clock(wanted.until)}")
    return f"Those of {', '.join(named)}." if named else "All that the events tell."
