"""`hitl explain`: what the events of a run say about a gate of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

from hitl_events.audit.explain import Explanation, Statement, explain as explained
from hitl_events.domain.events import Event
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import refused
from hitl_events.domain.refusals import Rejection
from hitl_events.domain.token import Claim
from hitl_events.domain.values import RunId
from hitl_events.errors import InvalidInput
from hitl_services.cli.answer import shown
from hitl_services.cli.opening import opened
from hitl_services.cli.pages import STYLES
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, start_of, token_keys
from hitl_services.failure import DONE
from hitl_services.text import harmless, quoted, wrapped

_SEQ_WIDTH = 8
_BECAUSE = "  - "
_SEQ = re.compile(r"[0-9]{1,18}")


def explain(screen: Screen, settings: Settings, named: str) -> int:
    """Why the gate of a token or gate id is as it is."""
    claim = _claimed(named, settings)
    found = None
    if claim is not None:
        with opened(screen, settings, [claim.run_id], from_model=True) as store:
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
        yield from _statement(each, "", width)


def _statement(each: Statement, mark: str, width: int) -> Iterator[Line]:
    """A sentence beside the event behind it; what it rests on one step further in."""
    style = "dim" if mark else ""
    indent = " " * len(mark)
    head, *rest = wrapped(harmless(each.statement), width - _SEQ_WIDTH - len(mark))
    yield [(f"{each.seq:>6}  {mark}", "dim"), (head, style)]
    for line in rest:
        yield [" " * _SEQ_WIDTH, indent, (line, style)]
    for ground in each.because:
        yield from _statement(ground, f"{indent}{_BECAUSE}", width)
