"""The console script `hitl`: from a command line to an exit code. No traceback gets past it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hitl_events.errors import HitlError

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.failure import Failure

_LINGER_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the line asks for and return the exit code."""
    try:
        code = run_line(sys.argv[1:] if arguments is None else arguments)
        _leave(code)
        return code
    except KeyboardInterrupt:  # in the moment of the imports, or once more at the end
        sys.stderr.write("hitl: interrupted\n")
        sys.stderr.flush()
        os._exit(130)


def run_line(arguments: Sequence[str]) -> int:
    """The exit code of a line; its output is out."""
    from hitl_services.cli.screen import Screen

    screen = Screen()
    code = _guarded(screen, arguments)
    try:
        screen.flush()
    except HitlError as error:  # a full disk behind stdout shows itself here
        screen.note(f"hitl: {error}")
        return code or 1
    return code


def _guarded(screen: Screen, arguments: Sequence[str]) -> int:
    """The exit code of the work, or of what kept it from being done."""
    from hitl_services import failure

    try:
        from hitl_services.cli.app import parsed  # Ctrl-C in the long import is one like any other

        task = parsed(arguments)
        return task if isinstance(task, int) else _quietly(task, screen)
    except KeyboardInterrupt as error:
        failed = failure.interrupted(error)
    except HitlError as error:
        failed = failure.failure_of(error)
    except OSError as error:
        failed = failure.of_system(error)
    except Exception as error:  # noqa: BLE001 - the one of this process: a defect is told in one line
        failed = failure.unexpected(error)
    return _told(screen, failed, as_json="--json" in arguments)


def _quietly(task: Callable[[Screen], int], screen: Screen) -> int:
    """Do the work; what fails in a thread or a destructor of users' code is no traceback."""
    threading.excepthook = lambda held: screen.note(f"hitl: in a thread: {held.exc_type.__name__}")
    sys.unraisablehook = lambda _: None
    return task(screen)


def _told(screen: Screen, failed: Failure, *, as_json: bool) -> int:
    """One line on stderr; with `--json` a document too, unless there is one already."""
    if as_json and not screen.answered:
        with suppress(HitlError):  # nowhere to write it; the line says what matters
            screen.document(failed.document())
    screen.note(f"hitl: {failed.line()}")
    return failed.exit_code


def _leave(code: int) -> None:
    """End at once if a users' thread would keep the process: nothing of it can be recorded now."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(_LINGER_S)
            if thread.is_alive():
                sys.stderr.flush()
                os._exit(code)
