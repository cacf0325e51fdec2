"""Files that a command writes: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeAlias, TypeVar

from hitl_events.errors import HitlError, InvalidInput
from hitl_services.text import quoted

Write: TypeAlias = Callable[[bytes], object]
_T = TypeVar("_T")


def written(output: str, fill: Callable[[Write], _T], *, force: bool) -> _T:
    """What `fill` gives once all that it wrote is in the file and on disk.

    Until then it is written beside it; `force` replaces a file that is there.
    """
    path = Path(output)
    if path.exists() and not force:
        raise InvalidInput(f"expected a new file, found {quoted(output)}; replace it with --force")
    try:
        return _beside(path, fill)
    except OSError as error:
        message = f"expected to write the file {quoted(output)}, found: {error.strerror}"
        raise HitlError(f"{message}; nothing of it was kept") from None


def _beside(path: Path, fill: Callable[[Write], _T]) -> _T:
    folder = path.absolute().parent
    with (
        tempfile.NamedTemporaryFile(dir=folder, prefix=path.name, delete=False) as new,
        ExitStack() as undo,
    ):
        undo.callback(Path(new.name).unlink, missing_ok=True)
        given = fill(new.write)
        _to_disk(new.file)
        Path(new.name).replace(path)
        undo.pop_all()
    return given


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
