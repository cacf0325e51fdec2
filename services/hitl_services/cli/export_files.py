"""Exported files as they lie on disk: plain or compressed (zstandard, as archives are, or gzip)."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from hitl_events.adapters.avro import AvroCodec
from hitl_events.audit.imported import FileCheck
from hitl_events.audit.merkle import root_of
from hitl_events.domain.values import value
from hitl_events.errors import CorruptLog, LogUnavailable
from hitl_services.cli.checkpoint_files import CheckpointFile
from hitl_services.cli.shares import PlacedProblems, ShareReport, Tally, share_report
from hitl_services.cli.workers import Tell
from hitl_services.text import quoted

ARCHIVE_ENDING = ".jsonl.zst"
_NAMED_BY_ROOT = re.compile(rf"([0-9a-f]{{64}}){re.escape(ARCHIVE_ENDING)}")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"
_READ_BYTES = 128 * 1024
_WINDOW_BYTES_MAX = 128 * 1024 * 1024
"""What a foreign file may make us hold to decompress it; ours need 8 MiB."""


def lines_of(name: str) -> Iterator[bytes]:
    """The lines of a file, compressed or not, which its first bytes tell.

    `LogUnavailable` says why it can not be read, `CorruptLog` that its compression is damaged.
    """
    try:
        with Path(name).open("rb") as file:
            begins = file.peek(len(_ZSTD_MAGIC))  # a pipe can not be read again
            if begins.startswith(_ZSTD_MAGIC):
                yield from _unpacked(file, name)
            elif begins.startswith(_GZIP_MAGIC):
                yield from _gunzipped(file, name)
            else:
                yield from file
    except OSError as error:
        message = f"expected to read the file {quoted(name)}, found: {error.strerror}"
        raise LogUnavailable(message) from None


def root_in_name(name: str) -> bytes | None:
    """The root by which a file of an archive is named; None for any other file."""
    found = _NAMED_BY_ROOT.fullmatch(Path(name).name)
    return bytes.fromhex(found[1]) if found else None


@value
class FileShare:
    """Some exported files, one after the other."""

    names: tuple[str, ...]
    against: CheckpointFile | None = None
    only: frozenset[str] = frozenset()
    """Of the checkpoint; all of it if empty."""
    root: bytes | None = None
    """That the runs of each file must come to; None: that in its name, if there is one."""

    def __call__(self, tell: Tell) -> list[ShareReport]:
        """What is found in each of them."""
        return [self._file(name, tell) for name in self.names]

    def _file(self, name: str, tell: Tell) -> ShareReport:
        expected = self.against.heads(self._wanted) if self.against else {}
        problems = PlacedProblems()
        check = FileCheck(AvroCodec(), problems, expected=expected)
        tally = Tally(tell)
        try:
            for line in lines_of(name):
                check.add(line)
                tally.add(1)
            check.finish()
        except CorruptLog as error:
            problems.add(None, None, f"{error.where}: {error.problem}")
        root = self.root or root_in_name(name)
        if root is not None and not problems and root_of(check.chains.heads()) != root:
            wanted = f"expected runs under the root by which the file is named, {root.hex()}"
            problems.add(None, None, f"{wanted}, found others: runs were removed, added or changed")
        tally.flush()
        return share_report(check.chains, problems)

    def _wanted(self, run_id: str) -> bool:
        return not self.only or run_id in self.only


def _unpacked(file: BinaryIO, name: str) -> Iterator[bytes]:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    try:
        with unpacker.stream_reader(file, read_across_frames=True, closefd=False) as plain:
            yield from _lines(lambda: plain.read(_READ_BYTES))
    except zstandard.ZstdError as error:
        raise _damaged(name, error) from None


def _gunzipped(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=file) as plain:
            yield from _lines(lambda: plain.read(_READ_BYTES))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(name, error) from None


def _damaged(name: str, error: Exception) -> CorruptLog:
    problem = f"expected a sound compressed file, found: {error}"
    return CorruptLog(f"the file {quoted(Path(name).name, 80)}", problem)


def _lines(read: Callable[[], bytes]) -> Iterator[bytes]:
    """The lines of what is read piece by piece."""
    begun = b""
    while some := read():
        *lines, begun = (begun + some).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if begun:
        yield begun
