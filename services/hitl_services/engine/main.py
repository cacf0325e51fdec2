"""The console script `hitl-engine`: options, then the frame of a process around the wiring."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_services.scripts import Script

NAME = "hitl-engine"
_HELP = (
    "Owns partitions of the event topic: takes commands and decisions, runs steps, times gates "
    "out. Several share the partitions; one that is free stands by."
)
_SETTINGS = "HITL_KAFKA_BOOTSTRAP, HITL_TOKEN_KEY, HITL_RECIPES, HITL_METRICS_PORT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine until a signal or an error; the exit code."""
    script = Script(NAME, _HELP, _SETTINGS)
    script.add_argument(
        "--recipes",
        dest="HITL_RECIPES",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help="module or file.py of recipes, repeatable; default HITL_RECIPES",
    )
    options = script.options(arguments)
    from hitl_services.engine.service import run

    return run(NAME, options)
