"""Scripts in forked processes (`zygote`): for tests that look at what a command does.

Those that look at how a process starts, is interrupted or meets its terminal start one of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.acceptance.zygote import NUMBER, SIZE

ZYGOTE = str(Path(__file__).with_name("zygote.py"))


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str,
    within_s: float,
) -> tuple[int, str, str]:
    """Run a script with its arguments.

    Exit code (or minus the signal), stdout and stderr; `TimeoutExpired`, and it is killed.
    """
    asked = {"command": command, "folder": str(folder), "environment": {**environment}}
    request = json.dumps(asked).encode()
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        given.write(stdin.encode())
        given.seek(0)
        files = [each.fileno() for each in (given, out, err)]
        connection.settimeout(within_s)
        connection.connect(_zygote())
        socket.send_fds(connection, [SIZE.pack(len(request))], files)
        connection.sendall(request)
        process = _number(connection)
        try:
            code = _number(connection)
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, within_s) from None
        return code, _text(out.fileno()), _text(err.fileno())


def _number(connection: socket.socket) -> int:
    (number,) = NUMBER.unpack(connection.recv(NUMBER.size, socket.MSG_WAITALL))
    return int(number)


def _text(file: int) -> str:
    with os.fdopen(os.dup(file), encoding="utf-8") as said:
        said.seek(0)
        return said.read()


@cache
def _zygote() -> str:
    """Where it listens: one for all tests of this process, which it does not outlive."""
    folder = tempfile.mkdtemp(prefix="hitl-zygote-")
    path = f"{folder}/socket"
    command = [sys.executable, ZYGOTE, path]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )

    def end() -> None:
        process.communicate("")
        shutil.rmtree(folder)

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return path
