"""`hitl show --diff`: what changed between two events of a run, or between two rounds of a gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hitl_events.audit.diff import Change, difference, unified
from hitl_events.domain.events import Event
from hitl_events.domain.outcome import as_json
from hitl_events.domain.trace import trace
from hitl_events.errors import InvalidInput
from hitl_events.projections.reviews import Review, review
from hitl_events.projections.rounds import round_named
from hitl_services.cli.display import summary
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.cli.values import number
from hitl_services.failure import DONE
from hitl_services.text import harmless, harmless_lines, quoted

_LINES_MAX = 20
_NOT_ON_PAGE = ("$.token", "$.seq", "$.pause_kind")
_KIND_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
_SIGN_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_diff(screen: Screen, settings: Settings, run_id: str, between: tuple[str, str]) -> int:
    """What changed from one to the other: two numbers are events, else they are rounds of gates."""
    first, second = between
    seqs = None
    if first.isdecimal() and second.isdecimal():
        seqs = number(first, "--diff"), number(second, "--diff")
    elif first.isdecimal() or second.isdecimal():
        wanted = "expected two events, or two rounds as NAME or NAME:ROUND, in --diff"
        raise InvalidInput(f"{wanted}, found {quoted(first)} and {quoted(second)}")
    with opened(screen, settings, [run_id]) as store:
        events = interruptible(store.history(run_id))
    if seqs is None:
        return _of_rounds(screen, settings, events, between)
    return _of_events(screen, settings, store, events, seqs)


def _of_events(
    screen: Screen,
    settings: Settings,
    store: Store,
    events: Sequence[Event],
    between: tuple[int, int],
) -> int:
    for seq in between:
        if seq > len(events):
            raise InvalidInput(f"expected events from 1 to {len(events)}, found {seq} in --diff")
    first, second = (store.outcome(events[:seq]).to_json() for seq in between)
    del first["trace"], second["trace"]
    changes = difference(first, second)
    if settings.json:
        screen.document(_document(events, between, changes))
        return DONE
    run_id = events[0].run_id
    head: Line = [("run ", "bold"), (run_id, "bold"), f"  from event {between[0]} to {between[1]}"]
    told = [change for change in changes if not _is_dull(change)]
    screen.page([head, *_changes(told, screen.width)])
    return DONE


def _of_rounds(
    screen: Screen, settings: Settings, events: Sequence[Event], between: tuple[str, str]
) -> int:
    """What was asked in one round and in the other: drafts first."""
    first, second = (
        review(events[:seq], seq) for seq in (round_named(events, named).seq for named in between)
    )
    changes = difference(first.asked(), second.asked())
    if settings.json:
        seqs = first.pause.seq, second.pause.seq
        rounds = [_round(each) for each in (first, second)]
        texts = first.asked()["draft"], second.asked()["draft"]
        lines = unified(*texts) if all(isinstance(text, str) for text in texts) else None
        more = {"rounds": rounds, "unified": lines}
        screen.document(_document(events, seqs, changes) | more)
        return DONE
    screen.page([*_round_head(first, second), *_changes(changes, screen.width)])
    return DONE


def _document(
    events: Sequence[Event], between: tuple[int, int], changes: Sequence[Change]
) -> dict[str, Any]:
    low, high = sorted(between)
    return {
        "run_id": events[0].run_id,
        "from": between[0],
        "to": between[1],
        "changes": [change.to_json() for change in changes],
        "trace": [as_json(entry) for entry in trace(events[low:high])],
    }


def _round(page: Review) -> dict[str, Any]:
    pause = page.pause
    return {
        "gate_id": pause.gate_id,
        "gate": pause.gate,
        "occurrence": pause.occurrence,
        "draft_digest": pause.draft_digest.hex(),
    }


def _round_head(first: Review, second: Review) -> Iterator[Line]:
    yield [("run ", "bold"), (first.pause.run_id, "bold"), "  from one round of a gate to another"]
    for sign, page in (("-", first), ("+", second)):
        pause = page.pause
        named = f"{sign} {harmless(pause.gate)}:{pause.occurrence}"
        yield ["  ", (named, _SIGN_STYLES[sign]), f"  opened by event {pause.seq}"]
        yield [f"    digest {pause.draft_digest.hex()}"]
    if first.asked() == second.asked():
        yield []
        yield ["the same was asked in both"]


def _is_dull(change: Change) -> bool:
    """What follows from another change on the page: a gate that is (no longer) open."""
    held = change.after if change.before is None else change.before
    pending = isinstance(held, dict) and "gate.pending" in held.values()
    return pending or change.path.startswith(_NOT_ON_PAGE)


def _changes(changes: Sequence[Change], width: int) -> Iterator[Line]:
    for change in changes:
        yield []
        yield [(change.kind, _KIND_STYLES[change.kind]), "  ", harmless(change.path[2:])]
        if isinstance(change.before, str) and isinstance(change.after, str) and _is_long(change):
            yield from _text_diff(change.before, change.after)
            continue
        yield from _side("-", change.before, width)
        yield from _side("+", change.after, width)


def _side(sign: str, held: object, width: int) -> Iterator[Line]:
    """What was there before, or is after; nothing for nothing."""
    if held is not None:
        for line in summary(held, width=width - 4, lines_max=_LINES_MAX):
            yield ["  ", (f"{sign} {line}", _SIGN_STYLES[sign])]


def _is_long(change: Change) -> bool:
    return "\n" in change.before or "\n" in change.after


def _text_diff(before: str, after: str) -> Iterator[Line]:
    # the first two lines name the files of a patch
    for line in harmless_lines(unified(before, after).rstrip("\n"))[2:]:
        yield ["  ", (line, _SIGN_STYLES.get(line[:1], ""))]
