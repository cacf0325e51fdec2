"""What an export is written as: lines, a table, or one page. Runs come one after the other.

Nothing is kept of a run that is written: what has to stand at another place than where it becomes
known (heads at the end, an index at the top) waits in a temporary file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Protocol

from hitl_events.audit.blobs import BlobLines
from hitl_events.audit.export import EndLine
from hitl_events.audit.lines import LineWriter
from hitl_events.domain.values import RunId
from hitl_events.projections.selection import Selection, selected
from hitl_services.cli.files import Write
from hitl_services.cli.store import Place, Store, start_of
from hitl_services.reports.csv_sheet import Csv
from hitl_services.reports.markup import page_foot, page_head, table_head
from hitl_services.reports.run_page import INDEX, ExportedRun, index_row, run_section
from hitl_services.reports.sheet import Tally
from hitl_services.text import counted

FORMATS = ("jsonl", "csv", "html")
_IN_MEMORY_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024


class Exported(Protocol):
    """One format; `add` for each run, then `end`."""

    @property
    def lacking(self) -> int:
        """How many blobs belong into it and are missing or were changed."""
        ...

    def add(self, run_id: RunId, values: Sequence[bytes], places: Sequence[Place]) -> None:
        """The next run."""
        ...

    def end(self) -> None:
        """There are no more."""
        ...


class Lines:
    """jsonl: each event a line, and the End line."""

    def __init__(self, store: Store, write: Write, undo: ExitStack) -> None:
        self._writer = LineWriter(store.codec)
        self._blobs = BlobLines(store.codec, store.read_blob)
        self._write = write
        self._heads = _spool(undo)
        self._end = EndLine(self._heads.write)

    def add(self, run_id: RunId, values: Sequence[bytes], places: Sequence[Place]) -> None:
        """Its lines, in pieces."""
        line, write, places_of = self._writer.line, self._write, places
        held: list[bytes] = []
        size = 0
        for value, (partition, offset) in zip(values, places_of, strict=True):
            held.append(self._blobs.before(value) + line(value, partition, offset))
            size += len(held[-1])
            if size > _PIECE_BYTES:
                write(b"".join(held))
                held.clear()
                size = 0
        write(b"".join(held))
        self._end.add(run_id, values, places)

    @property
    def lacking(self) -> int:
        """Blobs without their line."""
        return self._blobs.lacking

    def end(self) -> None:
        """The End line."""
        opening, closing = self._end.around()
        self._write(opening)
        _copy(self._heads, self._write)
        self._write(closing + b"\n")


class Table:
    """csv: what `hitl audit` lists of these runs, a line each."""

    lacking = 0

    def __init__(self, store: Store, write: Write, undo: ExitStack) -> None:
        self._store = store
        self._write = write
        self._sheet = Csv()
        self._write(self._sheet.head().encode())

    def add(self, run_id: RunId, values: Sequence[bytes], places: Sequence[Place]) -> None:
        """Its decisions and attempts."""
        for decided in selected(self._store.decoded(values), Selection()):
            for text in self._sheet.lines(decided):
                self._write(text.encode())

    def end(self) -> None:
        """Nothing comes after them."""
        self._write(self._sheet.foot(Tally()).encode())


class Page:
    """html: one page, with an index where there are several runs; `ascii_only` as references."""

    lacking = 0

    def __init__(
        self, store: Store, write: Write, undo: ExitStack, *, ascii_only: bool = False
    ) -> None:
        self._store = store
        self._write = write
        self._encoding = "ascii" if ascii_only else "utf-8"
        self._index = _spool(undo)
        self._sections = _spool(undo)
        self._title = "No runs"
        self._runs = self._events = 0

    def add(self, run_id: RunId, values: Sequence[bytes], places: Sequence[Place]) -> None:
        """Its row and its section."""
        events = self._store.decoded(values)
        run = ExportedRun(started=start_of(events), events=events, values=values, places=places)
        self._runs += 1
        self._events += len(events)
        self._title = f"Run {run_id}" if self._runs == 1 else counted(self._runs, "run")
        self._index.write(self._encoded(index_row(run)))
        for markup in run_section(run):
            self._sections.write(self._encoded(markup))

    def end(self) -> None:
        """The page, now that all of it is known."""
        write = self._write
        write(self._encoded(page_head(self._title)))
        counts = f"{counted(self._runs, 'run')}, {counted(self._events, 'event')}"
        write(self._encoded(f'<p class="dim">{counts}, from the events alone.</p>\n'))
        if self._runs > 1:
            write(self._encoded(table_head(INDEX, ' class="rows"') + "<tbody>\n"))
            _copy(self._index, write)
            write(self._encoded("</tbody>\n</table>\n"))
        _copy(self._sections, write)
        write(self._encoded(page_foot()))

    def _encoded(self, markup: str) -> bytes:
        return markup.encode(self._encoding, "xmlcharrefreplace")


def exported(
    form: str, store: Store, write: Write, undo: ExitStack, *, ascii_only: bool
) -> Exported:
    """The format of that name; what it needs is given back by `undo`."""
    match form:
        case "csv":
            return Table(store, write, undo)
        case "html":
            return Page(store, write, undo, ascii_only=ascii_only)
        case _:
            return Lines(store, write, undo)


def _spool(undo: ExitStack) -> IO[bytes]:
    return undo.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+b"))


def _copy(spool: IO[bytes], write: Callable[[bytes], object]) -> None:
    spool.seek(0)
    for piece in _pieces(spool):
        write(piece)


def _pieces(spool: IO[bytes]) -> Iterator[bytes]:
    while piece := spool.read(_PIECE_BYTES):
        yield piece
