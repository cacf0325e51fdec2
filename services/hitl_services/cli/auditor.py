"""`hitl explain`, `replay` and `show --diff`: what the events of a run say about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

from hitl_events.audit.diff import Change, difference, unified
from hitl_events.audit.explain import Explanation, explain as explained
from hitl_events.audit.replay import Replayed, replay_run
from hitl_events.domain.events import Event
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import as_json, refused
from hitl_events.domain.refusals import Rejection
from hitl_events.domain.token import Claim
from hitl_events.domain.trace import trace
from hitl_events.domain.values import RunId
from hitl_events.errors import InvalidInput
from hitl_events.recipes.book import Book
from hitl_events.runtime.watchdog import Watchdog
from hitl_services.cli.answer import shown
from hitl_services.cli.display import summary
from hitl_services.cli.opening import opened
from hitl_services.cli.pages import STYLES
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, start_of, token_keys
from hitl_services.failure import DIVERGED, DONE, one_line
from hitl_services.modules import load_recipes
from hitl_services.text import counted, harmless, harmless_lines, quoted, wrapped

_SHOWN_MAX = 100
"""Runs on a page that do not fit: the first ones tell what was changed."""
_LINES_MAX = 20
_SEQ = re.compile(r"[0-9]{1,18}")
_NOT_ON_PAGE = ("$.token", "$.seq", "$.pause_kind")
_KIND_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
_SIGN_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def explain(screen: Screen, settings: Settings, named: str) -> int:
    """Why the gate of a token or gate id is as it is."""
    claim = _claimed(named, settings)
    found = None
    if claim is not None:
        with opened(screen, settings, [claim.run_id]) as store:
            found = asyncio.run(_gate_of(store, claim))
    if found is None:
        message = "expected a token of this log, found one that is forged, cut or of another log"
        rejection = Rejection(reason="invalid_token", message=message)
        return shown(screen, settings, refused((), rejection, decision=True))
    events, seq = found
    explanation = explained(events, seq)
    if settings.json:
        screen.document(explanation.to_json())
    else:
        screen.page(_explanation(explanation, screen.width))
    return DONE


def _claimed(named: str, settings: Settings) -> Claim | None:
    """The pause that is named: by an id, which claims no seed, or by a token, if it is of ours."""
    if "." not in named:
        keys = token_keys(settings, needed=True)
        return keys.read(named) if keys else None
    run_id, _, seq = named.rpartition(".")
    if not _SEQ.fullmatch(seq) or not run_id:
        raise InvalidInput(f"expected a token or a gate id (RUN.SEQ), found {quoted(named)}")
    return Claim(run_id=RunId(run_id), seq=int(seq), seed_prefix=b"")


async def _gate_of(store: Store, claim: Claim) -> tuple[Sequence[Event], int] | None:
    """The events of the run and the seq of the pause; None for a token that is none of ours."""
    if not claim.seed_prefix:
        return await store.history(claim.run_id), claim.seq
    values = (await store.log.load([claim.run_id])).get(claim.run_id)
    if not values:
        return None
    events = store.decoded(values)
    run = fold(events)
    ours = run is not None and run.gate_at(claim.seq) is not None
    return (events, claim.seq) if ours and _seed(events) == claim.seed_prefix else None


def _seed(events: Sequence[Event]) -> bytes:
    return start_of(events).seed[:8]


def _explanation(explanation: Explanation, width: int) -> Iterator[Line]:
    verdict = explanation.verdict
    yield [("gate ", "bold"), explanation.gate_id, "  ", (verdict, STYLES.get(verdict, "bold"))]
    for each in explanation.why:
        head, *rest = wrapped(harmless(each.statement), width - 8)
        yield [(f"{each.seq:>6}  ", "dim"), head]
        yield from (["        ", line] for line in rest)


def replay(screen: Screen, settings: Settings, run_ids: tuple[str, ...], *, strict: bool) -> int:
    """Give recorded histories to the code of now; nothing runs and nothing is recorded."""
    screen.shield()
    if not settings.recipes:
        raise InvalidInput("expected modules of recipes in --recipes or HITL_RECIPES, found none")
    book = Book(load_recipes(settings.recipes))
    wanted = run_ids or None
    with opened(screen, settings, wanted, must_exist=True) as store, store.log.snapshot():
        replayed = asyncio.run(_replayed(screen, store, book, run_ids, strict=strict))
    wrong = [each for each in replayed if not each.ok]
    if settings.json:
        screen.document([each.to_json() for each in replayed])
    else:
        screen.page(_replay_page(replayed, wrong))
    if not wrong:
        return DONE
    if settings.json or not screen.is_seen:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        screen.note(f"hitl: {one_line(f'{_said(wrong[0])}{more}')}")
    return DIVERGED


async def _replayed(
    screen: Screen, store: Store, book: Book, run_ids: tuple[str, ...], *, strict: bool
) -> list[Replayed]:
    watch = Watchdog()
    replayed: list[Replayed] = []
    try:
        with progress(screen, "replaying", None) as told:
            async for _, values in store.histories(run_ids):
                events = store.decoded(values)
                replayed.append(replay_run(events, book, watch, strict=strict))
                told(1)
    finally:
        watch.close()
    return replayed


def _replay_page(replayed: Sequence[Replayed], wrong: Sequence[Replayed]) -> Iterator[Line]:
    for each in wrong[:_SHOWN_MAX]:
        yield [(each.result, "bold red"), "  ", harmless(_said(each))]
    if len(wrong) > _SHOWN_MAX:
        yield [f"and {len(wrong) - _SHOWN_MAX} more: --json lists them"]
    for each in replayed:
        for warning in each.warnings:
            said = f"run {each.run_id}, event {warning.seq}: {warning.message}"
            yield [("warn", STYLES["warn"]), "  ", harmless(said)]
    fitting = len(replayed) - len(wrong)
    yield [("replayed", "bold"), f"  {counted(len(replayed), 'run')}, {fitting:,} of them fit"]


def _said(each: Replayed) -> str:
    at = "" if each.at_seq is None else f", event {each.at_seq}"
    return f"run {each.run_id}{at}: {each.message}"


def show_diff(screen: Screen, settings: Settings, run_id: str, between: tuple[int, int]) -> int:
    """What changed in the outcome from one event to another."""
    with opened(screen, settings, [run_id]) as store:
        events = asyncio.run(store.history(run_id))
    for seq in between:
        if seq > len(events):
            raise InvalidInput(f"expected events from 1 to {len(events)}, found {seq} in --diff")
    first, second = (store.outcome(events[:seq]).to_json() for seq in between)
    del first["trace"], second["trace"]
    changes = difference(first, second)
    low, high = sorted(between)
    entries = trace(events[low:high])
    if settings.json:
        screen.document(
            {
                "run_id": run_id,
                "from": between[0],
                "to": between[1],
                "changes": [change.to_json() for change in changes],
                "trace": [as_json(entry) for entry in entries],
            }
        )
        return DONE
    told = [change for change in changes if not _is_dull(change)]
    screen.page(_diff_page(run_id, between, told, screen.width))
    return DONE


def _is_dull(change: Change) -> bool:
    """What follows from another change on the page: a gate that is (no longer) open."""
    held = change.after if change.before is None else change.before
    pending = isinstance(held, dict) and "gate.pending" in held.values()
    return pending or change.path.startswith(_NOT_ON_PAGE)


def _diff_page(
    run_id: str, between: tuple[int, int], changes: Sequence[Change], width: int
) -> Iterator[Line]:
    yield [("run ", "bold"), (run_id, "bold"), f"  from event {between[0]} to {between[1]}"]
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
