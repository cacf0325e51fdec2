"""`hitl dead-letters`: records that had no place, to look at, to send again, to forget."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, assert_never

from hitl_events.adapters.avro.schemas import name_of
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.inbound import read_inbound
from hitl_events.adapters.limits import DEAD_LETTERS_KEPT
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.domain import canonical
from hitl_events.domain.commands import CancelRun, Command, Decide, StartRun, UnblockRun
from hitl_events.domain.events import Source
from hitl_events.domain.outcome import Outcome, refused
from hitl_events.domain.refusals import Refused, Rejection
from hitl_events.domain.values import iso
from hitl_events.embedded import Runtime
from hitl_events.errors import InvalidInput
from hitl_events.ports import DeadLetter, InboundRecord
from hitl_services.cli.acts import outcome_of, shown
from hitl_services.cli.failure import DONE
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.cli.tables import columns, laid_out
from hitl_services.cli.text import age, clock, harmless, harmless_lines, without_tokens

Numbered = tuple[int, DeadLetter]


def listed(screen: Screen, settings: Settings, limit: int | None) -> int:
    """The newest first; what they say is not shown, because it may hold a token."""
    with Store.open(settings) as store:
        letters = asyncio.run(store.log.list(limit or DEAD_LETTERS_KEPT))
    if settings.json:
        screen.document([_as_json(number, letter) for number, letter in letters])
    elif letters:
        screen.page(_table(letters, SystemClock().now(), screen.width))
    else:
        screen.page([[f"no dead letters in {settings.directory}"]])
    return DONE


def show(screen: Screen, settings: Settings, number: int) -> int:
    """One of them whole."""
    with Store.open(settings) as store:
        letter = asyncio.run(_found(store.log, number))
    if settings.json:
        value = {"value": _text(letter.value), "value_base64": _base64(letter.value)}
        headers = [[name, held.decode("utf-8", "replace")] for name, held in letter.headers]
        screen.document(_as_json(number, letter) | value | {"headers": headers})
    else:
        screen.page(_page(number, letter))
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
    with Store.open(settings) as store:
        letter = asyncio.run(_found(store.log, number))
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
    if any(name == "ce_type" for name, _ in letter.headers):
        return (b"hitl.v1.Decide") in {held for name, held in letter.headers if name == "ce_type"}
    try:
        held = canonical.loads(letter.value)
    except (ValueError, RecursionError):
        return letter.reason != "invalid_command"
    return not (isinstance(held, dict) and "type" in held)


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


def _as_json(number: int, letter: DeadLetter) -> dict[str, Any]:
    source = letter.source
    return {
        "number": number,
        "reason": letter.reason,
        "message": without_tokens(letter.message),
        "recorded_at": iso(letter.recorded_at),
        "source": None if source is None else asdict(source),
        "bytes": len(letter.value),
    }


def _table(letters: Sequence[Numbered], now: datetime, width: int) -> Iterator[Line]:
    head = ("NUMBER", "REASON", "AGE", "MESSAGE")
    rows = [
        (
            str(number),
            letter.reason,
            age(now - letter.recorded_at),
            harmless(without_tokens(" ".join(letter.message.split()))),
        )
        for number, letter in letters
    ]
    widths = columns([head, *rows], width, shrinking=(3,))
    yield [(laid_out(head, widths), "bold")]
    for row in rows:
        yield [laid_out(row, widths)]


def _page(number: int, letter: DeadLetter) -> Iterator[Line]:
    yield [(f"dead letter {number}", "bold"), "  ", (letter.reason, "bold red")]
    yield [f"  why       {harmless(without_tokens(letter.message))}"]
    yield [f"  recorded  {clock(letter.recorded_at)}"]
    source = letter.source
    if source is not None:
        yield [
            f"  from      {harmless(source.topic)}, partition {source.partition}, {source.offset}"
        ]
    for name, held in letter.headers:
        yield [f"  header    {harmless(name)}: {harmless(held.decode('utf-8', 'replace'))}"]
    yield [f"  value     {len(letter.value):,} bytes"]
    for line in harmless_lines(_text(letter.value) or _base64(letter.value)):
        yield ["    ", line]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
