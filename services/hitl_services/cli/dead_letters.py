"""`hitl dead-letters`: records that had no place, to look at, to send again, to forget."""

from __future__ import annotations

import asyncio
from typing import assert_never

from hitl_events.adapters.avro.schemas import name_of
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.inbound import read_inbound
from hitl_events.adapters.inbound.forms import PREFIX
from hitl_events.adapters.limits import DEAD_LETTERS_KEPT
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.domain import canonical
from hitl_events.domain.commands import (
    CancelRun,
    Command,
    Decide,
    StartRun,
    StepReported,
    UnblockRun,
)
from hitl_events.domain.events import Source
from hitl_events.domain.outcome import Outcome, refused
from hitl_events.domain.refusals import Refused, Rejection
from hitl_events.embedded import Runtime
from hitl_events.errors import InvalidInput
from hitl_events.ports import DeadLetter, InboundRecord
from hitl_services.cli.acts import outcome_of
from hitl_services.cli.answer import shown
from hitl_services.cli.letter_pages import as_json, page, table, whole_as_json
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import embedded_log
from hitl_services.failure import DONE


def listed(screen: Screen, settings: Settings, limit: int | None) -> int:
    """The newest first; what they say is not shown, because it may hold a token."""
    with embedded_log(settings) as log:
        letters = asyncio.run(log.list(limit or DEAD_LETTERS_KEPT))
    if settings.json:
        screen.document([as_json(number, letter) for number, letter in letters])
    elif letters:
        screen.page(table(letters, SystemClock().now(), screen.width))
    else:
        screen.page([[f"no dead letters in {settings.directory}"]])
    return DONE


def show(screen: Screen, settings: Settings, number: int) -> int:
    """One of them whole."""
    with embedded_log(settings) as log:
        letter = asyncio.run(_found(log, number))
    if settings.json:
        screen.document(whole_as_json(number, letter))
    else:
        screen.page(page(number, letter))
    return DONE


def discard(screen: Screen, settings: Settings, number: int) -> int:
    """Forget one."""
    _discarded(settings, number)
    if settings.json:
        screen.document({"discarded": number})
    else:
        screen.page([[f"discarded dead letter {number}"]])
    return DONE


def replay(screen: Screen, settings: Settings, number: int) -> int:
    """Bring one again, as it was sent; what still does not fit stays as a dead letter."""
    with embedded_log(settings) as log:
        letter = asyncio.run(_found(log, number))
    command = read_inbound(_record(letter), arrived_at=SystemClock().now())
    if isinstance(command, Refused):
        rejection = Rejection(reason=command.reason, message=command.message)
        return shown(screen, settings, refused((), rejection, decision=_is_decision(letter)))
    outcome = outcome_of(screen, settings, lambda runtime: _brought(runtime, command))
    # Whatever it came to is recorded now, a new refusal in a dead letter of its own.
    _discarded(settings, number)
    return shown(screen, settings, outcome)


async def _brought(runtime: Runtime, command: Command) -> Outcome:
    match command:
        case StartRun():
            input_ = canonical.loads(command.input)
            return await runtime.run(command.recipe, input_, command.run_id)
        case Decide():
            return await runtime.decide(
                command.token,
                command.verdict,
                notes=command.notes,
                data=None if command.data is None else canonical.loads(command.data),
                decision_id=command.decision_id,
                decided_by=command.decided_by,
                draft_digest=command.draft_digest.hex() if command.draft_digest else None,
            )
        case CancelRun():
            return await runtime.cancel(command.run_id, command.reason, by=command.cancelled_by)
        case UnblockRun():
            return await runtime.unblock(command.run_id, by=command.by)
        case StepReported():  # only between engines, which prove themselves
            raise InvalidInput("expected a decision or command of somebody, found an engine's own")
        case _:
            assert_never(command)


def _record(letter: DeadLetter) -> InboundRecord:
    source = letter.source or Source(topic="dead-letters", partition=0, offset=0, timestamp_ms=0)
    return InboundRecord(
        kind="decision" if _is_decision(letter) else "command",
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
        channel="cli",
        source=source,
    )


def _is_decision(letter: DeadLetter) -> bool:
    """Whether it came as a decision: the record says so, since one intake takes both."""
    if name_of(letter.value) is not None:
        return name_of(letter.value) == "Decide"
    types = [held.decode(errors="replace") for name, held in letter.headers if name == "ce_type"]
    if not types:
        try:
            held = canonical.loads(letter.value)
        except (ValueError, RecursionError):
            return letter.reason != "invalid_command"  # a frame, say, whose schema is elsewhere
        if isinstance(held, dict) and "type" in held:  # of a command, or of a CloudEvent
            types.append(str(held["type"]))  # pyright: ignore[reportUnknownArgumentType]  # JSON: any value
    return all(each.removeprefix(PREFIX) == "Decide" for each in types)


async def _found(log: SqliteLog, number: int) -> DeadLetter:
    for held, letter in await log.list(DEAD_LETTERS_KEPT):
        if held == number:
            return letter
    raise _unknown(number)


def _discarded(settings: Settings, number: int) -> None:
    directory = DataDirectory(settings.directory)
    if not directory.has_log():
        raise _unknown(number)
    log = SqliteLog.open(directory)
    try:
        if not asyncio.run(log.discard(number)):
            raise _unknown(number)
    finally:
        log.close()


def _unknown(number: int) -> InvalidInput:
    wanted = "expected the number of a dead letter (`hitl dead-letters list` shows them)"
    return InvalidInput(f"{wanted}, found {number}")
