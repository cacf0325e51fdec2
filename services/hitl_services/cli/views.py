"""Commands that show runs: `pending`, `show`, `trace`, `runs`. They only read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.events import GatePaused, RunStarted
from hitl_events.domain.outcome import as_json
from hitl_events.domain.trace import TraceEntry, trace
from hitl_events.errors import InvalidInput
from hitl_services.cli.display import in_a_line
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.pages import STYLES, OutcomePage
from hitl_services.cli.progress import progress
from hitl_services.cli.review_page import review_details
from hitl_services.cli.rows import OpenGate, run_json
from hitl_services.cli.screen import Line, Part, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, Wanted, token_keys
from hitl_services.cli.tables import pending_page, runs_page
from hitl_services.failure import DONE, one_line
from hitl_services.text import clock, counted

_HIDDEN = frozenset({"gate_id", "draft_digest", "duration_us"})
_TOLD_CELLS_MIN = 20
"""Of what an entry says in its line: a word or two."""
_INDENT = "    "
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
"""Nothing waits longer than since then."""
_DULL = (["occurrence", 1], ["attempt", 1], ["kind", "step"], ["identity", "claimed"])


def pending(
    screen: Screen, settings: Settings, wanted: Wanted, *, older_than: timedelta | None = None
) -> int:
    """The open gates, the longest waiting first."""
    now = SystemClock().now()
    if settings.cluster is not None:
        token_keys(settings, needed=True)
    if older_than is not None:
        wanted = replace(wanted, until=now - min(older_than, now - _BEFORE_ALL))
    with opened(screen, settings, from_model=True) as store:
        with progress(screen, "reading runs", None) as told:
            found, count = interruptible(store.open_pauses(wanted, told))
        shown = [_open_gate(store, *pause) for pause in found]
    _note_keyless(screen, store)
    if settings.json:
        screen.document([gate.to_json() for gate in shown])
        return DONE
    if not shown:
        screen.page([[_none("no open gates", store)]])
        return DONE
    screen.page(pending_page(shown, now, screen.width))
    left_out = count - len(shown)
    more = f", {left_out:,} more left out by --limit" if left_out else ""
    said: Line = [f"{counted(len(shown), 'open gate')}{more}"]
    if any(gate.token is not None for gate in shown):  # an imported log has no key, and takes none
        decide = f"hitl decide TOKEN VERDICT{settings.repeated}"
        said = [*said, "; decide with ", (decide, "bold")]
    screen.page([[], said])
    return DONE


def _open_gate(store: Store, started: RunStarted, paused: GatePaused) -> OpenGate:
    keys, seed = store.keys, started.seed
    token = None if keys is None else keys.issue(paused.run_id, paused.seq, seed, paused.token_kid)
    return OpenGate(started=started, paused=paused, token=token)


def runs(screen: Screen, settings: Settings, wanted: Wanted) -> int:
    """The runs in the order of their start; `limit` keeps the last."""
    with (
        opened(screen, settings, from_model=True) as store,
        progress(screen, "reading runs", None) as told,
    ):
        rows = interruptible(store.run_rows(wanted, told))
    if settings.json:
        screen.document([run_json(row) for row in rows])
    elif rows:
        screen.page(runs_page(rows, SystemClock().now(), screen.width))
    else:
        screen.page([[_none("no runs", store)]])
    return DONE


def show(screen: Screen, settings: Settings, run_id: str, at: int | None) -> int:
    """The outcome now, or as it was at event `at`."""
    with opened(screen, settings, [run_id], from_model=at is None) as store:
        events = interruptible(store.history(run_id))
    if at is not None and at > len(events):
        raise InvalidInput(f"expected an event from 1 to {len(events)} as --at, found {at}")
    outcome = store.outcome(events[:at])
    if outcome.status == "paused":
        _note_keyless(screen, store)
    if settings.json:
        screen.document(outcome.to_json())
        return DONE
    now = SystemClock().now() if at is None else events[at - 1].recorded_at
    page = OutcomePage(outcome, now=now, width=screen.width, repeated=settings.repeated)
    screen.page(page.full())
    if at is not None:
        screen.page(review_details(events[:at], screen.width))
    return DONE


def show_trace(screen: Screen, settings: Settings, run_id: str) -> int:
    """The trace of a run."""
    with opened(screen, settings, [run_id]) as store:
        entries = trace(interruptible(store.history(run_id)))
    if settings.json:
        screen.document([as_json(entry) for entry in entries])
    else:
        screen.page(trace_page(entries, screen.width if screen.is_terminal else None))
    return DONE


def trace_page(entries: Sequence[TraceEntry], width: int | None) -> Iterator[Line]:
    """A line for each entry: seq, time, kind, and what it says; whole in a pipe.

    Where that leaves no room for what it says, this stands below, indented.
    """
    digits = len(str(entries[-1].seq))
    for entry in entries:
        at = clock(datetime.fromisoformat(entry.at))
        head = f"{entry.seq:>{digits}}  {at}  "
        kind = f"{entry.kind:<17}"
        left = None if width is None else width - len(head) - len(kind) - 1
        told = _told(entry)
        above: list[Part] = [(head, "dim"), (kind, _trace_style(entry.kind))]
        if width is None or left is None or left >= _TOLD_CELLS_MIN:
            yield [*above, " ", in_a_line(told, left) if told else ""]
            continue
        yield above
        if told:
            yield [_INDENT, in_a_line(told, width - len(_INDENT))]


def _told(entry: TraceEntry) -> dict[str, object]:
    """The data without what the page says elsewhere or only a program needs."""
    told: dict[str, object] = {
        name: held
        for name, held in entry.data.items()
        if name not in _HIDDEN and [name, held] not in _DULL
    }
    if "verdicts" in told:
        told["verdicts"] = ", ".join(entry.data["verdicts"])
    return told


def _trace_style(kind: str) -> str:
    if kind in {"run.error", "step.failed", "run.blocked", "decision.rejected", "run.cancelled"}:
        return STYLES["error"]
    return STYLES["pending"] if kind == "run.paused" else "bold"


def _note_keyless(screen: Screen, store: Store) -> None:
    """Who may read the log but not the key gets all but the tokens."""
    if store.keyless is not None:
        screen.note(f"hitl: no token is shown: {one_line(store.keyless)}")


def _none(what: str, store: Store) -> str:
    place = store.place
    return f"{what}: there is no log in {place} yet" if store.empty else f"{what} in {place}"
