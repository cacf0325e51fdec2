"""`hitl export`: histories as lines, to stdout or whole into a file."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hitl_events.audit.export import End, export_line, spelt
from hitl_services.cli.files import Write, written
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.failure import DONE
from hitl_services.text import counted, quoted


def to_stdout(screen: Screen, settings: Settings, run_ids: tuple[str, ...]) -> int:
    """Stream the lines; stops quietly once nobody reads them any more."""

    def write(line: bytes) -> None:
        screen.write(line.decode())
        if screen.gone:
            raise BrokenPipeError

    with suppress(BrokenPipeError):
        _exported(screen, settings, run_ids, write)
    return DONE


def to_file(
    screen: Screen, settings: Settings, run_ids: tuple[str, ...], output: str, *, force: bool
) -> int:
    """Write the file whole or not at all."""
    end = written(output, lambda write: _exported(screen, settings, run_ids, write), force=force)
    summed = end.to_json()
    runs, events = summed["runs"], summed["events"]
    if settings.json:
        screen.document({"file": output, "runs": runs, "events": events})
        return DONE
    said = f"{counted(runs, 'run')}, {counted(events, 'event')} in {quoted(output)}"
    screen.page([[("exported", "bold green"), f"  {said}"]])
    return DONE


def _exported(screen: Screen, settings: Settings, run_ids: tuple[str, ...], write: Write) -> End:
    with opened(screen, settings, run_ids or None, must_exist=True) as store, store.log.snapshot():
        return asyncio.run(_lines(screen, store, run_ids, write))


async def _lines(screen: Screen, store: Store, run_ids: tuple[str, ...], write: Write) -> End:
    end = End()
    with progress(screen, "exporting", await store.log.end()) as told:
        async for run_id, values in store.histories(run_ids):
            for value, (partition, offset) in zip(
                values, store.places(run_id, len(values)), strict=True
            ):
                line = export_line(value, store.codec, partition=partition, offset=offset)
                write(spelt(line) + b"\n")
                end.add(run_id, value, partition=partition, offset=offset)
            told(len(values))
    write(spelt(end.to_json()) + b"\n")
    return end
