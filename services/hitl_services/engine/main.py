"""The console script `hitl-engine`: options, then the frame of a process around the wiring."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

NAME = "hitl-engine"
_HELP = (
    "Owns partitions of the event topic: takes commands and decisions, runs steps, times gates "
    "out. Several share the partitions; one that is free stands by."
)
_EPILOG = (
    "Settings: HITL_KAFKA_BOOTSTRAP, HITL_TOKEN_KEY, HITL_RECIPES, HITL_METRICS_PORT and the "
    "others of docs/operations.md, in the environment or in hitl.toml; an option wins over both. "
    "SIGTERM ends it within 10 s. Exit codes: 0 ended; 2 usage or settings; 5 the broker can not "
    "be reached; 70 it could not go on and is to be started again; 130 interrupted twice."
)
_USAGE = 2


class _Parser(argparse.ArgumentParser):
    """A line that can not be understood is one line on stderr."""

    def error(self, message: str) -> NoReturn:
        """Say it and end with 2."""
        self.exit(_USAGE, f"{NAME}: expected {NAME} [OPTIONS], found: {message}; see --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine until a signal or an error; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):  # until the frame takes them: nothing has begun
        signal.signal(number, _leave)
    options = _options(sys.argv[1:] if arguments is None else arguments)
    from hitl_services.engine.service import run

    return run(NAME, options)


def _leave(_: int, __: FrameType | None) -> NoReturn:
    os._exit(0)


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """What was given, by the names of the variables that it wins over."""
    parser = _Parser(prog=NAME, description=_HELP, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument(
        "--recipes",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help="module or file.py of recipes, repeatable; default HITL_RECIPES",
    )
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default HITL_KAFKA_BOOTSTRAP"
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    given = parser.parse_args(arguments)
    options = {"HITL_RECIPES": ",".join(given.recipes), "HITL_KAFKA_BOOTSTRAP": given.kafka or ""}
    return {name: text for name, text in options.items() if text}


class _Version(argparse.Action):
    """Looks the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end."""
        from importlib.metadata import version

        print(f"hitl-events {version('hitl-events')}")
        parser.exit()
