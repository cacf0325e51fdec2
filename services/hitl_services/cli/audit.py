"""`hitl audit`: the decisions of a period and what was refused beside them, from events alone.

One run is held at a time: its events are folded, its entries written, and it is forgotten. The log
gives runs in pieces (or spills them to a temporary file, on a cluster), and a list for `--json` is
spilled likewise: so the length of a report does not count in memory, the longest run does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_events.projections.selection import Decided, Selection, selected
from hitl_services.cli.decided_page import DecidedPage
from hitl_services.cli.files import Write, written
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, start_of
from hitl_services.failure import DONE
from hitl_services.moments import moment
from hitl_services.reports.csv_sheet import Csv
from hitl_services.reports.html_sheet import HtmlPage
from hitl_services.reports.json_sheet import JsonLines, JsonList
from hitl_services.reports.sheet import Sheet, Tally
from hitl_services.text import quoted

FORMATS = ("table", "csv", "jsonl", "html")
_IN_MEMORY_BYTES = 1024 * 1024
"""Of a list for `--json`: more goes to a temporary file."""
_PIECE_CHARS = 64 * 1024


@value
class Asked:
    """The filters as they were typed."""

    recipe: str | None = None
    gate: str | None = None
    decider: str | None = None
    verdict: str | None = None
    since: str | None = None
    until: str | None = None

    def selection(self, now: datetime) -> Selection:
        """What they choose; `InvalidInput` names the one that can choose nothing."""
        for name in ("recipe", "gate", "decider", "verdict"):
            if getattr(self, name) == "":
                raise InvalidInput(f"expected a name as --{name}, found an empty one")
        since = None if self.since is None else moment(self.since, "--since", now=now)
        until = None if self.until is None else moment(self.until, "--until", now=now, last=True)
        if since is not None and until is not None and since >= until:
            wanted = "expected a time in --since before that in --until"
            raise InvalidInput(
                f"{wanted}, found {quoted(self.since or '')} and {quoted(self.until or '')}"
            )
        return Selection(
            recipe=self.recipe,
            gate=self.gate,
            decider=self.decider,
            verdict=self.verdict,
            since=since,
            until=until,
        )


def to_screen(screen: Screen, settings: Settings, asked: Asked, form: str | None) -> int:
    """Print the report; `form` is None where no format was asked for."""
    wanted = asked.selection(SystemClock().now())
    if settings.json and form is not None:
        raise InvalidInput(f"expected --json or --format {form} on stdout, found both; add -o FILE")
    if settings.json:
        return _document(screen, settings, wanted)
    if form in {None, "table"}:
        return _table(screen, settings, wanted)
    sheet = _sheet(form or "", wanted, screen.width, ascii_only=screen.ascii_only)
    with suppress(BrokenPipeError):
        _filled(screen, settings, wanted, sheet, lambda text: _put(screen, text))
    return DONE


def to_file(
    screen: Screen, settings: Settings, asked: Asked, form: str | None, place: tuple[str, bool]
) -> int:
    """Write the report whole or not at all; `place` is the file and whether it may be replaced.

    Without a format the ending of the file's name says it.
    """
    wanted = asked.selection(SystemClock().now())
    output, force = place
    ending = Path(output).suffix.removeprefix(".")
    sheet = _sheet(form or ending, wanted, screen.width)

    def fill(write: Write) -> Tally:
        return _filled(screen, settings, wanted, sheet, lambda text: write(text.encode()))

    tally = written(output, fill, force=force)
    if settings.json:
        found = {"decisions": tally.decisions, "attempts": tally.attempts}
        screen.document({"file": output} | found)
    else:
        screen.page([[("written", "bold green"), f"  {tally} in {quoted(output)}"]])
    return DONE


def _sheet(form: str, wanted: Selection, width: int, *, ascii_only: bool = False) -> Sheet:
    match form:
        case "csv":
            return Csv()
        case "jsonl":
            return JsonLines(ascii_only=ascii_only)
        case "html":
            return HtmlPage(wanted, ascii_only=ascii_only)
        case _:
            return DecidedPage(width)


def _put(screen: Screen, text: str) -> None:
    screen.write(text)
    if screen.gone:
        raise BrokenPipeError


def _document(screen: Screen, settings: Settings, wanted: Selection) -> int:
    """The list, once all of it is there: whoever reads it must not get a part and an error."""
    sheet = JsonList(ascii_only=screen.ascii_only)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8") as spilled:
        _filled(screen, settings, wanted, sheet, spilled.write)
        spilled.seek(0)
        for piece in _pieces(spilled):
            screen.write(piece)
    return DONE


def _pieces(file: IO[str]) -> Iterator[str]:
    while piece := file.read(_PIECE_CHARS):
        yield piece


def _table(screen: Screen, settings: Settings, wanted: Selection) -> int:
    page = DecidedPage(screen.width)

    def show(lines: Iterable[Line]) -> None:
        screen.page(lines)
        if screen.gone:
            raise BrokenPipeError

    with _reading(screen, settings) as store, suppress(BrokenPipeError):
        # a bar would be drawn into the table
        bar = progress(screen, "reading runs", None) if not screen.is_terminal else nullcontext(_no)
        with bar as told:
            tally = interruptible(through(store, wanted, told, lambda one: show(page.block(one))))
        show(page.end(tally))
    return DONE


def _filled(
    screen: Screen,
    settings: Settings,
    wanted: Selection,
    sheet: Sheet,
    write: Callable[[str], object],
) -> Tally:
    def take(decided: Decided) -> None:
        for text in sheet.lines(decided):
            write(text)

    with _reading(screen, settings) as store, progress(screen, "reading runs", None) as told:
        write(sheet.head())
        tally = interruptible(through(store, wanted, told, take))
        write(sheet.foot(tally))
    return tally


@contextmanager
def _reading(screen: Screen, settings: Settings) -> Generator[Store]:
    """One moment of the log; where there is none, that is an error and no empty report."""
    with opened(screen, settings, must_exist=True) as store, store.log.snapshot():
        yield store


async def through(
    store: Store,
    wanted: Selection,
    told: Callable[[int], None],
    take: Callable[[Decided], None],
) -> Tally:
    """Give the rounds of all runs, those of a run together, runs in the order of their start."""
    tally = Tally()
    async for _, values in store.histories():
        for decided in _of_run(store, values, wanted):
            take(decided)
            tally = tally.plus(decided)
        told(1)
    return tally


def _no(_: int) -> None:
    """No bar."""


def _of_run(store: Store, values: Sequence[bytes], wanted: Selection) -> Sequence[Decided]:
    started = start_of(store.decoded(values[:1]))
    if not wanted.may_have(started):
        return ()
    if wanted.since is not None and store.codec.decode(values[-1]).recorded_at < wanted.since:
        return ()
    return selected(store.decoded(values), wanted)
