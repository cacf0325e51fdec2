"""Checkpoints and their keys as files: reading what is signed, making and reading keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hitl_events.adapters.signing import SigningKey, is_signed, public_key
from hitl_events.audit.checkpoint import LINE_BYTES_MAX, CheckpointCheck, Statement
from hitl_events.audit.merkle import Head
from hitl_events.domain.values import value
from hitl_events.errors import HitlError, InvalidInput, UnsoundCheckpoint
from hitl_services.text import quoted

_PEM_BYTES_MAX = 64 * 1024
"""Of a key file: an Ed25519 key has 120."""


@value
class CheckpointFile:
    """Where a checkpoint is, and who must have signed it (None: anybody, which is then told)."""

    name: str
    key: bytes | None = None

    def statement(self) -> Statement:
        """What was signed; `UnsoundCheckpoint` if anything in the file is not as it was."""
        _, statement = self._read(lambda _: False)
        return statement

    def heads(self, wanted: Callable[[str], bool]) -> dict[str, Head]:
        """The heads of the wanted runs, once all of the file is found sound."""
        heads, _ = self._read(wanted)
        return heads

    def _read(self, wanted: Callable[[str], bool]) -> tuple[dict[str, Head], Statement]:
        check = CheckpointCheck(is_signed, key=self.key)
        heads: dict[str, Head] = {}
        try:
            for line in _lines(self.name):
                head = check.add(line)
                if head is not None and wanted(head.run_id):
                    heads[head.run_id] = head
            return heads, check.finish()
        except UnsoundCheckpoint as error:
            raise UnsoundCheckpoint(f"the checkpoint {quoted(self.name)}, {error}") from None


def named(against: str | None, key: str | None) -> CheckpointFile | None:
    """The checkpoint of the options `--against` and `--key`, None where there is none."""
    if against is None:
        if key is not None:
            raise InvalidInput("expected --against CHECKPOINT beside --key, found none")
        return None
    return CheckpointFile(name=against, key=None if key is None else read_public_key(key))


def _lines(name: str) -> Iterator[bytes]:
    try:
        with Path(name).open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                yield line
    except (OSError, ValueError) as error:
        raise _unreadable("a checkpoint", name, error) from None


def read_signing_key(name: str) -> SigningKey:
    """The private key in a file."""
    return SigningKey.of_pem(_pem(name, "a private key"), f"the file {quoted(name)}")


def read_public_key(name: str) -> bytes:
    """The public key in a file."""
    return public_key(_pem(name, "a public key"), f"the file {quoted(name)}")


def make_key(name: str) -> SigningKey:
    """A new key: the private half in the file, mode 0600, the public one in `FILE.pub`.

    Never overwrites either. The public half is written first: a private key that is there is whole
    and has its public one beside it.
    """
    for path in (name, f"{name}.pub"):
        if os.path.lexists(path):
            message = f"expected a new file for the key, found {quoted(path)}"
            raise InvalidInput(f"{message}; a key is never overwritten: name another file")
    key = SigningKey.new()
    _placed(f"{name}.pub", key.public_pem(), 0o644)
    _placed(name, key.pem(), 0o600)
    return key


def _placed(name: str, data: bytes, mode: int) -> None:
    """The file whole and on disk, or not at all."""
    new = f"{name}.new-{os.getpid()}"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(new, name)  # unlike a rename it never replaces
    except OSError as error:
        message = f"expected to write the key {quoted(name)}, found: {error.strerror}"
        raise HitlError(message) from None
    finally:
        with suppress(OSError):
            Path(new).unlink()


def _pem(name: str, what: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(_PEM_BYTES_MAX)
    except (OSError, ValueError) as error:
        raise _unreadable(what, name, error) from None


def _unreadable(what: str, name: str, error: Exception) -> InvalidInput:
    problem = getattr(error, "strerror", None) or str(error)
    return InvalidInput(f"expected {what} in the file {quoted(name)}, found: {problem}")
