"""A folder of archived runs: files that are whole, checked, and named by the root over their runs.

A file is written under another name, brought to disk, read back and verified; only then it gets its
name. So whatever a killed process leaves is no file of the archive, and the next one removes it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import zstandard

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.directory import to_disk
from hitl_events.adapters.lock import exclusive
from hitl_events.adapters.temporary import TemporaryTables
from hitl_events.audit.blobs import BlobLines
from hitl_events.audit.export import END_TYPE, End, export_line, spelt
from hitl_events.audit.merkle import Head, root_of
from hitl_events.domain import canonical
from hitl_events.domain.references import Read
from hitl_events.domain.values import digest, value
from hitl_events.errors import CorruptLog, HitlError
from hitl_services.cli.export_files import ARCHIVE_ENDING, FileShare, lines_of, root_in_name
from hitl_services.cli.shares import summed
from hitl_services.cli.store import Place
from hitl_services.text import quoted

FILE_EVENTS_MAX = 200_000
FILE_BYTES_MAX = 256 * 1024 * 1024
"""Of a file before it is compressed, from which on it takes no further run; no run is parted. It is
read back in some seconds, and its last line, with the heads of all its runs, has some 4 MB."""
_LEVEL = 9
"""Of zstd: a file is written once and kept for years. 20 MB/s, as fast as lines are made."""
_UNFINISHED = ".unfinished"


_KNOWN = "CREATE TABLE known (run_id TEXT, head BLOB, PRIMARY KEY (run_id, head)) WITHOUT ROWID"


@value
class Archived:
    """A file that was added."""

    name: str
    runs: int
    events: int


class ArchiveFolder:
    """One folder, made if it is not there, for one process at a time."""

    def __init__(self, path: Path, read: Read | None) -> None:
        self.path = path
        self._read = read
        self._known = TemporaryTables(_KNOWN)

    @classmethod
    @contextmanager
    def opened(cls, name: str, read: Read | None) -> Generator[ArchiveFolder]:
        """With what is in it already; what a killed process left half done is removed.

        `read` gives the blobs of the runs that are archived; None: there is no blob store.
        """
        folder = cls(Path(name), read)
        try:
            with closing(folder._known):
                folder.path.mkdir(parents=True, exist_ok=True)
                with exclusive(folder.path):
                    folder._take_stock()
                    yield folder
        except OSError as error:
            message = f"expected to write into the archive {quoted(name)}, found: {error.strerror}"
            raise HitlError(f"{message}; the files that have their names are whole") from None

    def has(self, run_id: str, head: bytes) -> bool:
        """Whether a file holds this run up to this event."""
        row = (run_id, head)
        found = self._known.rows("SELECT 1 FROM known WHERE run_id = ? AND head = ?", row)
        return next(found, None) is not None

    def _take_stock(self) -> None:
        for path in self.path.glob(f"*{_UNFINISHED}"):
            path.unlink()
        for path in sorted(self.path.iterdir()):
            if root_in_name(path.name) is not None:
                self._know_file(path)

    def _know(self, heads: Sequence[tuple[str, bytes]]) -> None:
        self._known.add("INSERT OR IGNORE INTO known VALUES (?, ?)", heads)

    def _know_file(self, path: Path) -> None:
        """By its last line; all of it is unpacked, so that damage shows."""
        last = b""
        for line in lines_of(str(path)):
            last = line
        try:
            held = canonical.loads(last)
            if held["type"] != END_TYPE:
                raise ValueError(held["type"])
            self._know([(run_id, bytes.fromhex(head)) for run_id, head in held["heads"].items()])
        except (ValueError, TypeError, KeyError, AttributeError):
            where = f"the file {quoted(path.name, 80)}"
            raise CorruptLog(where, "expected the End line last, found none") from None

    @contextmanager
    def writing(self) -> Generator[ArchiveFile]:
        """A new file, that is nothing until it is `placed`."""
        path = self.path / f"{os.getpid()}{_UNFINISHED}"
        try:
            with path.open("wb") as file:
                yield ArchiveFile(file, self._read)
        finally:
            path.unlink(missing_ok=True)

    def place(self, new: ArchiveFile) -> Archived:
        """Give the file its name, once it is on disk and was read back."""
        path = self.path / f"{os.getpid()}{_UNFINISHED}"
        root = new.finish()
        _check(path, new.heads, root)
        name = f"{root.hex()}{ARCHIVE_ENDING}"
        path.rename(self.path / name)
        to_disk(self.path)
        self._know([(head.run_id, head.digest) for head in new.heads])
        return Archived(name=name, runs=len(new.heads), events=new.events)


class ArchiveFile:
    """A file while it is written: the lines of an export, blobs included, compressed."""

    def __init__(self, file: BinaryIO, read: Read | None) -> None:
        self.heads: list[Head] = []
        self.events = 0
        self._bytes = 0
        self._codec = AvroCodec()
        self._blobs = BlobLines(self._codec, read)
        self._end = End()
        self._file = file
        packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._packed = packer.stream_writer(file, closefd=False)

    @property
    def is_full(self) -> bool:
        """Whether the next run belongs into another file."""
        return self.events >= FILE_EVENTS_MAX or self._bytes >= FILE_BYTES_MAX

    def add(self, run_id: str, values: Sequence[bytes], places: Sequence[Place]) -> None:
        """All events of one more run."""
        for held, (partition, offset) in zip(values, places, strict=True):
            self._write(self._blobs.before(held))
            self._write_line(export_line(held, self._codec, partition=partition, offset=offset))
            self._end.add(run_id, held, partition=partition, offset=offset)
        self.events += len(values)
        self.heads.append(Head(run_id=run_id, seq=len(values), digest=digest(values[-1])))

    def finish(self) -> bytes:
        """Bring all of it to disk; the root over its runs."""
        self._write_line(self._end.to_json())
        self._packed.flush(zstandard.FLUSH_FRAME)
        self._file.flush()
        os.fsync(self._file.fileno())
        return root_of(self.heads)

    def _write_line(self, line: dict[str, object]) -> None:
        self._write(spelt(line) + b"\n")

    def _write(self, spelling: bytes) -> None:
        self._bytes += len(spelling)
        self._packed.write(spelling)


def _check(path: Path, heads: Sequence[Head], root: bytes) -> None:
    """Read it back as anybody would."""
    (found,) = FileShare(names=(str(path),), root=root)(lambda _: None)
    report = summed([found]).report
    if report.errors or report.runs != len(heads):
        first = report.errors[0].problem if report.errors else f"{report.runs} runs"
        where = report.errors[0].run_id if report.errors else None
        about = f"run {where!r}: " if where else ""
        message = f"expected {len(heads)} sound runs to archive, found: {about}{first}"
        raise CorruptLog(f"the archive {quoted(str(path.parent))}", message)
