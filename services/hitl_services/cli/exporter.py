"""`hitl export`: histories as lines, to stdout or whole into a file."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from hitl_events.audit.export import End, export_line, spelt
from hitl_events.errors import HitlError, InvalidInput
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.failure import DONE
from hitl_services.text import counted, quoted

Write = Callable[[bytes], object]


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
    path = Path(output)
    if path.exists() and not force:
        raise InvalidInput(f"expected a new file, found {quoted(output)}; replace it with --force")
    try:
        end = _written(path, lambda write: _exported(screen, settings, run_ids, write))
    except OSError as error:
        message = f"expected to write the file {quoted(output)}, found: {error.strerror}"
        raise HitlError(f"{message}; nothing of it was kept") from None
    summed = end.to_json()
    runs, events = summed["runs"], summed["events"]
    if settings.json:
        screen.document({"file": output, "runs": runs, "events": events})
        return DONE
    said = f"{counted(runs, 'run')}, {counted(events, 'event')} in {quoted(output)}"
    screen.page([[("exported", "bold green"), f"  {said}"]])
    return DONE


def _written(path: Path, fill: Callable[[Write], End]) -> End:
    """A file beside the place that takes it once it is full and on disk."""
    with tempfile.NamedTemporaryFile(
        dir=path.absolute().parent, prefix=path.name, delete=False
    ) as new:
        try:
            end = fill(new.write)
            _to_disk(new.file)
            Path(new.name).replace(path)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
    return end


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


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
