"""One run on a page: its gates with what they showed, its decisions, timeline and chain. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hitl_events.domain import canonical, references
from hitl_events.domain.events import Event, GatePaused, RunStarted, StepCompleted
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.state import status
from hitl_events.domain.trace import TraceEntry
from hitl_events.domain.values import digest, iso, value
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.ledger import rows_of
from hitl_events.projections.pauses import PauseRow
from hitl_services.reports.html_sheet import ENTRY_TITLES, entry_row
from hitl_services.reports.markup import cell, escaped, table_head
from hitl_services.reports.readable import exact, readable, recorded
from hitl_services.text import clock

_TIMELINE = ("At", "Event", "What", "Told")
_CHAIN = ("Event", "Type", "Recorded", "Digest")
_PLACED = (*_CHAIN, "Partition, offset")
_GOOD = frozenset({"completed", "approved"})
_WRONG = frozenset({"blocked", "cancelled", "denied", "expired", "failed"})
Entries = list[DecisionRow | AttemptRow]


@value
class ExportedRun:
    """A whole run: its events, the bytes of each, and where each stands in a topic (or nowhere)."""

    started: RunStarted
    events: Sequence[Event]
    values: Sequence[bytes]
    places: Sequence[tuple[int, int] | tuple[None, None]]


def run_section(run: ExportedRun) -> Iterator[str]:
    """All of it, piece by piece."""
    outcome, word = Outcome(run.events), status_of(run.events)
    yield f'<section class="run" id="run-{escaped(run.started.run_id)}">\n'
    yield f"<h2>Run {escaped(run.started.run_id)} {_status(word)}</h2>\n"
    yield from _facts(run)
    for diagnostic in outcome.diagnostics:
        mark = "refused" if diagnostic.level == "error" else "dim"
        said = f"{escaped(diagnostic.code)}: {escaped(diagnostic.message)}"
        yield f'<p class="{mark}">{said}</p>\n'
    yield f"<h3>Input</h3>\n{recorded(run.started.input)}"
    yield from _gates(run)
    yield from _timeline(run, outcome.trace)
    if word == "completed":
        yield f"<h3>Result</h3>\n<div>{readable(outcome.artefact['result'])}</div>\n"
    yield from _chain(run)
    yield "</section>\n"


def index_row(run: ExportedRun) -> str:
    """The run in the list at the top."""
    run_id = escaped(run.started.run_id)
    rows = rows_of(run.events).values()
    decisions = sum(isinstance(row, DecisionRow) for row in rows)
    attempts = sum(isinstance(row, AttemptRow) for row in rows)
    cells = (
        cell(INDEX[0], f'<a href="#run-{run_id}">{run_id}</a>'),
        cell(INDEX[1], f"{escaped(run.started.recipe)} {escaped(run.started.version)}"),
        cell(INDEX[2], _status(status_of(run.events))),
        cell(INDEX[3], clock(run.started.recorded_at), ' class="nowrap"'),
        cell(INDEX[4], f"{decisions}, {attempts} refused" if attempts else str(decisions)),
        cell(INDEX[5], f"<code>{digest(run.values[-1]).hex()}</code>"),
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def status_of(events: Sequence[Event]) -> str:
    """The status of a run in the words of `hitl runs`."""
    run = fold(events)
    assert run is not None
    return status(run)


INDEX = ("Run", "Recipe", "Status", "Started", "Decisions", "Head")


def _status(word: str) -> str:
    mark = "good" if word in _GOOD else "refused" if word in _WRONG else "open"
    return f'<span class="{mark}">{escaped(word)}</span>'


def _facts(run: ExportedRun) -> Iterator[str]:
    started, last = run.started, run.events[-1]
    by = f", {escaped(started.started_by)}" if started.started_by else ""
    how = f"({escaped(started.channel)}, {escaped(started.identity)}{by})"
    yield _list(
        {
            "recipe": f"{escaped(started.recipe)}, version {escaped(started.version)}",
            "started": f"{clock(started.recorded_at)} {how}",
            "last event": f"{clock(last.recorded_at)}, event {last.seq}",
            "head": f"<code>{digest(run.values[-1]).hex()}</code>",
        }
    )


def _list(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{name}</dt><dd>{held}</dd>" for name, held in facts.items())
    return f"<dl>{rows}</dl>\n"


def _gates(run: ExportedRun) -> Iterator[str]:
    rounds: dict[int | None, Entries] = {}
    pauses: list[PauseRow] = []
    for row in rows_of(run.events).values():
        if isinstance(row, PauseRow):
            pauses.append(row)
        else:
            rounds.setdefault(row.opened_seq, []).append(row)
    if pauses:
        yield "<h3>Gates</h3>\n"
    for pause in pauses:
        shown = run.events[pause.seq - 1]
        if isinstance(shown, GatePaused):
            yield from _gate(pause, shown, rounds.get(pause.seq, []))
    if None in rounds:
        yield "<h3>Refused attempts that named no gate</h3>\n"
        yield from _entries(rounds[None])


def _gate(pause: PauseRow, shown: GatePaused, entries: Entries) -> Iterator[str]:
    name = f"{escaped(pause.gate)}, round {pause.occurrence}"
    yield f'<div class="gate">\n<h4>{name} {_status(pause.status)}</h4>\n'
    yield _list(_asked(pause, shown))
    yield f'<div class="draft">{readable(references.shown(shown.draft))}</div>\n'
    yield exact(shown.draft, "the draft as recorded, of which the digest was taken")
    yield from _entries(entries)
    yield "</div>\n"


def _asked(pause: PauseRow, shown: GatePaused) -> dict[str, str]:
    """What a decision was asked of, and on what terms."""
    facts = {
        "opened": f"{clock(pause.opened_at)}, event {pause.seq}, gate id {escaped(pause.gate_id)}"
    }
    if pause.closing is not None:
        closing = pause.closing
        facts["closed"] = f"{clock(closing.at)}, event {closing.seq}: {escaped(closing.how)}"
    facts["kind"] = escaped(pause.pause_kind)
    if pause.about is not None:
        about = f"{escaped(pause.about.step)} ({pause.about.occurrence})"
        facts["about"] = f"whether step {about} happened"
    if pause.policy is not None:
        facts["asked"] = readable(canonical.loads(pause.policy))
    facts["verdicts"] = ", ".join(map(escaped, pause.verdicts))
    if pause.expires_at is not None:
        then = f"the schedule decides {escaped(pause.on_expiry)}" if pause.on_expiry else "expired"
        facts["deadline"] = f"{clock(pause.expires_at)}, then {then}"
    if shown.data_schema is not None:
        facts["data"] = exact(shown.data_schema, "the schema that it has to fit")
    sound = "" if references.data_digest(shown.draft) == pause.draft_digest else _UNFIT
    facts["draft digest"] = f"<code>{pause.draft_digest.hex()}</code>{sound}"
    return facts


_UNFIT = ' <span class="refused">the draft has another digest</span>'


def _entries(entries: Entries) -> Iterator[str]:
    if not entries:
        return
    yield table_head(ENTRY_TITLES, ' class="rows"') + "<tbody>\n"
    yield from map(entry_row, sorted(entries, key=lambda entry: entry.seq))
    yield "</tbody>\n</table>\n"


def _timeline(run: ExportedRun, trace: Sequence[TraceEntry]) -> Iterator[str]:
    yield f"<h3>Timeline</h3>\n{table_head(_TIMELINE, _ROWS)}<tbody>\n"
    for entry in trace:
        told = "; ".join(_told(name, held) for name, held in entry.data.items())
        event = run.events[entry.seq - 1]
        if isinstance(event, StepCompleted):
            told += exact(event.output, "its output")
        at = event.recorded_at
        cells = (
            cell(_TIMELINE[0], clock(at), f' class="nowrap" title="{iso(at)}"'),
            cell(_TIMELINE[1], str(entry.seq)),
            cell(_TIMELINE[2], escaped(entry.kind)),
            cell(_TIMELINE[3], told),
        )
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody>\n</table>\n"


_ROWS = ' class="rows"'


def _told(name: str, held: object) -> str:
    text = held if isinstance(held, str) else canonical.dumps(held).decode()
    return f'<span class="dim">{escaped(name)}</span> {escaped(text)}'


def _chain(run: ExportedRun) -> Iterator[str]:
    placed = run.places[0][0] is not None
    yield "<h3>Chain</h3>\n<p>SHA-256 of each event as it is stored. "
    yield "Each event bears that of the one before it, so the head vouches for all of them.</p>\n"
    yield f"{table_head(_PLACED if placed else _CHAIN, _ROWS)}<tbody>\n"
    for event, held, place in zip(run.events, run.values, run.places, strict=True):
        at = event.recorded_at
        cells = [
            cell(_CHAIN[0], str(event.seq)),
            cell(_CHAIN[1], type(event).__name__),
            cell(_CHAIN[2], clock(at), f' class="nowrap" title="{iso(at)}"'),
            cell(_CHAIN[3], f"<code>{digest(held).hex()}</code>"),
        ]
        cells += [cell(_PLACED[4], f"{place[0]}, {place[1]}")] if placed else []
        yield f"<tr>{''.join(cells)}</tr>\n"
    head = digest(run.values[-1]).hex()
    yield f"</tbody>\n</table>\n<p>Head: event {run.events[-1].seq}, <code>{head}</code></p>\n"
