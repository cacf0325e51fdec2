"""What the console scripts of the long-lived processes have in common. Imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from hitl_services.signals import ending_signals

_USAGE = 2
_ENDS = (
    "SIGTERM ends it within 10 s. Exit codes: 0 ended; 2 usage or settings; 5 the broker can not "
    "be reached; 70 it could not go on and is to be started again; 130 interrupted twice."
)


class Script(argparse.ArgumentParser):
    """Options whose `dest` is the name of the variable that each wins over.

    A line that can not be understood is one line on stderr.
    """

    def __init__(self, name: str, description: str, settings: str) -> None:
        for number in ending_signals():  # until the frame takes them: nothing began
            signal.signal(number, _leave)
        epilog = (
            f"Settings: {settings} and the others of docs/operations.md, in the environment or in "
            f"hitl.toml; an option wins over both. {_ENDS}"
        )
        super().__init__(prog=name, description=description, epilog=epilog, allow_abbrev=False)
        self.add_argument(
            "--kafka",
            dest="HITL_KAFKA_BOOTSTRAP",
            metavar="HOST:PORT",
            help="the broker; default HITL_KAFKA_BOOTSTRAP",
        )
        self.add_argument("--version", action=_Version, nargs=0, help="print the version")

    def options(self, arguments: Sequence[str] | None) -> dict[str, str]:
        """What was given, by the names of the variables."""
        given: dict[str, str | list[str] | None] = vars(self.parse_args(arguments))
        return {
            name: held if isinstance(held, str) else ",".join(held)
            for name, held in given.items()
            if name.startswith("HITL_") and held
        }

    def error(self, message: str) -> NoReturn:
        """Say it and end with 2."""
        expected = f"expected {self.prog} [OPTIONS]"
        self.exit(_USAGE, f"{self.prog}: {expected}, found: {message}; see --help\n")


def _leave(_: int, __: FrameType | None) -> NoReturn:
    os._exit(0)


class _Version(argparse.Action):
    """Looks the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end."""
        from importlib.metadata import version

        print(f"hitl-events {version('hitl-events')}")
        parser.exit()
