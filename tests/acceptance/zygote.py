"""Runs scripts in processes that are forked off one which has loaded `hitl`: in a tenth of a start.

`python zygote.py PATH` listens at that socket until its stdin ends. What a script sees is its own:
arguments, folder, environment, files, process and exit code; only its modules were imported before.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
from typing import Any

PACKAGES = ("hitl_services.cli", "hitl_events.audit", "hitl_events.readmodel", "hitl_events.client")
SIZE = struct.Struct("<Q")
NUMBER = struct.Struct("<q")


def _load() -> None:
    """All that commands import when they need it; nothing of it may begin a thread."""
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(path, f"{package}."):
            importlib.import_module(found.name)


def _serve(listener: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who minds a command is waited for by nobody
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is listener for key, _ in selector.select()):
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    selector.close()
                    _mind(connection)


def _mind(connection: socket.socket) -> None:
    """Begin what is asked for, tell its process and then its end."""
    first, files, _, _ = socket.recv_fds(connection, SIZE.size, 3)
    (size,) = SIZE.unpack(first)
    with connection.makefile("rb") as said:
        asked: dict[str, Any] = json.loads(said.read(size))
    process = os.fork()
    if process == 0:
        connection.close()
        _become(asked, files)
        return
    connection.sendall(NUMBER.pack(process))
    _, status = os.waitpid(process, 0)
    connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    """The script; its end is the end of this process, as of any."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["command"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    _load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        print("here", flush=True)
        _serve(listening)
