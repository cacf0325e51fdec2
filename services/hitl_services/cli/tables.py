"""Lists for people: columns that fit the terminal, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from hitl_events.domain.references import shown
from hitl_events.projections.runs import RunRow
from hitl_services.cli.display import summary
from hitl_services.cli.pages import STYLES
from hitl_services.cli.rows import OpenGate, outcome_status
from hitl_services.cli.screen import Line
from hitl_services.text import age, cells, cut, harmless, padded, until

DRAFT_LINES_MAX = 4
_GAP = "  "
_NARROWEST = 6
_INDENT = "    "

Row = tuple[str, ...]


def columns(rows: Sequence[Row], width: int, shrinking: Sequence[int]) -> list[int]:
    """The width of each column; those in `shrinking` give way, the widest first, until all fits."""
    widths = [max(cells(row[index]) for row in rows) for index in range(len(rows[0]))]
    surplus = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while surplus > 0:
        widest = max(shrinking, key=lambda index: widths[index])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        surplus -= 1
    return widths


def laid_out(row: Row, widths: Sequence[int]) -> str:
    """The cells of a row under each other's."""
    placed = [padded(cut(cell, width), width) for cell, width in zip(row, widths, strict=True)]
    return _GAP.join(placed).rstrip()


def pending_page(gates: Sequence[OpenGate], now: datetime, width: int) -> Iterator[Line]:
    """Each gate in its row, under it the draft and the token that decides it."""
    head: Row = ("GATE", "RECIPE", "AGE", "DUE", "RUN")
    rows = [_gate_row(gate, now) for gate in gates]
    # the run, which one copies, is the last column: a long id spills over and is never cut
    widths = columns([head, *rows], width, shrinking=(0, 1))
    yield [(laid_out(head, widths), "bold")]
    for gate, row in zip(gates, rows, strict=True):
        yield [(laid_out(row, widths), STYLES["pending"])]
        draft = shown(gate.paused.draft)
        if draft is not None:
            for line in summary(draft, width=width - len(_INDENT), lines_max=DRAFT_LINES_MAX):
                yield [_INDENT, line]
        yield [
            _INDENT,
            gate.token or ("no token: its key is not held here (HITL_TOKEN_KEY)", "dim"),
        ]


def _gate_row(gate: OpenGate, now: datetime) -> Row:
    paused = gate.paused
    return (
        harmless(paused.gate),
        harmless(gate.started.recipe),
        age(now - paused.recorded_at),
        until(paused.expires_at, now),
        paused.run_id,
    )


def runs_page(runs: Sequence[RunRow], now: datetime, width: int) -> Iterator[Line]:
    """A row for each run, the last started at the end."""
    head: Row = ("STATUS", "RECIPE", "EVENTS", "AGE", "IDLE", "RUN")
    rows = [_run_row(run, now) for run in runs]
    widths = columns([head, *rows], width, shrinking=(1,))
    yield [(laid_out(head, widths), "bold")]
    for run, row in zip(runs, rows, strict=True):
        status, rest = row[0], laid_out(row, widths)[len(row[0]) :]
        yield [(status, STYLES.get(run.status, STYLES[outcome_status(run)])), rest]


def _run_row(run: RunRow, now: datetime) -> Row:
    """For people the log's own word: it tells a cancelled run from a failed one."""
    return (
        run.status,
        f"{harmless(run.recipe)} {harmless(run.version)}",
        str(run.seq),
        age(now - run.started_at),
        age(now - run.updated_at),
        run.run_id,
    )
