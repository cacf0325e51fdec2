"""`hitl archive`: runs that ended before a time, into a folder of verified files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import TypeAlias

from hitl_events.adapters.system import SystemClock
from hitl_events.audit.report import Problem, VerifyReport
from hitl_events.errors import CorruptLog, InvalidInput
from hitl_events.ports import RunPosition
from hitl_services.cli.archive_folder import Archived, ArchiveFile, ArchiveFolder
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, portions
from hitl_services.cli.verifier import noted, problems_page
from hitl_services.failure import DONE
from hitl_services.moments import moment
from hitl_services.text import counted, quoted

_Loaded: TypeAlias = tuple[RunPosition, Sequence[bytes]]
_ENDED = frozenset({"completed", "failed", "cancelled"})


def archive(screen: Screen, settings: Settings, closed_before: str, output: str) -> int:
    """Write what is not in the folder yet; nothing is removed from the log."""
    before = moment(closed_before, "--closed-before", now=SystemClock().now())
    if not output:
        raise InvalidInput("expected -o to name the folder of the archive, found an empty name")
    try:
        with (
            opened(screen, settings, must_exist=True) as store,
            store.log.snapshot(),
            ArchiveFolder.opened(output, store.read_blob) as folder,
        ):
            work = _Archiving(store, folder, before)
            interruptible(work.run(screen))
    except CorruptLog as error:
        return _unsound(screen, settings, error)
    added = work.added
    if settings.json:
        files = [{"file": each.name, "runs": each.runs, "events": each.events} for each in added]
        screen.document({"dir": output, "files": files, "kept_from": work.kept_from()})
        return DONE
    screen.page(_page(output, added, work.kept_from()))
    return DONE


class _Archiving:
    """One pass over all runs."""

    def __init__(self, store: Store, folder: ArchiveFolder, before: datetime) -> None:
        self.added: list[Archived] = []
        self._store = store
        self._folder = folder
        self._before = before
        self._firsts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    async def run(self, screen: Screen) -> None:
        """Fill one file after the other."""
        with ExitStack() as unfinished, progress(screen, "archiving", None) as told:
            file: ArchiveFile | None = None
            async for position, values in self._runs(told):
                file = file or unfinished.enter_context(self._folder.writing())
                places = self._store.places(position.run_id, len(values))
                file.add(position.run_id, values, places)
                if file.is_full:
                    self._place(file, unfinished)
                    file = None
            if file is not None:
                self._place(file, unfinished)

    async def _runs(self, told: Callable[[int], None]) -> AsyncIterator[_Loaded]:
        """What is to be archived, in the order of the log."""
        async for piece in self._store.positions():
            for some in portions(self._wanted(piece)):
                for each in await self._loaded(some):
                    yield each
            told(len(piece))

    def kept_from(self) -> dict[str, int]:
        """By partition, the offset before which the archive has every event."""
        return {
            str(partition): self._firsts.get(partition, end)
            for partition, end in sorted(self._ends.items())
        }

    def _place(self, file: ArchiveFile, unfinished: ExitStack) -> None:
        self.added.append(self._folder.place(file))
        unfinished.close()

    def _wanted(self, piece: Sequence[RunPosition]) -> list[RunPosition]:
        """Ended runs of which the archive lacks something."""
        wanted: list[RunPosition] = []
        for position in piece:
            if self._folder.has(position.run_id, position.head):
                self._note(position, archived=True)
            elif position.status in _ENDED:
                wanted.append(position)
            else:
                self._note(position, archived=False)
        return wanted

    async def _loaded(self, some: Sequence[RunPosition]) -> list[_Loaded]:
        """Those whose last event is old enough: a refusal may come long after the end."""
        loaded = await self._store.log.load([position.run_id for position in some])
        found: list[_Loaded] = []
        for position in some:
            values = loaded[position.run_id]
            old = self._store.codec.decode(values[-1]).recorded_at < self._before
            self._note(position, archived=old)
            found += [(position, values)] if old else []
        return found

    def _note(self, position: RunPosition, *, archived: bool) -> None:
        """What the topic must keep: from the first event on of a run that is not archived."""
        places = self._store.places(position.run_id, position.seq)
        partition, first = places[0]
        last = places[-1][1]
        if partition is None or first is None or last is None:
            return
        self._ends[partition] = max(self._ends.get(partition, 0), last + 1)
        if not archived:
            self._firsts[partition] = min(self._firsts.get(partition, first), first)


def _unsound(screen: Screen, settings: Settings, error: CorruptLog) -> int:
    """A log or an archive that is damaged: nothing more was added to it."""
    problem = Problem(run_id=None, seq=None, problem=f"{error.where}: {error.problem}")
    report = VerifyReport(runs=0, events=0, errors=(problem,))
    if settings.json:
        screen.document(report.to_json())
    else:
        screen.page(problems_page(report.errors))
    return noted(screen, report, as_json=settings.json)


def _page(output: str, added: Sequence[Archived], kept_from: dict[str, int]) -> list[Line]:
    runs, events = sum(each.runs for each in added), sum(each.events for each in added)
    files = counted(len(added), "new file")
    said = f"{counted(runs, 'run')}, {counted(events, 'event')} in {files} of {quoted(output)}"
    page: list[Line] = [[("archived", "bold green"), f"  {said}"]]
    page += [[f"  {each.name}  {counted(each.runs, 'run')}"] for each in added]
    page += [
        [f"  partition {partition}: archived up to offset {offset} (not included)"]
        for partition, offset in kept_from.items()
    ]
    return page
