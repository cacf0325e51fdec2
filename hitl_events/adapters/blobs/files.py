"""Blobs as files, `ab/abcd...` by the SHA-256 of their content, in a folder that many may share.

A file gets its name once its content is on disk, so one that has its name is whole, whenever the
process or the machine stops. What is left of a write that was cut short has no such name.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from hitl_events.adapters.directory import to_disk
from hitl_events.adapters.trouble import DATA, unavailable
from hitl_events.domain.references import Reference
from hitl_events.errors import InvalidInput, LogUnavailable

_SHARD_CHARS = 2
"""256 folders: of a million blobs each has 4,000."""
_RANDOM_BYTES = 8


class FileBlobs:
    """The `Blobs` of a folder, which is made at the first `put`.

    `elsewhere` is told where the folder can not be used: how another is named.
    """

    def __init__(self, folder: Path, elsewhere: str = DATA) -> None:
        self.folder = folder
        self._elsewhere = elsewhere
        self._made: set[Path] = set()

    @classmethod
    def shared(cls, folder: Path) -> FileBlobs:
        """Those of a cluster, in the folder that HITL_BLOBS names."""
        return cls(folder, "see that it is mounted, or name another folder in HITL_BLOBS")

    async def put(self, reference: Reference, data: bytes) -> None:
        self.write(reference, data)

    async def get(self, reference: Reference) -> bytes | None:
        return self.read(reference)

    def write(self, reference: Reference, data: bytes) -> None:
        """As `put`, without an event loop."""
        if not reference.fits(data):
            wanted = f"{reference.size} bytes of the SHA-256 {reference.digest.hex()}"
            raise InvalidInput(f"expected {wanted}, found others ({len(data)} bytes)")
        path = self.path_of(reference)
        try:
            self._make(path.parent)
            if self.read(reference) != data:  # not there, or changed since
                _place(path, data)
            # Also where it was there: whoever wrote it may have died right before this.
            to_disk(path.parent)
        except OSError as error:
            self._made.clear()
            raise unavailable(path, error, self._elsewhere) from error

    def read(self, reference: Reference) -> bytes | None:
        """As `get`, without an event loop. What can not be read is nothing, as far as it goes."""
        try:
            with open(self.path_of(reference), "rb", opener=_opened) as file:
                return file.read(reference.size + 1)
        except OSError as error:
            if not self.folder.parent.is_dir():
                raise unavailable(self.folder, error, self._elsewhere) from error
            return None

    def path_of(self, reference: Reference) -> Path:
        """Where the blob stands, if it does."""
        name = reference.digest.hex()
        return self.folder / name[:_SHARD_CHARS] / name

    def check(self) -> None:
        """`LogUnavailable` unless the folder is there and can be written."""
        try:
            self._make(self.folder)
            probe = self.folder / f".{secrets.token_hex(_RANDOM_BYTES)}.new"
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            probe.unlink()
        except OSError as error:
            raise unavailable(self.folder, error, self._elsewhere) from error

    def _make(self, folder: Path) -> None:
        """The folder, and its name on disk: also of one that a process made which was killed."""
        if folder in self._made:
            return
        if folder != self.folder:
            self._make(self.folder)
        elif not folder.parent.is_dir():
            raise LogUnavailable(f"expected the folder {folder.parent}, found none: is it mounted?")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        to_disk(folder.parent)
        self._made.add(folder)


def _opened(path: str, flags: int) -> int:
    """Nobody waits for whoever writes into a pipe that stands in the place of a blob."""
    return os.open(path, flags | os.O_NONBLOCK)


def _place(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.{secrets.token_hex(_RANDOM_BYTES)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    finally:
        with suppress(OSError):
            new.unlink()
