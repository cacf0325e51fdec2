"""Decisions as one page for a browser or a printer: each round with what was refused at it.

It says nothing of when and where it was made: the same events give the same page everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from hitl_events.domain.references import plain
from hitl_events.domain.values import iso
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.selection import Decided, Selection
from hitl_services.reports.markup import (
    cell,
    escaped,
    escaped_json,
    escaped_lines,
    page_foot,
    page_head,
    table_head,
)
from hitl_services.reports.sheet import Tally
from hitl_services.text import age, clock

ENTRY_TITLES = ("Decided", "Verdict", "By", "Channel", "Waited", "Gate", "Notes and data", "Event")


class HtmlPage:
    """The page of what was asked for; `ascii_only` writes the rest as references."""

    def __init__(self, wanted: Selection, *, ascii_only: bool = False) -> None:
        self._wanted = wanted
        self._ascii_only = ascii_only

    def head(self) -> str:
        """Title, what was asked for, and the head of the table."""
        asked = f'<p class="dim">{escaped(_asked(self._wanted))}</p>\n'
        return self._fitting(f"{page_head('Decisions')}{asked}{table_head(ENTRY_TITLES)}")

    def lines(self, decided: Decided) -> Iterator[str]:
        """The rows of a round, which stay together on paper."""
        yield "<tbody>\n"
        entries: tuple[DecisionRow | AttemptRow, ...] = (*decided.decisions, *decided.attempts)
        for entry in entries:
            yield self._fitting(entry_row(entry))
        yield "</tbody>\n"

    def foot(self, tally: Tally) -> str:
        """How much it is."""
        return f"</table>\n<p>{escaped(str(tally))}</p>\n{page_foot()}"

    def _fitting(self, text: str) -> str:
        """The same markup in the characters that can be written."""
        return text.encode("ascii", "xmlcharrefreplace").decode() if self._ascii_only else text


def entry_row(entry: DecisionRow | AttemptRow) -> str:
    """The row of a decision, or of what was refused and why."""
    verdict, why, mark = escaped(entry.verdict), "", ""
    if isinstance(entry, AttemptRow):
        verdict, mark = f"refused: {verdict}", ' class="refused"'
        why = f"{escaped(entry.reason)}: {escaped(entry.message)}"
    by = "by the schedule" if entry.channel == "schedule" else entry.decided_by or "nobody named"
    waited = "-" if entry.waited is None else age(entry.waited)
    identity = f'{escaped(by)} <span class="dim">({escaped(entry.identity)})</span>'
    markup = (
        (clock(entry.at), f' class="nowrap" title="{iso(entry.at)}"'),
        (verdict, ""),
        (identity, ""),
        (escaped(entry.channel), ""),
        (escaped(waited), f' title="{escaped(str(entry.waited))}"'),
        (_gate(entry), ""),
        (_told(entry, why), ""),
        (_event(entry), ""),
    )
    cells = map(cell, ENTRY_TITLES, *zip(*markup, strict=True))
    return f"<tr{mark}>{''.join(cells)}</tr>\n"


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
        parts.append(f"<code>{escaped_json(plain(entry.data))}</code>")
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
