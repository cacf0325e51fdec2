"""The data directory of the embedded set-up: what lies where, and the token key made once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from hitl_events.adapters.lock import exclusive
from hitl_events.adapters.trouble import OUT_OF_DESCRIPTORS, unavailable
from hitl_events.domain.token import KEY_BYTES_MIN
from hitl_events.errors import InvalidInput, UnreadableKey

_KEY_RANDOM_BYTES = 32
_KEY_FILE_BYTES_MAX = 64 * 1024


class DataDirectory:
    """A folder, mode 0700, with one log (`log.db`), its `owner.lock`, `token.key` and `blobs`."""

    def __init__(self, path: Path | str) -> None:
        if not str(path) or "\0" in str(path) or not _is_name(path):
            raise InvalidInput(f"expected the path of a data directory, found {str(path)!r}")
        self.path = Path(path)
        self.log_path = self.path / "log.db"
        self.lock_path = self.path / "owner.lock"
        self.key_path = self.path / "token.key"
        self.blobs_path = self.path / "blobs"

    def make(self) -> None:
        """Create it if it is not there; `LogUnavailable` says why that cannot be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(self.path, error) from error

    def has_log(self) -> bool:
        """Whether a log was ever made here; creates nothing."""
        try:
            if self.path.exists() and not self.path.is_dir():
                raise unavailable(self.path, NotADirectoryError(20, "Not a directory"))
            return self.log_path.exists()
        except OSError as error:
            raise unavailable(self.path, error) from error

    def is_unmade_log(self, name: str) -> bool:
        """Whether it names what a killed process left of a log in the making, with no event in it.

        Whoever makes the log next begins anew.
        """
        new = _new(self.log_path).name
        return name in {f"{new}{suffix}" for suffix in ("", "-journal", "-wal", "-shm")}

    def token_key(self) -> bytes:
        """The key of this directory's tokens, made once: of racing processes one makes it."""
        key = self.existing_token_key()
        if key is not None:
            return key
        self.make()
        with exclusive(self.path):
            key = self.existing_token_key()
            if key is None:
                key = secrets.token_urlsafe(_KEY_RANDOM_BYTES).encode()
                with self.placed(self.key_path) as new:
                    new.write_bytes(key + b"\n")
        return key

    def existing_token_key(self) -> bytes | None:
        """The key if there is one; creates nothing, for those who only read."""
        try:
            with self.key_path.open("rb") as file:
                text = file.read(_KEY_FILE_BYTES_MAX).strip()
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise unavailable(self.path, error) from error
        except OSError as error:
            if error.errno in OUT_OF_DESCRIPTORS:
                raise unavailable(self.key_path, error) from error
            message = f"expected a readable token key, found {self.key_path}: {error.strerror}"
            raise UnreadableKey(f"{message}; give it back its owner and mode 0600") from error
        if len(text) < KEY_BYTES_MIN:
            message = f"expected a token key of at least {KEY_BYTES_MIN} bytes in {self.key_path}"
            advice = "restore it (a new key would void all open tokens)"
            raise InvalidInput(f"{message}, found {len(text)}: {advice}")
        return text

    @contextmanager
    def placed(self, path: Path) -> Generator[Path, None, None]:
        """A fresh file, mode 0600, to fill: it stands at `path` whole and on disk, or not at all.

        The caller holds the lock of the directory; what a killed process left is overwritten.
        """
        new = _new(path)
        try:
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            yield new
            to_disk(new)
            new.rename(path)
            to_disk(self.path)
        except OSError as error:
            raise unavailable(path, error) from error
        finally:
            with suppress(OSError):
                new.unlink()


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _is_name(path: Path | str) -> bool:
    """Whether the file system can be asked for it: a lone surrogate stands for no byte."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def to_disk(path: Path) -> None:
    """Force the file, or the names in the folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
