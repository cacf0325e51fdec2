"""How a step under way ends, as a seed draws it."""

from __future__ import annotations

from random import Random

from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.testing.reports import completed, failed, timed_out
from hitl_events.testing.scripts import Certain

_HOW = ("output", "output", "output", "output", "error", "certain", "timeout")


def ended(random: Random, start: StepStart, output: str, *, well: bool = False) -> StepReport:
    """The report of one attempt: `well`, or as the seed draws it."""
    match "output" if well else random.choice(_HOW):
        case "output":
            return completed(start, output)
        case "timeout":
            return timed_out(start)
        case "certain":
            return failed(start, Certain("no"))
        case _:
            return failed(start, ValueError("no"))
