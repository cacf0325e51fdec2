"""`hitl export`: histories as lines, a table or a page, to stdout or whole into a file."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_services.cli.exported import FORMATS, Exported, exported
from hitl_services.cli.files import Write, written
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.failure import DONE
from hitl_services.text import counted, quoted


@value
class Asked:
    """Which runs, all if none is named, and as what; no format: what a file's name ends with."""

    run_ids: tuple[str, ...] = ()
    form: str | None = None


@value
class _Counts:
    runs: int
    events: int


def to_stdout(screen: Screen, settings: Settings, asked: Asked) -> int:
    """Stream it; stops quietly once nobody reads it any more."""
    form = asked.form or FORMATS[0]
    if settings.json and form != FORMATS[0]:
        raise InvalidInput(f"expected --json or --format {form} on stdout, found both; add -o FILE")

    def write(data: bytes) -> None:
        screen.write_bytes(data)
        if screen.gone:
            raise BrokenPipeError

    with suppress(BrokenPipeError):
        _exported(screen, settings, asked, (form, write, screen.ascii_only))
    return DONE


def to_file(screen: Screen, settings: Settings, asked: Asked, output: str, *, force: bool) -> int:
    """Write the file whole or not at all."""
    ending = Path(output).suffix.removeprefix(".")
    form = asked.form or (ending if ending in FORMATS else FORMATS[0])

    def fill(write: Write) -> _Counts:
        return _exported(screen, settings, asked, (form, write, False))

    found = written(output, fill, force=force)
    if settings.json:
        screen.document({"file": output, "runs": found.runs, "events": found.events})
        return DONE
    said = f"{counted(found.runs, 'run')}, {counted(found.events, 'event')} in {quoted(output)}"
    screen.page([[("exported", "bold green"), f"  {said}"]])
    return DONE


def _exported(
    screen: Screen, settings: Settings, asked: Asked, to: tuple[str, Write, bool]
) -> _Counts:
    form, write, ascii_only = to
    with (
        opened(screen, settings, asked.run_ids or None, must_exist=True) as store,
        store.log.snapshot(),
        ExitStack() as undo,
    ):
        sheet = exported(form, store, write, undo, ascii_only=ascii_only)
        found = interruptible(_filled(screen, store, asked.run_ids, sheet))
        sheet.end()
    if sheet.lacking:
        screen.note(
            f"hitl: expected all blobs, found {sheet.lacking} missing or changed, which the export "
            f"lacks as well: hitl verify names the events"
        )
    return found


async def _filled(
    screen: Screen, store: Store, run_ids: tuple[str, ...], sheet: Exported
) -> _Counts:
    runs = events = 0
    with progress(screen, "exporting", None if run_ids else await store.log.end()) as told:
        async for run_id, values in store.histories(run_ids):
            sheet.add(run_id, values, store.places(run_id, len(values)))
            runs += 1
            events += len(values)
            told(len(values))
    return _Counts(runs=runs, events=events)
