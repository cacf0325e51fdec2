"""Commands that change a run of a cluster: published, then watched in the topic of events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.system import SystemClock
from hitl_events.client.calls import Call, Calls
from hitl_events.client.cluster import WAIT_S, Answered, ClusterClient, Unanswered, unknown
from hitl_events.domain.diagnostics import Diagnostic
from hitl_events.domain.outcome import Outcome, as_json
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import InvalidInput
from hitl_events.ports import Blobs
from hitl_services.cli.answer import shown
from hitl_services.cli.progress import Spinner
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import blobs_of, token_keys
from hitl_services.durations import duration
from hitl_services.failure import DONE, UNREACHABLE, WaitInterrupted, one_line

Make: TypeAlias = Callable[[Calls], Call]
_Link: TypeAlias = tuple[KafkaSettings, TokenKeys, Blobs | None]
_T = TypeVar("_T")


def wait_of(timeout: str | None, *, no_wait: bool) -> float | None:
    """For how long `--timeout` and `--no-wait` say to wait; None: it is not even asked."""
    waited = None if timeout is None else duration(timeout, "--timeout")
    if no_wait and waited is not None:
        raise InvalidInput("expected one of --timeout and --no-wait, found both")
    if no_wait:
        return None
    return WAIT_S if waited is None else waited.total_seconds()


def called(screen: Screen, settings: Settings, make: Make, wait_s: float | None) -> int:
    """Publish what `make` makes, wait as long as it is wanted, and print what it came to."""
    cluster, keys = settings.cluster, token_keys(settings, needed=True)
    assert cluster is not None
    assert keys is not None
    call = make(Calls(keys, SystemClock(), channel="cli"))
    # What the loop says about a broker that goes away are tracebacks; the error says it in a line.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    if wait_s is None:
        _done(settings, call, partial(_published, (cluster, keys, None), call))
        screen.document({"run_id": call.run_id, "decision_id": call.decision_id})
        return DONE
    link = cluster, keys, blobs_of(settings)
    answered = _done(settings, call, partial(_asked, screen, link, call, wait_s))
    if isinstance(answered, Outcome):
        return shown(screen, settings, answered)
    return _unanswered(screen, settings, answered, wait_s)


@dataclass(slots=True)
class _Line:
    """The client of one call: what became of the record is asked of it, however it ended."""

    client: ClusterClient | None = None

    @asynccontextmanager
    async def open(self, link: _Link) -> AsyncGenerator[ClusterClient]:
        async with ClusterClient.open(*link) as self.client:
            yield self.client


def _done(settings: Settings, call: Call, work: Callable[[_Line], Coroutine[Any, Any, _T]]) -> _T:
    """What comes of the work; Ctrl-C once the record is on its way says how to ask on."""
    line = _Line()
    try:
        return asyncio.run(work(line))
    except KeyboardInterrupt:
        sent = "not" if line.client is None else line.client.sent
        if sent == "not":
            raise
        raise _interrupted(settings, call, accepted=sent == "accepted") from None


def _interrupted(settings: Settings, call: Call, *, accepted: bool) -> WaitInterrupted:
    decided = "" if call.decision_id is None else f" (decision id {call.decision_id})"
    run = "" if call.run_id is None else f" for run {call.run_id}"
    known = "the record stays accepted" if accepted else unknown(call)
    message = (
        f"interrupted after the record{run} was sent{decided}: {known}; "
        f"`hitl show {call.run_id or 'RUN'}{settings.repeated}` shows what becomes of it"
    )
    return WaitInterrupted(message, call.run_id, call.decision_id)


async def _published(link: _Link, call: Call, line: _Line) -> None:
    async with line.open(link) as client:
        await client.publish(call)


async def _asked(screen: Screen, link: _Link, call: Call, wait_s: float, line: _Line) -> Answered:
    with Spinner(screen, "waiting for the engines").turning():
        async with line.open(link) as client:
            return await client.ask(call, wait_s)


def _unanswered(screen: Screen, settings: Settings, found: Unanswered, wait_s: float) -> int:
    call = found.call
    run = "the run" if call.run_id is None else f"run {call.run_id}"
    missing = f"{run} to come to rest" if found.answered else "an answer of an engine"
    message = (
        f"expected {missing} within {wait_s:g} s, found none: the record stays accepted; "
        f"`hitl trace {call.run_id or 'RUN'}{settings.repeated}` shows what becomes of it"
    )
    if settings.json:
        screen.document(_document(found, message))
    screen.note(f"hitl: {one_line(message)}")
    return UNREACHABLE


def _document(found: Unanswered, message: str) -> dict[str, Any]:
    """The outcome so far; its status says that the end of it was not seen."""
    data = {"run_id": found.call.run_id, "decision_id": found.call.decision_id}
    told = Diagnostic(level="warn", code="call.unanswered", message=message, data=data)
    nothing: dict[str, Any] = dict.fromkeys(("recipe", "version", "seq"))
    so_far: dict[str, Any] = nothing | {"artefact": {}, "diagnostics": [], "trace": []}
    if found.events:
        so_far = Outcome(found.events).to_json()
    so_far |= {"status": "running", "run_id": found.call.run_id}
    so_far["diagnostics"] = [*so_far["diagnostics"], as_json(told)]
    order = ("status", "run_id", "recipe", "version", "seq", "artefact", "diagnostics", "trace")
    return {name: so_far[name] for name in order}
