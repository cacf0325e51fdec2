"""How a step under way ends: the reports that `runtime.executor` makes, from a seed."""

from __future__ import annotations

from random import Random

from hitl_events.domain import canonical
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.recipes.step import StepSpec
from hitl_events.testing.scripts import Certain

_HOW = ("output", "output", "output", "output", "error", "certain", "timeout")


def ended(random: Random, start: StepStart, output: str, *, well: bool = False) -> StepReport:
    """The report of one attempt: `well`, or as the seed draws it."""
    spec: StepSpec = start.request.call.spec
    how = "output" if well else random.choice(_HOW)
    if how == "output":
        return _report(start, output=canonical.dumps(output))
    if how == "timeout" and spec.once:
        return _report(start, uncertain=True)
    error: Exception = Certain("no") if how == "certain" else ValueError("no")
    again = spec.retry.again(error, start.attempt, once=spec.once)
    return _report(
        start,
        error=type(error).__name__,
        message="no",
        retry_in=spec.retry.pause(start.attempt) if again else None,
    )


def _report(start: StepStart, **how: object) -> StepReport:
    return StepReport(
        run_id=start.run_id,
        key=start.request.key,
        attempt=start.attempt,
        args_digest=start.request.args_digest,
        duration_us=1,
        **how,  # type: ignore[arg-type]  # the fields that say how it ended
    )
