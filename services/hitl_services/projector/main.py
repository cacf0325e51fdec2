"""The console script `hitl-projector`: options, then the frame of a process around the wiring."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_services.scripts import Script

NAME = "hitl-projector"
_HELP = (
    "Folds the event topic into the read model, which people and tools query. Several share the "
    "partitions; one that lost a partition can write nothing more of it."
)
_SETTINGS = "HITL_KAFKA_BOOTSTRAP, HITL_READ_MODEL, HITL_METRICS_PORT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the projector until a signal or an error; the exit code."""
    script = Script(NAME, _HELP, _SETTINGS)
    script.add_argument(
        "--read-model",
        dest="HITL_READ_MODEL",
        metavar="URL",
        help="sqlite:///FILE or postgresql://...; default HITL_READ_MODEL, which shows no password "
        "in the list of processes",
    )
    options = script.options(arguments)
    from hitl_services.projector.service import run

    return run(NAME, options)
